//! `POST /execute_code/stream`: the same as `POST /execute_code`, told as it happens.
//!
//! Whatever goes wrong before the code starts is answered as there. The run is a task that ends with the body: when the client
//! leaves, the body is dropped, the task is aborted, and the run is killed.

use std::{convert::Infallible, time::Duration};

use axum::{
    Extension,
    extract::State,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use engine::{Live, Outcome, Output, Outputs};
use futures_util::{StreamExt, stream};
use telemetry::traces::RequestTrace;
use tokio::{
    task::JoinError,
    time::{Instant, timeout_at},
};
use tokio_util::task::AbortOnDropHandle;

use super::{Asked, NOT_STORED, aside};
use crate::{
    App, answer,
    budget::Share,
    document::{self, answers},
    error::ApiError,
    wire::{event_schema::StreamEvent, events::Events, execute},
};

/// `print` writes a line and its end separately: what follows so soon goes into the same event.
const GATHER: Duration = Duration::from_millis(1);
const GATHERED_AT_MOST: usize = 64 << 10;

type Ended = Result<(Outcome, Option<Share>), ApiError>;
type Run = AbortOnDropHandle<Ended>;

/// Runs code and tells what happens as it happens.
///
/// The same as `POST /execute_code`; what is refused before the code starts has the same answers. A client that reads slowly
/// makes the code wait in its `print`; one that leaves ends it.
#[utoipa::path(
    post,
    path = "/execute_code/stream",
    operation_id = "execute_code_stream",
    tag = document::EXECUTION,
    request_body = execute::Request,
    responses(
        (
            status = 200,
            description = "The code runs: server-sent events",
            body = StreamEvent,
            content_type = "text/event-stream",
            headers(
                ("Cache-Control" = String, description = "`no-store`"),
                ("X-Accel-Buffering" = String, description = "`no`: a proxy shall pass on each event as it comes"),
            )
        ),
        answers::RunRefused,
    )
)]
pub(crate) async fn stream(
    State(app): State<App>,
    Extension(trace): Extension<RequestTrace>,
    Asked { request, share }: Asked,
) -> Result<Response, ApiError> {
    let (id, tenant) = (request.id, request.tenant.clone());
    let keep_alive = app.config.keep_alive;
    let (live, mut outputs) = Live::new();
    let run = trace.follow(async move {
        let (outcome, unread) = app.engine.execute_live(request, live).await;
        drop(share);
        // The run holds nothing any more: what its client has not taken yet is an answer's.
        let size = unread.bytes() + outcome.as_ref().map_or(0, answer::size);
        let share = answer::share(size, &app.answers, &tenant)?;
        unread.deliver().await;
        Ok((outcome?, share))
    });
    let run: Run = AbortOnDropHandle::new(tokio::spawn(run));
    let Some(first) = outputs.recv().await else {
        // Nothing has started.
        let (outcome, _) = ended(run.await)?;
        return Ok(respond(stream::iter(Events::new(id).finish(outcome)), keep_alive));
    };
    let following =
        Following { run: Some(run), outputs, next: Some(first), events: Events::new(id), share: None };
    let steps = stream::unfold(following, Following::step);
    Ok(respond(steps.flat_map(stream::iter), keep_alive))
}

fn respond(
    events: impl futures_util::Stream<Item = Event> + Send + 'static,
    keep_alive: Duration,
) -> Response {
    let events = Sse::new(events.map(Ok::<_, Infallible>)).keep_alive(KeepAlive::new().interval(keep_alive));
    (NOT_STORED, [("x-accel-buffering", "no")], events).into_response()
}

/// A run that is being told.
struct Following {
    /// None once it is told to its end.
    run: Option<Run>,
    outputs: Outputs,
    /// Received already.
    next: Option<Output>,
    events: Events,
    /// Of what is told at the end.
    share: Option<Share>,
}

impl Following {
    /// The next events. Cancel safe enough: it is only dropped together with everything else.
    async fn step(mut self) -> Option<(Vec<Event>, Self)> {
        let mut events = match self.next.take() {
            Some(output) => self.events.tell(output),
            None => match self.outputs.recv().await {
                Some(output) => self.events.tell(output),
                None => {
                    let last = match ended(self.run.take()?.await) {
                        Ok((outcome, share)) => {
                            let size = share.as_ref().map_or(0, Share::bytes);
                            self.share = share;
                            aside(usize::try_from(size).unwrap_or(usize::MAX), || self.events.finish(outcome))
                        }
                        Err(error) => self.events.fail(&error),
                    };
                    return Some((last, self));
                }
            },
        };
        let until = Instant::now() + GATHER;
        while self.events.gathered() < GATHERED_AT_MOST
            && let Ok(Some(output)) = timeout_at(until, self.outputs.recv()).await
        {
            events.extend(self.events.tell(output));
        }
        events.extend(self.events.flush());
        Some((events, self))
    }
}

fn ended(run: Result<Ended, JoinError>) -> Ended {
    // A panic is told by the panic hook.
    run.map_err(|_| ApiError::Internal)?
}
