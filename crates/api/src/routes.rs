//! Handlers, one file a noun.

pub(crate) mod data;
pub(crate) mod docs;
pub(crate) mod execute;
pub(crate) mod executions;
pub(crate) mod health;
pub(crate) mod metrics;

use axum::http::{HeaderMap, header};
use mime::Mime;

/// The request's content type, if it has one that parses.
fn content_type(headers: &HeaderMap) -> Option<Mime> {
    headers.get(header::CONTENT_TYPE)?.to_str().ok()?.parse().ok()
}

fn is_json(mime: &Mime) -> bool {
    mime.essence_str() == mime::APPLICATION_JSON.essence_str()
}
