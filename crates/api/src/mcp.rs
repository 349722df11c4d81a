//! `POST /mcp`: the Model Context Protocol over streamable HTTP, for agents.
//!
//! Nothing is kept between two requests. The session id that a client gets when it begins only tells its requests from those of
//! other clients of the same tenant, so that a cancellation ends the run it means ([`calls`]).
//!
//! What code does wrong, and what a request asks wrongly, is a tool's result for the model to read; a protocol error is only for
//! what no model can help.

mod calls;
mod data;
mod execute;
mod messages;
mod schema;

use std::{
    convert::Infallible,
    sync::{Arc, OnceLock},
};

use axum::{
    Extension,
    body::Body,
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited, combinators::BoxBody};
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, CustomRequest, CustomResult,
        ErrorCode, Implementation, InitializeRequestParams, InitializeResult, ListToolsResult,
        PaginatedRequestParams, RequestId, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use serde::Deserialize;
use telemetry::traces::RequestTrace;
use tower::Service;
use uuid::Uuid;

use self::{
    calls::{CallId, Calls},
    messages::{Answer, Message, Refusal, RequestRefusal},
};
use crate::{
    App,
    body::{self, Held},
    budget::Share,
    caller::Caller,
    clip::clip,
    document::{self, answers::Problem},
    error::ApiError,
    request_id::ExecutionId,
    routes::is_json,
};

/// Bytes of what the library says of a request that it refuses.
const LONGEST_REFUSAL: usize = 8 << 10;
const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const LOST_CALLER: &str = "the request has lost its caller";
const INSTRUCTIONS: &str = "Runs Python in a throwaway container without network. Every call starts with nothing of the ones before: \
    keep data with upload_data, and read it in code as data[\"key\"].";

/// What answers, the same for all requests.
#[derive(Clone)]
pub(crate) struct Mcp {
    calls: Calls,
    service: StreamableHttpService<Tools, NeverSessionManager>,
}

impl Mcp {
    pub(crate) fn new(app: &App) -> Self {
        let calls = Calls::default();
        let known = schema::tools(app.engine.bounds()).into();
        let tools = Tools { app: app.clone(), calls: calls.clone(), known };
        // An answer with nothing before it is JSON: clients take it whole, but of an event only so much (the official Python client
        // a mebibyte). Hosts and origins are checked for every route alike, and the body is read within its limits below.
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .disable_allowed_hosts()
            .with_max_request_body_bytes(usize::MAX);
        let new = move || Ok(tools.clone());
        Self {
            calls,
            service: StreamableHttpService::new(new, Arc::new(NeverSessionManager::default()), config),
        }
    }
}

/// What goes along with a request, from its body to its answer.
#[derive(Clone)]
struct Baggage {
    /// The body's share of memory.
    _share: Arc<Share>,
    arguments: Arc<str>,
    /// The answer's, once there is one.
    answer: Arc<OnceLock<Share>>,
    /// The id of the session that has begun with this request.
    begun: Arc<OnceLock<Uuid>>,
}

