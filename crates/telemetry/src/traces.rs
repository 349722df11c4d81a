//! Traces of requests, for an OpenTelemetry collector: a span for the request, a child of the client's own if it says so, and
//! below it one for each phase of its execution.
//!
//! Only with the feature `otlp`; without it everything here does nothing and costs nothing.

use uuid::Uuid;

#[cfg(not(feature = "otlp"))]
mod off;
#[cfg(feature = "otlp")]
mod otlp;

#[cfg(not(feature = "otlp"))]
pub use self::off::{RequestTrace, Traces};
#[cfg(feature = "otlp")]
pub use self::otlp::{InvalidEndpoint, RequestTrace, Traces};

/// A request whose headers have arrived.
#[derive(Clone, Copy, Debug)]
pub struct Arrived<'a> {
    /// Its id in the log.
    pub id: Uuid,
    /// Its method.
    pub method: &'a str,
    /// Its route; none if there is no such route.
    pub route: Option<&'a str>,
    /// The client's span, as W3C's Trace Context writes it.
    pub traceparent: Option<&'a str>,
    /// What goes along with it.
    pub tracestate: Option<&'a str>,
}
