//! Request bodies: bounded in size and in time.

use std::time::Duration;

use axum::{
    body::Body,
    http::{HeaderMap, header},
};
use bytes::{Bytes, BytesMut};
use futures_util::StreamExt;
use tokio::time::{Instant, timeout, timeout_at};

use crate::{ApiConfig, error::ApiError};

/// Of a body that is refused, so much and so long is read and thrown away: a client that writes before it reads would
/// otherwise see a broken connection instead of the answer.
const LINGER_BYTES: usize = 256 << 20;
const LINGER_TIME: Duration = Duration::from_secs(10);

/// The length a body says it has.
pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Reads a whole body into memory, at most `max_body` bytes of it; refuses at once what announces itself as larger.
pub(crate) async fn read(headers: &HeaderMap, body: Body, config: &ApiConfig) -> Result<Bytes, ApiError> {
    let limit = config.max_body;
    let too_large = ApiError::BodyTooLarge { limit };
    if announced(headers).is_some_and(|length| length > limit) {
        linger(body);
        return Err(too_large);
    }
    let deadline = Instant::now() + config.body_total;
    let mut stream = body.into_data_stream();
    let mut read = BytesMut::new();
    loop {
        let pause = deadline.min(Instant::now() + config.body_idle);
        match timeout_at(pause, stream.next()).await.map_err(|_| ApiError::SlowBody)? {
            None => return Ok(read.freeze()),
            Some(Err(_)) => return Err(ApiError::BrokenBody),
            Some(Ok(bytes)) if (read.len() + bytes.len()) as u64 > limit => {
                linger(Body::from_stream(stream));
                return Err(too_large);
            }
            Some(Ok(bytes)) => read.extend_from_slice(&bytes),
        }
    }
}

/// Reads on in the background while the answer goes out.
pub(crate) fn linger(body: Body) {
    tokio::spawn(timeout(LINGER_TIME, async {
        let mut stream = body.into_data_stream();
        let mut read = 0;
        while let Some(Ok(bytes)) = stream.next().await {
            read += bytes.len();
            if read > LINGER_BYTES {
                break;
            }
        }
    }));
}