/// The Model Context Protocol.
///
/// Streamable HTTP, without state: any client of the protocol works. Its tools are `execute_python`, `upload_data` and
/// `list_data`; `tools/list` describes them.
#[utoipa::path(
    post,
    path = "/mcp",
    operation_id = "mcp",
    tag = document::AGENTS,
    request_body = Message,
    responses(
        (
            status = 200,
            description = "JSON-RPC messages: the result, or an error; before it, where the client has asked for them, notifications of \
                           the code's output",
            content((Answer = "application/json"), (String = "text/event-stream")),
            headers(("Mcp-Session-Id" = String, description = "After `initialize`: the client sends it along from now on"))
        ),
        (status = 202, description = "The notification has been taken"),
        (
            status = 400,
            description = "It is no such message, or ended early; or a request in an unknown version of the protocol",
            body = Refusal
        ),
        (
            status = 404,
            description = "There is no such method; a client of an older version of the protocol is told so with 200",
            body = RequestRefusal
        ),
        (status = 406, description = "The client does not accept both JSON and server-sent events", body = Problem),
        (status = 408, description = "The body came too slowly", body = Problem),
        (status = 413, description = "The body is over its limit", body = Problem),
        (status = 415, description = "It is not `application/json`, or has a `Content-Encoding`, or a `Transfer-Encoding` but `chunked`", body = Problem),
        (
            status = 503,
            description = "Too many large bodies came at once",
            body = Problem,
            headers(("Retry-After" = u32, description = "Seconds until it is worth trying again"))
        ),
    )
)]
pub(crate) async fn answer(
    State(app): State<App>,
    Extension(Mcp { calls, mut service }): Extension<Mcp>,
    caller: Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let Held { bytes, share } = body::read(&parts.headers, body, &app, &caller.tenant).await?;
    let message = calls::Message::peek(&bytes)?;
    if let Some(id) = message.cancels(&caller.tenant, session(&parts)) {
        calls.cancel(&id);
    }
    let (answer, begun) = (Arc::default(), Arc::<OnceLock<_>>::default());
    let baggage = Baggage {
        _share: Arc::new(share),
        arguments: message.arguments().into(),
        answer: Arc::clone(&answer),
        begun: Arc::clone(&begun),
    };
    parts.extensions.insert(baggage);
    let is_json = is_json(&parts.headers);
    let for_library = message.without_arguments(&bytes)?;
    drop(bytes);
    let Ok(mut response) = service.call(Request::from_parts(parts, Full::new(for_library))).await;
    let told_in_words = !response.headers().contains_key(header::CONTENT_TYPE);
    if response.status() == StatusCode::BAD_REQUEST || response.status().is_client_error() && told_in_words {
        return refusal(response, is_json).await;
    }
    if let Some(id) = begun.get()
        && let Ok(id) = HeaderValue::try_from(id.to_string())
    {
        response.headers_mut().insert(SESSION, id);
    }
    Ok(response.map(|body| {
        Body::new(body.map_frame(move |frame| {
            let _held = &answer;
            frame
        }))
    }))
}

/// What the library says of no request in particular, in the shape that all errors have; the answer to a request stays as it is. JSON of
/// another kind it takes for no JSON.
async fn refusal(
    response: Response<BoxBody<Bytes, Infallible>>,
    is_json: bool,
) -> Result<Response, ApiError> {
    let (parts, body) = response.into_parts();
    let status = match parts.status {
        StatusCode::UNSUPPORTED_MEDIA_TYPE if is_json => StatusCode::BAD_REQUEST,
        status => status,
    };
    let text = Limited::new(body, LONGEST_REFUSAL).collect().await;
    let text = text.map(|text| text.to_bytes()).unwrap_or_default();
    let reason = match serde_json::from_slice(&text) {
        Ok(JsonRpcError { id: Some(_), .. }) => return Ok(Response::from_parts(parts, text.into())),
        Ok(JsonRpcError { error, .. }) => error.message.into_owned(),
        Err(_) => String::from_utf8_lossy(&text).into_owned(),
    };
    Err(ApiError::NotMcp { status, reason })
}

#[derive(Deserialize)]
struct JsonRpcError {
    id: Option<RequestId>,
    error: ErrorData,
}

fn session(parts: &Parts) -> Option<&str> {
    parts.headers.get(SESSION)?.to_str().ok()
}

#[derive(Clone)]
struct Tools {
    app: App,
    calls: Calls,
    /// With the service's own limits: for the library, which looks one up at every call.
    known: Arc<[Tool]>,
}

/// What a tool is called with.
struct Call<'a> {
    app: &'a App,
    caller: &'a Caller,
    /// JSON, as it was sent.
    arguments: &'a str,
    /// Where the answer's share of memory is kept until the client has taken it.
    answer: &'a OnceLock<Share>,
    id: ExecutionId,
    context: &'a RequestContext<RoleServer>,
}

