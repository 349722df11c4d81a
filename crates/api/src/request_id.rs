//! What every request gets: an id, told as `X-Request-Id`, a line in the log, its place in the metrics and its span.

use std::time::Instant;

use axum::{
    extract::{MatchedPath, Request, State},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use telemetry::traces::Arrived;
use tracing::{Instrument, debug, error_span};
use uuid::Uuid;

use crate::App;

const HEADER: HeaderName = HeaderName::from_static("x-request-id");
const TRACEPARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACESTATE: HeaderName = HeaderName::from_static("tracestate");
const LONGEST: usize = 128;

/// The id an execution started by this request has: always ours, so that no client can choose another's.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ExecutionId(pub(crate) Uuid);

/// Answers with the client's own id if it sent one, else with the id of the execution.
pub(crate) async fn assign(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let id = Uuid::now_v7();
    request.extensions_mut().insert(ExecutionId(id));
    let sent = request.headers().get(HEADER).filter(|value| (1..=LONGEST).contains(&value.len())).cloned();
    // The route, not the path: a path holds keys.
    let matched = request.extensions().get::<MatchedPath>().cloned();
    let route = matched.as_ref().map(MatchedPath::as_str);
    let method = request.method().clone();
    let began = Instant::now();

    let headers = request.headers();
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let trace = app.traces.begin(Arrived {
        id,
        method: method.as_str(),
        route,
        traceparent: text(TRACEPARENT),
        tracestate: text(TRACESTATE),
    });
    // For what goes on in tasks of its own.
    request.extensions_mut().insert(trace.clone());
    // Whatever is logged on the way carries the ids.
    let client_id = sent.as_ref().and_then(|value| value.to_str().ok());
    let work = next.run(request).instrument(error_span!("request", id = %id, client_id));
    let mut response = trace.follow(work).await;
    let (status, took) = (response.status().as_u16(), began.elapsed());
    app.metrics.answered(route, method.as_str(), status, took);
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
    if let Some(value) = trace.traceparent().and_then(|value| HeaderValue::try_from(value).ok()) {
        response.headers_mut().insert(TRACEPARENT, value);
    }
    trace.end(status);
    response
}
