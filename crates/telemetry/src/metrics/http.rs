//! Answers to HTTP requests, by route, method and class of status.

use std::time::Duration;

use prometheus_client::{
    encoding::EncodeLabelSet,
    metrics::{counter::Counter, family::Family, histogram::Histogram},
    registry::{Registry, Unit},
};

use super::label::Buckets;

/// Of a request that no route takes.
const NO_ROUTE: &str = "none";
/// One that no route has; a client may make some up.
const OTHER_METHOD: &str = "other";

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Target {
    route: String,
    method: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Answer {
    route: String,
    method: &'static str,
    status: &'static str,
}

#[derive(Debug)]
pub(super) struct Http {
    requests: Family<Answer, Counter>,
    duration: Family<Target, Histogram, Buckets>,
}

impl Http {
    pub(super) fn register(registry: &mut Registry, buckets: &Buckets) -> Self {
        let requests = Family::default();
        registry.register("http_requests", "Requests that were answered", requests.clone());
        let duration = Family::new_with_constructor(buckets.clone());
        registry.register_with_unit(
            "http_request_duration",
            "Time from a request's headers to its answer's",
            Unit::Seconds,
            duration.clone(),
        );
        Self { requests, duration }
    }

    pub(super) fn answered(&self, route: Option<&str>, method: &str, status: u16, took: Duration) {
        let route = route.unwrap_or(NO_ROUTE).to_owned();
        // Turned away at the door: such a request may name any method, and says nothing of how long the route takes.
        let method = if matches!(status, 401 | 405) { OTHER_METHOD } else { known_method(method) };
        if method != OTHER_METHOD {
            self.duration.get_or_create(&Target { route: route.clone(), method }).observe(took.as_secs_f64());
        }
        self.requests.get_or_create(&Answer { route, method, status: class(status) }).inc();
    }
}

fn known_method(method: &str) -> &'static str {
    const KNOWN: [&str; 4] = ["GET", "HEAD", "POST", "DELETE"];
    KNOWN.into_iter().find(|known| *known == method).unwrap_or(OTHER_METHOD)
}

fn class(status: u16) -> &'static str {
    match status {
        ..200 => "1xx",
        200..300 => "2xx",
        300..400 => "3xx",
        400..500 => "4xx",
        500.. => "5xx",
    }
}
