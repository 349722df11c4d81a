//! JSON in, domain types out, and back. Errors have the shape of FastAPI's 422.

pub(crate) mod execute;
mod form;

pub(crate) use self::form::{FieldError, Form};
