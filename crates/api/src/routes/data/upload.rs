//! `POST /upload_data/{key}`: JSON, anything else as raw bytes, or one file of a form.

use std::{
    collections::HashMap,
    future::poll_fn,
    pin::pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Poll, ready},
    time::Duration,
};

use axum::{
    Json,
    body::{Body, BodyDataStream},
    extract::{
        FromRequest, Multipart, Request, State,
        multipart::{Field, MultipartError},
    },
    http::header,
};
use bytes::Bytes;
use engine::json::{Rules, StreamCheck};
use futures_util::{Stream, StreamExt, stream};
use store::{ContentType, InvalidContentType, Key, PutError, Space, Upload};
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

use super::{super::is, Done, PathKey};
use crate::{
    ApiConfig, App,
    body::{announced, must_be_plain},
    caller::Caller,
    document::{self, answers},
    error::ApiError,
};

/// Room for the boundaries and headers of a form beside the file itself.
const ENVELOPE: u64 = 64 << 10;

/// As lenient as JSON itself, but no deeper than the parsers of clients and of user code go.
const UPLOADED: Rules = Rules { depth: 512, portable: false };

/// Bytes a second that an upload must come to in the end: one that trickles would hold its file and its room for ever.
const LEAST_RATE: usize = 16 << 10;

/// Bytes.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "says what `receive` takes")]
struct Anything(Vec<u8>);

/// A form with one file.
#[derive(ToSchema)]
#[schema(min_properties = 1, max_properties = 1)]
#[expect(dead_code, reason = "says what `receive_form` takes")]
struct UploadForm {
    /// The file, with its name; it is kept with the content type that the form says it has.
    #[schema(value_type = String, format = Binary, required = false, examples("month,sales\n1,3\n2,5\n"))]
    file: Vec<u8>,
    /// The field may have any other name.
    #[serde(flatten)]
    other: HashMap<String, Anything>,
}

/// Keeps a value until it is deleted, in place of the one that the key has.
///
/// It is on disk when it is answered, and replaced whole: nobody ever sees a part of it.
#[utoipa::path(
    post,
    path = "/upload_data/{*key}",
    operation_id = "upload_data",
    tag = document::DATA,
    params(PathKey),
    request_body(
        description = "JSON, which is checked; one file of a form; or anything else, kept as it is with its content type",
        content(
            (Value = "application/json", example = json!({ "currency": "NOK" })),
            (UploadForm = "multipart/form-data"),
            (Anything = "application/octet-stream"),
            ("text/csv", example = json!("month,sales\n1,3\n2,5\n")),
        )
    ),
    responses(
        (
            status = 200,
            description = "It is kept",
            body = Done,
            links(
                ("value" = (operation_id = "get_data", parameters(("key" = "$request.path.key")))),
                ("deletion" = (operation_id = "delete_data", parameters(("key" = "$request.path.key")))),
            ),
            example = json!({ "message": "Data for key 'sales' uploaded successfully" })
        ),
        answers::UploadRefused,
    )
)]
// In bounded memory, whatever the value's size.
pub(crate) async fn upload(
    State(app): State<App>,
    caller: Caller,
    PathKey(key): PathKey,
    request: Request,
) -> Result<Json<Done>, ApiError> {
    must_be_plain(request.headers())?;
    let limit = app.config.max_value_size;
    if announced(request.headers()).is_some_and(|length| length > limit.saturating_add(ENVELOPE)) {
        return Err(PutError::ValueTooLarge(limit).into());
    }
    let space = caller.space(&app.store)?;
    let declared = request.headers().get(header::CONTENT_TYPE);
    let declared = declared.map(|value| value.to_str().map_err(|_| InvalidContentType)).transpose()?;
    let declared = declared.unwrap_or(mime::APPLICATION_OCTET_STREAM.as_ref()).to_owned();
    let upload = if is(&declared, &mime::MULTIPART_FORM_DATA) {
        receive_form(&app.config, &space, &key, request).await?
    } else {
        receive(&app.config, &space, &key, declared, &mut request.into_body().into_data_stream()).await?
    };
    caller.still_may()?;
    upload.commit().await?;
    Ok(Json(Done { message: format!("Data for key '{key}' uploaded successfully") }))
}

/// Bytes that the form's parser, which holds them in memory, has taken and not told of as the file's.
#[derive(Clone, Default)]
struct Ahead(Arc<AtomicU64>);

/// The form's file, on its way out of the parser.
struct File<'a> {
    field: Field<'a>,
    ahead: Ahead,
}

