//! Where what the code prints goes: into memory for the answer, or to a client that follows the run.

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
/// at most the output limit of each stream, is kept here until it is taken.
#[derive(Debug)]
pub struct Live {
    sender: mpsc::Sender<Output>,
    rest: Vec<Output>,
}

impl Live {
    /// The two ends.
    pub fn new() -> (Self, mpsc::Receiver<Output>) {
        let (sender, receiver) = mpsc::channel(PIECES);
        (Self { sender, rest: Vec::new() }, receiver)
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

    /// Returns when everything is taken, or nobody is there to take it.
    pub(crate) async fn finish(self) {
        for output in self.rest {
            if self.sender.send(output).await.is_err() {
                return;
            }
        }
    }
}

/// Takes the output of one execution.
#[derive(Debug)]
pub(crate) enum Sink {
    Kept { stdout: Vec<u8>, stderr: Vec<u8> },
    Live(Live),
}

impl Sink {
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
        let (live, mut receiver) = Live::new();
        let mut sink = Sink::Live(live);
        let (began, cancel) = (Instant::now(), CancellationToken::new());
        let until = began + Duration::from_secs(5);
        for n in 0..PIECES + 3 {
            sink.take(piece(n), until, &cancel).await;
        }
        assert_eq!(began.elapsed(), Duration::from_secs(5));
        let Sink::Live(live) = sink else { unreachable!() };
        let receive = async {
            let mut received = Vec::new();
            while let Some(output) = receiver.recv().await {
                received.push(output);
            }
            received
        };
        let ((), received) = tokio::join!(live.finish(), receive);
        assert_eq!(received, (0..PIECES + 3).map(piece).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_cancelled_run_waits_for_no_client() {
        let (live, _receiver) = Live::new();
        let mut sink = Sink::Live(live);
        let (began, cancel) = (Instant::now(), CancellationToken::new());
        cancel.cancel();
        for n in 0..PIECES + 3 {
            sink.take(piece(n), began + Duration::from_secs(5), &cancel).await;
        }
        assert_eq!(began.elapsed(), Duration::ZERO);
    }

    #[tokio::test]
    async fn a_client_that_has_left_hinders_nothing() {
        let (live, receiver) = Live::new();
        drop(receiver);
        let mut sink = Sink::Live(live);
        sink.take(piece(0), Instant::now() + Duration::from_secs(5), &CancellationToken::new()).await;
        let Sink::Live(live) = sink else { unreachable!() };
        live.finish().await;
    }
}
