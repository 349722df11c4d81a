use clap::{CommandFactory, Parser};

use super::{Cli, Config};

fn config(args: &[&str]) -> Result<Config, String> {
    let cli = Cli::try_parse_from([&["code-sandbox"], args].concat()).map_err(|error| error.to_string())?;
    cli.flags.config().map_err(|error| error.to_string())
}

#[test]
fn help_names_every_flag_with_its_variable_and_default() {
    let command = Cli::command();
    // The snapshot is that of the default build.
    #[cfg(feature = "otlp")]
    let command = command.mut_arg("otlp_endpoint", |flag| flag.hide(true));
    let help = command.term_width(100).render_long_help().to_string();
    insta::assert_snapshot!(help);
}

#[test]
fn every_flag_has_a_variable_named_after_it() {
    for flag in
        Cli::command().get_arguments().filter(|flag| !["help", "version"].contains(&flag.get_id().as_str()))
    {
        let name = flag.get_long().unwrap().replace('-', "_").to_uppercase();
        assert_eq!(flag.get_env().unwrap().to_str().unwrap(), format!("CODE_SANDBOX_{name}"));
    }
}

#[test]
fn the_readme_has_a_row_for_every_flag_with_its_default() {
    let readme = include_str!("../../../../README.md");
    for flag in
        Cli::command().get_arguments().filter(|flag| !["help", "version"].contains(&flag.get_id().as_str()))
    {
        let long = flag.get_long().unwrap();
        let row = readme.lines().find(|line| line.starts_with(&format!("| `--{long}` |")));
        let row = row.unwrap_or_else(|| panic!("no row for --{long}"));
        for default in flag.get_default_values() {
            let default = default.to_str().unwrap();
            assert!(row.contains(&format!("`{default}`")), "--{long} has the default {default}, not: {row}");
        }
    }
}

#[test]
fn the_defaults_fit_together() {
    let config = config(&[]).unwrap();
    assert_eq!(config.engine.bounds.default_memory, 512 << 20);
    assert_eq!(config.api.max_body, 32 << 20);
    assert_eq!(config.drain_timeout.as_secs(), 30);
}

#[test]
fn a_wrong_value_names_the_flag_what_it_got_and_what_it_takes() {
    for (flag, value, takes) in [
        ("--memory", "31m", "takes a size from 32m to 1t"),
        ("--memory", "lots", "takes a size from 32m to 1t"),
        ("--timeout", "0s", "takes a time from 1ms to 24h"),
        ("--timeout", "30", "takes a time from 1ms to 24h"),
        ("--cpus", "0", "takes a number from 0.01 to 1024"),
        ("--cpus", "NaN", "takes a number from 0.01 to 1024"),
        ("--pids", "0", "takes a whole number from 8 to 32768"),
        ("--max-executions", "many", "takes a whole number from 1 to 10000"),
        ("--image", "", "takes the name of an image"),
        ("--listen", "8000", "invalid socket address syntax"),
        ("--docker-host", "ftp://x", "takes unix:///path or tcp://address:port"),
        ("--log-level", "loud", "[possible values: error, warn, info, debug, trace]"),
    ] {
        let error = config(&[flag, value]).unwrap_err();
        for part in [flag, value, takes] {
            assert!(error.contains(part), "{flag} {value}: {error}");
        }
    }
}

#[test]
fn flags_that_contradict_each_other_are_refused_with_both_names() {
    for (args, error) in [
        (["--timeout", "6m"], "--timeout is 6m, above --max-timeout, which is 5m"),
        (["--memory", "3g"], "--memory is 3 GiB, above --max-memory, which is 2 GiB"),
        (["--data-limit", "1m"], "--max-value-size is 256 MiB, above --data-limit, which is 1 MiB"),
        (
            ["--workspace-size", "400m"],
            "--workspace-size, --tmp-size and --shm-size count as memory: their sum of 496 MiB and the 32 MiB that \
             the runner needs must not be above --memory, which is 512 MiB",
        ),
    ] {
        assert_eq!(config(&args).unwrap_err(), error);
    }
}

#[test]
fn a_key_is_made_for_what_can_be_a_tenant() {
    for (name, valid) in [("team-a", true), ("", false), ("a b", false), ("-a", false)] {
        let parsed = Cli::try_parse_from(["code-sandbox", "keys", "new", "--", name]);
        assert_eq!(parsed.is_ok(), valid, "{name}");
    }
    let error = Cli::try_parse_from(["code-sandbox", "keys", "new", "a/b"]).unwrap_err().to_string();
    assert!(error.contains("a tenant's name is 1 to 64 characters"), "{error}");
}

#[test]
fn values_live_for_ever_unless_a_time_is_given() {
    assert_eq!(config(&[]).unwrap().store.ttl, None);
    assert_eq!(config(&["--data-ttl", "1d"]).unwrap().store.ttl.unwrap().as_secs(), 86_400);
    assert!(config(&["--data-ttl", "0s"]).unwrap_err().contains("takes a time from 1s to 3650days"));
}

#[cfg(feature = "otlp")]
#[test]
fn a_collector_is_an_address_without_a_path_of_its_own() {
    let taken = |url| config(&["--otlp-endpoint", url]).is_ok();
    for url in ["http://127.0.0.1:4318", "http://otel/", "http://[::1]", "http://[::1]:4318"] {
        assert!(taken(url), "{url}");
    }
    for url in [
        "",
        "otel:4318",
        "https://otel",
        "http://",
        "http://:1",
        "http://a:99999",
        "http://u@a:1",
        "http://a/v1/traces",
        "http://a?x",
    ] {
        assert!(!taken(url), "{url}");
    }
}
