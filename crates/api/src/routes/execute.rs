//! `POST /execute_code`.

use axum::{
    Extension, Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderName},
};
use engine::ExecutionRequest;

use super::{content_type, is_json};
use crate::{
    App,
    body::{self, Held},
    caller::Caller,
    error::ApiError,
    request_id::ExecutionId,
    wire::execute,
};

/// Runs code. If the client leaves, this future is dropped and the run with it.
pub(crate) async fn execute(
    State(app): State<App>,
    caller: Caller,
    Extension(ExecutionId(id)): Extension<ExecutionId>,
    headers: HeaderMap,
    body: Body,
) -> Result<([(HeaderName, &'static str); 1], Json<execute::Response>), ApiError> {
    caller.count_execution()?;
    if !content_type(&headers).is_some_and(|mime| is_json(&mime)) {
        return Err(ApiError::NotJson);
    }
    let Held { bytes, share: _share } = body::read(&headers, body, &app.config, &app.bodies).await?;
    let request = execute::request(&bytes, id, &caller, app.engine.bounds(), app.config.max_code_size)?;
    drop(bytes);
    let data = Some(caller.space(&app.store)?);
    let outcome = app.engine.execute(ExecutionRequest { data, ..request }).await?;
    Ok(([(axum::http::header::CACHE_CONTROL, "no-store")], Json(execute::Response::new(id, outcome))))
}
