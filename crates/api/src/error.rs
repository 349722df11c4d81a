//! Errors as HTTP: the only place that knows status codes.
//!
//! Every error but an unhealthy `/health` is `{"detail": ...}`. What is the client's fault says what to do about it; what is ours is logged and
//! told without its inside.

use std::time::Duration;

use axum::{
    Json,
    extract::multipart::MultipartError,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use engine::{AdmissionError, ExecuteError, LaunchError, Unhealthy};
use keys::RateExceeded;
use serde_json::json;
use store::{DeleteError, InvalidContentType, InvalidKey, Key, PutError, ReadError};
use tracing::error;

use crate::{host_paths, routes::health::Health, wire::FieldError};

/// Everything a handler can answer instead of what was asked for.
#[derive(Debug)]
pub(crate) enum ApiError {
    NoKey,
    UnknownKey,
    RateExceeded(RateExceeded),
    NoSuchRoute,
    MethodNotAllowed,
    /// What the parser said.
    MalformedJson(String),
    Invalid(Vec<FieldError>),
    NotJson,
    Encoded,
    BadKey(InvalidKey),
    BadContentType(InvalidContentType),
    BadMultipart(&'static str),
    NoData(Key),
    NoExecution(String),
    BadRange {
        size: u64,
    },
    SlowBody,
    BrokenBody,
    ClientLeft,
    BodyTooLarge {
        limit: u64,
    },
    BodiesTooLarge,
    AnswersUnread,
    /// What the protocol's library has refused, in its words.
    NotMcp {
        status: StatusCode,
        reason: String,
    },
    ForeignOrigin,
    NoMetrics,
    Unhealthy(Unhealthy),
    CodeTooLarge {
        limit: u64,
    },
    Execute(ExecuteError),
    Put(PutError),
    Read(ReadError),
    Delete(DeleteError),
    Internal,
}

/// Seconds after which clients that take nothing are cut off. When a turn comes free admission estimates itself.
const UNREAD_RETRY: u32 = 30;
/// Seconds: memory for a body comes free as soon as others have been read.
const BODIES_RETRY: u32 = 1;
/// Seconds after which a restarted engine or control plane is back.
const RESTART_RETRY: u32 = 5;

impl ApiError {
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::MalformedJson(_)
            | Self::BadKey(_)
            | Self::BadContentType(_)
            | Self::BadMultipart(_)
            | Self::BrokenBody
            | Self::ClientLeft => StatusCode::BAD_REQUEST,
            Self::NoKey | Self::UnknownKey => StatusCode::UNAUTHORIZED,
            Self::ForeignOrigin | Self::NoMetrics => StatusCode::FORBIDDEN,
            Self::RateExceeded(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Unhealthy(_) | Self::BodiesTooLarge | Self::AnswersUnread => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::NotMcp { status, .. } => *status,
            Self::NoSuchRoute | Self::NoData(_) | Self::NoExecution(_) => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::SlowBody => StatusCode::REQUEST_TIMEOUT,
            Self::BodyTooLarge { .. } | Self::CodeTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotJson | Self::Encoded => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BadRange { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::Invalid(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Execute(error) => match error {
                ExecuteError::Forbidden => StatusCode::UNAUTHORIZED,
                ExecuteError::Admission(_) | ExecuteError::NotStarted | ExecuteError::Lost(_) => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
                ExecuteError::Launch(LaunchError::Driver(_) | LaunchError::Handshake(_)) => {
                    StatusCode::SERVICE_UNAVAILABLE
                }
                ExecuteError::Launch(LaunchError::NoUser | LaunchError::Abandoned)
                | ExecuteError::Pack(_) => StatusCode::INTERNAL_SERVER_ERROR,
            },
            Self::Put(PutError::ValueTooLarge(_)) => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Put(PutError::TooSlow) => StatusCode::REQUEST_TIMEOUT,
            Self::Put(PutError::StoreFull(_) | PutError::SpaceFull(_) | PutError::DiskFull) => {
                StatusCode::INSUFFICIENT_STORAGE
            }
            Self::Put(PutError::Write(_) | PutError::Aborted)
            | Self::Read(_)
            | Self::Delete(_)
            | Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn detail(&self) -> serde_json::Value {
        match self {
            Self::NoKey => json!("Send your key with the header 'Authorization: Bearer KEY'"),
            Self::UnknownKey | Self::Execute(ExecuteError::Forbidden) => {
                json!("The key is not, or no longer, known")
            }
            Self::RateExceeded(error) => json!(capitalized(error)),
            Self::NoSuchRoute => json!("Not Found"),
            Self::MethodNotAllowed => json!("Method Not Allowed"),
            Self::MalformedJson(reason) => json!(format!("The request body is not valid JSON: {reason}")),
            Self::Invalid(errors) => json!(errors),
            Self::NotJson => json!("Send the request with the header 'Content-Type: application/json'"),
            Self::Encoded => json!(
                "Send the body as it is: no Content-Encoding is understood, and no Transfer-Encoding but chunked"
            ),
            Self::BadKey(error) => json!(capitalized(error)),
            Self::BadContentType(error) => json!(capitalized(error)),
            Self::BadMultipart(reason) => json!(reason),
            Self::ForeignOrigin => json!("Pages of another origin may not call this API"),
            Self::NoMetrics => {
                json!(
                    "This key may not read the metrics, which tell of all tenants: its line needs 'metrics=yes'"
                )
            }
            Self::Unhealthy(error) => json!(reason(error)),
            Self::NotMcp { reason, .. } => json!(reason),
            Self::AnswersUnread => json!(
                "The code has run, but too many large answers wait for their clients to read them: this one is lost"
            ),
            Self::BodiesTooLarge => json!("Too many large requests at once"),
            Self::NoData(key) => json!(format!("No data found for key '{key}'")),
            Self::NoExecution(id) => json!(format!("No execution with id '{id}'")),
            Self::BadRange { size } => json!(format!("The range lies outside the value's {size} bytes")),
            Self::SlowBody => json!("The request body came too slowly"),
            Self::BrokenBody => json!("The request body ended early"),
            Self::ClientLeft => json!("The client has closed its side of the connection before the answer"),
            Self::BodyTooLarge { limit } => {
                json!(format!("The request body is over the limit of {limit} bytes"))
            }
            Self::CodeTooLarge { limit } => json!(format!("The code is over the limit of {limit} bytes")),
            Self::Execute(ExecuteError::Admission(error)) => json!(capitalized(error)),
            Self::Execute(ExecuteError::NotStarted | ExecuteError::Lost(_)) => {
                json!("The container was lost, through no fault of the code: try again")
            }
            Self::Execute(ExecuteError::Launch(LaunchError::Driver(_) | LaunchError::Handshake(_))) => {
                json!("No container could be started: try again later, /health says why")
            }
            Self::Put(PutError::Write(_) | PutError::Aborted)
            | Self::Read(_)
            | Self::Delete(_)
            | Self::Execute(
                ExecuteError::Launch(LaunchError::NoUser | LaunchError::Abandoned) | ExecuteError::Pack(_),
            )
            | Self::Internal => json!("Internal Server Error"),
            Self::Put(
                error @ (PutError::ValueTooLarge(_)
                | PutError::StoreFull(_)
                | PutError::SpaceFull(_)
                | PutError::DiskFull
                | PutError::TooSlow),
            ) => json!(capitalized(error)),
        }
    }

    fn retry_after(&self) -> Option<u32> {
        match self {
            Self::RateExceeded(exceeded) => Some(whole_seconds(exceeded.wait)),
            Self::Execute(ExecuteError::Admission(error)) => Some(match error {
                AdmissionError::QueueFull { retry_after, .. }
                | AdmissionError::QueueTimeout { retry_after, .. } => whole_seconds(*retry_after),
                AdmissionError::Draining => RESTART_RETRY,
            }),
            Self::BodiesTooLarge => Some(BODIES_RETRY),
            Self::AnswersUnread => Some(UNREAD_RETRY),
            Self::Unhealthy(_) => Some(RESTART_RETRY),
            Self::Execute(_) if self.status() == StatusCode::SERVICE_UNAVAILABLE => Some(RESTART_RETRY),
            _ => None,
        }
    }

    /// For a model to read.
    pub(crate) fn told_in_words(&self) -> String {
        self.log();
        let detail = match self {
            Self::Invalid(errors) => errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"),
            _ => self.detail().as_str().unwrap_or_default().to_owned(),
        };
        match self.retry_after() {
            Some(seconds) => format!("{detail}. Try again in {seconds} s."),
            None => detail,
        }
    }

    /// For a client that has had its status and headers already.
    pub(crate) fn told_late(&self) -> serde_json::Value {
        self.log();
        json!({ "status": self.status().as_u16(), "detail": self.detail(), "retry_after": self.retry_after() })
    }

    fn log(&self) {
        match self {
            Self::Put(error @ (PutError::Write(_) | PutError::Aborted)) => error!(%error, "upload failed"),
            Self::Read(error) => error!(%error, "download failed"),
            Self::Delete(error) => error!(%error, "deletion failed"),
            // That it shuts down the log says once.
            Self::Unhealthy(Unhealthy::Draining) => {}
            Self::Unhealthy(error) => error!(%error, "unhealthy"),
            // Executions are logged by the engine's events, panics by the panic hook.
            _ => {}
        }
    }
}

/// Rounded up, so that whoever waits them comes in.
fn whole_seconds(wait: Duration) -> u32 {
    wait.as_secs_f64().ceil().max(1.0) as u32
}

/// For whoever asks, who needs no key.
fn reason(error: &Unhealthy) -> String {
    host_paths::hidden(&error.to_string())
}

/// Our own texts begin with an ASCII letter.
fn capitalized(error: &impl ToString) -> String {
    let mut text = error.to_string();
    if let Some(first) = text.get_mut(..1) {
        first.make_ascii_uppercase();
    }
    text
}

/// Without its own text, which has an opinion on the status.
impl From<MultipartError> for ApiError {
    fn from(_: MultipartError) -> Self {
        Self::BadMultipart("The form is not valid multipart/form-data, or ended early")
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        self.log();
        let mut response = if let Self::Unhealthy(error) = &self {
            let health = Health { status: "unhealthy", message: reason(error) };
            (self.status(), Json(health)).into_response()
        } else {
            (self.status(), Json(json!({ "detail": self.detail() }))).into_response()
        };
        let headers = response.headers_mut();
        if let Some(seconds) = self.retry_after() {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if self.status() == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Self::BadRange { size } = self
            && let Ok(value) = HeaderValue::try_from(format!("bytes */{size}"))
        {
            headers.insert(header::CONTENT_RANGE, value);
        }
        response
    }
}

macro_rules! from {
    ($($source:ty => $variant:ident),* $(,)?) => {
        $(impl From<$source> for ApiError {
            fn from(error: $source) -> Self {
                Self::$variant(error)
            }
        })*
    };
}

from! {
    DeleteError => Delete,
    Unhealthy => Unhealthy,
    ExecuteError => Execute,
    InvalidContentType => BadContentType,
    InvalidKey => BadKey,
    PutError => Put,
    RateExceeded => RateExceeded,
    ReadError => Read,
}
