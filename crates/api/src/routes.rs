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
    let declared = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    declared.is_some_and(|declared| is(declared, &mime::APPLICATION_JSON))
}

/// Whatever its parameters are, and be they none: the runner, too, decides by this part whether code gets a value parsed.
fn is(declared: &str, content_type: &Mime) -> bool {
    let essence = declared.split_once(';').map_or(declared, |(essence, _)| essence);
    essence.trim().eq_ignore_ascii_case(content_type.essence_str())
}
