//! `code-sandbox`: runs untrusted Python behind an HTTP API, each call in a container of its own.
//!
//! Exit status: 0 after a drain, 1 if it could not start or serve, 2 for a wrong flag.

mod accept;
mod check;
mod cli;
mod health_check;
mod instance;
mod new_key;
mod pool_size;
mod serve;
mod signals;
mod undertaker;
mod upkeep;

use std::{
    io::{self, Write as _},
    process::ExitCode,
    time::Duration,
};

use nix::sys::stat::{Mode, umask};
use tracing::error;

use self::cli::{Cli, Command, Config, Flags, KeysCommand, manual};

/// A thread that waits for a disk that hangs would keep the end waiting for ever.
const LAST_THREADS: Duration = Duration::from_secs(1);

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args_os().collect();
    let cli = Cli::given(&arguments).unwrap_or_else(|error| error.exit());
    match cli.command {
        None => run(cli.flags, async |config| match serve::serve(config).await {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                error!("the service cannot run: {error}");
                ExitCode::FAILURE
            }
        }),
        Some(Command::Health) => run(cli.flags, async |config| health_check::run(config.listen).await),
        Some(Command::Check) => run(cli.flags, check::run),
        Some(Command::Undertake { generation }) => {
            run(cli.flags, async |config| undertaker::run(config, &generation).await)
        }
        Some(Command::Keys(KeysCommand::New { tenant })) => new_key::print(&tenant),
        Some(Command::Completions { shell }) => manual::completions(shell),
        Some(Command::Man { folder: None }) => manual::man(),
        Some(Command::Man { folder: Some(folder) }) => manual::man_pages(&folder),
    }
}

/// Does the work with what the flags amount to.
fn run(flags: Flags, work: impl AsyncFnOnce(Config) -> ExitCode) -> ExitCode {
    let config = match flags.config() {
        Ok(config) => config,
        Err(error) => return cli::report(error),
    };
    let _log = match telemetry::logging::install(config.log_format, config.log_level) {
        Ok(log) => log,
        Err(error) => {
            let _ = writeln!(io::stderr(), "nothing can be logged: {error}");
            return ExitCode::FAILURE;
        }
    };
    // Uploaded data is nobody else's; the group may, because the service can run as different users of one group.
    umask(Mode::S_IRWXO);
    match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => {
            let status = runtime.block_on(work(config));
            runtime.shutdown_timeout(LAST_THREADS);
            status
        }
        Err(error) => {
            error!("the service cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}
