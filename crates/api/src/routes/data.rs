//! `/upload_data`, `/get_data`, `/clear_data` and `/data`.

pub(crate) mod download;
pub(crate) mod upload;

use axum::{
    Json,
    extract::{FromRequestParts, Path, State},
    http::{StatusCode, request::Parts},
};
use serde::Serialize;
use store::{InvalidKey, Key, Meta};
use utoipa::ToSchema;

pub(crate) use self::upload::receive;
use crate::{
    App,
    caller::Caller,
    document::{self, answers},
    error::ApiError,
};

/// What `GET /data` says of a value.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed {
    /// Name of the value.
    #[schema(value_type = String, examples("sales"))]
    key: Key,
    /// Bytes.
    #[schema(examples(19))]
    size: u64,
    /// As it was uploaded.
    #[schema(examples("text/csv"))]
    content_type: String,
    /// When it was uploaded: RFC 3339, UTC.
    #[schema(format = DateTime, examples("2026-11-23T00:57:44.881Z"))]
    created_at: String,
    /// Null without `--data-ttl`: kept until it is deleted.
    #[schema(required, format = DateTime, examples(json!(null), "2026-11-24T00:57:44.881Z"))]
    expires_at: Option<String>,
}

/// What was done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {
    /// For a person to read.
    #[schema(examples("All data cleared"))]
    pub(crate) message: String,
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

/// Lists the caller's values.
#[utoipa::path(
    get,
    path = "/data",
    operation_id = "list_data",
    tag = document::DATA,
    responses((status = 200, description = "All of them, by key", body = Vec<Listed>))
)]
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Result<Json<Vec<Listed>>, ApiError> {
    let values = caller.space(&app.store)?.list();
    Ok(Json(values.into_iter().map(Listed::from).collect()))
}

/// The key a path ends in.
#[derive(utoipa::IntoParams)]
#[into_params(names("key"), parameter_in = Path)]
pub(crate) struct PathKey(
    /// Name of a value: 1 to 255 characters of `A-Z a-z 0-9 . _ -`, not `.` or `..`.
    #[param(value_type = String, pattern = r"^(?!\.{1,2}$)[A-Za-z0-9._-]{1,255}$", example = "sales")]
    Key,
);

impl<S: Send + Sync> FromRequestParts<S> for PathKey {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        // A path that is not UTF-8 after decoding holds no key either.
        let Path(key) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| InvalidKey)?;
        Ok(Self(Key::try_from(key)?))
    }
}

/// Deletes a value.
#[utoipa::path(
    delete,
    path = "/data/{*key}",
    operation_id = "delete_data",
    tag = document::DATA,
    params(PathKey),
    responses((status = 204, description = "It is gone"), answers::NoValue)
)]
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

/// Deletes all values.
#[utoipa::path(
    get,
    path = "/clear_data",
    operation_id = "clear_data",
    tag = document::DATA,
    responses((status = 200, description = "They are gone", body = Done))
)]
pub(crate) async fn clear(State(app): State<App>, caller: Caller) -> Result<Json<Done>, ApiError> {
    caller.space(&app.store)?.clear().await?;
    Ok(Json(Done { message: "All data cleared".to_owned() }))
}

/// A path that ends where its key should begin.
pub(crate) async fn without_key() -> ApiError {
    InvalidKey.into()
}
