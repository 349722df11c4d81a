//! `POST /execute_code` and `POST /execute_code/stream`.

pub(crate) mod stream;

use axum::{
    Json,
    body::Body,
    extract::{FromRequest, FromRequestParts, Request, State},
    http::{HeaderName, header},
    response::{IntoResponse, Response},
};
use engine::ExecutionRequest;
use tokio::task::block_in_place;
use uuid::Uuid;

use super::is_json;
use crate::{
    App, answer,
    body::{self, Held},
    budget::Share,
    caller::Caller,
    document::{self, answers},
    error::ApiError,
    request_id::ExecutionId,
    wire::execute,
};

/// What is to be executed, and the share of the body budget that it takes until it is answered.
pub(crate) struct Asked {
    request: ExecutionRequest,
    share: Share,
}

impl FromRequest<App> for Asked {
    type Rejection = ApiError;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self, ApiError> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        caller.count_execution()?;
        let id = parts.extensions.get::<ExecutionId>().ok_or(ApiError::Internal)?.0;
        if !is_json(&parts.headers) {
            return Err(ApiError::NotJson);
        }
        let Held { bytes, share } = body::read(&parts.headers, body, app, &caller.tenant).await?;
        Ok(Self { request: request_of(app, &caller, id, &bytes)?, share })
    }
}

/// What a caller's JSON asks for; its code reads the caller's own data.
pub(crate) fn request_of(
    app: &App,
    caller: &Caller,
    id: Uuid,
    json: &[u8],
) -> Result<ExecutionRequest, ApiError> {
    let parse = || execute::request(json, id, caller, app.engine.bounds(), app.config.max_code_size);
    let request = aside(json.len(), parse)?;
    Ok(ExecutionRequest { data: Some(caller.space(&app.store)?), permit: caller.permit(), ..request })
}

/// So many bytes of JSON are read or written in a moment.
const MOMENT: usize = 256 << 10;

/// Reads or writes so much JSON; what takes longer than a moment keeps no other request of this thread waiting.
pub(crate) fn aside<T>(bytes: usize, work: impl FnOnce() -> T) -> T {
    if bytes > MOMENT { block_in_place(work) } else { work() }
}

/// Nobody between us and the client keeps an answer.
const NOT_STORED: [(HeaderName, &str); 1] = [(header::CACHE_CONTROL, "no-store")];

/// Runs code, each time in a container of its own.
///
/// The answer is 200 however the code ended: `status` says how. If the client leaves, the run is killed.
#[utoipa::path(
    post,
    path = "/execute_code",
    operation_id = "execute_code",
    tag = document::EXECUTION,
    request_body = execute::Request,
    responses(
        (
            status = 200,
            description = "The code was run, however it ended",
            body = execute::Response,
            headers(("Cache-Control" = String, description = "`no-store`"))
        ),
        answers::RunRefused,
    )
)]
// If the client leaves, this future is dropped and the run with it.
pub(crate) async fn execute(
    State(app): State<App>,
    Asked { request, share: _share }: Asked,
) -> Result<Response, ApiError> {
    let (id, tenant) = (request.id, request.tenant.clone());
    let mut outcome = app.engine.execute(request).await?;
    let share = answer::share(answer::size(&outcome), &app.answers, &tenant)?;
    let turn = outcome.turn.take();
    let answer = execute::Response::new(id, outcome);
    let Some(share) = share else { return Ok((NOT_STORED, Json(answer)).into_response()) };
    let mut json = answer::buffer(&share);
    aside(json.capacity(), || serde_json::to_writer(&mut json, &answer)).map_err(|_| ApiError::Internal)?;
    drop((answer, turn));
    let content_type = [(header::CONTENT_TYPE, mime::APPLICATION_JSON.as_ref())];
    Ok((NOT_STORED, content_type, answer::body(json, share)).into_response())
}
