//! Accepts connections: no more than there may be, without delay, watched, and paced.

use std::{
    future::{Ready, ready},
    io,
};

use api::connection::{ConnectionService, Connections, MOST_CONNECTIONS, Paced};
use axum_server::accept::Accept;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use tokio::net::TcpStream;
use tracing::warn;

/// Descriptors for all else: containers, calls to the engine, stored data.
const OTHERS: u64 = 512;
/// Of each connection: its socket, twice, and the file of what is uploaded or downloaded.
const DESCRIPTORS: u64 = 3;

#[derive(Clone)]
pub(crate) struct Acceptor(Connections);

impl Acceptor {
    /// As many connections as there may be, and as this process has descriptors for, of which it takes all that it may have.
    pub(crate) fn new() -> io::Result<Self> {
        let (_, most) = getrlimit(Resource::RLIMIT_NOFILE)?;
        setrlimit(Resource::RLIMIT_NOFILE, most, most)?;
        let room = usize::try_from(most.saturating_sub(OTHERS) / DESCRIPTORS).unwrap_or(usize::MAX);
        let room = room.clamp(1, MOST_CONNECTIONS);
        if room < MOST_CONNECTIONS {
            warn!(
                connections = room,
                descriptors = most,
                "so few connections at a time: raise the limit of open files"
            );
        }
        Ok(Self(Connections::new(room)))
    }
}

impl<S> Accept<TcpStream, S> for Acceptor {
    type Stream = Paced<TcpStream>;
    type Service = ConnectionService<S>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let connection = stream.set_nodelay(true).and_then(|()| self.0.add(&stream));
        ready(connection.map(|connection| (connection.paced(stream), connection.serve(service))))
    }
}
