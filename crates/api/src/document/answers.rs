//! Answers that several operations have. What one alone answers is said beside its handler.

#![expect(dead_code, reason = "they describe what error.rs answers")]

use utoipa::{IntoResponses, ToSchema};

use crate::wire::FieldError;

/// Why there is no other answer.
#[derive(ToSchema)]
pub(crate) struct Problem {
    /// For a person to read.
    #[schema(examples("No data found for key 'sales'"))]
    detail: String,
}

/// Why a request cannot be carried out, as FastAPI says it.
#[derive(ToSchema)]
pub(crate) struct InvalidRequest {
    /// Everything that is wrong.
    detail: Vec<FieldError>,
}

/// What the layers of the router answer, whatever the route.
#[derive(IntoResponses)]
pub(super) enum Anywhere {
    /// A browser says that a page of another origin asks
    #[response(status = 403, example = json!({ "detail": "Pages of another origin may not call this API" }))]
    ForeignOrigin(Problem),
    /// A defect of the service
    #[response(status = 500, example = json!({ "detail": "Internal Server Error" }))]
    Internal(Problem),
}

/// What every route but the health answers where there are keys.
#[derive(IntoResponses)]
pub(super) enum KeyRefused {
    /// There is no key, or one that is not known
    #[response(
        status = 401,
        headers(("WWW-Authenticate" = String, description = "`Bearer`")),
        example = json!({ "detail": "Send your key with the header 'Authorization: Bearer KEY'" })
    )]
    Unknown(Problem),
}

/// Why code is not run.
#[derive(IntoResponses)]
pub(crate) enum RunRefused {
    /// The body is not JSON, has a field twice or over 100 of them, or ended early
    #[response(
        status = 400,
        example = json!({ "detail": "The request body is not valid JSON: EOF while parsing a value at line 1 column 0" })
    )]
    Malformed(Problem),
    /// The body came too slowly
    #[response(status = 408, example = json!({ "detail": "The request body came too slowly" }))]
    Slow(Problem),
    /// The body or the code is over its limit
    #[response(status = 413, example = json!({ "detail": "The code is over the limit of 1048576 bytes" }))]
    TooLarge(Problem),
    /// The request has no `Content-Type: application/json`, or a `Content-Encoding`, or a `Transfer-Encoding` but `chunked`
    #[response(
        status = 415,
        example = json!({ "detail": "Send the request with the header 'Content-Type: application/json'" })
    )]
    NotJson(Problem),
    /// A field is missing, unknown, of the wrong type or out of range
    #[response(
        status = 422,
        example = json!({ "detail": [
            { "loc": ["body", "timout"], "msg": "Extra inputs are not permitted", "type": "extra_forbidden", "input": 5 }
        ] })
    )]
    Invalid(InvalidRequest),
    /// The tenant has as many executions in a time as its key allows
    #[response(
        status = 429,
        headers(("Retry-After" = u32, description = "Seconds until the next one is let in, rounded up")),
        example = json!({ "detail": "This tenant's executions are limited to 10 a second" })
    )]
    TooOften(Problem),
    /// Nothing is wrong with the code: the queue is full, the wait was too long, too many large bodies came or too many large answers
    /// stay unread at once, the service shuts down, or the engine or the container is lost, with the run or before it
    #[response(
        status = 503,
        headers(("Retry-After" = u32, description = "Seconds until it is worth trying again")),
        example = json!({ "detail": "The queue is full, with 64 waiting" })
    )]
    Unavailable(Problem),
}

/// Why a value is not kept.
#[derive(IntoResponses)]
pub(crate) enum UploadRefused {
    /// The key is none, the content type is none, the body is not the JSON it says it is or nested deeper than 512 levels,
    /// the form does not hold exactly one file, or the body ended early
    #[response(status = 400, example = json!({ "detail": "The form must hold exactly one file" }))]
    Malformed(Problem),
    /// The body came too slowly
    #[response(status = 408, example = json!({ "detail": "The request body came too slowly" }))]
    Slow(Problem),
    /// The value is over its limit
    #[response(status = 413, example = json!({ "detail": "A value may have at most 268435456 bytes" }))]
    TooLarge(Problem),
    /// The request has a `Content-Encoding`, or a `Transfer-Encoding` but `chunked`
    #[response(status = 415, example = json!({ "detail": "Send the body as it is: no Content-Encoding is understood, and no Transfer-Encoding but chunked" }))]
    Encoded(Problem),
    /// The data has reached its limit, or the disk is full
    #[response(
        status = 507,
        example = json!({ "detail": "The stored data has reached its limit of 4294967296 bytes: delete some of it" })
    )]
    Full(Problem),
}

/// Why there is no value.
#[derive(IntoResponses)]
pub(crate) enum NoValue {
    /// The key is none
    #[response(
        status = 400,
        example = json!({ "detail": "A key is 1 to 255 characters of A-Z a-z 0-9 . _ -, and not '.' or '..'" })
    )]
    BadKey(Problem),
    /// Nothing has this key
    #[response(status = 404, example = json!({ "detail": "No data found for key 'sales'" }))]
    NoData(Problem),
}
