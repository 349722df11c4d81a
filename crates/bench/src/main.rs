//! Measures the product beside what bounds it (the raw engine) and what it competes with (an in-process service), in one
//! run on one machine, so that only ratios matter; and loads it for long to see what grows, leaks or is answered wrongly.
//!
//! Every answer is checked: a figure for wrong answers would be worth nothing. Whatever happens, no process and no
//! container of this program's is left behind.
//!
//! Exit status: 0 if every target was met, 1 if one was missed or something could not be measured.

mod client;
mod code;
mod docker;
mod load;
mod measure;
mod mixed;
mod options;
mod proc;
mod product;
mod raw;
mod report;
mod service;
mod soak;
mod stats;
mod tenants;

use std::{error::Error, process::ExitCode};

use clap::Parser;
use tokio::signal::unix::{SignalKind, signal};

use self::{
    docker::Engine,
    options::{Command, Options},
    report::Report,
};

/// Why something could not be measured, for the person who started this program.
type Failure = Box<dyn Error + Send + Sync>;
type Result<T, E = Failure> = std::result::Result<T, E>;

#[tokio::main]
async fn main() -> ExitCode {
    match run(Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(failure) => {
            report::progress(&format!("failed: {failure}"));
            ExitCode::FAILURE
        }
    }
}

/// Whether every target was met.
async fn run(mut options: Options) -> Result<bool> {
    let engine = Engine::connect()?;
    let image = engine.image_id(&options.image).await?;
    let mut report = Report::begin(&engine, &options, &image).await?;
    // A name may mean another image before the end.
    options.image = image;
    let work = async {
        match &options.command {
            Command::Measure(plan) => measure::measure(&engine, &options, plan, &mut report).await,
            Command::Soak(plan) => soak::soak(&engine, &options, plan, &mut report).await,
            Command::Mixed(plan) => mixed::mixed(&engine, &options, plan, &mut report).await,
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = interrupted() => Err("interrupted".into()),
    };
    // The product has been stopped or, after a failure, killed: what it left goes here.
    engine.remove_everything().await;
    let verdict = report.end();
    done.map(|()| verdict)
}

async fn interrupted() {
    let Ok(mut terminate) = signal(SignalKind::terminate()) else { return std::future::pending().await };
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        _ = terminate.recv() => {}
    }
}

/// The innermost cause: the outer layers of HTTP clients say only that a request failed.
fn reason(error: &dyn Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}
