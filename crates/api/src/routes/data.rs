//! `/upload_data`, `/get_data`, `/clear_data` and `/data`.

pub(crate) mod download;
pub(crate) mod upload;

use std::future::ready;

use axum::{
    Json,
    body::Body,
    extract::{FromRequestParts, Path, State},
    http::{
        Method, StatusCode,
        header::{ALLOW, CONTENT_TYPE},
        request::Parts,
    },
    response::{IntoResponse, Response},
};
use futures_util::{Stream, stream};
use serde::Serialize;
use store::{InvalidKey, Key, Meta, Space};
use utoipa::ToSchema;

pub(crate) use self::upload::receive;
use crate::{
    App,
    caller::Caller,
    document::{self, answers},
    error::ApiError,
};

/// Values that are listed in one piece.
const PAGE: usize = 100;

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
// A page at a time: as many as there are, and as slowly as it is read, it holds no more memory than two.
pub(crate) async fn list(State(app): State<App>, caller: Caller) -> Result<Response, ApiError> {
    let space = caller.space(&app.store)?;
    let first = space.page(None, PAGE);
    if first.len() < PAGE {
        return Ok(Json(first.into_iter().map(Listed::from).collect::<Vec<_>>()).into_response());
    }
    let body = Body::from_stream(pages(space, first));
    Ok(([(CONTENT_TYPE, mime::APPLICATION_JSON.as_ref())], body).into_response())
}

/// The array of all values, in parts, from their first page on.
fn pages(space: Space, first: Vec<Meta>) -> impl Stream<Item = serde_json::Result<String>> {
    stream::unfold(Some(("[", first)), move |page| {
        ready(page.map(|(before, page)| {
            let last = page.last().filter(|_| page.len() == PAGE);
            let next = last.map(|last| space.page(Some(last.key.as_str()), PAGE));
            let next = next.filter(|next| !next.is_empty()).map(|next| (",", next));
            let after = if next.is_some() { "" } else { "]" };
            let values = serde_json::to_string(&page.into_iter().map(Listed::from).collect::<Vec<_>>());
            (values.map(|values| format!("{before}{}{after}", &values[1..values.len() - 1])), next)
        }))
    })
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
pub(crate) async fn clear(
    method: Method,
    State(app): State<App>,
    caller: Caller,
) -> Result<Response, ApiError> {
    // Whoever asks what there is with HEAD wants nothing deleted; elsewhere HEAD is GET without its body.
    if method != Method::GET {
        return Ok(([(ALLOW, "GET")], ApiError::MethodNotAllowed).into_response());
    }
    caller.space(&app.store)?.clear().await?;
    Ok(Json(Done { message: "All data cleared".to_owned() }).into_response())
}

/// A path that ends where its key should begin.
pub(crate) async fn without_key() -> ApiError {
    InvalidKey.into()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;
    use store::{ContentType, SpaceName, Store, StoreLimits};

    use super::*;

    #[tokio::test]
    async fn the_pages_are_one_array_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let limits = StoreLimits { max_value_size: 1, data_limit: 1 << 20, ttl: None };
        let space = Store::open(folder.path(), limits).await.unwrap().space(SpaceName::default(), None);
        let mut listed = 0;
        for count in [0, 1, PAGE - 1, PAGE, PAGE + 1, 2 * PAGE] {
            while listed < count {
                let key = Key::try_from(format!("k{listed:04}")).unwrap();
                let content_type = ContentType::try_from("text/plain".to_owned()).unwrap();
                space.upload(key, content_type).await.unwrap().commit().await.unwrap();
                listed += 1;
            }
            let body = Body::from_stream(pages(space.clone(), space.page(None, PAGE)));
            let body = axum::body::to_bytes(body, usize::MAX).await.unwrap();
            let values: Vec<Value> = serde_json::from_slice(&body).unwrap();
            let keys: Vec<_> = values.iter().map(|value| value["key"].as_str().unwrap().to_owned()).collect();
            let expected: Vec<_> = (0..count).map(|n| format!("k{n:04}")).collect();
            assert_eq!(keys, expected);
        }
    }
}
