//! The events of `POST /execute_code/stream`.

use axum::response::sse::Event;
use engine::{Outcome, Output};
use serde::Serialize;
use uuid::Uuid;

use super::{
    Utf8,
    event_schema::{Printed, Started},
    execute::Response,
};
use crate::error::ApiError;

/// Turns what happens into events. Memory: one event, and a character that has not come whole.
pub(crate) struct Events {
    id: Uuid,
    is_started: bool,
    stdout: Utf8,
    stderr: Utf8,
    /// A stream, and text of it that no event has told yet.
    gathered: (&'static str, String),
}

impl Events {
    pub(crate) fn new(id: Uuid) -> Self {
        Self {
            id,
            is_started: false,
            stdout: Utf8::default(),
            stderr: Utf8::default(),
            gathered: ("stdout", String::new()),
        }
    }

    /// Output is gathered until the other stream has some, or [`Events::flush`].
    pub(crate) fn tell(&mut self, output: Output) -> Vec<Event> {
        let (stream, text) = match output {
            Output::Started => return self.start().into_iter().collect(),
            Output::Stdout(bytes) => ("stdout", self.stdout.decode(&bytes)),
            Output::Stderr(bytes) => ("stderr", self.stderr.decode(&bytes)),
        };
        self.gather(stream, &text).into_iter().collect()
    }

    /// Bytes of text gathered.
    pub(crate) fn gathered(&self) -> usize {
        self.gathered.1.len()
    }

    /// An event of what is gathered.
    pub(crate) fn flush(&mut self) -> Option<Event> {
        let (stream, text) = (self.gathered.0, std::mem::take(&mut self.gathered.1));
        (!text.is_empty()).then(|| event(stream, &Printed { text }))
    }

    /// All that is told at the end: what was not streamed, and last the rest of the answer.
    pub(crate) fn finish(&mut self, outcome: Outcome) -> Vec<Event> {
        let (returned, finished) = Response::new(self.id, outcome).split();
        let mut events = self.end();
        events.extend(returned.display.map(|display| event("display", &display)));
        events.extend(returned.figures.iter().map(|figure| event("figure", figure)));
        events.extend(returned.files.iter().map(|file| event("file", file)));
        events.push(event("finished", &finished));
        events
    }

    /// The run was lost through no fault of the code: there is no outcome.
    pub(crate) fn fail(&mut self, error: &ApiError) -> Vec<Event> {
        let mut events = self.end();
        events.push(event("error", &error.told_late()));
        events
    }

    fn start(&mut self) -> Option<Event> {
        let is_first = !std::mem::replace(&mut self.is_started, true);
        is_first.then(|| event("started", &Started { id: self.id }))
    }

    fn gather(&mut self, stream: &'static str, text: &str) -> Option<Event> {
        let told = if self.gathered.0 == stream { None } else { self.flush() };
        self.gathered.0 = stream;
        self.gathered.1.push_str(text);
        told
    }

    fn end(&mut self) -> Vec<Event> {
        let mut events: Vec<Event> = self.start().into_iter().collect();
        for (stream, text) in [("stdout", self.stdout.end()), ("stderr", self.stderr.end())] {
            events.extend(self.gather(stream, text));
        }
        events.extend(self.flush());
        events
    }
}

fn event(name: &str, data: &impl Serialize) -> Event {
    // Everything here serializes: structs and maps with string keys.
    Event::default().event(name).json_data(data).unwrap_or_default()
}
