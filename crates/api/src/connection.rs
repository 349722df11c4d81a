//! Connections: how many there are, when their clients leave, and how slow they may be.
//!
//! The HTTP library notices that a client has left because it reads on, which it does not do while it holds something that came too
//! early, such as the next request: one byte more, and a run would go on for nobody. So the socket is watched beside it.

mod paced;

use std::{
    collections::BTreeMap,
    future,
    io::{self, ErrorKind},
    net::Shutdown,
    os::fd::AsFd,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    },
    task::Poll,
};

use axum::{
    Extension,
    body::{Body, HttpBody},
    extract::Request,
    middleware::{AddExtension, Next},
    response::{IntoResponse, Response},
};
use futures_util::{FutureExt, StreamExt, stream};
use socket2::SockRef;
use tokio::{io::Interest, net::TcpStream};
use tower::Layer;

pub use self::paced::Paced;
use crate::error::ApiError;

/// Each may hold a request's headers, whoever sent them.
pub const MOST_CONNECTIONS: usize = 2048;

/// All connections there are. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connections {
    most: usize,
    all: Arc<Mutex<All>>,
}

#[derive(Debug, Default)]
struct All {
    count: usize,
    /// Times without a request so far, of all connections.
    pauses: u64,
    /// Connections by the pause that they are in: those that are idle for longest first.
    idle: BTreeMap<u64, Weak<Inside>>,
}

/// One of them, an extension of every request on it. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Connection(Arc<Inside>);

#[derive(Debug)]
struct Inside {
    /// A second descriptor of the one that the HTTP library has.
    socket: TcpStream,
    /// The one that it is in; [`BUSY`] if a request is being answered.
    pause: AtomicU64,
    /// What comes belongs to a request that has been answered.
    draining: AtomicBool,
    connections: Connections,
}

/// No pause has this number.
const BUSY: u64 = 0;

/// A request that is being answered.
struct Busy(Connection);

/// A request that has been answered, and whose body is still being read.
pub(crate) struct Draining(Connection);

impl Connections {
    /// At most so many at a time.
    pub fn new(most: usize) -> Self {
        Self { most, all: Arc::default() }
    }

    /// One more. If there are too many, it takes the place of the one that has been idle for longest: who only holds connections keeps
    /// nobody out who has something to ask. An error if none is idle.
    pub fn add(&self, stream: &TcpStream) -> io::Result<Connection> {
        let socket = std::net::TcpStream::from(stream.as_fd().try_clone_to_owned()?);
        let socket = TcpStream::from_std(socket)?;
        let displaced = {
            let mut all = self.all();
            let displaced = if all.count < self.most {
                None
            } else {
                let too_many = || io::Error::new(ErrorKind::ResourceBusy, "too many connections");
                let (_, longest_idle) = all.idle.pop_first().ok_or_else(too_many)?;
                longest_idle.upgrade()
            };
            all.count += 1;
            displaced
        };
        if let Some(displaced) = displaced {
            // It may have been closed meanwhile.
            let _ = SockRef::from(&displaced.socket).shutdown(Shutdown::Both);
        }
        let connection = Connection(Arc::new(Inside {
            socket,
            pause: AtomicU64::default(),
            draining: AtomicBool::default(),
            connections: self.clone(),
        }));
        connection.rest();
        Ok(connection)
    }

    fn all(&self) -> MutexGuard<'_, All> {
        // Every critical section leaves its data whole.
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        let mut all = self.connections.all();
        all.count -= 1;
        all.idle.remove(&self.pause.load(Relaxed));
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.rest();
    }
}

impl Drop for Draining {
    fn drop(&mut self) {
        self.0.0.draining.store(false, Relaxed);
    }
}

/// A service for one connection, which is there for as long as that is.
pub type ConnectionService<S> = AddExtension<S, Connection>;

impl Connection {
    /// The service for its requests.
    pub fn serve<S>(self, service: S) -> ConnectionService<S> {
        Extension(self).layer(service)
    }

    /// Its socket, for the HTTP library.
    pub fn paced<S>(&self, socket: S) -> Paced<S> {
        Paced::new(socket, self.clone())
    }

    /// The pause that it is in, if it is in one.
    fn pause(&self) -> Option<u64> {
        Some(self.0.pause.load(Relaxed)).filter(|pause| *pause != BUSY)
    }

    /// Nothing is asked on it from now on.
    fn rest(&self) {
        let mut all = self.0.connections.all();
        all.pauses += 1;
        let pause = all.pauses;
        self.0.pause.store(pause, Relaxed);
        all.idle.insert(pause, Arc::downgrade(&self.0));
    }

    /// Until what is returned is dropped.
    fn work(&self) -> Busy {
        self.0.connections.all().idle.remove(&self.0.pause.swap(BUSY, Relaxed));
        Busy(self.clone())
    }

    /// Until what is returned is dropped.
    pub(crate) fn drain(&self) -> Draining {
        self.0.draining.store(true, Relaxed);
        Draining(self.clone())
    }

    /// The pause in which something that comes now begins a request.
    fn begins(&self) -> Option<u64> {
        self.pause().filter(|_| !self.0.draining.load(Relaxed))
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
    let busy = connection.work();
    let response = tokio::select! {
        biased;
        response = next.run(request) => response,
        // For nobody, unless it has closed its side for writing alone.
        () = connection.left() => return ApiError::ClientLeft.into_response(),
    };
    if response.body().size_hint().exact().is_some() {
        return response;
    }
    response.map(|body| {
        let mut body = body.into_data_stream();
        let mut left = Box::pin(async move { connection.left().await });
        Body::from_stream(stream::poll_fn(move |cx| {
            let _busy = &busy;
            match body.poll_next_unpin(cx) {
                // An error, so that what is not complete does not look so.
                Poll::Pending => left
                    .poll_unpin(cx)
                    .map(|()| Some(Err(axum::Error::new(io::Error::from(ErrorKind::ConnectionAborted))))),
                piece => piece,
            }
        }))
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
    async fn one_too_many_takes_the_place_of_the_longest_idle_and_of_none_that_works() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let pair = async || {
            let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
            (client, listener.accept().await.unwrap().0)
        };
        let (first, second, third) = (pair().await, pair().await, pair().await);
        let connections = Connections::new(2);
        let (one, two) = (connections.add(&first.1).unwrap(), connections.add(&second.1).unwrap());
        let (busy, also_busy) = (one.work(), two.work());
        assert_eq!(connections.add(&third.1).unwrap_err().to_string(), "too many connections");
        drop((busy, also_busy));
        let busy = one.work();
        let three = connections.add(&third.1).unwrap();
        timeout(Duration::from_secs(5), two.left()).await.unwrap();
        for kept in [&one, &three] {
            assert!(timeout(Duration::from_millis(20), kept.left()).await.is_err());
        }
        drop((busy, one, two, three));
        let all = connections.all();
        assert_eq!((all.count, all.idle.len()), (0, 0));
    }
}
