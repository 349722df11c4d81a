//! The binary as a shell sees it, as far as no Docker is needed.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};

fn run(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_code-sandbox"));
    command.args(arguments).envs(variables.iter().copied()).output().unwrap()
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn a_flag_wins_over_a_variable_a_variable_over_the_file_and_the_file_over_the_default() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "timeout = '6m'").unwrap();
    let path = file.path().to_str().unwrap();
    // Each says what it is by being too long.
    let chosen = |arguments: &[&str], variables: &[(&str, &str)]| {
        let output = run(arguments, variables);
        assert_eq!(output.status.code(), Some(2));
        text(output.stderr)
    };
    let (by_flag, by_variable) = (["--config", path], [("CODE_SANDBOX_CONFIG", path)]);
    let variable = ("CODE_SANDBOX_TIMEOUT", "7m");
    for (error, expected) in [
        (chosen(&by_flag, &[]), "--timeout is 6m, above"),
        (chosen(&[], &by_variable), "--timeout is 6m, above"),
        (chosen(&by_flag, &[variable]), "--timeout is 7m, above"),
        (chosen(&["--config", path, "--timeout", "8m", "check"], &[variable]), "--timeout is 8m, above"),
    ] {
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_log_that_cannot_be_written_is_lost_and_nothing_else() {
    let folder = tempfile::tempdir().unwrap();
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_code-sandbox"));
    command
        .args(["--docker-host", "unix:///nowhere", "--listen", "127.0.0.1:0", "--data-dir"])
        .arg(folder.path());
    let status = command.stderr(full).status().unwrap();
    assert_eq!(status.code(), Some(1), "{status}: not by a signal");
}

#[test]
fn a_wrong_file_ends_the_start_with_its_name_the_line_and_status_2() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "pids = 64\nmemory = 'lots'\n").unwrap();
    let path = file.path().to_str().unwrap();
    let output = run(&["--config", path, "check"], &[]);
    assert_eq!((output.status.code(), output.stdout.len()), (Some(2), 0));
    let error = text(output.stderr);
    assert!(
        error.starts_with(&format!("error: {path}:2: invalid value 'lots' for '--memory <SIZE>'")),
        "{error}"
    );
}

#[test]
fn completions_for_every_shell_and_the_man_page_know_the_flags_and_the_commands() {
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let output = run(&["completions", shell], &[]);
        assert!(output.status.success());
        let script = text(output.stdout);
        assert!(script.contains("max-timeout") && script.contains("check"), "{shell}: {script}");
    }
    let output = run(&["man"], &[]);
    assert!(output.status.success());
    let page = text(output.stdout);
    assert!(page.starts_with(".ie") && page.contains(".TH code-sandbox 1"), "{page}");
    assert!(page.contains(r"\-\-max\-timeout") && page.contains(r"code\-sandbox\-check"), "{page}");
}

#[test]
fn a_check_without_an_engine_names_it_says_that_the_rest_was_not_tried_and_fails() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let output = run(&["--docker-host", "unix:///nowhere/docker.sock", "--data-dir", data, "check"], &[]);
    assert_eq!(output.status.code(), Some(1));
    let table = text(output.stdout);
    let lines: Vec<_> = table.lines().collect();
    assert!(lines[0].starts_with("ok      data folder "), "{table}");
    assert!(lines[1].starts_with("FAILED  engine ") && lines[1].contains("/nowhere/docker.sock"), "{table}");
    assert_eq!(lines[2..], ["1 of 2 FAILED; the rest was not tried"], "{table}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
