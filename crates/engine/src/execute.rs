//! The way of one execution: acquire a container, send the code, collect the report.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use protocol::message::Status;
use serde_json::value::RawValue;
use tokio::{task::spawn_blocking, time::sleep};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Engine,
    admission::AdmissionError,
    container::Container,
    conversation::{Collected, End, Parcel},
    data::DataDesk,
    driver::{ContainerName, DriverError, Ended},
    events::{Event, Observer},
    json::{Rules, StreamCheck},
    outcome::{Asked, CANCELLED, Outcome},
    output::{Live, Sink, Unread},
    phase::{Phase, Stopwatch},
    pool::{LaunchError, Lease, Want},
    request::{ExecutionRequest, Permit},
};

/// Why an execution could not be carried out. Never the fault of user code; nothing of it has been answered.
#[derive(Debug, thiserror::Error)]
pub enum ExecuteError {
    /// Turned away.
    #[error(transparent)]
    Admission(#[from] AdmissionError),
    /// Whoever asked for it had lost the right to when it could start.
    #[error("it may not start any more")]
    Forbidden,
    /// There was no container to run in.
    #[error(transparent)]
    Launch(#[from] LaunchError),
    /// One container after the other was lost before the code started in it.
    #[error("the containers were lost before the code started")]
    NotStarted,
    /// The request could not be packed.
    #[error("the request could not be packed: {0}")]
    Pack(std::io::Error),
    /// The container was lost in the middle of the run, with the container engine or by somebody's hand.
    #[error("the container was lost during the run: {0}")]
    Lost(String),
}

impl Engine {
    /// Runs code in a container of its own.
    ///
    /// Dropping the future kills the run: its container goes to the reaper at once.
    pub async fn execute(&self, request: ExecutionRequest) -> Result<Outcome, ExecuteError> {
        self.execute_into(request, &mut Sink::kept()).await
    }

    /// The same, but what the code prints goes to `live` as it comes, and is not in the outcome. What of it is not taken yet comes
    /// back; the container and both turns are free by then.
    pub async fn execute_live(
        &self,
        request: ExecutionRequest,
        mut live: Live,
    ) -> (Result<Outcome, ExecuteError>, Unread) {
        let mut outcome = self.execute_into(request, &mut Sink::Live(&mut live)).await;
        if let Ok(outcome) = &mut outcome {
            outcome.turn = None;
        }
        (outcome, live.end())
    }

    async fn execute_into(
        &self,
        request: ExecutionRequest,
        sink: &mut Sink<'_>,
    ) -> Result<Outcome, ExecuteError> {
        let id = request.id;
        let arrived = Instant::now();
        let mut watch = Watch { id, arrived, observer: Some(&*self.shared.observer) };
        let mut stopwatch = Stopwatch::start(&*self.shared.observer, Phase::Queue);
        let execution = self.shared.executions.enter(&request, self.shared.hurry.child_token());
        let admitted = tokio::select! {
            biased;
            admitted = self.shared.admission.admit(&request.tenant, request.concurrency) => Some(admitted),
            () = execution.cancel.cancelled() => None,
        };
        let waited = arrived.elapsed();
        let outcome = match admitted {
            Some(Ok(place)) => {
                execution.started();
                let want = self.shared.pool.want(&request, place.leaves());
                self.run(request, &want, sink, &execution.cancel, &mut stopwatch).await
            }
            Some(Err(error)) => Err(error.into()),
            None => Ok(Outcome::cancelled()),
        };
        drop((execution, stopwatch));
        watch.observer = None;
        let event = match &outcome {
            Ok(outcome) => Event::Executed { id, status: outcome.status, waited, took: arrived.elapsed() },
            Err(error) => Event::NotExecuted { id, error },
        };
        self.shared.observer.observe(&event);
        outcome
    }

    /// A container that dies before the code has started costs the request only time.
    async fn run(
        &self,
        mut request: ExecutionRequest,
        want: &Want,
        sink: &mut Sink<'_>,
        cancel: &CancellationToken,
        stopwatch: &mut Stopwatch<'_>,
    ) -> Result<Outcome, ExecuteError> {
        let shared = &self.shared;
        let output_limit = shared.config.output_limit;
        let asked = Asked { timeout: request.timeout, memory: request.memory, output_limit };
        let (id, permit) = (request.id, request.permit.clone());
        stopwatch.enter(Phase::Lease);
        let Some(mut lease) = self.lease(want, &permit, cancel).await? else {
            return Ok(Outcome::cancelled());
        };
        stopwatch.enter(Phase::Send);
        let data = DataDesk::new(id, request.data.take(), Arc::clone(&shared.observer));
        let mut parcel =
            Parcel::pack(request, output_limit, shared.config.returns, data, shared.large.clone())
                .map_err(ExecuteError::Pack)?;
        for attempt in 1.. {
            let running = shared.health.begin_run();
            let (collected, container) =
                lease.run(&mut parcel, sink, cancel, stopwatch, &*shared.driver).await;
            drop(running);
            self.learn_from(&collected.end, &container);
            stopwatch.enter(Phase::Collect);
            if let Some(outcome) = self.judge(collected, sink.text(), asked, container.name()).await? {
                stopwatch.finish();
                return Ok(outcome);
            }
            if attempt == ATTEMPTS {
                break;
            }
            drop(container);
            shared.observer.observe(&Event::Retried { id, attempt });
            stopwatch.enter(Phase::Lease);
            lease = match self.lease(want, &permit, cancel).await? {
                Some(lease) => lease,
                None => return Ok(Outcome::cancelled()),
            };
            stopwatch.enter(Phase::Send);
        }
        Err(ExecuteError::NotStarted)
    }

    /// None if the execution was cancelled meanwhile.
    async fn lease(
        &self,
        want: &Want,
        permit: &Permit,
        cancel: &CancellationToken,
    ) -> Result<Option<Lease>, ExecuteError> {
        let shared = &self.shared;
        let lease = tokio::select! {
            biased;
            () = shared.hurry.cancelled() => return Err(AdmissionError::Draining.into()),
            () = cancel.cancelled() => return Ok(None),
            lease = shared.pool.acquire(want) => lease,
        };
        let lease = lease.inspect_err(|_| shared.health.doubt())?;
        if permit.holds() { Ok(Some(lease)) } else { Err(ExecuteError::Forbidden) }
    }

    /// What a run says of the next ones.
    fn learn_from(&self, end: &End, container: &Container) {
        match end {
            End::Finished(_) => {
                self.shared.health.confirm();
                self.shared.pool.served(container.since());
            }
            End::Cancelled | End::Overdue(_) => {}
            End::NotStarted | End::Unheard | End::Silent | End::Lost(_) | End::Garbled(_) => {
                self.shared.health.doubt();
            }
        }
    }

    /// How a container is whose pipe has ended: mostly because it has, which the engine may notice a little later.
    async fn inspect_ended(&self, container: &ContainerName) -> Result<Ended, DriverError> {
        for _ in 0..LOOKS {
            let ended = self.shared.driver.inspect(container).await?;
            if ended.exit_code.is_some() {
                return Ok(ended);
            }
            sleep(BETWEEN_LOOKS).await;
        }
        self.shared.driver.inspect(container).await
    }

    /// The verdict rests on the runner's report. Without one, on our own clock or on what the container engine says. None if nothing of
    /// the code has run, nor will it.
    async fn judge(
        &self,
        Collected { result, returned, took, end }: Collected,
        output: [String; 2],
        asked: Asked,
        container: &ContainerName,
    ) -> Result<Option<Outcome>, ExecuteError> {
        let unreported =
            |status, error: String, output| Ok(Some(Outcome::unreported(status, error, output, took)));
        let lost = |reason: &dyn fmt::Display| Err(ExecuteError::Lost(reason.to_string()));
        let invalid = |error: &dyn fmt::Display| format!("the runner's report is not valid: {error}");
        match end {
            End::Finished(finished) => match report(finished.status, result).await {
                Ok(result) => Ok(Some(Outcome::reported(finished, result, returned, output, asked))),
                Err(error) => unreported(Status::Crashed, invalid(&error), output),
            },
            End::Overdue(Ended { paused: true, .. }) => {
                lost(&"its container was paused while it was running")
            }
            // The runner should have said so.
            End::Overdue(_) => unreported(Status::Timeout, asked.time_exceeded(), output),
            End::Lost(reason) => lost(&reason),
            End::Cancelled => unreported(Status::Cancelled, CANCELLED.to_owned(), output),
            End::Garbled(garbled) => unreported(Status::Crashed, invalid(&garbled), output),
            End::NotStarted => Ok(None),
            // If its code may have started it would run a second time elsewhere.
            End::Unheard => match self.inspect_ended(container).await {
                Err(DriverError::ContainerMissing) => Ok(None),
                Err(error) => lost(&error),
                Ok(ended) if ended.was_cut_off() => lost(&"its pipe broke when its code was to start"),
                Ok(ended) if ended.was_taken_for_memory() => {
                    unreported(Status::MemoryLimit, asked.memory_exceeded(), output)
                }
                Ok(_) => Ok(None),
            },
            End::Silent => match self.inspect_ended(container).await {
                Err(error) => lost(&error),
                Ok(ended) if ended.was_cut_off() => lost(&"its pipe broke while it was running"),
                Ok(ended) if ended.was_killed() => lost(&"its container was killed while it was running"),
                Ok(ended) if ended.was_taken_for_memory() => {
                    unreported(Status::MemoryLimit, asked.memory_exceeded(), output)
                }
                Ok(ended) => {
                    let code = ended.exit_code.unwrap_or_default();
                    let error = format!("the runner ended without a report (exit status {code})");
                    unreported(Status::Crashed, error, output)
                }
            },
        }
    }
}

/// Tells of an execution whose future was dropped.
struct Watch<'a> {
    id: Uuid,
    arrived: Instant,
    /// None once it was answered.
    observer: Option<&'a dyn Observer>,
}

impl Drop for Watch<'_> {
    fn drop(&mut self) {
        if let Some(observer) = self.observer {
            observer.observe(&Event::Abandoned { id: self.id, after: self.arrived.elapsed() });
        }
    }
}

