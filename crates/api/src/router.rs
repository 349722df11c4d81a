//! Every URL and its handler.

use axum::{
    Extension, Router,
    extract::DefaultBodyLimit,
    middleware,
    response::IntoResponse,
    routing::{delete, get, post},
};
use tower_http::catch_panic::CatchPanicLayer;
use utoipa_axum::{
    router::{OpenApiRouter, UtoipaMethodRouterExt},
    routes,
};

use crate::{
    App, body, caller, connection, document,
    error::ApiError,
    host,
    mcp::{self, Mcp},
    request_id,
    routes::{data, docs, execute, executions, health, metrics},
    same_origin,
};

/// Every operation, method and path of which are in the annotation of its handler: what is here is served and documented.
fn operations(app: &App) -> OpenApiRouter<App> {
    // A key's wildcard catches slashes too, so that a key that has some is told what a key is instead of a plain 404.
    OpenApiRouter::with_openapi(document::outline())
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(execute::execute))
        .routes(routes!(execute::stream::stream))
        .routes(routes!(executions::list))
        .routes(routes!(executions::cancel))
        .routes(routes!(metrics::metrics))
        .routes(routes!(mcp::answer).layer(Extension(Mcp::new(app))))
        .routes(routes!(data::upload::upload))
        .routes(routes!(data::download::get))
        .routes(routes!(data::list))
        .routes(routes!(data::delete))
        .routes(routes!(data::clear))
}

/// The whole surface.
pub fn router(app: App) -> Router {
    let (keys, readers) = (app.keys.clone(), app.keys.clone());
    let (operations, mut document) = operations(&app).split_for_parts();
    document::complete(&mut document, &app);
    operations
        .route("/upload_data/", post(data::without_key))
        .route("/get_data/", get(data::without_key))
        .route("/data/", delete(data::without_key))
        .fallback(async || ApiError::NoSuchRoute)
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
        // Each route limits its own body, by the operator's flags.
        .layer(DefaultBodyLimit::disable())
        .layer(middleware::from_fn_with_state(keys, caller::identify))
        // From the inside to the outside. A panic's message, already on stderr, is none of the client's business.
        .layer(CatchPanicLayer::custom(|_| ApiError::Internal.into_response()))
        .layer(middleware::from_fn(same_origin::only))
        .layer(middleware::from_fn(body::linger))
        // A link on any page may lead there: it holds nothing of anybody.
        .merge(
            docs::router(&document).layer(middleware::from_fn_with_state(readers, caller::identify_reader)),
        )
        .layer(middleware::from_fn_with_state(app.clone(), request_id::assign))
        .layer(middleware::from_fn(host::must_be_one))
        .layer(middleware::from_fn(connection::while_client_waits))
        .with_state(app)
}
