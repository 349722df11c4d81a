//! `/upload_data`, `/get_data`, `/clear_data` and `/data`.

mod download;
mod upload;

use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::{StatusCode, request::Parts},
};
use serde::Serialize;
use serde_json::{Value, json};
use store::{InvalidKey, Key, Meta};

pub(crate) use self::{
    download::get,
    upload::{receive, upload},
};
use crate::{App, caller::Caller, error::ApiError};

/// What `GET /data` says of a value.
#[derive(Debug, Serialize)]
pub(crate) struct Listed {
    key: Key,
    size: u64,
    content_type: String,
    created_at: String,
    /// Null without `--data-ttl`: kept until it is deleted.
    expires_at: Option<String>,
}

impl From<Meta> for Listed {
    fn from(meta: Meta) -> Self {
        let text = |time: store::Time| time.to_rfc3339_opts(store::SecondsFormat::Millis, true);
        Self {
            size: meta.size,
            content_type: meta.content_type.as_str().to_owned(),
            created_at: text(meta.created_at),
            expires_at: meta.expires_at.map(text),
            key: meta.key,
        }
    }
}

/// `GET /data`: the caller's own, as everywhere here.
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Vec<Listed>>, ApiError> {
    let values = caller.space(&app.store)?.list();
    Ok(Json(values.into_iter().map(Listed::from).collect()))
}

/// The key a path ends in.
pub(crate) struct PathKey(Key);

impl<S: Send + Sync> FromRequestParts<S> for PathKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // A path that is not UTF-8 after decoding holds no key either.
        let Path(key) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| InvalidKey)?;
        Ok(Self(Key::try_from(key)?))
    }
}

/// `DELETE /data/{key}`.
pub(crate) async fn delete(
    State(app): State<App>,
    caller: Caller,
    PathKey(key): PathKey,
) -> Result<StatusCode, ApiError> {
    if caller.space(&app.store)?.delete(&key).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(ApiError::NoData(key))
    }
}

/// `GET /clear_data`.
pub(crate) async fn clear(State(app): State<App>, caller: Caller) -> Result<Json<Value>, ApiError> {
    caller.space(&app.store)?.clear().await?;
    Ok(Json(json!({ "message": "All data cleared" })))
}

/// A path that ends where its key should begin.
pub(crate) async fn without_key() -> ApiError {
    InvalidKey.into()
}
