//! No traces.

use std::future::Future;

use engine::events::{Event, Observer};

use super::Arrived;

/// Where spans would go.
#[derive(Clone, Debug, Default)]
pub struct Traces(());

/// A request's part of no trace.
#[derive(Clone, Debug)]
pub struct RequestTrace;

impl Traces {
    /// A request has arrived.
    pub fn begin(&self, _: Arrived<'_>) -> RequestTrace {
        RequestTrace
    }

    /// Sends what is left.
    pub fn finish(&self) {}
}

impl RequestTrace {
    /// Work for the request, in whatever task.
    pub fn follow<F: Future>(&self, work: F) -> F {
        work
    }

    /// The request's span, as W3C's Trace Context writes it.
    pub fn traceparent(&self) -> Option<String> {
        None
    }

    /// The request was answered.
    pub fn end(&self, _status: u16) {}
}

impl Observer for Traces {
    fn observe(&self, _: &Event<'_>) {}
}
