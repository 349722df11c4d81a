//! Who calls.

use std::convert::Infallible;

use axum::{extract::FromRequestParts, http::request::Parts};
use engine::Tenant;

/// The caller of a request.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) tenant: Tenant,
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Infallible;

    async fn from_request_parts(_: &mut Parts, _: &S) -> Result<Self, Infallible> {
        Ok(Self { tenant: Tenant::everyone() })
    }
}
