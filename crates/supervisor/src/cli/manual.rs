//! What shells and `man` are told of the flags, made from the flags themselves.

use std::{
    io::{self, Write as _},
    process::ExitCode,
};

use clap::CommandFactory;
use clap_complete::Shell;

use super::Cli;

/// Prints the script that completes flags and their values in `shell`.
pub(crate) fn completions(shell: Shell) -> ExitCode {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "code-sandbox", &mut script);
    print(&script)
}

/// Prints the man page, section 1.
pub(crate) fn man() -> ExitCode {
    let mut page = Vec::new();
    match clap_mangen::Man::new(Cli::command()).render(&mut page) {
        Ok(()) => print(&page),
        Err(_) => ExitCode::FAILURE,
    }
}

fn print(text: &[u8]) -> ExitCode {
    match io::stdout().write_all(text) {
        Ok(()) => ExitCode::SUCCESS,
        // Cut off by a reader that has seen enough, or no disk to write it to: the shell that redirects says so.
        Err(_) => ExitCode::FAILURE,
    }
}
