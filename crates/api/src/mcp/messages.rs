//! The messages of `/mcp`, as the OpenAPI document describes them; rmcp reads and writes them.

use serde_json::json;
use utoipa::{
    ToSchema,
    openapi::{Object, Type, schema::SchemaType},
};

use crate::document::{self, answers::Problem};

/// A JSON-RPC 2.0 message: a request if it has an `id`, else a notification.
#[derive(ToSchema)]
#[schema(as = McpMessage, example = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list" }))]
#[expect(dead_code, reason = "rmcp reads it")]
pub(super) struct Message {
    /// `2.0`.
    #[schema(pattern = r"^2\.0$", examples("2.0"))]
    jsonrpc: String,
    #[schema(schema_with = id, required = false)]
    id: (),
    /// Such as `initialize`, `tools/list`, `tools/call`.
    #[schema(examples("tools/list"))]
    method: String,
    #[schema(schema_with = params, required = false)]
    params: (),
}

fn id() -> Object {
    let id = "Number or text: the request's, which comes back with what answers it.";
    document::anything(SchemaType::AnyValue, id, json!(1))
}

fn params() -> Object {
    let call = json!({ "name": "execute_python", "arguments": { "code": "1 + 1" } });
    document::anything(Type::Object, "As the method needs them.", call)
}

fn error() -> Object {
    let refusal = json!({ "code": -32022, "message": "Unsupported protocol version" });
    document::anything(Type::Object, "Its `code`, its `message`, and `data` that tells more.", refusal)
}

/// The answer to a request.
#[derive(ToSchema)]
#[schema(as = McpAnswer)]
#[expect(dead_code, reason = "rmcp writes it")]
pub(super) struct Answer {
    /// `2.0`.
    #[schema(pattern = r"^2\.0$", examples("2.0"))]
    jsonrpc: String,
    #[schema(schema_with = id)]
    id: (),
    #[schema(schema_with = result, required = false)]
    result: (),
    #[schema(schema_with = error, required = false)]
    error: (),
}

fn result() -> Object {
    document::anything(
        Type::Object,
        "What the method gives back; instead of an error.",
        json!({ "tools": [] }),
    )
}

/// Why a message is not taken.
#[derive(ToSchema)]
#[schema(as = McpRefusal)]
#[expect(dead_code, reason = "says what `refusal` makes")]
#[serde(untagged)]
pub(super) enum Refusal {
    /// It answers no request.
    Words(Problem),
    /// It answers a request.
    Answer(RequestRefusal),
}

/// Why a request is not taken, as JSON-RPC has it.
#[derive(ToSchema)]
#[schema(as = McpRequestRefusal)]
#[expect(dead_code, reason = "as above")]
pub(super) struct RequestRefusal {
    /// `2.0`.
    #[schema(pattern = r"^2\.0$", examples("2.0"))]
    jsonrpc: String,
    #[schema(schema_with = id)]
    id: (),
    #[schema(schema_with = error)]
    error: (),
}
