//! What a client has to keep to: it sends a request's headers in 10 s and takes its answer.
//!
//! That it takes one is a matter of its average: it may keep an answer waiting for 30 s, and a second more for each 16 KiB that it has
//! taken. So who takes a byte now and then holds an answer's memory no longer than who takes nothing, and who takes it in a few large
//! pieces, as curl does with a limit, is served.

use std::{
    io::{self, ErrorKind, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    time::{Instant, Sleep, sleep},
};

use super::{BUSY, Connection};

/// From the end of the answer before: so it is how long a connection may be idle, too.
const HEADERS: Duration = Duration::from_secs(10);
/// For a client that takes nothing.
const PATIENCE: Duration = Duration::from_secs(30);
/// Bytes of an answer that gain a second.
const LEAST_RATE: f64 = 16_384.0;
/// Bare, as the HTTP library's own answers to what it cannot read: it answers nothing before it has a request.
const TOO_SLOW: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// A connection's socket, which ends when its client sends no headers in time, and fails when it does not take its answer.
#[derive(Debug)]
pub struct Paced<S> {
    socket: S,
    connection: Connection,
    end_of_headers: Pin<Box<Sleep>>,
    /// The pause between two requests which that is about; [`BUSY`] if it is about none.
    pause: u64,
    /// The pause in which something of a request has come.
    begun: u64,
    /// Since when an answer waits for its client.
    stalled: Option<Instant>,
    /// How long it still may.
    patience: Duration,
    end_of_patience: Pin<Box<Sleep>>,
}

impl<S> Paced<S> {
    pub(super) fn new(socket: S, connection: Connection) -> Self {
        let never = || Box::pin(sleep(Duration::MAX));
        Self {
            socket,
            connection,
            end_of_headers: never(),
            pause: BUSY,
            begun: BUSY,
            stalled: None,
            patience: PATIENCE,
            end_of_patience: never(),
        }
    }

    /// Ready once no request has come for too long.
    fn poll_headers(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(pause) = self.connection.pause().filter(|_| self.stalled.is_none()) else {
            return Poll::Pending;
        };
        if self.pause != pause {
            self.pause = pause;
            self.end_of_headers.as_mut().reset(Instant::now() + HEADERS);
        }
        self.end_of_headers.as_mut().poll(cx)
    }

    /// After a write: how patient to be from now on, or an error once that is over.
    fn poll_patience(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(taken)) => {
                let waited = self.stalled.take().map_or(Duration::ZERO, |since| since.elapsed());
                let gained = Duration::from_secs_f64(taken as f64 / LEAST_RATE);
                self.patience = self.patience.saturating_sub(waited) + gained;
                // The time of the next request begins with the last byte of this answer.
                self.pause = BUSY;
            }
            Poll::Pending => {
                if self.stalled.is_none() {
                    let now = Instant::now();
                    self.stalled = Some(now);
                    self.end_of_patience.as_mut().reset(now + self.patience);
                }
                ready!(self.end_of_patience.as_mut().poll(cx));
                return Poll::Ready(Err(ErrorKind::TimedOut.into()));
            }
            Poll::Ready(Err(_)) => {}
        }
        written
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Paced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.socket).poll_read(cx, buffer);
        if read.is_pending() {
            ready!(self.poll_headers(cx));
            if self.begun == self.pause {
                // If there is no room even for this, it takes nothing.
                let _ = Pin::new(&mut self.socket).poll_write(cx, TOO_SLOW);
            }
            // As if the client had closed it.
            return Poll::Ready(Ok(()));
        }
        let received = &buffer.filled()[before..];
        if !received.is_empty() {
            // What was gained with one answer is not for the next.
            self.patience = PATIENCE;
        }
        // Clients of old send an empty line behind a body.
        if received.iter().any(|byte| !b"\r\n".contains(byte))
            && let Some(pause) = self.connection.begins()
        {
            self.begun = pause;
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Paced<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write(cx, bytes);
        self.poll_patience(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.socket).poll_write_vectored(cx, bytes);
        self.poll_patience(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Behind an answer nothing is read before something comes: what else ends the wait for that has to begin here. If it has
        // ended already, it has woken who reads.
        let _ = self.poll_headers(cx);
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::{body::Body, response::Response};
    use hyper::{server::conn::http1, service::service_fn};
    use hyper_util::rt::TokioIo;
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex},
        net::{TcpListener, TcpStream},
    };

    use super::{super::Connections, *};

    /// A client and the server's side, which keep 4 KiB between them. Not by TCP, whose own clock does not stand still.
    async fn pair() -> (DuplexStream, Paced<DuplexStream>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let socket = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let connection = Connections::new(1).add(&socket).unwrap();
        let (client, server) = duplex(4096);
        (client, connection.paced(server))
    }

    /// What the server reads within an hour, and what its client hears.
    async fn heard(mut server: Paced<DuplexStream>, mut client: DuplexStream) -> (usize, String) {
        let mut received = Vec::new();
        server.read_to_end(&mut received).await.unwrap();
        drop(server);
        let mut answer = String::new();
        client.read_to_string(&mut answer).await.unwrap();
        (received.len(), answer)
    }

    #[tokio::test(start_paused = true)]
    async fn headers_that_do_not_come_are_answered_and_an_idle_connection_is_closed() {
        let began = Instant::now();
        let (client, server) = pair().await;
        assert_eq!(heard(server, client).await, (0, String::new()));
        assert_eq!(began.elapsed().as_secs(), 10);
        let (mut client, server) = pair().await;
        client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
        let (received, answer) = heard(server, client).await;
        assert!(received == 16 && answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }

    #[tokio::test(start_paused = true)]
    async fn the_rest_of_a_refused_body_and_an_empty_line_are_no_request() {
        for (rest, drains) in [("rest", true), ("\r\n", false)] {
            let (mut client, server) = pair().await;
            let draining = drains.then(|| server.connection.drain());
            client.write_all(rest.as_bytes()).await.unwrap();
            assert_eq!(heard(server, client).await, (rest.len(), String::new()));
            drop(draining);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_is_timed_while_a_request_is_being_answered() {
        let (mut client, mut server) = pair().await;
        client.write_all(b"x").await.unwrap();
        assert_eq!(server.read_u8().await.unwrap(), b'x');
        let busy = server.connection.work();
        let minute = Duration::from_secs(60);
        assert!(tokio::time::timeout(minute, server.read_u8()).await.is_err());
        drop(busy);
        // Nothing of the next request has come.
        assert_eq!(heard(server, client).await, (0, String::new()));
    }

    /// How long a connection is idle, as the HTTP library uses it, behind an answer that takes so long.
    async fn idle_after(time: Duration) -> Duration {
        let (mut client, server) = pair().await;
        let connection = server.connection.clone();
        let service = service_fn(move |_| {
            let busy = connection.work();
            async move {
                sleep(time).await;
                drop(busy);
                Ok::<_, Infallible>(Response::new(Body::from("answer")))
            }
        });
        let http = http1::Builder::new().serve_connection(TokioIo::new(server), service);
        let client = async {
            client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
            let mut answer = [0; 8];
            client.read_exact(&mut answer).await.unwrap();
            let answered = Instant::now();
            let mut rest = String::new();
            client.read_to_string(&mut rest).await.unwrap();
            assert!(rest.ends_with("answer"), "{rest}");
            answered.elapsed()
        };
        tokio::join!(http, client).1
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_connection_is_closed_however_long_its_last_answer_took() {
        for seconds in [0, 1, 9, 60] {
            let idle = idle_after(Duration::from_secs(seconds)).await;
            assert_eq!(idle.as_secs(), 10, "after an answer that took {seconds} s");
        }
    }

    /// How long a client is served that takes so many bytes every second, of an answer that does not end within two minutes.
    async fn served(a_second: usize) -> Duration {
        let (mut client, mut server) = pair().await;
        let began = Instant::now();
        let answer = async {
            let failed = loop {
                if let Err(error) = server.write_all(&[b'x'; 1024]).await {
                    break error;
                }
            };
            assert_eq!(failed.kind(), ErrorKind::TimedOut);
        };
        let client = async {
            let mut taken = vec![0; a_second];
            loop {
                sleep(Duration::from_secs(1)).await;
                client.read_exact(&mut taken).await.unwrap();
            }
        };
        tokio::select! {
            () = answer => {}
            () = client => {}
            () = sleep(Duration::from_secs(120)) => {}
        }
        began.elapsed()
    }

    #[tokio::test(start_paused = true)]
    async fn who_takes_too_little_of_an_answer_is_cut_off_and_who_is_slow_is_not() {
        assert_eq!(served(0).await.as_secs(), 30);
        let trickle = served(1024).await.as_secs();
        assert!((30..60).contains(&trickle), "{trickle} s");
        assert_eq!(served(40_000).await.as_secs(), 120);
    }
}
