//! `code-sandbox`: runs untrusted Python behind an HTTP API, each call in a container of its own.
//!
//! Exit status: 0 after a drain, 1 if it could not start or serve, 2 for a wrong flag.

mod cli;
mod health_check;
mod instance;
mod new_key;
mod pool_size;
mod serve;
mod upkeep;

use std::process::ExitCode;

use clap::Parser;
use nix::sys::stat::{Mode, umask};
use tracing::error;

use self::cli::{Cli, Command, KeysCommand};

fn main() -> ExitCode {
    let cli = Cli::parse();
    let config = match cli.flags.config() {
        Ok(config) => config,
        Err(error) => return cli::report(error),
    };
    telemetry::logging::install(config.log_format, config.log_level);
    // Uploaded data is nobody else's; the group may, because the service can run as different users of one group.
    umask(Mode::S_IRWXO);
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            error!(%error, "cannot start");
            return ExitCode::FAILURE;
        }
    };
    match cli.command {
        None => match runtime.block_on(serve::serve(config)) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                error!("cannot start: {error}");
                ExitCode::FAILURE
            }
        },
        Some(Command::Health) => runtime.block_on(health_check::run(config.listen)),
        Some(Command::Keys(KeysCommand::New { tenant })) => new_key::print(&tenant),
    }
}
