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
mod schema;

use std::sync::Arc;

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderName, HeaderValue, request::Parts},
    response::Response,
    routing::{MethodRouter, post},
};
use http_body_util::Full;
use rmcp::{
    ErrorData, RoleServer, ServerHandler,
    model::{
        CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, Implementation,
        ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
    },
    service::RequestContext,
    transport::streamable_http_server::{
        StreamableHttpServerConfig, StreamableHttpService, session::never::NeverSessionManager,
    },
};
use telemetry::traces::RequestTrace;
use tokio::sync::OwnedSemaphorePermit;
use tower::Service;
use uuid::Uuid;

use self::calls::{CallId, Calls};
use crate::{
    App,
    body::{self, Held},
    caller::Caller,
    error::ApiError,
    request_id::ExecutionId,
};

const SESSION: HeaderName = HeaderName::from_static("mcp-session-id");
const INSTRUCTIONS: &str = "Runs Python in a throwaway container without network. Every call starts with nothing of the ones before: \
    keep data with upload_data, and read it in code as data[\"key\"].";

/// The handler of the route.
pub(crate) fn route(app: &App) -> MethodRouter<App> {
    let calls = Calls::default();
    let tools = Tools { app: app.clone(), calls: calls.clone() };
    // Hosts and origins are checked for every route alike, and the body is read within its limits below.
    let config = StreamableHttpServerConfig::default()
        .with_legacy_session_mode(false)
        .disable_allowed_hosts()
        .with_max_request_body_bytes(usize::MAX);
    let service = StreamableHttpService::new(
        move || Ok(tools.clone()),
        Arc::new(NeverSessionManager::default()),
        config,
    );
    let app = app.clone();
    post(async move |caller: Caller, request: Request| answer(&app, &calls, service, &caller, request).await)
}

/// The body's share of memory, held for as long as the request is worked on.
#[derive(Clone)]
struct Share {
    _permit: Arc<OwnedSemaphorePermit>,
}

async fn answer(
    app: &App,
    calls: &Calls,
    mut service: StreamableHttpService<Tools, NeverSessionManager>,
    caller: &Caller,
    request: Request,
) -> Result<Response, ApiError> {
    let (mut parts, body) = request.into_parts();
    let Held { bytes, share } = body::read(&parts.headers, body, &app.config, &app.bodies).await?;
    let message = calls::Message::peek(&bytes);
    if let Some(id) = message.cancels(&caller.tenant, session(&parts)) {
        calls.cancel(&id);
    }
    parts.extensions.insert(Share { _permit: Arc::new(share) });
    let Ok(mut response) = service.call(Request::from_parts(parts, Full::new(bytes))).await;
    if message.begins_session()
        && let Ok(id) = HeaderValue::try_from(Uuid::now_v7().to_string())
    {
        response.headers_mut().insert(SESSION, id);
    }
    Ok(response.map(Body::new))
}

fn session(parts: &Parts) -> Option<&str> {
    parts.headers.get(SESSION)?.to_str().ok()
}

#[derive(Clone)]
struct Tools {
    app: App,
    calls: Calls,
}

/// What a tool is called with.
struct Call<'a> {
    app: &'a App,
    caller: &'a Caller,
    arguments: serde_json::Value,
    id: ExecutionId,
    context: &'a RequestContext<RoleServer>,
}

impl Tools {
    async fn call(
        &self,
        params: CallToolRequestParams,
        context: &RequestContext<RoleServer>,
    ) -> Result<CallToolResult, ErrorData> {
        let ours = || ErrorData::internal_error("the request has lost its caller", None);
        let parts = context.extensions.get::<Parts>().ok_or_else(ours)?;
        let caller = parts.extensions.get::<Caller>().ok_or_else(ours)?;
        let id = *parts.extensions.get::<ExecutionId>().ok_or_else(ours)?;
        let trace = parts.extensions.get::<RequestTrace>().ok_or_else(ours)?;
        let arguments = params.arguments.unwrap_or_default().into();
        let call = Call { app: &self.app, caller, arguments, id, context };
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

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(schema::tools(&self.app)))
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        schema::tools(&self.app).into_iter().find(|tool| tool.name == name)
    }

    async fn call_tool(
        &self,
        params: CallToolRequestParams,
        context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        self.call(params, &context).await.map(CallToolResponse::from)
    }
}
