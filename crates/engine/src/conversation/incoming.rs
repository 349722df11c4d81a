//! What a runner says, message by message.

use std::io;

use bytes::BytesMut;
use futures_util::{FutureExt, StreamExt, stream::BoxStream};
use protocol::{
    frame::{Caps, FrameCodec, FrameError},
    message::{FromRunner, MessageError},
};
use tokio_util::codec::Decoder;

use crate::{driver::Chunk, returns::NotReturnable};

/// What a runner that never got ready may say about it.
const COMPLAINT_LIMIT: usize = 2 << 10;

pub(super) struct Incoming {
    pipe: BoxStream<'static, io::Result<Chunk>>,
    received: BytesMut,
    codec: FrameCodec,
    complaint: Vec<u8>,
}

/// What no runner says.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Garbled {
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error(transparent)]
    Returned(#[from] NotReturnable),
    #[error("a message out of order")]
    OutOfOrder,
    #[error("more output than its limit")]
    TooMuchOutput,
    #[error("an empty piece of output")]
    EmptyOutput,
}

/// Why there is no next message.
pub(super) enum ReadError {
    Silent,
    Garbled(Garbled),
}

impl<E: Into<Garbled>> From<E> for ReadError {
    fn from(error: E) -> Self {
        Self::Garbled(error.into())
    }
}

impl Incoming {
    pub(super) fn new(pipe: BoxStream<'static, io::Result<Chunk>>, caps: Caps) -> Self {
        Self { pipe, received: BytesMut::new(), codec: FrameCodec::new(caps), complaint: Vec::new() }
    }

    /// The next message. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<FromRunner, ReadError> {
        loop {
            if let Some(message) = self.decode()? {
                return Ok(message);
            }
            self.receive().await?;
        }
    }

    /// The next message; none once more than `room` bytes wait to be decoded. Cancel safe.
    pub(super) async fn next_within(&mut self, room: usize) -> Result<Option<FromRunner>, ReadError> {
        while self.received.len() <= room {
            if let Some(message) = self.decode()? {
                return Ok(Some(message));
            }
            self.receive().await?;
        }
        Ok(None)
    }

    /// Whether it has said more than what has been read, so far.
    pub(super) fn says_more(&mut self) -> bool {
        while self.received.is_empty() && matches!(self.receive().now_or_never(), Some(Ok(()))) {}
        !self.received.is_empty()
    }

    /// What it said on its stderr.
    pub(super) fn complaint(&self) -> String {
        String::from_utf8_lossy(&self.complaint).trim().to_owned()
    }

    /// Waits for the end, whatever is said until then.
    pub(super) async fn drain(&mut self) {
        while let Some(Ok(_)) = self.pipe.next().await {}
    }

    /// The runner may stay until it is removed: a buffer for its largest message need not.
    pub(super) fn release(&mut self) {
        self.received = BytesMut::new();
    }

    /// A message of what has been received; none if it is not whole.
    fn decode(&mut self) -> Result<Option<FromRunner>, ReadError> {
        let frame = self.codec.decode(&mut self.received)?;
        Ok(frame.map(FromRunner::try_from).transpose()?)
    }

    async fn receive(&mut self) -> Result<(), ReadError> {
        match self.pipe.next().await {
            Some(Ok(Chunk::Frames(bytes))) => self.received.extend_from_slice(&bytes),
            Some(Ok(Chunk::Complaint(bytes))) => {
                let room = COMPLAINT_LIMIT.saturating_sub(self.complaint.len());
                self.complaint.extend_from_slice(&bytes[..bytes.len().min(room)]);
            }
            Some(Err(_)) | None => return Err(ReadError::Silent),
        }
        Ok(())
    }
}
