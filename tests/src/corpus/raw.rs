//! A connection that is written to byte by byte, by rules or against them.

use std::time::Duration;

use serde_json::Value;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{sleep, timeout},
};

use super::case::Piece;

/// What came back, however it came: the status, 0 if the connection was closed or refused without a word, and the body.
pub(super) struct Answer {
    pub(super) http: u16,
    pub(super) headers: String,
    pub(super) body: Value,
}

impl Answer {
    /// In its place the reason.
    pub(super) fn none(reason: &str) -> Self {
        Self { http: 0, headers: String::new(), body: reason.into() }
    }
}

/// Writes the pieces and reads until the answer is there or the connection ends. A character is a byte, as in Latin-1.
pub(super) async fn converse(address: &str, pieces: Vec<Piece>, limit: Duration) -> Result<Answer, String> {
    let connection = match TcpStream::connect(address).await {
        Ok(connection) => connection,
        Err(error) => return Ok(Answer::none(&error.to_string())),
    };
    let (mut reader, mut writer) = connection.into_split();
    let write = async {
        for piece in pieces {
            let bytes = match piece {
                Piece::Pause(seconds) => {
                    sleep(Duration::from_secs_f64(seconds)).await;
                    continue;
                }
                Piece::Once(text) => latin1(&text),
                // Repeated as bytes: to convert each of millions takes seconds, in which every other client would be slow.
                Piece::Repeated(text, times) => latin1(&text).repeat(times),
            };
            // A service that has seen enough may close the connection: what it said is still to be read.
            if writer.write_all(&bytes).await.is_err() {
                break;
            }
        }
        // Open until the answer is there: a closed half would be a client that has left.
        std::future::pending::<()>().await;
    };
    let read = async {
        let mut received = Vec::new();
        let mut piece = vec![0; 64 << 10];
        while !is_whole(&received) {
            match reader.read(&mut piece).await {
                Ok(0) | Err(_) => break,
                Ok(n) => received.extend_from_slice(&piece[..n]),
            }
        }
        received
    };
    let both = async {
        tokio::select! {
            received = read => received,
            () = write => unreachable!(),
        }
    };
    let received = timeout(limit, both).await.map_err(|_| format!("no answer within {limit:?}"))?;
    Ok(parse(&received))
}

fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(c).expect("raw text is Latin-1")).collect()
}

fn parse(received: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(received);
    let (headers, body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
    let http = headers.split_whitespace().nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    // Behind it may be the next answer.
    let body = length(headers).and_then(|length| body.get(..length)).unwrap_or(body);
    let body = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
    Answer { http, headers: headers.to_lowercase(), body }
}

/// Whether this is an answer with all of its body.
fn is_whole(received: &[u8]) -> bool {
    let text = String::from_utf8_lossy(received);
    let Some((headers, body)) = text.split_once("\r\n\r\n") else { return false };
    // An interim answer only invites the body.
    if headers.starts_with("HTTP/1.1 100") {
        return is_whole(body.as_bytes());
    }
    match length(headers) {
        Some(length) => body.len() >= length,
        None => body.ends_with("0\r\n\r\n"),
    }
}

fn length(headers: &str) -> Option<usize> {
    headers.to_lowercase().lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok())
}
