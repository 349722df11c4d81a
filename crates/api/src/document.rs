//! The OpenAPI document: what the service says of itself.
//!
//! An operation is described beside its handler, a field beside its type. Here is what all operations have in common,
//! because a layer of the router does it and not their handler, and what only the start knows: the limits.

pub(crate) mod answers;
mod limits;

use serde_json::Value;
use utoipa::{
    IntoResponses, OpenApi as _,
    openapi::{
        Object, ObjectBuilder, OpenApi, RefOr, Required, Response, Type,
        extensions::Extensions,
        header::HeaderBuilder,
        path::{Operation, ParameterBuilder, ParameterIn, PathItem},
        schema::SchemaType,
        security::{HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme},
    },
};

use self::answers::{InvalidRequest, Problem};
use crate::App;

/// Groups of operations.
pub(crate) const EXECUTION: &str = "execution";
pub(crate) const DATA: &str = "data";
pub(crate) const AGENTS: &str = "agents";
pub(crate) const HEALTH: &str = "health";
pub(crate) const OPERATION: &str = "operation";

const BEARER: &str = "bearer";
const REQUEST_ID: &str = "X-Request-Id";
const SOMETIMES: &str = "Mcp-Session-Id";

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "code-sandbox",
        description = "Runs Python that you do not trust, each call in a container of its own.",
        license(name = "MIT", identifier = "MIT")
    ),
    components(schemas(Problem, InvalidRequest)),
    tags(
        (name = EXECUTION, description = "Running code"),
        (name = DATA, description = "Values that are kept until they are deleted"),
        (name = AGENTS, description = "For models that call tools"),
        (name = OPERATION, description = "For whoever runs the service"),
        (name = HEALTH, description = "For load balancers, orchestrators and people"),
    )
)]
struct Outline;

/// The document without its operations.
pub(crate) fn outline() -> OpenApi {
    Outline::openapi()
}

/// Makes it whole once it has every operation.
pub(crate) fn complete(document: &mut OpenApi, app: &App) {
    limits::write(document, app);
    let keys_required = app.keys.is_some();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("A key that the operator has made: `code-sandbox keys new TENANT`"));
    let schemes = &mut document.components.get_or_insert_default().security_schemes;
    schemes.insert(BEARER.to_owned(), SecurityScheme::Http(bearer.build()).into());
    let key = SecurityRequirement::new(BEARER, [""; 0]);
    document.security =
        Some(if keys_required { vec![key] } else { vec![SecurityRequirement::default(), key] });

    for (path, mut item) in std::mem::take(&mut document.paths.paths) {
        for operation in operations(&mut item) {
            if keys_required {
                require_key(operation);
            }
            add_answers::<answers::Anywhere>(operation);
            allow_no_bytes(operation);
            add_request_id(operation);
        }
        // The router's wildcard: to clients it is a part of the path like any other.
        document.paths.paths.insert(path.replace("{*", "{"), item);
    }
}

/// A field that holds any JSON value of these types: utoipa's derive leaves its example out.
pub(crate) fn anything(of: impl Into<SchemaType>, description: &str, example: Value) -> Object {
    ObjectBuilder::new().schema_type(of.into()).description(Some(description)).examples([example]).build()
}

fn text() -> Object {
    Object::with_type(Type::String)
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [&mut item.get, &mut item.put, &mut item.post, &mut item.delete, &mut item.patch].into_iter().flatten()
}

fn require_key(operation: &mut Operation) {
    if operation.tags.iter().flatten().any(|tag| tag == HEALTH) {
        operation.security = Some(Vec::new());
    } else {
        add_answers::<answers::KeyRefused>(operation);
    }
}

/// Where bytes are taken as they are, there may be none.
fn allow_no_bytes(operation: &mut Operation) {
    if let Some(RefOr::T(body)) = &mut operation.request_body
        && body.content.contains_key(mime::APPLICATION_OCTET_STREAM.as_ref())
    {
        body.required = Some(Required::False);
    }
}

fn add_answers<T: IntoResponses>(operation: &mut Operation) {
    for (status, answer) in T::responses() {
        operation.responses.responses.entry(status).or_insert(answer);
    }
}

/// What `request_id.rs` does. And every header that is written down always comes, but for [`SOMETIMES`].
fn add_request_id(operation: &mut Operation) {
    let sent = ParameterBuilder::new()
        .name(REQUEST_ID)
        .parameter_in(ParameterIn::Header)
        .description(Some("Comes back in the answer instead of an id of ours, if it has at most 128 bytes."))
        .schema(Some(text()));
    operation.parameters.get_or_insert_default().push(RefOr::T(sent.build()));
    for answer in operation.responses.responses.values_mut() {
        let RefOr::T(Response { headers, .. }) = answer else { continue };
        let id = HeaderBuilder::new()
            .description(Some("The client's own, or the id of the execution or of the request"))
            .schema(Some(text()));
        headers.insert(REQUEST_ID.to_owned(), RefOr::T(id.build()));
        for (name, header) in headers {
            let RefOr::T(header) = header else { continue };
            // A field of OpenAPI that utoipa has none for.
            header.extensions = (name != SOMETIMES).then(|| Extensions::from_iter([("required", true)]));
        }
    }
}
