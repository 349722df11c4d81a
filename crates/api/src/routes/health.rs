//! `GET /health` and `GET /health/live`.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue},
};
use serde::Serialize;

use crate::{App, error::ApiError};

#[derive(Debug, Serialize)]
pub(crate) struct Health {
    pub(crate) status: &'static str,
    pub(crate) message: String,
}

/// What a caller needs: `none` or `api-key`. A header, because the body is promised word for word.
const AUTHENTICATION: HeaderName = HeaderName::from_static("x-authentication");

type Told<T> = ([(HeaderName, HeaderValue); 1], T);

fn told<T>(app: &App, answer: T) -> Told<T> {
    let authentication = HeaderValue::from_static(if app.keys.is_some() { "api-key" } else { "none" });
    ([(AUTHENTICATION, authentication)], answer)
}

/// Whether code can run.
pub(crate) async fn health(State(app): State<App>) -> Told<Result<Json<Health>, ApiError>> {
    let health = app.engine.health().await.map_err(ApiError::from);
    told(
        &app,
        health.map(|()| Json(Health { status: "healthy", message: "Sandbox is operational".to_owned() })),
    )
}

/// Whether this process answers, and nothing else.
pub(crate) async fn live(State(app): State<App>) -> Told<Json<Health>> {
    told(&app, Json(Health { status: "alive", message: "The control plane answers".to_owned() }))
}
