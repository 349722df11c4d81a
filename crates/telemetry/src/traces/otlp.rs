//! Spans to a collector, by OTLP over HTTP, from a thread of their own. If the collector does not keep up, spans are dropped:
//! no request waits for it.

use std::{
    collections::HashMap,
    fmt,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as Polled, Poll},
    time::{Duration, SystemTime},
};

use engine::{
    Phase,
    driver::ContainerName,
    events::{Event, Observer},
};
use opentelemetry::{
    Context, KeyValue,
    propagation::TextMapPropagator,
    trace::{Span, SpanContext, SpanKind, Status, TraceContextExt, Tracer, TracerProvider},
};
use opentelemetry_otlp::{ExporterBuildError, Protocol, SpanExporter, WithExportConfig};
use opentelemetry_sdk::{
    Resource,
    propagation::TraceContextPropagator,
    trace::{SdkTracer, SdkTracerProvider},
};

use super::Arrived;

const SERVICE: &str = "code-sandbox";
/// How long the last spans may take to be sent.
const LAST_SPANS: Duration = Duration::from_secs(5);

/// Where spans go; by default there are none. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Traces(Option<Exporting>);

#[derive(Clone, Debug)]
struct Exporting {
    provider: SdkTracerProvider,
    tracer: SdkTracer,
    /// Containers that are being removed, and behind which request's answer: not its context, which would keep its span open.
    removing: Arc<Mutex<HashMap<ContainerName, (SpanContext, SystemTime)>>>,
}

/// Not the address of a collector.
#[derive(Debug, thiserror::Error)]
#[error("traces cannot be sent there: {0}")]
pub struct InvalidEndpoint(ExporterBuildError);

/// A request's part of a trace. Cheap to clone; if the last one is dropped, the client having left, it has ended as well.
#[derive(Clone)]
pub struct RequestTrace(Option<Context>);

impl Traces {
    /// Traces to the collector at this address, such as `http://collector:4318`. Does not connect yet.
    pub fn export_to(endpoint: &str) -> Result<Self, InvalidEndpoint> {
        let exporter = SpanExporter::builder()
            .with_http()
            .with_protocol(Protocol::HttpBinary)
            .with_endpoint(format!("{}/v1/traces", endpoint.trim_end_matches('/')))
            .build()
            .map_err(InvalidEndpoint)?;
        let version = KeyValue::new("service.version", env!("CARGO_PKG_VERSION"));
        let resource = Resource::builder().with_service_name(SERVICE).with_attribute(version).build();
        let provider =
            SdkTracerProvider::builder().with_resource(resource).with_batch_exporter(exporter).build();
        let tracer = provider.tracer(SERVICE);
        Ok(Self(Some(Exporting { provider, tracer, removing: Arc::default() })))
    }

    /// A request has arrived. Whether its trace is kept is the client's choice; without one it is.
    pub fn begin(&self, arrived: Arrived<'_>) -> RequestTrace {
        let Some(Exporting { tracer, .. }) = &self.0 else { return RequestTrace(None) };
        let Arrived { id, method, route, traceparent, tracestate } = arrived;
        let headers = [("traceparent", traceparent), ("tracestate", tracestate)];
        let headers = headers.into_iter().filter_map(|(name, value)| Some((name.into(), value?.into())));
        let headers: HashMap<String, String> = headers.collect();
        let parent = TraceContextPropagator::new().extract_with_context(&Context::new(), &headers);
        let route = route.unwrap_or("none").to_owned();
        let span = tracer
            .span_builder(format!("{method} {route}"))
            .with_kind(SpanKind::Server)
            .with_attributes([
                KeyValue::new("http.request.method", method.to_owned()),
                KeyValue::new("http.route", route),
                KeyValue::new("execution.id", id.to_string()),
            ])
            .start_with_context(tracer, &parent);
        RequestTrace(Some(parent.with_span(span)))
    }

    /// Sends what is left. Blocks for some seconds at most.
    pub fn finish(&self) {
        if let Some(Exporting { provider, .. }) = &self.0
            && let Err(error) = provider.shutdown_with_timeout(LAST_SPANS)
        {
            tracing::warn!(%error, "the last traces could not be sent");
        }
    }
}

impl RequestTrace {
    /// Work for the request, in whatever task: what is told while it goes on, also when it is dropped, belongs to its span.
    pub fn follow<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        Followed { work: Some(Box::pin(work)), context: self.0.clone().unwrap_or_default() }
    }

    /// The request's span, as W3C's Trace Context writes it.
    pub fn traceparent(&self) -> Option<String> {
        let mut headers = HashMap::new();
        TraceContextPropagator::new().inject_context(self.0.as_ref()?, &mut headers);
        headers.remove("traceparent")
    }

    /// The request was answered.
    pub fn end(&self, status: u16) {
        if let Some(context) = &self.0 {
            let span = context.span();
            span.set_attribute(KeyValue::new("http.response.status_code", i64::from(status)));
            if status >= 500 {
                span.set_status(Status::error(""));
            }
            span.end();
        }
    }
}

impl fmt::Debug for RequestTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("RequestTrace").field(&self.traceparent()).finish()
    }
}

impl Exporting {
    /// A phase that is over now.
    fn phase(&self, phase: Phase, request: SpanContext, since: SystemTime, passed: bool) {
        let mut span = self
            .tracer
            .span_builder(phase.as_str())
            .with_start_time(since)
            .start_with_context(&self.tracer, &Context::new().with_remote_span_context(request));
        if !passed {
            span.set_status(Status::error("left before it was passed"));
        }
    }

    fn removing(&self) -> MutexGuard<'_, HashMap<ContainerName, (SpanContext, SystemTime)>> {
        self.removing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A phase's span is made when the phase is left, by whoever polls or drops the request. Only the removal goes on behind it.
impl Observer for Traces {
    fn observe(&self, event: &Event<'_>) {
        let Some(exporting) = &self.0 else { return };
        let now = SystemTime::now();
        match *event {
            Event::PhaseLeft { phase, took, passed } => {
                if let Some(request) = current_request() {
                    exporting.phase(phase, request, now.checked_sub(took).unwrap_or(now), passed);
                }
            }
            Event::LetGo { container } => {
                if let Some(request) = current_request() {
                    exporting.removing().insert(container.clone(), (request, now));
                }
            }
            Event::Removed { container } => {
                let removed = exporting.removing().remove(container);
                if let Some((request, since)) = removed {
                    exporting.phase(Phase::Remove, request, since, true);
                }
            }
            _ => {}
        }
    }
}

/// The span of the request for which this thread is at work, if it is kept: trials of our own belong to none.
fn current_request() -> Option<SpanContext> {
    let request = Context::current().span().span_context().clone();
    request.is_sampled().then_some(request)
}

/// Work during which, its drop included, a context is the current one. `opentelemetry`'s own leaves out the drop.
struct Followed<F> {
    /// None once dropped.
    work: Option<Pin<Box<F>>>,
    context: Context,
}

impl<F: Future> Future for Followed<F> {
    type Output = F::Output;

    fn poll(mut self: Pin<&mut Self>, polled: &mut Polled<'_>) -> Poll<F::Output> {
        let _current = self.context.clone().attach();
        match &mut self.work {
            Some(work) => work.as_mut().poll(polled),
            None => Poll::Pending,
        }
    }
}

impl<F> Drop for Followed<F> {
    fn drop(&mut self) {
        let _current = self.context.clone().attach();
        self.work = None;
    }
}
