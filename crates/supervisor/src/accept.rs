//! Accepts connections: no more than there may be, without delay, and watched.

use std::{
    future::{Ready, ready},
    io,
};

use api::connection::{ConnectionService, Connections};
use axum_server::accept::Accept;
use tokio::net::TcpStream;

/// One that is too many is closed at once.
#[derive(Clone)]
pub(crate) struct Acceptor(pub(crate) Connections);

impl<S> Accept<TcpStream, S> for Acceptor {
    type Stream = TcpStream;
    type Service = ConnectionService<S>;
    type Future = Ready<io::Result<(Self::Stream, Self::Service)>>;

    fn accept(&self, stream: TcpStream, service: S) -> Self::Future {
        let connection = stream.set_nodelay(true).and_then(|()| self.0.add(&stream));
        ready(connection.map(|connection| (stream, connection.serve(service))))
    }
}
