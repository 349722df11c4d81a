//! Who calls, and who may: every route but the open ones needs a key, where there are keys.

use std::{ops::Deref, sync::Arc};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use keys::{Account, Keyring};
use store::{Space, SpaceName, Store};

use crate::error::ApiError;

/// What answers whoever asks, as the documentation does. Everything else, also what does not exist and what will be added, needs
/// a key.
const OPEN: [&str; 2] = ["/health", "/health/live"];

/// The caller of a request: the account its key opens, or everybody's where there are no keys.
#[derive(Clone, Debug)]
pub(crate) struct Caller(Arc<Account>);

impl Caller {
    pub(crate) fn everyone() -> Self {
        Self(Arc::new(Account::everyone()))
    }

    /// The caller's own part of the store.
    pub(crate) fn space(&self, store: &Store) -> Result<Space, ApiError> {
        // What names a tenant names a space: tested below.
        let name = SpaceName::try_from(self.tenant.as_str()).map_err(|_| ApiError::Internal)?;
        Ok(store.space(name, self.limits.data))
    }
}

impl Deref for Caller {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.0
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, ApiError> {
        parts.extensions.get().cloned().ok_or(ApiError::NoKey)
    }
}

/// Finds out who calls before anything else of the request is looked at, its body above all.
pub(crate) async fn identify(
    State(keyring): State<Option<Keyring>>,
    mut request: Request,
    next: Next,
) -> Response {
    let caller = match keyring {
        None => Some(Caller::everyone()),
        Some(_) if is_open(request.extensions().get()) => None,
        Some(keyring) => match account(&keyring, request.headers()) {
            Ok(account) => Some(Caller(account)),
            Err(error) => return error.into_response(),
        },
    };
    // Nothing further in has a use for the key, or could log it.
    request.headers_mut().remove(header::AUTHORIZATION);
    let Some(caller) = caller else { return next.run(request).await };
    request.extensions_mut().insert(caller.clone());
    let mut response = next.run(request).await;
    // For what is further out and has only this.
    response.extensions_mut().insert(caller);
    response
}

fn is_open(route: Option<&MatchedPath>) -> bool {
    route.map(MatchedPath::as_str).is_some_and(|route| OPEN.contains(&route))
}

fn account(keyring: &Keyring, headers: &HeaderMap) -> Result<Arc<Account>, ApiError> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(authorization), None) = (sent.next(), sent.next()) else { return Err(ApiError::NoKey) };
    let (scheme, key) =
        authorization.to_str().ok().and_then(|text| text.split_once(' ')).ok_or(ApiError::NoKey)?;
    if !scheme.eq_ignore_ascii_case("Bearer") {
        return Err(ApiError::NoKey);
    }
    keyring.account(key.trim()).ok_or(ApiError::UnknownKey)
}

#[cfg(test)]
mod tests {
    use engine::Tenant;
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn everybodys_data_is_where_it_was_before_there_were_tenants() {
        assert_eq!(SpaceName::default().as_str(), Tenant::everyone().as_str());
    }

    proptest! {
        #[test]
        fn what_names_a_tenant_names_a_space(name in "[A-Za-z0-9._()-]{0,66}") {
            prop_assert_eq!(Tenant::try_from(name.as_str()).is_ok(), SpaceName::try_from(name.as_str()).is_ok());
        }
    }
}
