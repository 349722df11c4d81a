//! Who calls, and who may: every route but the open ones needs a key, where there are keys.

use std::{ops::Deref, sync::Arc};

use axum::{
    extract::{FromRequestParts, MatchedPath, Request, State},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    middleware::Next,
    response::{IntoResponse, Response},
};
use base64::{Engine as _, prelude::BASE64_STANDARD};
use engine::Permit;
use keys::{Account, Keyring, Pass};
use store::{Space, SpaceName, Store};

use crate::error::ApiError;

/// What answers whoever asks. Everything else, also what does not exist and what will be added, needs a key.
const OPEN: [&str; 2] = ["/health", "/health/live"];

const PASSWORD: HeaderValue =
    HeaderValue::from_static("Basic realm=\"a key of code-sandbox as the password\"");

/// The caller of a request: the account its key opens, or everybody's where there are no keys.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    account: Arc<Account>,
    /// None where there are no keys.
    pass: Option<Pass>,
}

impl Caller {
    pub(crate) fn everyone() -> Self {
        Self { account: Arc::new(Account::everyone()), pass: None }
    }

    fn with(pass: Pass) -> Self {
        Self { account: Arc::clone(&pass.account), pass: Some(pass) }
    }

    /// An error if the key has been removed since: what it asked for has taken its time, and begins nothing any more.
    pub(crate) fn still_may(&self) -> Result<(), ApiError> {
        if self.pass.as_ref().is_none_or(Pass::is_in_force) { Ok(()) } else { Err(ApiError::UnknownKey) }
    }

    /// The same for what waits for its turn.
    pub(crate) fn permit(&self) -> Permit {
        let caller = self.clone();
        Permit::new(move || caller.still_may().is_ok())
    }

    /// The caller's own part of the store.
    pub(crate) fn space(&self, store: &Store) -> Result<Space, ApiError> {
        // What names a tenant names a space.
        let name = SpaceName::try_from(self.tenant.as_str()).map_err(|_| ApiError::Internal)?;
        Ok(store.space(name, self.limits.data))
    }
}

impl Deref for Caller {
    type Target = Account;

    fn deref(&self) -> &Account {
        &self.account
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
        Some(keyring) => match open(&keyring, request.headers(), bearer) {
            Ok(pass) => Some(Caller::with(pass)),
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

/// The same for the documentation, where a key may come as the password of any name too: it is all that a browser asks its user for
/// (RFC 7617). Nowhere else, because a browser then sends it along whoever has made it call.
pub(crate) async fn identify_reader(
    State(keyring): State<Option<Keyring>>,
    mut request: Request,
    next: Next,
) -> Response {
    let either = |authorization: &str| bearer(authorization).or_else(|| password(authorization));
    let known = keyring.map(|keyring| open(&keyring, request.headers(), either));
    request.headers_mut().remove(header::AUTHORIZATION);
    match known {
        None | Some(Ok(_)) => next.run(request).await,
        Some(Err(error)) => {
            let mut refusal = error.into_response();
            refusal.headers_mut().append(header::WWW_AUTHENTICATE, PASSWORD);
            refusal
        }
    }
}

fn is_open(route: Option<&MatchedPath>) -> bool {
    route.map(MatchedPath::as_str).is_some_and(|route| OPEN.contains(&route))
}

fn open(
    keyring: &Keyring,
    headers: &HeaderMap,
    key: impl Fn(&str) -> Option<String>,
) -> Result<Pass, ApiError> {
    let mut sent = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(authorization), None) = (sent.next(), sent.next()) else { return Err(ApiError::NoKey) };
    let key = authorization.to_str().ok().and_then(key).ok_or(ApiError::NoKey)?;
    keyring.open(&key).ok_or(ApiError::UnknownKey)
}

fn bearer(authorization: &str) -> Option<String> {
    let (scheme, key) = authorization.split_once(' ')?;
    scheme.eq_ignore_ascii_case("Bearer").then(|| key.trim().to_owned())
}

fn password(authorization: &str) -> Option<String> {
    let (scheme, both) = authorization.split_once(' ')?;
    let both = BASE64_STANDARD.decode(both.trim()).ok().filter(|_| scheme.eq_ignore_ascii_case("Basic"))?;
    let (_name, password) = str::from_utf8(&both).ok()?.split_once(':')?;
    Some(password.to_owned())
}

#[cfg(test)]
mod tests {
    use engine::Tenant;

    use super::*;

    #[test]
    fn everybodys_data_is_where_it_was_before_there_were_tenants() {
        assert_eq!(SpaceName::default().as_str(), Tenant::everyone().as_str());
    }
}
