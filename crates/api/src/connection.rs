//! Connections: how many there are, and when their clients leave.
//!
//! The HTTP library notices that a client has left because it reads on, which it does not do while it holds something that came too
//! early, such as the next request: one byte more, and a run would go on for nobody. So the socket is watched beside it.

use std::{
    future,
    io::{self, ErrorKind},
    os::fd::AsFd,
    sync::Arc,
};

use axum::{
    Extension,
    body::{Body, HttpBody},
    extract::Request,
    http::StatusCode,
    middleware::{AddExtension, Next},
    response::{IntoResponse, Response},
};
use futures_util::StreamExt;
use tokio::{
    io::Interest,
    net::TcpStream,
    sync::{OwnedSemaphorePermit, Semaphore},
};
use tower::Layer;

/// Each may hold a request's headers, whoever sent them.
pub const MOST_CONNECTIONS: usize = 2048;

/// All connections there are. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connections(Arc<Semaphore>);

/// One of them, an extension of every request on it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connection(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    /// A second descriptor of the one that the HTTP library has.
    socket: TcpStream,
    _turn: OwnedSemaphorePermit,
}

impl Connections {
    /// At most so many at a time.
    pub fn new(most: usize) -> Self {
        Self(Arc::new(Semaphore::new(most)))
    }

    /// One more; an error if there are too many.
    pub fn add(&self, stream: &TcpStream) -> io::Result<Connection> {
        let turn = Arc::clone(&self.0).try_acquire_owned();
        let turn = turn.map_err(|_| io::Error::new(ErrorKind::ResourceBusy, "too many connections"))?;
        let socket = std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?);
        Ok(Connection(Arc::new(Inside { socket: TcpStream::from_std(socket)?, _turn: turn })))
    }
}

/// A service for one connection, which is there for as long as that is.
pub type ConnectionService<S> = AddExtension<S, Connection>;

impl Connection {
    /// The service for its requests.
    pub fn serve<S>(self, service: S) -> ConnectionService<S> {
        Extension(self).layer(service)
    }

    /// Returns when the client has closed its side.
    async fn left(&self) {
        let socket = &self.0.socket;
        // Fails when the runtime ends, and everything with it.
        while let Ok(ready) = socket.ready(Interest::READABLE).await {
            if ready.is_read_closed() {
                return;
            }
            // What is there to be read is not for us: from here on the next thing to come is waited for.
            let _ = socket.try_io(Interest::READABLE, || Err::<(), _>(ErrorKind::WouldBlock.into()));
        }
        future::pending().await
    }
}

/// Ends whatever a request has begun when its client leaves.
pub(crate) async fn while_client_waits(request: Request, next: Next) -> Response {
    let Some(connection) = request.extensions().get::<Connection>().cloned() else {
        return next.run(request).await;
    };
    let response = tokio::select! {
        biased;
        response = next.run(request) => response,
        // For nobody.
        () = connection.left() => return StatusCode::BAD_REQUEST.into_response(),
    };
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    response.map(|body| {
        let left = async move { connection.left().await };
        Body::from_stream(body.into_data_stream().take_until(Box::pin(left)))
    })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::{io::AsyncWriteExt, net::TcpListener, time::timeout};

    use super::*;

    #[tokio::test]
    async fn a_client_that_leaves_is_noticed_whatever_it_has_sent_before() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let connection = Connections::new(1).add(&server).unwrap();
        for _ in 0..3 {
            client.write_all(b"GET / HTTP/1.1\r\n").await.unwrap();
            assert!(timeout(Duration::from_millis(50), connection.left()).await.is_err());
        }
        drop(client);
        timeout(Duration::from_secs(5), connection.left()).await.unwrap();
    }

    #[tokio::test]
    async fn there_are_so_many_and_no_more_until_one_is_gone() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let connections = Connections::new(2);
        let (first, _second) = (connections.add(&stream).unwrap(), connections.add(&stream).unwrap());
        assert_eq!(connections.add(&stream).unwrap_err().to_string(), "too many connections");
        drop(first);
        connections.add(&stream).unwrap();
    }
}
