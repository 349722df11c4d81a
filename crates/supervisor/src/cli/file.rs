//! The flags as a TOML file. Nothing here knows one of them: an entry is the argument `--NAME=VALUE`, so its name, its
//! value and what is wrong with it are the flag's own.

use std::{
    any::TypeId,
    fmt, io,
    path::{Path, PathBuf},
};

use clap::{Arg, ArgMatches, Command, builder::Resettable, error::ErrorKind, parser::ValueSource};
use toml::de::{DeTable, DeValue};

/// Why a file cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum FileError {
    #[error("the configuration file {path} cannot be read: {reason}")]
    Unreadable { path: PathBuf, reason: io::Error },
    #[error("{path}:{line}: {text}")]
    Entry { path: PathBuf, line: usize, text: String },
}

/// What the file at `path` adds to what is given already: arguments to put before those of the command line. All of the file is
/// checked, also what the command line or the environment says otherwise.
pub(super) fn arguments(command: Command, given: &ArgMatches, path: &Path) -> Result<Vec<String>, FileError> {
    let source =
        keys::read_text(path).map_err(|reason| FileError::Unreadable { path: path.to_owned(), reason })?;
    let wrong = |offset, text| {
        let line = 1 + source.bytes().take(offset).filter(|byte| *byte == b'\n').count();
        FileError::Entry { path: path.to_owned(), line, text }
    };
    let table = DeTable::parse(&source)
        .map_err(|error| wrong(error.span().map_or(0, |span| span.start), error.message().to_owned()))?
        .into_inner();
    let mut entries: Vec<_> = table.iter().map(|(name, value)| (name.span().start, name, value)).collect();
    entries.sort_unstable_by_key(|(offset, ..)| *offset);
    // The environment's values are none of the file's. Only a built command can name its flags.
    let mut command = command.mut_args(|flag| flag.env(Resettable::Reset));
    command.build();
    let mut arguments = Vec::new();
    for (offset, name, value) in entries {
        let flag = flag(&command, name.get_ref()).map_err(|text| wrong(offset, text))?;
        let argument = argument(flag, value.get_ref()).map_err(|text| wrong(offset, text))?;
        let Some(argument) = argument else { continue };
        check(&command, &argument).map_err(|text| wrong(offset, text))?;
        let source = given.value_source(flag.get_id().as_str());
        if !matches!(source, Some(ValueSource::CommandLine | ValueSource::EnvVariable)) {
            arguments.push(argument);
        }
    }
    Ok(arguments)
}

fn flag<'a>(command: &'a Command, name: &str) -> Result<&'a Arg, String> {
    let flag = command.get_arguments().find(|flag| flag.get_long() == Some(name));
    let flag = flag.filter(|_| !["help", "version"].contains(&name));
    flag.ok_or_else(|| match command.clone().try_get_matches_from(["code-sandbox", &format!("--{name}")]) {
        // With the name that was meant, if one is near.
        Err(error) if error.kind() == ErrorKind::UnknownArgument => text(&error),
        _ => format!("there is no flag '--{name}'"),
    })
}

/// The argument that says the same; none for a switch that is off.
fn argument(flag: &Arg, value: &DeValue<'_>) -> Result<Option<String>, String> {
    let name = flag.get_long().unwrap_or_default();
    if name == "config" {
        return Err("a configuration file names no other one".to_owned());
    }
    let text = match (Takes::of(flag), value) {
        (Takes::Switch, DeValue::Boolean(on)) => return Ok(on.then(|| format!("--{name}"))),
        (Takes::Text | Takes::Parsed, DeValue::String(text)) => text.to_string(),
        (Takes::Parsed, DeValue::Float(number)) => number.as_str().to_owned(),
        (Takes::Parsed, DeValue::Integer(number)) => i64::from_str_radix(number.as_str(), number.radix())
            .map_err(|error| format!("invalid value for '{flag}': {error}"))?
            .to_string(),
        (takes, other) => {
            return Err(format!("'{flag}' takes {takes}, not {}", with_article(other.type_str())));
        }
    };
    Ok(Some(format!("--{name}={text}")))
}

/// What a flag's value may be in TOML.
enum Takes {
    Switch,
    /// Of which every one is valid: a number is a slip.
    Text,
    /// Which the flag's own parser judges.
    Parsed,
}

impl Takes {
    fn of(flag: &Arg) -> Self {
        let any_text = [TypeId::of::<String>(), TypeId::of::<PathBuf>()];
        match flag.get_action().takes_values() {
            false => Self::Switch,
            true if any_text.iter().any(|text| flag.get_value_parser().type_id() == *text) => Self::Text,
            true => Self::Parsed,
        }
    }
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Switch => "true or false",
            Self::Text => "a string",
            Self::Parsed => "a string or a number",
        })
    }
}

fn with_article(noun: &str) -> String {
    let article = if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
    format!("{article} {noun}")
}

fn check(command: &Command, argument: &str) -> Result<(), String> {
    let parsed = command.clone().try_get_matches_from(["code-sandbox", argument]);
    parsed.map(|_| ()).map_err(|error| text(&error))
}

