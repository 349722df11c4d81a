//! `GET /health` and `GET /health/live`.

use axum::{Json, extract::State};
use serde::Serialize;

use crate::{App, error::ApiError};

#[derive(Debug, Serialize)]
pub(crate) struct Health {
    pub(crate) status: &'static str,
    pub(crate) message: String,
}

/// Whether code can run.
pub(crate) async fn health(State(app): State<App>) -> Result<Json<Health>, ApiError> {
    app.engine.health().await?;
    Ok(Json(Health { status: "healthy", message: "Sandbox is operational".to_owned() }))
}

/// Whether this process answers, and nothing else.
pub(crate) async fn live() -> Json<Health> {
    Json(Health { status: "alive", message: "The control plane answers".to_owned() })
}
