//! What a runner says of one execution, from the request's last byte to its report.

use std::time::Duration;

use bytes::Bytes;
use protocol::message::{DataRequest, FromRunner, ToRunner};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::{
    ANSWER_LIMIT, Collected, Conversation, End, GRACE, Garbled, Inspect, Parcel, START_LIMIT,
    START_LIMIT_PER_MIB, incoming::ReadError,
};
use crate::{
    driver::Ended,
    output::{Output, Sink},
    phase::{Phase, Stopwatch},
};

/// Behind its deadline a runner is heard for so long: what has come by then, or comes from an engine that has slept for as long.
const LAST_WORDS: Duration = Duration::from_millis(20);
const LAST_WORDS_OF_SLEEPER: Duration = Duration::from_secs(1);

pub(super) struct Collecting<'a, 'o, 'l> {
    conversation: &'a mut Conversation,
    parcel: &'a mut Parcel,
    collected: Collected,
    sink: &'a mut Sink<'l>,
    cancel: &'a CancellationToken,
    stopwatch: &'a mut Stopwatch<'o>,
    inspect: Inspect<'a>,
    /// For the code, or until it starts.
    time_up: Instant,
    /// For whatever comes next.
    deadline: Instant,
    started: bool,
    /// It has begun to tell what came of the run.
    answering: bool,
    /// Of what it said last.
    part: Part,
    cancelled: bool,
    /// How the container was when its runner was late.
    late: Option<Ended>,
    /// Bytes so far.
    stdout: usize,
    stderr: usize,
}

/// The parts of what a runner says, which come in this order; all but the first and the last only of code that has started.
#[derive(Clone, Copy, PartialEq, PartialOrd)]
enum Part {
    Preparation,
    Output,
    Result,
    Display,
    Figures,
    Files,
    Report,
}

impl Part {
    /// None if it is part of no execution.
    fn of(message: &FromRunner) -> Option<Self> {
        match message {
            FromRunner::Rehearsed | FromRunner::Started => Some(Self::Preparation),
            FromRunner::Stdout(_) | FromRunner::Stderr(_) | FromRunner::DataRequest(_) => Some(Self::Output),
            FromRunner::Result(_) => Some(Self::Result),
            FromRunner::Display(_) => Some(Self::Display),
            FromRunner::Figure(_) => Some(Self::Figures),
            FromRunner::File(_) => Some(Self::Files),
            FromRunner::Finished(_) => Some(Self::Report),
            FromRunner::Ready(_) | FromRunner::Preloaded(_) => None,
        }
    }

    fn needs_start(self) -> bool {
        !matches!(self, Self::Preparation | Self::Report)
    }
}

enum Step {
    Said(Result<FromRunner, ReadError>),
    /// More comes than may without a turn.
    Large,
    Cancelled,
    Overdue,
}

impl<'a, 'o, 'l> Collecting<'a, 'o, 'l> {
    pub(super) fn begin(
        conversation: &'a mut Conversation,
        parcel: &'a mut Parcel,
        sink: &'a mut Sink<'l>,
        cancel: &'a CancellationToken,
        stopwatch: &'a mut Stopwatch<'o>,
        inspect: Inspect<'a>,
    ) -> Self {
        let mebibytes = u32::try_from(parcel.archive.len() >> 20).unwrap_or(u32::MAX);
        let time_up = Instant::now() + START_LIMIT + START_LIMIT_PER_MIB * mebibytes;
        Self {
            conversation,
            parcel,
            collected: Collected::nothing(End::Unheard),
            sink,
            cancel,
            stopwatch,
            inspect,
            time_up,
            deadline: time_up,
            started: false,
            answering: false,
            part: Part::Preparation,
            cancelled: false,
            late: None,
            stdout: 0,
            stderr: 0,
        }
    }

    pub(super) async fn run(mut self) -> Collected {
        loop {
            let ended = match self.next_step().await {
                Step::Said(Ok(message)) => self.heed(message).await,
                Step::Said(Err(ReadError::Garbled(garbled))) => Err(End::Garbled(garbled)),
                Step::Said(Err(ReadError::Silent)) if self.started => Err(End::Silent),
                Step::Said(Err(ReadError::Silent)) => Err(End::Unheard),
                Step::Large => self.take_turn().await,
                Step::Cancelled => {
                    self.cancel().await;
                    Ok(())
                }
                Step::Overdue if self.cancelled => Err(End::Cancelled),
                Step::Overdue => match self.late {
                    None => self.listen_once_more().await,
                    Some(ended) if self.started => Err(End::Overdue(ended)),
                    // When somebody thaws it, it will have been killed.
                    Some(Ended { paused: true, .. }) => Err(End::NotStarted),
                    Some(_) => Err(End::Lost("its code did not start in time".to_owned())),
                },
            };
            if let Err(end) = ended {
                self.collected.end = end;
                return self.collected;
            }
        }
    }

