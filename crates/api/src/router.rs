//! Every URL and its handler.

use axum::{
    Router,
    extract::DefaultBodyLimit,
    middleware,
    response::IntoResponse,
    routing::{delete, get, post},
};
use tower_http::catch_panic::CatchPanicLayer;

use crate::{
    App, body, caller,
    error::ApiError,
    mcp, request_id,
    routes::{data, execute, executions, health, metrics},
    same_origin,
};

/// The whole surface.
pub fn router(app: App) -> Router {
    let keys = app.keys.clone();
    // The wildcard catches keys with slashes in them, so that they are told what a key is instead of a plain 404.
    Router::new()
        .route("/health", get(health::health))
        .route("/health/live", get(health::live))
        .route("/metrics", get(metrics::metrics))
        .route("/execute_code", post(execute::execute))
        .route("/execute_code/stream", post(execute::stream))
        .route("/mcp", mcp::route(&app))
        .route("/executions", get(executions::list))
        .route("/executions/{id}", delete(executions::cancel))
        .route("/upload_data/", post(data::without_key))
        .route("/upload_data/{*key}", post(data::upload))
        .route("/get_data/", get(data::without_key))
        .route("/get_data/{*key}", get(data::get))
        .route("/clear_data", get(data::clear))
        .route("/data", get(data::list))
        .route("/data/", delete(data::without_key))
        .route("/data/{*key}", delete(data::delete))
        .fallback(async || ApiError::NoSuchRoute)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        // Each route limits its own body, by the operator's flags.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(keys, caller::identify))
        // From the inside to the outside. A panic's message, already on stderr, is none of the client's business.
        .layer(CatchPanicLayer::custom(|_| ApiError::Internal.into_response()))
        .layer(middleware::from_fn(body::linger))
        .layer(middleware::from_fn(same_origin::only))
        .layer(middleware::from_fn_with_state(app.clone(), request_id::assign))
        .with_state(app)
}
