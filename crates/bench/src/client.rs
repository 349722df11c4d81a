//! One HTTP client for whatever answers `POST /execute_code`: product and in-process service are called through the same
//! code, over connections that are kept and do not wait for full packets.

use std::{
    net::TcpListener,
    sync::Arc,
    time::{Duration, Instant},
};

use bytes::Bytes;
use futures_util::{Stream, future::try_join_all};
use reqwest::{
    Client, StatusCode,
    header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue, RETRY_AFTER},
};

use crate::{Result, reason};

/// Longer than anything here takes; a call that hangs must not hang the benchmark.
const LIMIT: Duration = Duration::from_secs(300);
/// Shorter than either server keeps a connection that nothing comes on.
const IDLE: Duration = Duration::from_secs(3);

/// A server on this machine.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    client: Client,
    base: Arc<str>,
}

/// An answer and what it took.
#[derive(Debug)]
pub(crate) struct Reply {
    /// When the request was sent.
    pub(crate) sent: Instant,
    /// From there to the last byte of the answer.
    pub(crate) took: Duration,
    pub(crate) status: StatusCode,
    /// It says when to try again.
    pub(crate) retry_after: bool,
    pub(crate) body: Bytes,
}

impl Reply {
    /// Enough of the body for whoever looks for what is wrong.
    pub(crate) fn beginning(&self) -> String {
        String::from_utf8_lossy(&self.body[..self.body.len().min(500)]).into_owned()
    }

    /// A 503 that says when to try again.
    pub(crate) fn is_put_off(&self) -> bool {
        self.status == 503 && self.retry_after
    }

    /// The same for want of its container, in the words of the API.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_put_off() && self.beginning().contains("The container was lost")
    }

    #[cfg(test)]
    pub(crate) fn of(status: StatusCode, body: impl Into<Bytes>) -> Self {
        Self { sent: Instant::now(), took: Duration::ZERO, status, retry_after: false, body: body.into() }
    }
}

impl Target {
    pub(crate) fn new(port: u16) -> Result<Self> {
        Self::build(format!("http://127.0.0.1:{port}").into(), HeaderMap::new())
    }

    /// The same server with a tenant's key.
    pub(crate) fn with_key(&self, key: &str) -> Result<Self> {
        let bearer = HeaderValue::try_from(format!("Bearer {key}"))?;
        Self::build(Arc::clone(&self.base), HeaderMap::from_iter([(AUTHORIZATION, bearer)]))
    }

    fn build(base: Arc<str>, headers: HeaderMap) -> Result<Self> {
        let client = Client::builder()
            .default_headers(headers)
            .no_proxy()
            .http1_only()
            .tcp_nodelay(true)
            .pool_idle_timeout(IDLE)
            .timeout(LIMIT)
            .build()?;
        Ok(Self { client, base })
    }

    /// `POST /execute_code`.
    pub(crate) async fn execute(&self, body: Bytes) -> Result<Reply> {
        let request = self
            .client
            .post(format!("{}/execute_code", self.base))
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let sent = Instant::now();
        let answer = async {
            let response = request.send().await?;
            let status = response.status();
            let retry_after = response.headers().contains_key(RETRY_AFTER);
            Ok::<_, reqwest::Error>((status, retry_after, response.bytes().await?))
        };
        let (status, retry_after, body) =
            answer.await.map_err(|error| format!("POST {}/execute_code: {}", self.base, reason(&error)))?;
        Ok(Reply { sent, took: sent.elapsed(), status, retry_after, body })
    }

    /// `POST /execute_code/stream`: the bytes as they come.
    pub(crate) async fn stream(
        &self,
        body: Bytes,
    ) -> Result<impl Stream<Item = reqwest::Result<Bytes>> + use<>> {
        let request = self.client.post(format!("{}/execute_code/stream", self.base));
        let response = request.header(CONTENT_TYPE, "application/json").body(body).send().await?;
        Ok(response.error_for_status()?.bytes_stream())
    }

    /// `POST /upload_data/KEY`.
    pub(crate) async fn upload(&self, key: &str, value: Bytes) -> Result<StatusCode> {
        let request = self.client.post(format!("{}/upload_data/{key}", self.base)).body(value);
        Ok(request.send().await?.status())
    }

    /// `GET /get_data/KEY`.
    pub(crate) async fn download(&self, key: &str) -> Result<(StatusCode, Bytes)> {
        let response = self.client.get(format!("{}/get_data/{key}", self.base)).send().await?;
        Ok((response.status(), response.bytes().await?))
    }

    /// Opens so many connections, so that no call that is timed has to.
    pub(crate) async fn connect(&self, connections: usize) -> Result<()> {
        try_join_all((0..connections).map(|_| self.get("/health/live"))).await?;
        Ok(())
    }

    /// Waits until `GET path` is answered with 200.
    pub(crate) async fn wait_for(&self, path: &str, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        loop {
            match self.get(path).await {
                Ok(StatusCode::OK) => return Ok(()),
                answer if Instant::now() > deadline => {
                    return Err(format!("{}{path} is not well after {limit:?}: {answer:?}", self.base).into());
                }
                _ => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        }
    }

    async fn get(&self, path: &str) -> reqwest::Result<StatusCode> {
        let response = self.client.get(format!("{}{path}", self.base)).send().await?;
        let status = response.status();
        response.bytes().await?;
        Ok(status)
    }
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