impl Ahead {
    fn is_far(&self) -> bool {
        self.0.load(Relaxed) > ENVELOPE
    }

    /// The body for the parser, which takes what there is until it has to wait: also when it is far ahead.
    fn bound(
        &self,
        mut body: BodyDataStream,
    ) -> impl Stream<Item = Result<Bytes, axum::Error>> + Send + 'static {
        let ahead = self.clone();
        stream::poll_fn(move |cx| {
            if ahead.is_far() {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let chunk = ready!(body.poll_next_unpin(cx));
            if let Some(Ok(chunk)) = &chunk {
                ahead.0.fetch_add(chunk.len() as u64, Relaxed);
            }
            Poll::Ready(chunk)
        })
    }

    /// What the parser gives next. Refused if it has to wait although it is far ahead: what it then holds is not the file's.
    async fn next<T>(
        &self,
        idle: Duration,
        next: impl Future<Output = Result<T, MultipartError>>,
    ) -> Result<T, ApiError> {
        let mut next = pin!(next);
        let next = poll_fn(|cx| match next.as_mut().poll(cx) {
            Poll::Pending if self.is_far() => {
                Poll::Ready(Err(ApiError::BadMultipart("The form holds too much beside its file")))
            }
            next => next.map_err(ApiError::from),
        });
        timeout(idle, next).await.map_err(|_| ApiError::SlowBody)?
    }
}

/// The form's one file. Nothing is stored before it has turned out that there is nothing else.
async fn receive_form(
    config: &ApiConfig,
    space: &Space,
    key: &Key,
    request: Request,
) -> Result<Upload, ApiError> {
    let ahead = Ahead::default();
    let request = request.map(|body| Body::from_stream(ahead.bound(body.into_data_stream())));
    let mut form = Multipart::from_request(request, &()).await.map_err(|_| {
        ApiError::BadMultipart("The header 'Content-Type: multipart/form-data' must name the form's boundary")
    })?;
    let upload = match ahead.next(config.body_idle, form.next_field()).await? {
        Some(file) if file.file_name().is_some() => {
            let declared = file.content_type().unwrap_or(mime::APPLICATION_OCTET_STREAM.as_ref()).to_owned();
            receive(config, space, key, declared, &mut File { field: file, ahead: ahead.clone() }).await?
        }
        _ => return Err(ApiError::BadMultipart("The form holds no file")),
    };
    match ahead.next(config.body_idle, form.next_field()).await? {
        None => Ok(upload),
        Some(_) => Err(ApiError::BadMultipart("The form must hold exactly one file")),
    }
}

/// Writes the chunks to the store, checking on the way that what calls itself JSON is JSON.
pub(crate) async fn receive(
    config: &ApiConfig,
    space: &Space,
    key: &Key,
    declared: String,
    chunks: &mut impl Chunks,
) -> Result<Upload, ApiError> {
    let mut json = is(&declared, &mime::APPLICATION_JSON).then(|| StreamCheck::new(UPLOADED));
    let mut upload = space.upload(key.clone(), ContentType::try_from(declared)?).await?;
    let (began, mut received) = (Instant::now(), 0);
    while let Some(chunk) = chunks.next_chunk(config.body_idle).await? {
        received += chunk.len();
        if began.elapsed() > config.body_total + Duration::from_secs((received / LEAST_RATE) as u64) {
            return Err(ApiError::SlowBody);
        }
        if let Some(check) = &mut json {
            check.feed(&chunk).map_err(ApiError::MalformedJson)?;
        }
        upload.write(&chunk).await?;
    }
    if let Some(check) = json {
        check.finish().map_err(ApiError::MalformedJson)?;
    }
    Ok(upload)
}

/// Bytes that come a chunk at a time.
pub(crate) trait Chunks {
    async fn next_chunk(&mut self, idle: Duration) -> Result<Option<Bytes>, ApiError>;
}

impl Chunks for BodyDataStream {
    async fn next_chunk(&mut self, idle: Duration) -> Result<Option<Bytes>, ApiError> {
        let chunk = timeout(idle, self.next()).await.map_err(|_| ApiError::SlowBody)?;
        chunk.transpose().map_err(|_| ApiError::BrokenBody)
    }
}

impl Chunks for File<'_> {
    async fn next_chunk(&mut self, idle: Duration) -> Result<Option<Bytes>, ApiError> {
        let chunk = self.ahead.next(idle, self.field.chunk()).await?;
        self.ahead.0.fetch_sub(chunk.as_ref().map_or(0, Bytes::len) as u64, Relaxed);
        Ok(chunk)
    }
}
