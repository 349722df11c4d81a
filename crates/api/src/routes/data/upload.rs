//! `POST /upload_data/{key}`: JSON, anything else as raw bytes, or one file of a form.

use std::time::Duration;

use axum::{
    Json,
    body::{Body, BodyDataStream},
    extract::{FromRequest, Multipart, Request, State, multipart::Field},
    http::header,
};
use bytes::Bytes;
use futures_util::StreamExt;
use mime::Mime;
use serde_json::{Value, json};
use store::{ContentType, Key, Upload};
use tokio::time::timeout;

use super::PathKey;
use crate::{
    App,
    body::{announced, linger},
    error::ApiError,
    json_check::StreamCheck,
    routes::{content_type, is_json},
};

/// Takes a value, in bounded memory whatever its size.
pub(crate) async fn upload(
    State(app): State<App>,
    key: Result<PathKey, ApiError>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let key = match key {
        Ok(PathKey(key)) => key,
        Err(error) => return refuse(request.into_body(), error),
    };
    // A form's envelope is small beside any limit worth setting; without one the length is the value's own.
    let longest = app.config.max_value_size.saturating_add(ENVELOPE);
    if announced(request.headers()).is_some_and(|length| length > longest) {
        return refuse(request.into_body(), store::PutError::ValueTooLarge(app.config.max_value_size));
    }
    let mime = content_type(request.headers());
    if mime.as_ref().is_some_and(|mime| mime.essence_str() == mime::MULTIPART_FORM_DATA.essence_str()) {
        form(&app, &key, request).await?;
    } else {
        let declared = match request.headers().get(header::CONTENT_TYPE) {
            Some(value) => value.to_str().map_err(|_| store::InvalidContentType)?.to_owned(),
            None => mime::APPLICATION_OCTET_STREAM.to_string(),
        };
        let mut body = request.into_body().into_data_stream();
        if let Err(error) = store_value(&app, &key, declared, mime, &mut body).await {
            return refuse(Body::from_stream(body), error);
        }
    }
    Ok(Json(json!({ "message": format!("Data for key '{key}' uploaded successfully") })))
}

/// `POST /upload_data/`.
pub(crate) async fn upload_without_key(body: Body) -> ApiError {
    linger(body);
    store::InvalidKey.into()
}

/// Room for the boundaries and headers of a form beside the file itself.
const ENVELOPE: u64 = 64 << 10;

fn refuse<T>(rest: Body, error: impl Into<ApiError>) -> Result<T, ApiError> {
    linger(rest);
    Err(error.into())
}

/// The form's one file.
async fn form(app: &App, key: &Key, request: Request) -> Result<(), ApiError> {
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| {
        ApiError::BadMultipart("The header 'Content-Type: multipart/form-data' must name the form's boundary")
    })?;
    let next = async |form: &mut Multipart| -> Result<bool, ApiError> {
        Ok(timeout(app.config.body_idle, form.next_field()).await.map_err(|_| ApiError::SlowBody)??.is_some())
    };
    let upload = {
        let first =
            timeout(app.config.body_idle, form.next_field()).await.map_err(|_| ApiError::SlowBody)??;
        let Some(mut file) = first else { return Err(ApiError::BadMultipart("The form holds no file")) };
        let declared = file.content_type().unwrap_or(mime::APPLICATION_OCTET_STREAM.as_ref()).to_owned();
        let mime = declared.parse().ok();
        receive(app, key, declared, mime, &mut file).await?
    };
    // Committed only when the form turns out to hold nothing else.
    if next(&mut form).await? {
        return Err(ApiError::BadMultipart("The form must hold exactly one file"));
    }
    upload.commit().await?;
    Ok(())
}

async fn store_value(
    app: &App,
    key: &Key,
    declared: String,
    mime: Option<Mime>,
    body: &mut BodyDataStream,
) -> Result<(), ApiError> {
    receive(app, key, declared, mime, body).await?.commit().await?;
    Ok(())
}

/// Writes the chunks to the store, checking on the way that what calls itself JSON is JSON.
async fn receive(
    app: &App,
    key: &Key,
    declared: String,
    mime: Option<Mime>,
    chunks: &mut impl Chunks,
) -> Result<Upload, ApiError> {
    let json = mime.is_some_and(|mime| is_json(&mime)).then(StreamCheck::start);
    let mut upload = app.store.upload(key.clone(), ContentType::try_from(declared)?).await?;
    while let Some(chunk) = chunks.next_chunk(app.config.body_idle).await? {
        upload.write(&chunk).await?;
        if let Some(check) = &json {
            check.feed(chunk).await;
        }
    }
    if let Some(check) = json {
        check.finish().await.map_err(ApiError::MalformedJson)?;
    }
    Ok(upload)
}

/// Bytes that come a chunk at a time.
trait Chunks {
    async fn next_chunk(&mut self, idle: Duration) -> Result<Option<Bytes>, ApiError>;
}

impl Chunks for BodyDataStream {
    async fn next_chunk(&mut self, idle: Duration) -> Result<Option<Bytes>, ApiError> {
        let chunk = timeout(idle, self.next()).await.map_err(|_| ApiError::SlowBody)?;
        chunk.transpose().map_err(|_| ApiError::BrokenBody)
    }
}

impl Chunks for Field<'_> {
    async fn next_chunk(&mut self, idle: Duration) -> Result<Option<Bytes>, ApiError> {
        Ok(timeout(idle, self.chunk()).await.map_err(|_| ApiError::SlowBody)??)
    }
}