/// For an engine to notice that a container has ended.
const LOOKS: u32 = 5;
const BETWEEN_LOOKS: Duration = Duration::from_millis(100);
/// Containers a request may lose before it is given up. Even a hand that kills one after the other rarely hits the next.
const ATTEMPTS: u32 = 4;
/// The runner encodes a hundred levels, in the object of all names. What it hands on of the code's process it does not check.
const RESULT: Rules = Rules { depth: 102, portable: true };

/// Bytes that are checked in a moment: what takes longer keeps no other execution of this thread waiting.
const MOMENT: usize = 256 << 10;

/// The result that goes with a report: there is one if and only if the run was ok.
async fn report(status: Status, result: Option<Bytes>) -> Result<Option<Box<RawValue>>, String> {
    match (status, result) {
        (Status::Ok, Some(json)) if json.first() == Some(&b'{') => {
            let checked = if json.len() > MOMENT {
                let aside = spawn_blocking(move || checked(&json)).await;
                aside.map_err(|panic| panic.to_string())?
            } else {
                checked(&json)
            };
            checked.map(Some)
        }
        (Status::Ok, _) => Err("no result".to_owned()),
        _ => Ok(None),
    }
}

fn checked(json: &[u8]) -> Result<Box<RawValue>, String> {
    let mut check = StreamCheck::new(RESULT);
    check.feed(json).and_then(|()| check.finish())?;
    serde_json::from_slice(json).map_err(|error| error.to_string())
}
