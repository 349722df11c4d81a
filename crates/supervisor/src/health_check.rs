//! `code-sandbox health`: asks a running control plane, for health checks of images that hold no curl.

use std::{
    io::Write as _,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    process::ExitCode,
    time::Duration,
};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, body::Bytes, client::conn::http1, header};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpStream, time::timeout};

/// A cold trial execution on a busy machine fits.
const LIMIT: Duration = Duration::from_secs(20);

/// Prints what `/health` answers; succeeds if it is healthy.
pub(crate) async fn run(listen: SocketAddr) -> ExitCode {
    let address = SocketAddr::new(
        match listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        },
        listen.port(),
    );
    let (healthy, text) = match timeout(LIMIT, ask(address)).await {
        Ok(Ok((status, body))) => (status == StatusCode::OK, body),
        Ok(Err(error)) => (false, format!("no answer from {address}: {error}")),
        Err(_) => (false, format!("no answer from {address} within {LIMIT:?}")),
    };
    // A closed stdout changes nothing about the answer.
    let _ = writeln!(std::io::stdout(), "{text}");
    if healthy { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

async fn ask(address: SocketAddr) -> Result<(StatusCode, String), Box<dyn std::error::Error>> {
    let stream = TcpStream::connect(address).await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let request =
        Request::get("/health").header(header::HOST, address.to_string()).body(Empty::<Bytes>::new())?;
    let exchange = async {
        let response = sender.send_request(request).await?;
        let status = response.status();
        let body = response.into_body().collect().await?.to_bytes();
        Ok((status, String::from_utf8_lossy(&body).into_owned()))
    };
    tokio::select! {
        answer = exchange => answer,
        ended = connection => Err(ended.err().map_or_else(|| "the connection closed".into(), Into::into)),
    }
}
