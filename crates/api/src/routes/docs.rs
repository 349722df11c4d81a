//! `GET /openapi.json`, and `GET /docs`: Swagger UI over it, out of the binary.

use std::sync::Arc;

use axum::{
    Router,
    extract::Path,
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use bytes::Bytes;
use utoipa::openapi::OpenApi;
use utoipa_swagger_ui::{Config, SwaggerFile};

use crate::{App, error::ApiError};

/// The pages load nothing from elsewhere, send nothing elsewhere, and are no part of another page. Swagger UI sets styles
/// from its scripts and has pictures in them.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// The document, written once, and the pages for people. Every address in them is relative, so that they work below any path
/// of a reverse proxy.
pub(crate) fn router(document: &OpenApi) -> Router<App> {
    let json = serde_json::to_vec(document).map(Bytes::from).map_err(|_| ());
    // Swagger UI's default validator is a service in the internet.
    let config = Config::from("../openapi.json").use_base_layout().validator_url("none");
    let config = Arc::new(config.display_request_duration(true));
    let index = Arc::clone(&config);
    Router::new()
        .route("/openapi.json", get(async move || written(json)))
        .route("/docs", get(async || Redirect::permanent("docs/")))
        .route("/docs/", get(async move || file("", index)))
        .route("/docs/{file}", get(async move |Path(name): Path<String>| file(&name, config)))
        .method_not_allowed_fallback(async || ApiError::MethodNotAllowed)
}

fn written(json: Result<Bytes, ()>) -> Result<impl IntoResponse, ApiError> {
    let json = json.map_err(|()| ApiError::Internal)?;
    Ok(([(header::CONTENT_TYPE, mime::APPLICATION_JSON.as_ref())], json))
}

fn file(name: &str, config: Arc<Config<'static>>) -> Result<Response, ApiError> {
    let file = utoipa_swagger_ui::serve(name, config).map_err(|_| ApiError::Internal)?;
    let SwaggerFile { bytes, content_type, gzpipped, .. } = file.ok_or(ApiError::NoSuchRoute)?;
    let mut response = bytes.into_response();
    let headers = response.headers_mut();
    headers
        .insert(header::CONTENT_TYPE, HeaderValue::try_from(content_type).map_err(|_| ApiError::Internal)?);
    if gzpipped {
        // Every browser takes it; it is kept in no other form.
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, POLICY);
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    Ok(response)
}