/// What clap says of a flag, without what it says of all.
fn text(error: &clap::Error) -> String {
    let all = error.to_string();
    let of_all = |paragraph: &&str| !paragraph.starts_with("Usage") && !paragraph.starts_with("For more");
    let own: Vec<_> = all.trim().split("\n\n").filter(of_all).collect();
    own.join("\n\n").trim_start_matches("error: ").to_owned()
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use clap::CommandFactory;
    use tempfile::NamedTempFile;

    use super::*;
    use crate::cli::{Cli, Config};

    fn file(text: &str) -> NamedTempFile {
        let mut file = NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        file
    }

    /// What these flags and a file with this text amount to; of an error the first paragraphs, without the file's name.
    fn configured(text: &str, flags: &[&str]) -> Result<Config, String> {
        let file = file(text);
        let path = file.path().to_str().unwrap();
        let arguments = [&["code-sandbox", "--config", path], flags].concat();
        let arguments: Vec<_> = arguments.into_iter().map(Into::into).collect();
        let cli = Cli::given(&arguments).map_err(|error| {
            assert_eq!(error.exit_code(), 2);
            super::text(&error).replace(path, "FILE")
        })?;
        cli.flags.config().map_err(|error| error.to_string())
    }

    #[test]
    fn a_file_says_what_the_flags_do_not() {
        let text = "# ours\nmax-timeout = '10m'\ntimeout = \"90s\"\ncpus = 0.5\npids = 0x40\npreload = ''\nimage = 'ours:1'";
        let config = configured(text, &["--timeout", "20s"]).unwrap();
        assert_eq!(config.engine.bounds.max_timeout.as_secs(), 600);
        assert_eq!(config.engine.bounds.default_timeout.as_secs(), 20, "the flag wins");
        assert_eq!(config.engine.bounds.default_memory, 512 << 20, "the default where nobody says anything");
        assert!(config.engine.pool.preloads.is_empty());
        let container = config.hardening("", "");
        assert_eq!(
            (container.image.as_str(), container.milli_cpus.get(), container.pids.get()),
            ("ours:1", 500, 64)
        );
    }

    #[test]
    fn what_is_wrong_is_told_with_the_line_and_in_the_flags_own_words() {
        for (text, error) in [
            (
                "\nmemory = '31m'",
                "FILE:2: invalid value '31m' for '--memory <SIZE>': takes a size from 32m to 1t, such as 64m",
            ),
            (
                "timeout = 30",
                "FILE:1: invalid value '30' for '--timeout <TIME>': takes a time from 1ms to 24h, such as 500ms, 30s or 5m",
            ),
            (
                "pids = 1\nqueue-size = -1",
                "FILE:1: invalid value '1' for '--pids <NUMBER>': takes a whole number from 8 to 32768",
            ),
            (
                "pids = 128.0",
                "FILE:1: invalid value '128.0' for '--pids <NUMBER>': takes a whole number from 8 to 32768",
            ),
            ("pids = true", "FILE:1: '--pids <NUMBER>' takes a string or a number, not a boolean"),
            ("image = 5", "FILE:1: '--image <NAME>' takes a string, not an integer"),
            ("data-dir = 5", "FILE:1: '--data-dir <PATH>' takes a string, not an integer"),
            ("preload = ['numpy']", "FILE:1: '--preload <MODULES>' takes a string or a number, not an array"),
            (
                "[pool]\nsize = 3",
                "FILE:1: unexpected argument '--pool' found\n\n  tip: a similar argument exists: '--pool-size'",
            ),
            (
                "max_timeout = '1m'",
                "FILE:1: unexpected argument '--max_timeout' found\n\n  tip: a similar argument exists: '--max-timeout'",
            ),
            ("'image=a' = 'b'", "FILE:1: there is no flag '--image=a'"),
            ("help = true", "FILE:1: there is no flag '--help'"),
            ("config = 'other.toml'", "FILE:1: a configuration file names no other one"),
            ("pids = 64\npids = 65", "FILE:2: duplicate key"),
            ("pids = 64\ncpus = ", "FILE:2: string values must be quoted, expected literal string"),
        ] {
            assert_eq!(configured(text, &[]).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn a_wrong_value_is_refused_also_where_a_flag_says_otherwise() {
        let error = configured("pids = 1", &["--pids", "64"]).unwrap_err();
        assert!(error.starts_with("FILE:1: invalid value '1' for '--pids <NUMBER>'"), "{error}");
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let path = file("").path().to_owned();
        let arguments = ["code-sandbox", "--config", path.to_str().unwrap()].map(Into::into);
        let error = Cli::given(&arguments).unwrap_err().to_string();
        assert!(error.contains(&format!("{} cannot be read: No such file", path.display())), "{error}");
    }

    #[test]
    fn every_flag_can_be_written_in_a_file_as_its_default_is_shown() {
        let flags = Cli::command();
        let entry = |flag: &Arg| {
            let default = flag.get_default_values().first()?.to_str()?;
            Some(format!("{} = {default:?}\n", flag.get_long()?))
        };
        let text: String = flags.get_arguments().filter_map(entry).collect();
        assert!(text.lines().count() > 20, "{text}");
        configured(&text, &[]).unwrap();
    }
}