    async fn next_step(&mut self) -> Step {
        let room = self.collected.room();
        tokio::select! {
            biased;
            // First, so that no stream of messages can put them off.
            () = sleep_until(self.deadline) => Step::Overdue,
            () = self.cancel.cancelled(), if !self.cancelled => Step::Cancelled,
            said = self.conversation.incoming.next_within(room) => said.transpose().map_or(Step::Large, Step::Said),
        }
    }

    async fn heed(&mut self, message: FromRunner) -> Result<(), End> {
        let limits = self.parcel.returns;
        let in_order = |part: &Part| *part >= self.part && (self.started || !part.needs_start());
        self.part = Part::of(&message).filter(in_order).ok_or_else(|| garbled(Garbled::OutOfOrder))?;
        match message {
            FromRunner::Rehearsed if !self.started && self.conversation.note_rehearsed() => {}
            FromRunner::Started if !self.started => self.start().await,
            FromRunner::Stdout(bytes) => {
                self.stdout += bytes.len();
                self.print(bytes, self.stdout, Output::Stdout).await?;
            }
            FromRunner::Stderr(bytes) => {
                self.stderr += bytes.len();
                self.print(bytes, self.stderr, Output::Stderr).await?;
            }
            FromRunner::DataRequest(request) if !self.answering => self.answer(request).await,
            FromRunner::Result(json) if self.collected.result.is_none() => {
                self.begin_answer();
                self.collected.result = Some(json);
            }
            FromRunner::Display(display) => {
                self.begin_answer();
                self.collected.returned.display(display, &limits).map_err(garbled)?;
            }
            FromRunner::Figure(figure) => {
                self.begin_answer();
                self.collected.returned.figure(figure, &limits).map_err(garbled)?;
            }
            FromRunner::File(piece) => {
                self.begin_answer();
                self.collected.returned.file(piece, &limits).map_err(garbled)?;
            }
            // The last thing that a runner says.
            FromRunner::Finished(finished) if !self.conversation.incoming.says_more() => {
                return Err(End::Finished(finished));
            }
            _ => return Err(garbled(Garbled::OutOfOrder)),
        }
        Ok(())
    }

    async fn start(&mut self) {
        self.started = true;
        self.parcel.archive = Bytes::new();
        if !self.cancelled {
            self.time_up = Instant::now() + self.parcel.timeout;
            self.deadline = self.time_up + GRACE;
            self.late = None;
        }
        self.sink.take(Output::Started, self.time_up, self.cancel).await;
    }

    /// `printed`: bytes of this stream, with these.
    async fn print(&mut self, bytes: Bytes, printed: usize, output: fn(Bytes) -> Output) -> Result<(), End> {
        if bytes.is_empty() {
            return Err(garbled(Garbled::EmptyOutput));
        }
        // No runner sends more: it cuts output there, its own warnings included.
        if printed as u64 > self.parcel.output_limit {
            return Err(garbled(Garbled::TooMuchOutput));
        }
        self.sink.take(output(bytes), self.time_up, self.cancel).await;
        Ok(())
    }

    async fn answer(&mut self, request: DataRequest) {
        let answer = tokio::select! {
            biased;
            () = self.cancel.cancelled() => None,
            answer = self.parcel.data.answer(request, self.time_up) => answer,
        };
        // Without one the time is up, or nobody needs it any more: the next step heeds it.
        if let Some(answer) = answer {
            self.conversation.say(answer, self.deadline).await;
        }
    }

    /// The run is over: how long it takes to tell is no matter of its time.
    fn begin_answer(&mut self) {
        if !self.answering {
            self.answering = true;
            self.stopwatch.enter(Phase::Collect);
            self.deadline = self.deadline.max(Instant::now() + ANSWER_LIMIT);
            self.late = None;
        }
    }

    /// The runner should have spoken by now. If it was the engine that slept, or this process, its words are on their way.
    async fn listen_once_more(&mut self) -> Result<(), End> {
        let asked = Instant::now();
        let Inspect { driver, container } = self.inspect;
        let ended = driver.inspect(container).await.map_err(|error| End::Lost(error.to_string()))?;
        self.late = Some(ended);
        self.deadline = Instant::now() + asked.elapsed().clamp(LAST_WORDS, LAST_WORDS_OF_SLEEPER);
        Ok(())
    }

    async fn take_turn(&mut self) -> Result<(), End> {
        self.begin_answer();
        if self.cancelled {
            // Nobody needs the answer.
            return Err(End::Cancelled);
        }
        tokio::select! {
            biased;
            // The next step heeds it.
            () = self.cancel.cancelled() => {}
            turn = self.parcel.large.turn() => {
                self.collected.returned.turn = Some(turn);
                self.deadline = Instant::now() + ANSWER_LIMIT;
                self.late = None;
            }
        }
        Ok(())
    }

    async fn cancel(&mut self) {
        self.cancelled = true;
        self.deadline = self.deadline.min(Instant::now() + GRACE);
        self.conversation.say(ToRunner::Cancel, self.deadline).await;
    }
}

fn garbled(what: impl Into<Garbled>) -> End {
    End::Garbled(what.into())
}
