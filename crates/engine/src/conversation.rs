//! One conversation with one runner: handshake, request in, report out. See `PROTOCOL.md` for the frames.
//!
//! Everything a runner sends is untrusted: what it may send is capped, and what does not fit ends the conversation as
//! [`End::Garbled`]. Memory: at most one execution's limits and one frame.

mod collecting;
mod incoming;

use std::{io, mem, pin::Pin, time::Duration};

use bytes::{Bytes, BytesMut};
use protocol::{
    frame::{Caps, Frame, FrameCodec},
    message::{Execute, Finished, FromRunner, Preload, ToRunner},
};
use tokio::{
    io::{AsyncWrite, AsyncWriteExt},
    time::{self, Instant},
};
use tokio_util::{codec::Encoder, sync::CancellationToken};

pub(crate) use self::incoming::Garbled;
use self::{
    collecting::Collecting,
    incoming::{Incoming, ReadError},
};
use crate::{
    archive,
    data::DataDesk,
    driver::{ContainerName, Driver, Ended, Pipe},
    large::{LargeAnswers, SMALL},
    output::Sink,
    phase::{Phase, Stopwatch},
    request::ExecutionRequest,
    returns::{ReturnLimits, Returned},
};

/// The runner enforces the deadline itself, and may take 1.6 s more to encode results and to run exit handlers; this much
/// later it is enforced from outside.
const GRACE: Duration = Duration::from_millis(1_900);
/// How long a runner may take to swallow a request.
const SEND_LIMIT: Duration = Duration::from_secs(30);
/// How long it may then take until the code starts, with which the code's own time begins; and for each MiB that it has to decode.
const START_LIMIT: Duration = Duration::from_secs(10);
const START_LIMIT_PER_MIB: Duration = Duration::from_secs(1);
/// From the beginning of its answer on a runner has at least so long to send it.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// Payload of an Archive frame; requests up to this size go in one write.
const ARCHIVE_CHUNK: usize = 256 << 10;
/// How long a runner may take to leave once nobody needs it any more.
const GOING_LIMIT: Duration = Duration::from_millis(500);

/// A runner that has said Ready.
pub(crate) struct Conversation {
    input: Pin<Box<dyn AsyncWrite + Send>>,
    /// Of what is said to the runner.
    codec: FrameCodec,
    incoming: Incoming,
    /// It has said Rehearsed.
    rehearsed: bool,
}

impl std::fmt::Debug for Conversation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Conversation").finish_non_exhaustive()
    }
}

/// Why a runner did not get ready.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// It ended instead; what it said on its stderr.
    #[error("the runner did not start: {}", if .0.is_empty() { "it ended without a word, as if it were killed" } else { .0 })]
    Ended(String),
    /// It said nothing.
    #[error(
        "the runner was not ready within {} s: is the image a runner of this service, and the machine not overloaded?",
        .0.as_secs_f64()
    )]
    Silent(Duration),
    /// It said something else.
    #[error("the image is not a runner of this service: {0}")]
    NotARunner(String),
    /// It speaks another protocol.
    #[error(
        "the runner image speaks version {runner} of the protocol and this control plane version {ours}: \
         build both from the same release"
    )]
    Version {
        /// Ours.
        ours: u32,
        /// The image's.
        runner: u32,
    },
}

/// A request packed for a runner. It can be sent again until a runner has started it, and then needs no memory any more.
#[derive(Debug)]
pub(crate) struct Parcel {
    timeout: Duration,
    output_limit: u64,
    returns: ReturnLimits,
    data: DataDesk,
    large: LargeAnswers,
    archive: Bytes,
}

impl Parcel {
    /// Takes about as much memory as the request itself, which is gone afterwards.
    pub(crate) fn pack(
        request: ExecutionRequest,
        output_limit: u64,
        returns: ReturnLimits,
        data: DataDesk,
        large: LargeAnswers,
    ) -> io::Result<Self> {
        let archive = archive::pack(&request)?.into();
        Ok(Self { timeout: request.timeout.get(), output_limit, returns, data, large, archive })
    }
}

/// What came out of a conversation.
#[derive(Debug)]
pub(crate) struct Collected {
    pub(crate) result: Option<Bytes>,
    pub(crate) returned: Returned,
    /// From the last byte in to the end.
    pub(crate) took: Duration,
    pub(crate) end: End,
}

impl Collected {
    fn nothing(end: End) -> Self {
        Self { result: None, returned: Returned::default(), took: Duration::ZERO, end }
    }

    /// How much more may be taken of an answer.
    fn room(&self) -> usize {
        let taken = self.result.as_ref().map_or(0, Bytes::len) + self.returned.size();
        if self.returned.turn.is_some() { usize::MAX } else { SMALL.saturating_sub(taken) }
    }
}

/// The runner's container, and whom to ask about it.
#[derive(Clone, Copy)]
pub(crate) struct Inspect<'a> {
    pub(crate) driver: &'a dyn Driver,
    pub(crate) container: &'a ContainerName,
}

/// How a conversation ended.
#[derive(Debug)]
pub(crate) enum End {
    /// With the runner's report.
    Finished(Finished),
    /// Not in time, although the runner should have seen to that. How its container is then.
    Overdue(Ended),
    /// Cancelled, and the runner did not report in time.
    Cancelled,
    /// Nothing of the code has run, nor will it.
    NotStarted,
    /// The pipe broke before the runner said that the code has started.
    Unheard,
    /// The pipe broke without a report.
    Silent,
    /// Whether and how the code ended nobody can tell, and why.
    Lost(String),
    /// The runner said what no runner says.
    Garbled(Garbled),
}

