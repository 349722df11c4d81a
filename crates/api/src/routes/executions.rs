//! `GET /executions` and `DELETE /executions/{id}`.

use std::time::SystemTime;

use axum::{
    Json,
    extract::{Path, State, rejection::PathRejection},
    http::StatusCode,
};
use engine::Execution;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{App, caller::Caller, error::ApiError};

/// What `GET /executions` says of an execution.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    id: Uuid,
    status: &'static str,
    queued_at: String,
    started_at: Option<String>,
    /// Seconds.
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

/// `GET /executions`: the caller's own, in order of arrival.
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Json<Vec<Listed>> {
    Json(app.engine.executions(&caller.tenant).into_iter().map(Listed::from).collect())
}

/// `DELETE /executions/{id}`. What is no id, is another tenant's or has ended is not told apart.
pub(crate) async fn cancel(
    State(app): State<App>,
    caller: Caller,
    id: Result<Path<String>, PathRejection>,
) -> Result<(StatusCode, Json<Value>), ApiError> {
    // The one way to be refused is not to be UTF-8.
    let text = id.map_or_else(|_| char::REPLACEMENT_CHARACTER.to_string(), |Path(id)| id);
    let id = Uuid::try_parse(&text).ok().filter(|id| app.engine.cancel(&caller.tenant, *id));
    let id = id.ok_or(ApiError::NoExecution(text))?;
    Ok((StatusCode::ACCEPTED, Json(json!({ "message": format!("Execution '{id}' is being cancelled") }))))
}