impl Call<'_> {
    fn keep(&self, share: Option<Share>) {
        if let Some(share) = share {
            // A request has one answer.
            let _ = self.answer.set(share);
        }
    }
}

impl Tools {
    async fn call(
        &self,
        params: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let ours = || ErrorData::internal_error(LOST_CALLER, None);
        let (parts, caller) = asked_by(context).ok_or_else(ours)?;
        let id = *parts.extensions.get::<ExecutionId>().ok_or_else(ours)?;
        let trace = parts.extensions.get::<RequestTrace>().ok_or_else(ours)?;
        let Baggage { arguments, answer, .. } = parts.extensions.get().ok_or_else(ours)?;
        let call = Call { app: &self.app, caller, arguments, answer, id, context };
        let called = async {
            match &*params.name {
                schema::EXECUTE => Ok(execute::execute_python(call).await),
                schema::UPLOAD => Ok(data::upload_data(call).await),
                schema::LIST => Ok(data::list_data(call)),
                _ => Err(ErrorData::invalid_params("there is no tool of this name", None)),
            }
        };
        let entered =
            session(parts).map(|session| self.calls.enter(CallId::new(&caller.tenant, session, &context.id)));
        let cancelled = async {
            match &entered {
                Some(entered) => entered.cancelled().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            called = trace.follow(called) => Ok(called?.unwrap_or_else(|error| refused(&error))),
            () = cancelled => Err(ErrorData::internal_error("cancelled", None)),
            () = context.ct.cancelled() => Err(ErrorData::internal_error("the client has left", None)),
        }
    }
}

/// The HTTP request behind a message, and whose it is.
fn asked_by(context: &RequestContext<RoleServer>) -> Option<(&Parts, &Caller)> {
    let parts = context.extensions.get::<Parts>()?;
    Some((parts, parts.extensions.get()?))
}

/// For the model to read, and to try again with what it has learnt.
fn refused(error: &ApiError) -> CallToolResult {
    CallToolResult::error(vec![ContentBlock::text(error.told_in_words())])
}

impl ServerHandler for Tools {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("code-sandbox", env!("CARGO_PKG_VERSION")))
            .with_instructions(INSTRUCTIONS)
    }

    async fn initialize(
        &self,
        request: InitializeRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<InitializeResult, ErrorData> {
        let result = self.negotiate_initialize(&request)?;
        if let Some((parts, _)) = asked_by(&context)
            && let Some(Baggage { begun, .. }) = parts.extensions.get()
        {
            // A request begins one session.
            let _ = begun.set(Uuid::now_v7());
        }
        Ok(result)
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let (_, caller) = asked_by(&context).ok_or_else(|| ErrorData::internal_error(LOST_CALLER, None))?;
        let bounds = self.app.engine.bounds().capped(caller.limits.timeout, caller.limits.memory);
        Ok(ListToolsResult::with_all_items(schema::tools(&bounds)))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        self.known.iter().find(|tool| tool.name == name).cloned()
    }

    /// A request that the library has not recognized: of a method that is not there, or with parameters that are not the method's.
    async fn on_custom_request(
        &self,
        request: CustomRequest,
        _: RequestContext<RoleServer>,
    ) -> Result<CustomResult, ErrorData> {
        let misfit = match &*request.method {
            "initialize" => request.params_as::<InitializeRequestParams>().err(),
            "tools/call" => request.params_as::<CallToolRequestParams>().err(),
            "ping" => None,
            unknown => {
                return Err(ErrorData::new(ErrorCode::METHOD_NOT_FOUND, clip(unknown).into_owned(), None));
            }
        };
        let what = misfit.map_or_else(
            || "they are missing, or one is there twice".to_owned(),
            |error| clip(&error.to_string()).into_owned(),
        );
        Err(ErrorData::invalid_params(
            format!("the parameters of {} are not as they should be: {what}", request.method),
            None,
        ))
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.call(params, &context).await.map(CallToolResponse::from)
    }
}
