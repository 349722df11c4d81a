//! What every request gets: an id, told as `X-Request-Id`, a line in the log, and its place in the metrics.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use telemetry::Metrics;
use tracing::{Instrument, debug, error_span};
use uuid::Uuid;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const LONGEST: usize = 128;

/// The id an execution started by this request has: always ours, so that no client can choose another's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExecutionId(pub(crate) Uuid);

/// Answers with the client's own id if it sent one, else with the id of the execution.
pub(crate) async fn assign(State(metrics): State<Metrics>, mut request: Request, next: Next) -> Response {
    let id = Uuid::now_v7();
    request.extensions_mut().insert(ExecutionId(id));
    let sent = request.headers().get(HEADER).filter(|value| (1..=LONGEST).contains(&value.len())).cloned();
    // The route, not the path: a path holds keys.
    let route = request.extensions().get::<MatchedPath>().cloned();
    let method = request.method().clone();
    let began = Instant::now();

    // Whatever is logged on the way carries the id.
    let mut response = next.run(request).instrument(error_span!("request", id = %id)).await;
    let (route, status, took) =
        (route.as_ref().map(MatchedPath::as_str), response.status().as_u16(), began.elapsed());
    metrics.answered(route, method.as_str(), status, took);
    debug!(
        request.id = %id,
        %method,
        route = route.unwrap_or("none"),
        status,
        duration_ms = took.as_secs_f64() * 1e3,
        "answered"
    );
    if let Some(value) = sent.or_else(|| HeaderValue::try_from(id.to_string()).ok()) {
        response.headers_mut().insert(HEADER, value);
    }
    response
}
