//! Where what the code prints goes: into memory for the answer, or to a client that follows the run.

use std::{
    future::poll_fn,
    iter,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use bytes::Bytes;
use tokio::{
    sync::mpsc,
    time::{Instant, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// Pieces of at most 64 KiB that wait for a slow client before the code waits too.
const PIECES: usize = 8;

/// What comes of a run while it runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// The code starts.
    Started,
    /// Bytes of its standard output, cut anywhere.
    Stdout(Bytes),
    /// Bytes of its standard error, likewise.
    Stderr(Bytes),
}

/// Hands a run's output to whoever holds the other end, as it comes.
///
/// Where it is not taken the code soon waits in its `print`. At the end of the code's time nothing waits any more: what is left,
/// at most the output limit of each stream, is kept here.
#[derive(Debug)]
pub struct Live {
    sender: mpsc::Sender<Output>,
    rest: Vec<Output>,
    outputs: Weak<Mutex<mpsc::Receiver<Output>>>,
}

/// Where it is taken.
#[derive(Debug)]
pub struct Outputs(Arc<Mutex<mpsc::Receiver<Output>>>);

/// What a run that is over has printed and nobody has taken yet.
#[derive(Debug)]
pub struct Unread {
    sender: mpsc::Sender<Output>,
    rest: Vec<Output>,
}

impl Outputs {
    /// The next piece; none once all has been told. Cancel safe.
    pub async fn recv(&mut self) -> Option<Output> {
        poll_fn(|cx| lock(&self.0).poll_recv(cx)).await
    }
}

impl Unread {
    /// How many there are.
    pub fn bytes(&self) -> u64 {
        let size = |output: &Output| match output {
            Output::Started => 0,
            Output::Stdout(bytes) | Output::Stderr(bytes) => bytes.len(),
        };
        self.rest.iter().map(size).sum::<usize>() as u64
    }

    /// Returns when all of it is taken, or nobody is there to take it. Who drops this instead gives it to nobody.
    pub async fn deliver(self) {
        for output in self.rest {
            if self.sender.send(output).await.is_err() {
                return;
            }
        }
    }
}

fn lock(outputs: &Mutex<mpsc::Receiver<Output>>) -> MutexGuard<'_, mpsc::Receiver<Output>> {
    outputs.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Live {
    /// The two ends.
    pub fn new() -> (Self, Outputs) {
        let (sender, receiver) = mpsc::channel(PIECES);
        let outputs = Arc::new(Mutex::new(receiver));
        (Self { sender, rest: Vec::new(), outputs: Arc::downgrade(&outputs) }, Outputs(outputs))
    }

    /// What waits to be taken is taken back.
    pub(crate) fn end(self) -> Unread {
        let Self { sender, rest, outputs } = self;
        let waiting = outputs.upgrade().map(|outputs| {
            let mut outputs = lock(&outputs);
            iter::from_fn(|| outputs.try_recv().ok()).collect::<Vec<_>>()
        });
        Unread { sender, rest: waiting.into_iter().flatten().chain(rest).collect() }
    }

    async fn pass(&mut self, output: Output, patient_until: Instant, cancel: &CancellationToken) {
        if self.rest.is_empty() {
            tokio::select! {
                biased;
                permit = self.sender.reserve() => {
                    // Without a receiver the client has left, and the run is about to be dropped.
                    if let Ok(permit) = permit {
                        permit.send(output);
                    }
                    return;
                }
                () = cancel.cancelled() => {}
                () = sleep_until(patient_until) => {}
            }
        }
        self.rest.push(output);
    }
}

/// Takes the output of one execution.
#[derive(Debug)]
pub(crate) enum Sink<'a> {
    Kept { stdout: Vec<u8>, stderr: Vec<u8> },
    Live(&'a mut Live),
}

impl Sink<'_> {
    pub(crate) fn kept() -> Self {
        Self::Kept { stdout: Vec::new(), stderr: Vec::new() }
    }

    /// Waits for a client no longer than until then, and not once the run is cancelled.
    pub(crate) async fn take(&mut self, output: Output, patient_until: Instant, cancel: &CancellationToken) {
        match (self, output) {
            (Self::Live(live), output) => live.pass(output, patient_until, cancel).await,
            (Self::Kept { .. }, Output::Started) => {}
            (Self::Kept { stdout, .. }, Output::Stdout(bytes)) => stdout.extend_from_slice(&bytes),
            (Self::Kept { stderr, .. }, Output::Stderr(bytes)) => stderr.extend_from_slice(&bytes),
        }
    }

    /// What was kept, as text.
    pub(crate) fn text(&mut self) -> [String; 2] {
        match self {
            Self::Kept { stdout, stderr } => [text(std::mem::take(stdout)), text(std::mem::take(stderr))],
            Self::Live(_) => Default::default(),
        }
    }
}

/// Without a copy where the bytes are valid UTF-8, which is nearly always.
fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn piece(n: usize) -> Output {
        Output::Stdout(Bytes::from(n.to_string()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_takes_nothing_is_waited_for_until_the_end_of_the_time_and_loses_nothing() {
        for delivers in [true, false] {
            let (mut live, mut outputs) = Live::new();
            let mut sink = Sink::Live(&mut live);
            let (began, cancel) = (Instant::now(), CancellationToken::new());
            let until = began + Duration::from_secs(5);
            for n in 0..PIECES + 3 {
                sink.take(piece(n), until, &cancel).await;
            }
            assert_eq!(began.elapsed(), Duration::from_secs(5));
            let unread = live.end();
            assert_eq!(unread.bytes(), 12, "the last number has two digits");
            let end = async { if delivers { unread.deliver().await } else { drop(unread) } };
            let receive = async {
                let mut received = Vec::new();
                while let Some(output) = outputs.recv().await {
                    received.push(output);
                }
                received
            };
            let ((), received) = tokio::join!(end, receive);
            let all = if delivers { PIECES + 3 } else { 0 };
            assert_eq!(received, (0..all).map(piece).collect::<Vec<_>>());
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_run_waits_for_no_client() {
        let (mut live, _outputs) = Live::new();
        let mut sink = Sink::Live(&mut live);
        let (began, cancel) = (Instant::now(), CancellationToken::new());
        cancel.cancel();
        for n in 0..PIECES + 3 {
            sink.take(piece(n), began + Duration::from_secs(5), &cancel).await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_client_that_has_left_hinders_nothing() {
        let (mut live, outputs) = Live::new();
        drop(outputs);
        let soon = Instant::now() + Duration::from_secs(5);
        Sink::Live(&mut live).take(piece(0), soon, &CancellationToken::new()).await;
        live.end().deliver().await;
    }
}
