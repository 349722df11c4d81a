//! The command line: flags in, plain configs out.

mod file;
mod flags;
pub(crate) mod manual;
mod values;

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use api::ApiConfig;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand, error::ErrorKind};
use clap_complete::Shell;
use engine::{EngineConfig, Tenant, driver::hardening::Hardening};
use store::StoreLimits;
use telemetry::logging::Format;
use tracing::level_filters::LevelFilter;

pub(crate) use self::flags::Flags;

/// Runs untrusted Python behind an HTTP API, each call in a throwaway container of its own.
///
/// Every flag can be given as an environment variable as well; a flag wins. Sizes are in bytes or with a unit (`64m`,
/// `2g`: binary, as Docker means them), times have a unit (`500ms`, `30s`, `5m`).
#[derive(Debug, Parser)]
#[command(name = "code-sandbox", version, max_term_width = 100)]
pub(crate) struct Cli {
    /// TOML file with flags, named as here without the dashes (`max-timeout = "5m"`); a flag and a variable win.
    #[arg(long, env = "CODE_SANDBOX_CONFIG", value_name = "PATH")]
    config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) flags: Flags,
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum Command {
    /// Ask a control plane that runs with these flags whether code can run: exit status 0 if it can, else 1.
    Health,
    /// Prove that a control plane with these flags would work here: exit status 0 if every promise holds, else 1.
    Check,
    /// What a control plane starts for itself: remove the containers of this life of it once it has died.
    #[command(hide = true)]
    Undertake {
        /// Its generation.
        generation: String,
    },
    /// Print a script that completes flags in a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print the man page, or write it and those of the subcommands into a folder.
    Man {
        /// The folder, such as `/usr/local/share/man/man1`.
        folder: Option<PathBuf>,
    },
    /// Make keys for callers (`--api-keys-file`).
    #[command(subcommand)]
    Keys(KeysCommand),
}

impl Cli {
    /// What is given as flags, as variables and, where these are silent, in the file that they name.
    pub(crate) fn given(arguments: &[OsString]) -> Result<Self, clap::Error> {
        let given = Self::command().try_get_matches_from(arguments)?;
        let cli = Self::from_arg_matches(&given)?;
        let Some(path) = &cli.config else { return Ok(cli) };
        let filed = file::arguments(Self::command(), &given, path)
            .map_err(|error| Self::command().error(ErrorKind::ValueValidation, error))?;
        let (program, rest) = arguments.split_at(arguments.len().min(1));
        Self::try_parse_from(
            program.iter().cloned().chain(filed.into_iter().map(OsString::from)).chain(rest.iter().cloned()),
        )
    }
}

#[derive(Clone, Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Make a key: it is shown once, on stderr; on stdout comes the line to add to the keys file, which does not hold the key.
    New {
        /// Whose key it is: 1 to 64 characters of `A-Z a-z 0-9 . _ -`, the first a letter or digit.
        #[arg(value_parser = |name: &str| Tenant::try_from(name))]
        tenant: Tenant,
    },
}

/// What the flags amount to.
#[derive(Debug)]
pub(crate) struct Config {
    pub(crate) listen: SocketAddr,
    pub(crate) docker_host: String,
    pub(crate) data_dir: PathBuf,
    pub(crate) api_keys_file: Option<PathBuf>,
    pub(crate) drain_timeout: Duration,
    pub(crate) log_format: Format,
    pub(crate) log_level: LevelFilter,
    pub(crate) engine: EngineConfig,
    /// The size of the engine's pool is not given, but to be what suits the machine.
    pub(crate) sizes_pool: bool,
    pub(crate) api: ApiConfig,
    pub(crate) store: StoreLimits,
    /// Memory for request bodies, bytes.
    pub(crate) bodies: u64,
    /// Memory for answers that wait for their clients, bytes.
    pub(crate) answers: u64,
    #[cfg(feature = "otlp")]
    pub(crate) otlp_endpoint: Option<String>,
    container: Hardening,
}

impl Config {
    /// The container settings of one life of one control plane.
    pub(crate) fn hardening(&self, instance: &str, generation: &str) -> Hardening {
        Hardening {
            instance: instance.to_owned(),
            generation: generation.to_owned(),
            ..self.container.clone()
        }
    }
}

/// Flags that are valid each by itself, but not together.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Conflict(String);

/// Reports a conflict as clap reports a wrong value: usage on stderr, exit status 2.
pub(crate) fn report(conflict: Conflict) -> ExitCode {
    let error = Cli::command().error(ErrorKind::ValueValidation, conflict);
    // A closed stderr changes nothing about the status.
    let _ = error.print();
    ExitCode::from(2)
}

#[cfg(test)]
mod tests;
