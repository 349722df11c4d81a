//! `code-sandbox check`: proves that a control plane with these flags would keep its promises here.
//!
//! It runs in containers of an instance of its own, without a pool, and opens neither the port nor the data folder: a control
//! plane that is running with the same flags notices nothing but the load.

mod folder;
mod table;
mod trials;

use std::{
    io::{self, Write},
    num::NonZeroU32,
    process::ExitCode,
    sync::Arc,
    time::Duration,
};

use engine::{
    Engine,
    driver::{Driver, docker::DockerDriver},
};
use keys::{Count, KeysFile};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use self::{table::Table, trials::Trial};
use crate::{cli::Config, signals::Signals, undertaker::Undertaker};

/// Limits whose trial would load the machine are tried at these at most: that they are kept does not depend on how large they
/// are.
const MOST_OUTPUT: u64 = 1 << 20;
const MOST_PIDS: NonZeroU32 = NonZeroU32::new(256).unwrap();

/// Prints what it finds; succeeds if all is well.
pub(crate) async fn run(config: Config) -> ExitCode {
    let mut table = Table::new(io::stdout());
    let complete = all(config, &mut table).await;
    if table.end(complete) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// False if something could not be tried.
async fn all(config: Config, table: &mut Table<impl Write>) -> bool {
    table.row("data folder", folder::usable(&config.data_dir, config.store.data_limit).await);
    if let Some(path) = &config.api_keys_file {
        let counted = KeysFile::open(path.clone()).map(|file| file.keyring().count());
        table.row(
            "keys file",
            counted.map(|Count { tenants, keys }| format!("{keys} keys, {tenants} tenants")),
        );
    }
    let instance = Uuid::now_v7().to_string();
    let mut container = config.hardening(&instance, &instance);
    container.pids = container.pids.min(MOST_PIDS);
    let image = container.image.clone();
    let driver = match DockerDriver::new(&config.docker_host, container.clone()) {
        Ok(driver) => Arc::new(driver),
        Err(error) => return table.failed("engine", error),
    };
    match driver.about().await {
        Ok(about) => {
            table.ok("engine", about.summary);
            table.row(
                "engine's limits",
                match about.unlimited.as_slice() {
                    [] => Ok("memory, swap, processes and processor time can be limited".to_owned()),
                    missing => Err(format!("the engine's kernel cannot limit: {}", missing.join(", "))),
                },
            );
            let warnings = about.warnings.join("; ");
            table.ok("engine's warnings", if warnings.is_empty() { "none" } else { &warnings });
        }
        Err(error) => return table.failed("engine", error),
    }
    match driver.image().await {
        Ok(found) => {
            let id = found.id.get(..19).unwrap_or(&found.id);
            table.ok("image", format!("{image}, {id}, {} MiB", found.size >> 20));
        }
        Err(error) => return table.failed("image", error),
    }
    let mut engine_config = config.engine;
    let modules = std::mem::take(&mut engine_config.pool.preloads);
    engine_config.pool.size = 0;
    let patience = trials::patience(&container);
    engine_config.bounds.default_timeout = patience;
    engine_config.bounds.max_timeout = patience;
    engine_config.output_limit = engine_config.output_limit.min(MOST_OUTPUT);
    let trials = trials::trials(&container, &engine_config, &modules);
    // `check` is the last of our arguments.
    let undertaker = match Undertaker::appoint(&instance, 1) {
        Ok(undertaker) => undertaker,
        Err(error) => {
            return table.failed("a process that removes containers if this one is killed", error);
        }
    };
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, engine_config, Arc::new(()));
    let complete = tokio::select! {
        complete = try_all(&trials, &engine, table) => complete,
        () = interrupted() => false,
    };
    engine.drain(Duration::ZERO, &CancellationToken::new()).await;
    table.row(
        "nothing left",
        match driver.list().await {
            Ok(left) if left.is_empty() => {
                if let Some(undertaker) = undertaker {
                    undertaker.dismiss();
                }
                Ok("every container of the check is removed".to_owned())
            }
            Ok(left) => Err(format!("{} containers of the check are there, labelled {instance}", left.len())),
            Err(error) => Err(error.to_string()),
        },
    );
    complete
}

/// False if nothing can be tried: each would wait for the same.
async fn try_all(trials: &[Trial], engine: &Engine, table: &mut Table<impl Write>) -> bool {
    for (number, trial) in trials.iter().enumerate() {
        match trial.run(engine).await {
            Ok(verdict) => {
                table.row(trial.what, verdict);
            }
            Err(error) => {
                table.failed(trial.what, error);
                if number == 0 {
                    return false;
                }
            }
        }
    }
    true
}

/// Returns at a signal that asks for the end.
async fn interrupted() {
    match Signals::new() {
        Ok(mut signals) => signals.next().await,
        Err(_) => std::future::pending().await,
    }
}
