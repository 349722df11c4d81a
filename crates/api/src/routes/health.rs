//! `GET /health` and `GET /health/live`.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{App, document, error::ApiError};

/// How the service is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Health {
    /// `healthy`, `unhealthy`, or `alive` where nothing but this process was asked.
    #[schema(value_type = String, examples("healthy"))]
    pub(crate) status: &'static str,
    /// Why, for a person to read.
    #[schema(examples("Sandbox is operational"))]
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
///
/// It can if the engine answers, the last container that was to be started was, and an execution worked a short while ago,
/// runs now, or is tried on the spot.
#[utoipa::path(
    get,
    path = "/health",
    tag = document::HEALTH,
    responses(
        (
            status = 200,
            description = "Code can run",
            body = Health,
            headers(("X-Authentication" = String, description = "What a caller needs: `none` or `api-key`"))
        ),
        (
            status = 503,
            description = "Code cannot run, and why",
            body = Health,
            headers(
                ("Retry-After" = u32, description = "Seconds until it is worth asking again"),
                ("X-Authentication" = String, description = "What a caller needs: `none` or `api-key`"),
            ),
            example = json!({ "status": "unhealthy", "message": "the service is shutting down" })
        ),
    )
)]
pub(crate) async fn health(State(app): State<App>) -> Told<Result<Json<Health>, ApiError>> {
    let health = app.engine.health().await.map_err(ApiError::from);
    told(
        &app,
        health.map(|()| Json(Health { status: "healthy", message: "Sandbox is operational".to_owned() })),
    )
}

/// Whether this process answers, and nothing else.
#[utoipa::path(
    get,
    path = "/health/live",
    operation_id = "health_live",
    tag = document::HEALTH,
    responses((
        status = 200,
        description = "It does",
        body = Health,
        headers(("X-Authentication" = String, description = "What a caller needs: `none` or `api-key`")),
        example = json!({ "status": "alive", "message": "The control plane answers" })
    ))
)]
pub(crate) async fn live(State(app): State<App>) -> Told<Json<Health>> {
    told(&app, Json(Health { status: "alive", message: "The control plane answers".to_owned() }))
}
