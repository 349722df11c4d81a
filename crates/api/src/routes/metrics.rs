//! `GET /metrics`.

use axum::{
    extract::State,
    http::{HeaderName, header},
};
use telemetry::metrics::{CONTENT_TYPE, Levels};

use crate::{
    App,
    caller::Caller,
    document::{self, answers::Problem},
    error::ApiError,
};

/// Metrics
///
/// What Prometheus scrapes, in its text format. It touches no container, so it answers whatever the engine's state is. It tells of all
/// tenants together: where there are keys, it is for those that the operator has given `metrics=yes`.
#[utoipa::path(
    get,
    path = "/metrics",
    operation_id = "metrics",
    tag = document::OPERATION,
    responses(
        (
            status = 200,
            description = "Every metric",
            content_type = "application/openmetrics-text",
            body = String,
            example = "code_sandbox_executions_total{status=\"ok\"} 5"
        ),
        (
            status = 403,
            description = "The key has no `metrics=yes`; or a browser says that a page of another origin asks",
            body = Problem
        ),
    )
)]
pub(crate) async fn metrics(
    State(app): State<App>,
    caller: Caller,
) -> Result<([(HeaderName, &'static str); 1], String), ApiError> {
    if !caller.limits.metrics {
        return Err(ApiError::NoMetrics);
    }
    let stored = app.store.usage();
    let (body_bytes, body_limit) = app.bodies.usage();
    let levels = Levels {
        containers: app.engine.containers() as u64,
        store_values: stored.values as u64,
        store_bytes: stored.bytes,
        store_limit: stored.limit,
        body_bytes,
        body_limit,
    };
    let text = app.metrics.encode(&levels).map_err(|_| ApiError::Internal)?;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text))
}
