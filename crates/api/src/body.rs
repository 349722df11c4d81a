//! Request bodies: bounded in size, in time, and in memory all together.

use std::{
    sync::{Arc, LazyLock, Mutex, PoisonError},
    time::Duration,
};

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, HeaderName, StatusCode, header},
    middleware::Next,
    response::Response,
};
use bytes::{Bytes, BytesMut};
use engine::Tenant;
use futures_util::{StreamExt, stream};
use tokio::{
    sync::{Semaphore, SemaphorePermit},
    time::{Instant, timeout, timeout_at},
};

use crate::{
    App,
    budget::{Budget, Exhausted, Share},
    caller::Caller,
    connection::Connection,
    error::ApiError,
};

/// So much of each request's body is not counted: a crowd of large ones keeps no small one out.
const SMALL: u64 = 16 << 10;

/// A body read whole, and its share of the budget.
#[derive(Debug)]
pub(crate) struct Held {
    pub(crate) bytes: Bytes,
    /// Given back when the request is answered: until then the code or the queue holds what the body said.
    pub(crate) share: Share,
}

/// The length a body says it has.
pub(crate) fn announced(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// A coding of the body would be kept and run as if it were the content.
pub(crate) fn must_be_plain(headers: &HeaderMap) -> Result<(), ApiError> {
    let all_are = |name: HeaderName, plain: &[u8]| {
        headers.get_all(name).iter().all(|coding| coding.as_bytes().eq_ignore_ascii_case(plain))
    };
    // In chunks it comes as it is; hyper would leave any further coding in place.
    let plain =
        all_are(header::CONTENT_ENCODING, b"identity") && all_are(header::TRANSFER_ENCODING, b"chunked");
    if plain { Ok(()) } else { Err(ApiError::Encoded) }
}

/// Reads a whole body into memory, at most `max_body` bytes of it; refuses at once what announces itself as larger.
pub(crate) async fn read(
    headers: &HeaderMap,
    body: Body,
    app: &App,
    tenant: &Tenant,
) -> Result<Held, ApiError> {
    must_be_plain(headers)?;
    let config = &app.config;
    let limit = config.max_body;
    let too_large = ApiError::BodyTooLarge { limit };
    let announced = announced(headers).unwrap_or_default();
    if announced > limit {
        return Err(too_large);
    }
    let too_many = |Exhausted| ApiError::BodiesTooLarge;
    // Let go at once: what has not come takes no memory, and must not keep others out.
    drop(app.bodies.take(tenant, announced.saturating_sub(SMALL)).map_err(too_many)?);
    let mut share = app.bodies.take(tenant, 0).map_err(too_many)?;
    let deadline = Instant::now() + config.body_total;
    let mut stream = body.into_data_stream();
    let mut read = BytesMut::new();
    loop {
        let pause = deadline.min(Instant::now() + config.body_idle);
        match timeout_at(pause, stream.next()).await.map_err(|_| ApiError::SlowBody)? {
            None => return Ok(Held { bytes: read.freeze(), share }),
            Some(Err(_)) => return Err(ApiError::BrokenBody),
            Some(Ok(bytes)) if (read.len() + bytes.len()) as u64 > limit => return Err(too_large),
            Some(Ok(bytes)) => {
                read.extend_from_slice(&bytes);
                share.grow_to((read.len() as u64).saturating_sub(SMALL)).map_err(too_many)?;
            }
        }
    }
}

/// Of a body that is refused, so much and so long is read and thrown away, for so many clients at once.
const LINGER_BYTES: usize = 256 << 20;
const LINGER_TIME: Duration = Duration::from_secs(10);
static LINGERING: LazyLock<Budget> = LazyLock::new(|| Budget::new(32, true));
/// Likewise for those whom nobody has asked for their key, or who have none: they take nothing away from those who have.
static LINGERING_STRANGERS: Semaphore = Semaphore::const_new(8);

/// Of those of a tenant, none may have all.
enum Turn {
    Callers(#[expect(dead_code, reason = "held")] Share),
    Strangers(#[expect(dead_code, reason = "held")] SemaphorePermit<'static>),
}

impl Turn {
    fn of(caller: Option<&Caller>) -> Option<Self> {
        match caller {
            Some(caller) => LINGERING.take(&caller.tenant, 1).ok().map(Self::Callers),
            None => LINGERING_STRANGERS.try_acquire().ok().map(Self::Strangers),
        }
    }
}

/// Reads a refused body to its end while the answer goes out: a client that writes before it reads would otherwise see a
/// broken connection instead of the answer.
pub(crate) async fn linger(request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    let connection = parts.extensions.get::<Connection>().cloned();
    let shared = Arc::new(Mutex::new(body.into_data_stream()));
    let chunks = |shared: Arc<Mutex<axum::body::BodyDataStream>>| {
        stream::poll_fn(move |cx| shared.lock().unwrap_or_else(PoisonError::into_inner).poll_next_unpin(cx))
    };
    let body = Body::from_stream(chunks(Arc::clone(&shared)));
    let response = next.run(Request::from_parts(parts, body)).await;
    let status = response.status();
    let refused = status.is_client_error() || status.is_server_error();
    if refused
        && status != StatusCode::REQUEST_TIMEOUT
        && let Some(turn) = Turn::of(response.extensions().get())
    {
        // On its own: the answer is out, and nobody's end waits for what is thrown away.
        tokio::spawn(timeout(LINGER_TIME, async move {
            let _held = (turn, connection.map(|connection| connection.drain()));
            let mut chunks = chunks(shared);
            let mut read = 0;
            while let Some(Ok(bytes)) = chunks.next().await
                && read < LINGER_BYTES
            {
                read += bytes.len();
            }
        }));
    }
    response
}

#[cfg(test)]
mod tests {
    use std::iter::from_fn;

    use super::*;

    #[test]
    fn neither_strangers_nor_one_tenant_have_all_the_turns_of_refused_bodies() {
        let strangers: Vec<_> = from_fn(|| Turn::of(None)).collect();
        assert!(!strangers.is_empty());
        let of = |name: &str| LINGERING.take(&Tenant::try_from(name).unwrap(), 1).ok();
        let theirs: Vec<_> = from_fn(|| of("a")).collect();
        assert!(theirs.len() > strangers.len() && of("b").is_some());
    }
}
