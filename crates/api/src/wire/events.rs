//! The events of `POST /execute_code/stream`.

use axum::response::sse::Event;
use engine::{Outcome, Output};
use serde::Serialize;
use serde_json::json;
use uuid::Uuid;

use super::execute::Finished;
use crate::error::ApiError;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    fn name(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
        }
    }
}

/// Turns what happens into events. Memory: one event, and a character that has not come whole.
pub(crate) struct Events {
    id: Uuid,
    is_started: bool,
    stdout: Utf8,
    stderr: Utf8,
    /// Text of one stream that no event has told yet.
    gathered: (Stream, String),
}

impl Events {
    pub(crate) fn new(id: Uuid) -> Self {
        Self {
            id,
            is_started: false,
            stdout: Utf8::default(),
            stderr: Utf8::default(),
            gathered: (Stream::Stdout, String::new()),
        }
    }

    /// Output is gathered until the other stream has some, or [`Events::flush`].
    pub(crate) fn tell(&mut self, output: Output) -> Vec<Event> {
        let (stream, text) = match output {
            Output::Started => return self.start().into_iter().collect(),
            Output::Stdout(bytes) => (Stream::Stdout, self.stdout.decode(&bytes)),
            Output::Stderr(bytes) => (Stream::Stderr, self.stderr.decode(&bytes)),
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
        (!text.is_empty()).then(|| event(stream.name(), &json!({ "text": text })))
    }

    /// All that is told at the end: what was not streamed, and last the rest of the answer.
    pub(crate) fn finish(&mut self, id: Uuid, outcome: Outcome) -> Vec<Event> {
        let (returned, finished) = Finished::new(id, outcome);
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
        is_first.then(|| event("started", &json!({ "id": self.id })))
    }

    fn gather(&mut self, stream: Stream, text: &str) -> Option<Event> {
        let told = if self.gathered.0 == stream { None } else { self.flush() };
        self.gathered.0 = stream;
        self.gathered.1.push_str(text);
        told
    }

    fn end(&mut self) -> Vec<Event> {
        let mut events: Vec<Event> = self.start().into_iter().collect();
        for (stream, text) in [(Stream::Stdout, self.stdout.end()), (Stream::Stderr, self.stderr.end())] {
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

/// Decodes a stream that is cut anywhere; what is not UTF-8 is replaced as in the answer of a run that is not streamed.
#[derive(Default)]
struct Utf8 {
    /// The beginning of a character.
    begun: Vec<u8>,
}

impl Utf8 {
    fn decode(&mut self, bytes: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.begun);
        all.extend_from_slice(bytes);
        let mut text = String::with_capacity(all.len());
        let mut chunks = all.utf8_chunks().peekable();
        while let Some(chunk) = chunks.next() {
            text.push_str(chunk.valid());
            let is_last = chunks.peek().is_none();
            if is_last && is_beginning(chunk.invalid()) {
                self.begun = chunk.invalid().to_vec();
            } else if !chunk.invalid().is_empty() {
                text.push(char::REPLACEMENT_CHARACTER);
            }
        }
        text
    }

    fn end(&mut self) -> &'static str {
        if std::mem::take(&mut self.begun).is_empty() { "" } else { "\u{fffd}" }
    }
}

/// Whether bytes that are not UTF-8 may become a character with more of them.
fn is_beginning(bytes: &[u8]) -> bool {
    !bytes.is_empty() && std::str::from_utf8(bytes).is_err_and(|error| error.error_len().is_none())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn however_a_stream_is_cut_its_text_is_that_of_the_whole(
            bytes in proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xe2), Just(0x82), Just(0xac), Just(b'a')], 0..60),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let mut utf8 = Utf8::default();
            let mut text: String = at.windows(2).map(|pair| utf8.decode(&bytes[pair[0]..pair[1]])).collect();
            text.push_str(utf8.end());
            prop_assert_eq!(text, String::from_utf8_lossy(&bytes));
        }
    }
}
