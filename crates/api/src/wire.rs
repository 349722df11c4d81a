//! JSON in, domain types out, and back. Errors have the shape of FastAPI's 422.

pub(crate) mod event_schema;
pub(crate) mod events;
pub(crate) mod execute;
mod files;
mod json_object;
mod list;
mod report;
mod utf8;

pub(crate) use self::files::Encoding;
pub(crate) use self::json_object::{Field, FieldError, JsonObject, Mismatch};
pub(crate) use self::utf8::Utf8;
