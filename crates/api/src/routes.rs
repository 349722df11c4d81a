//! Handlers, one file a noun.

pub(crate) mod data;
pub(crate) mod docs;
pub(crate) mod execute;
pub(crate) mod executions;
pub(crate) mod health;
pub(crate) mod metrics;

use axum::http::{HeaderMap, header};
use mime::Mime;

/// Whether the request says that it is JSON.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    content_type(headers).is_some_and(|mime| mime.essence_str() == mime::APPLICATION_JSON.essence_str())
}

/// The request's content type, if it has one that parses.
fn content_type(headers: &HeaderMap) -> Option<Mime> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()?.parse().ok()
}
