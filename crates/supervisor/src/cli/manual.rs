//! What shells and `man` are told of the flags, made from the flags themselves.

use std::{
    io::{self, Write as _},
    path::Path,
    process::ExitCode,
};

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;

/// Prints the script that completes flags and their values in `shell`.
pub(crate) fn completions(shell: Shell) -> ExitCode {
    print(&script(shell))
}

fn script(shell: Shell) -> Vec<u8> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "code-sandbox", &mut script);
    if shell == Shell::Bash {
        // clap_complete 4.6 takes a hyphen of the name for the border of a subcommand, in the labels but not where it jumps to them.
        return String::from_utf8_lossy(&script)
            .replace("code__subcmd__sandbox", "code__sandbox")
            .into_bytes();
    }
    script
}

/// Prints the man page, section 1.
pub(crate) fn man() -> ExitCode {
    let mut page = Vec::new();
    match clap_mangen::Man::new(Cli::command()).render(&mut page) {
        Ok(()) => print(&page),
        Err(_) => ExitCode::FAILURE,
    }
}

/// Writes the man pages, section 1, of the whole and of each subcommand.
pub(crate) fn man_pages(folder: &Path) -> ExitCode {
    match clap_mangen::generate_to(Cli::command(), folder) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // A closed stderr changes nothing about the status.
            let _ = writeln!(
                io::stderr(),
                "error: the man pages cannot be written into {}: {error}",
                folder.display()
            );
            ExitCode::FAILURE
        }
    }
}

fn print(text: &[u8]) -> ExitCode {
    match io::stdout().write_all(text) {
        Ok(()) => ExitCode::SUCCESS,
        // Cut off by a reader that has seen enough, or no disk to write it to: the shell that redirects says so.
        Err(_) => ExitCode::FAILURE,
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, fs, process::Command};

    use super::*;

    #[test]
    fn every_subcommand_that_is_shown_has_a_man_page() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(man_pages(folder.path()), ExitCode::SUCCESS);
        let pages = fs::read_dir(folder.path()).unwrap();
        let pages: BTreeSet<_> = pages.map(|page| page.unwrap().file_name().into_string().unwrap()).collect();
        let names = ["", "-check", "-completions", "-health", "-keys", "-keys-new", "-man"];
        assert_eq!(pages, names.map(|name| format!("code-sandbox{name}.1")).into());
        let main = fs::read_to_string(folder.path().join("code-sandbox.1")).unwrap();
        assert!(main.contains("CODE_SANDBOX_MAX_TIMEOUT"));
        assert_eq!(man_pages(&folder.path().join("missing")), ExitCode::FAILURE);
    }

    #[test]
    fn bash_completes_flags_and_what_comes_after_a_subcommand() {
        for (words, completed) in [
            ("code-sandbox keys ''", "new"),
            ("code-sandbox completions b", "bash"),
            ("code-sandbox --log-f", "--log-format"),
        ] {
            let script = String::from_utf8(script(Shell::Bash)).unwrap();
            let asked = format!(
                "{script}\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
                 _code__sandbox code-sandbox \"${{COMP_WORDS[-1]}}\" \"${{COMP_WORDS[-2]}}\"; echo \"${{COMPREPLY[@]}}\""
            );
            let told = Command::new("bash").args(["-c", &asked]).output().unwrap();
            let told = String::from_utf8_lossy(&told.stdout).into_owned();
            assert!(told.split_whitespace().any(|word| word == completed), "{words}: {told}");
        }
    }
}
