//! `GET /health` and `GET /health/live`.

use axum::{Json, extract::State, http::StatusCode};
use serde::Serialize;

use crate::App;

#[derive(Debug, Serialize)]
pub(crate) struct Health {
    status: &'static str,
    message: String,
}

/// Whether code can run.
pub(crate) async fn health(State(app): State<App>) -> (StatusCode, Json<Health>) {
    match app.engine.health().await {
        Ok(()) => {
            (StatusCode::OK, Json(Health { status: "healthy", message: "Sandbox is operational".to_owned() }))
        }
        Err(error) => {
            let health = Health { status: "unhealthy", message: error.to_string() };
            (StatusCode::SERVICE_UNAVAILABLE, Json(health))
        }
    }
}

/// Whether this process answers, and nothing else.
pub(crate) async fn live() -> Json<Health> {
    Json(Health { status: "alive", message: "The control plane answers".to_owned() })
}
