//! The way of one execution: acquire a container, send the code, collect the report.

use std::time::Instant;

use bytes::Bytes;
use protocol::message::{Finished, Status};
use serde_json::value::RawValue;

use crate::{
    Engine,
    admission::{AdmissionError, Admitted},
    conversation::{Collected, End, Limits},
    driver::{ContainerName, DriverError},
    events::Event,
    outcome::{Asked, Outcome},
    pool::LaunchError,
    request::ExecutionRequest,
};

/// Why an execution could not be carried out. Never the fault of user code; nothing of it has been answered.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// Turned away.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// There was no container to run in.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// The container was lost in the middle of the run, with the container engine or by somebody's hand.
    #[error("the container was lost during the run: {0}")]
    Lost(DriverError),
}

impl Engine {
    /// Runs code in a container of its own.
    ///
    /// Dropping the future kills the run: its container goes to the reaper at once.
    pub async fn execute(&self, request: ExecutionRequest) -> Result<Outcome, ExecuteError> {
        let id = request.id;
        let arrived = Instant::now();
        let admitted = self.shared.admission.admit().await;
        let waited = arrived.elapsed();
        let outcome = match admitted {
            Ok(admitted) => self.run(admitted, request).await,
            Err(error) => Err(error.into()),
        };
        let event = match &outcome {
            Ok(outcome) => Event::Executed { id, status: outcome.status, waited, took: arrived.elapsed() },
            Err(error) => Event::NotExecuted { id, error },
        };
        self.shared.observer.observe(&event);
        outcome
    }

    /// Its place in the queue ends with the answer, its slot with the container.
    async fn run(
        &self,
        Admitted { slot, _queued }: Admitted<'_>,
        request: ExecutionRequest,
    ) -> Result<Outcome, ExecuteError> {
        let shared = &self.shared;
        let limits = Limits { output: shared.config.output_limit, result: shared.config.result_limit };
        let asked = Asked { timeout: request.timeout, memory: request.memory, limits };

        let lease = shared.pool.acquire(slot, request.memory, request.timeout).await;
        let mut lease = lease.inspect_err(|_| shared.health.doubt())?;
        let _running = shared.health.running();
        let collected = lease.conversation().run(request, limits, &shared.hurry).await;
        let outcome = self.judge(collected, asked, lease.container()).await;
        match &outcome {
            Ok(_) => shared.health.confirm(),
            Err(_) => shared.health.doubt(),
        }
        outcome
    }

    /// The verdict rests on the runner's report. Without one, on our own clock or on what the container engine says.
    async fn judge(
        &self,
        Collected { stdout, stderr, result, took, end }: Collected,
        asked: Asked,
        container: &ContainerName,
    ) -> Result<Outcome, ExecuteError> {
        let output = [text(stdout), text(stderr)];
        let crashed = |error: String, output| Ok(Outcome::unreported(Status::Crashed, error, output, took));
        match end {
            End::Finished(finished) => match report(&finished, result) {
                Ok(result) => Ok(Outcome::reported(finished, result, output, asked)),
                Err(error) => crashed(format!("the runner's report is not valid: {error}"), output),
            },
            End::Overdue => {
                let error = format!("time limit of {} exceeded", asked.timeout);
                Ok(Outcome::unreported(Status::Timeout, error, output, took))
            }
            End::Garbled(garbled) => crashed(format!("the runner's report is not valid: {garbled}"), output),
            End::Silent => {
                let ended =
                    self.shared.health.driver().inspect(container).await.map_err(ExecuteError::Lost)?;
                let why = if ended.oom_killed { ", out of memory" } else { "" };
                let status =
                    ended.exit_code.map(|code| format!(" (exit status {code}{why})")).unwrap_or_default();
                crashed(format!("the runner ended without a report{status}"), output)
            }
        }
    }
}

/// The result that goes with a report: there is one if and only if the run was ok.
fn report(finished: &Finished, result: Option<Bytes>) -> Result<Option<Box<RawValue>>, String> {
    match (finished.status, result) {
        (Status::Ok, Some(json)) if json.first() == Some(&b'{') => {
            serde_json::from_slice(&json).map(Some).map_err(|error| error.to_string())
        }
        (Status::Ok, _) => Err("no result".to_owned()),
        _ => Ok(None),
    }
}

/// Without a copy where the bytes are valid UTF-8, which is nearly always.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}