impl End {
    /// The runner has done what it is for, and waits for the end of its pipe.
    pub(crate) fn is_clean(&self) -> bool {
        matches!(self, Self::Finished(_))
    }
}

impl Conversation {
    /// Waits for Ready. The caller limits the time.
    pub(crate) async fn open(pipe: Pipe, caps: Caps) -> Result<Self, HandshakeError> {
        let mut conversation = Self {
            input: pipe.input,
            codec: FrameCodec::new(caps),
            incoming: Incoming::new(pipe.output, caps),
            rehearsed: false,
        };
        match conversation.incoming.next().await {
            Ok(FromRunner::Ready(ready)) if ready.protocol == protocol::VERSION => Ok(conversation),
            Ok(FromRunner::Ready(ready)) => {
                Err(HandshakeError::Version { ours: protocol::VERSION, runner: ready.protocol })
            }
            Ok(_) => Err(HandshakeError::NotARunner(Garbled::OutOfOrder.to_string())),
            Err(ReadError::Garbled(garbled)) => Err(HandshakeError::NotARunner(garbled.to_string())),
            Err(ReadError::Silent) => Err(HandshakeError::Ended(conversation.incoming.complaint())),
        }
    }

    /// True when the runner says Rehearsed; false if its pipe ends, or it says anything else, which it never does unasked. Cancel safe.
    pub(crate) async fn hear_rehearsed(&mut self) -> bool {
        matches!(self.incoming.next().await, Ok(FromRunner::Rehearsed)) && self.note_rehearsed()
    }

    /// Notes a Rehearsed. False if it is not the first.
    fn note_rehearsed(&mut self) -> bool {
        !mem::replace(&mut self.rehearsed, true)
    }

    /// Has the runner import a module. The inner value says why it could not; none if the runner is no longer one.
    pub(crate) async fn preload(&mut self, module: &str) -> Option<Option<String>> {
        self.write(ToRunner::Preload(Preload { module: module.to_owned() })).await.ok()?;
        loop {
            match self.incoming.next().await {
                Ok(FromRunner::Preloaded(preloaded)) if preloaded.module == module => {
                    return Some(preloaded.error);
                }
                Ok(FromRunner::Rehearsed) if self.note_rehearsed() => {}
                _ => return None,
            }
        }
    }

    /// Ends the pipe and waits a little for the runner to go by itself, which is cheaper than to have it killed.
    pub(crate) async fn hang_up(mut self) {
        let gone = async {
            let _ = self.input.shutdown().await;
            self.incoming.drain().await;
        };
        let _ = time::timeout(GOING_LIMIT, gone).await;
    }

    /// Sends the request and collects what comes back. Cancelling `cancel` has the runner kill the code and report. `inspect`: for how the
    /// container is when the runner says nothing.
    pub(crate) async fn run(
        &mut self,
        parcel: &mut Parcel,
        sink: &mut Sink<'_>,
        cancel: &CancellationToken,
        stopwatch: &mut Stopwatch<'_>,
        inspect: Inspect<'_>,
    ) -> Collected {
        let sent = tokio::select! {
            biased;
            () = cancel.cancelled() => None,
            sent = time::timeout(SEND_LIMIT, self.send(parcel)) => Some(sent),
        };
        let started = Instant::now();
        let mut collected = match sent {
            // What could not be written may have been refused: what the runner said about it is still to be read.
            Some(Ok(_)) => {
                stopwatch.enter(Phase::Run);
                Collecting::begin(self, parcel, sink, cancel, stopwatch, inspect).run().await
            }
            Some(Err(_)) => Collected::nothing(End::NotStarted),
            None => Collected::nothing(End::Cancelled),
        };
        collected.took = started.elapsed();
        self.incoming.release();
        collected
    }

    /// Small requests go in one write; larger ones a chunk at a time, so that no second copy of the archive is made.
    async fn send(&mut self, parcel: &mut Parcel) -> io::Result<()> {
        let execute = Execute {
            timeout_ms: u64::try_from(parcel.timeout.as_millis()).unwrap_or(u64::MAX),
            output_limit: parcel.output_limit,
            max_output_files: parcel.returns.max_files,
            files_limit: parcel.returns.files,
        };
        let mut archive = parcel.archive.clone();
        let mut buffer = BytesMut::new();
        self.encode(ToRunner::Execute(execute), &mut buffer)?;
        while !archive.is_empty() {
            let chunk = archive.split_to(archive.len().min(ARCHIVE_CHUNK));
            self.encode(ToRunner::Archive(chunk), &mut buffer)?;
            if !archive.is_empty() {
                self.input.write_all_buf(&mut buffer).await?;
            }
        }
        self.encode(ToRunner::ArchiveEnd, &mut buffer)?;
        self.input.write_all_buf(&mut buffer).await?;
        self.input.flush().await
    }

    fn encode(&mut self, message: ToRunner, buffer: &mut BytesMut) -> io::Result<()> {
        self.codec.encode(Frame::from(message), buffer).map_err(io::Error::other)
    }

    async fn write(&mut self, message: ToRunner) -> io::Result<()> {
        let mut buffer = BytesMut::new();
        self.encode(message, &mut buffer)?;
        self.input.write_all_buf(&mut buffer).await?;
        self.input.flush().await
    }

    /// If it cannot be sent, the pipe ends or the deadline comes.
    async fn say(&mut self, message: ToRunner, deadline: Instant) {
        let _ = time::timeout_at(deadline, self.write(message)).await;
    }
}
