//! `GET /executions` and `DELETE /executions/{id}`.

use std::time::SystemTime;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use engine::Execution;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::data::Done;
use crate::{
    App,
    caller::Caller,
    clip::clip,
    document::{self, answers},
    error::ApiError,
};

/// An execution that has not ended.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = UnfinishedExecution)]
pub(crate) struct Listed {
    /// Names it in `DELETE /executions/{id}`.
    #[schema(examples("01a21064-082b-7336-8f27-08df6e675bec"))]
    id: Uuid,
    /// `queued` or `running`.
    #[schema(value_type = String, examples("running"))]
    status: &'static str,
    /// When it came, UTC.
    #[schema(format = DateTime, examples("2026-11-23T00:57:44.881Z"))]
    queued_at: String,
    /// When it got its turn, UTC; null while it waits.
    #[schema(required, format = DateTime, examples("2026-11-23T00:57:44.882Z", json!(null)))]
    started_at: Option<String>,
    /// Seconds its code may take.
    #[schema(examples(30.0))]
    timeout: f64,
}

impl From<Execution> for Listed {
    fn from(execution: Execution) -> Self {
        let time = |at: SystemTime| humantime::format_rfc3339_millis(at).to_string();
        Self {
            id: execution.id,
            status: if execution.started_at.is_some() { "running" } else { "queued" },
            queued_at: time(execution.queued_at),
            started_at: execution.started_at.map(time),
            timeout: execution.timeout.get().as_secs_f64(),
        }
    }
}

/// What waits and runs
///
/// The caller's own executions, in order of arrival.
#[utoipa::path(
    get,
    path = "/executions",
    operation_id = "list_executions",
    tag = document::EXECUTION,
    responses((status = 200, description = "All of them", body = Vec<Listed>))
)]
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Json<Vec<Listed>> {
    Json(app.engine.executions(&caller.tenant).into_iter().map(Listed::from).collect())
}

/// Cancel an execution
///
/// Whoever waits for its answer gets it, with the status `cancelled`. What is no id, is another tenant's or has ended is not told
/// apart.
#[utoipa::path(
    delete,
    path = "/executions/{id}",
    operation_id = "cancel_execution",
    tag = document::EXECUTION,
    params(("id" = String, Path, description = "The execution's `id`, also the `X-Request-Id` of its request")),
    responses(
        (status = 202, description = "It is being ended", body = Done),
        (
            status = 404,
            description = "The caller has no such execution",
            body = answers::Problem,
            example = json!({ "detail": "No execution with id '5'" })
        ),
    )
)]
pub(crate) async fn cancel(
    State(app): State<App>,
    caller: Caller,
    id: Result<Path<String>, PathRejection>,
) -> Result<(StatusCode, Json<Done>), ApiError> {
    // The one way to be refused is not to be UTF-8.
    let text = id.map_or_else(|_| char::REPLACEMENT_CHARACTER.to_string(), |Path(id)| id);
    let id = Uuid::try_parse(&text).ok().filter(|id| app.engine.cancel(&caller.tenant, *id));
    let id = id.ok_or_else(|| ApiError::NoExecution(clip(&text).into_owned()))?;
    Ok((StatusCode::ACCEPTED, Json(Done { message: format!("Execution '{id}' is being cancelled") })))
}
