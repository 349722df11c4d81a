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
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()?.parse().ok());
    declared.is_some_and(|mime: Mime| mime.essence_str() == mime::APPLICATION_JSON.essence_str())
}
