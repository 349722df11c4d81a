//! Events in, text out.

use std::{io, num::NonZeroU32, time::Duration};

use engine::{
    AdmissionError, EngineConfig, ExecuteError, Phase, PoolConfig, Status,
    driver::{Call, ContainerName},
    events::{Event, Observer, Supply},
};
use uuid::Uuid;

use super::{Levels, Metrics};

fn metrics() -> Metrics {
    Metrics::new(&EngineConfig {
        max_executions: NonZeroU32::new(4).unwrap(),
        queue_size: 8,
        pool: PoolConfig {
            size: 3,
            preloads: vec!["numpy".to_owned(), "pandas".to_owned()],
            ..PoolConfig::none()
        },
        ..EngineConfig::small()
    })
}

/// What the metrics say after these events.
fn after(events: &[Event<'_>]) -> String {
    let metrics = metrics();
    for event in events {
        metrics.observe(event);
    }
    metrics.encode(&Levels::default()).unwrap()
}

fn assert_says(text: &str, lines: &[&str]) {
    for line in lines {
        let line = format!("code_sandbox_{line}");
        assert!(text.lines().any(|said| said == line), "no line {line} in:\n{text}");
    }
}

#[test]
fn executions_are_counted_by_how_they_ended() {
    let id = Uuid::nil();
    let times = (Duration::ZERO, Duration::from_millis(2));
    let executed = |status| Event::Executed { id, status, waited: times.0, took: times.1 };
    let errors = [
        ExecuteError::Admission(AdmissionError::QueueFull { waiting: 8, retry_after: Duration::ZERO }),
        ExecuteError::Admission(AdmissionError::QueueTimeout {
            patience: Duration::ZERO,
            retry_after: Duration::ZERO,
        }),
        ExecuteError::Admission(AdmissionError::Draining),
        ExecuteError::Forbidden,
        ExecuteError::NotStarted,
        ExecuteError::Lost(String::new()),
        ExecuteError::Pack(io::Error::other("")),
    ];
    let mut events: Vec<_> = errors.iter().map(|error| Event::NotExecuted { id, error }).collect();
    events.extend([
        executed(Status::Ok),
        executed(Status::Ok),
        executed(Status::Timeout),
        Event::Abandoned { id, after: times.1 },
        Event::Retried { id, attempt: 1 },
    ]);
    assert_says(
        &after(&events),
        &[
            r#"executions_total{status="ok"} 2"#,
            r#"executions_total{status="timeout"} 1"#,
            r#"executions_total{status="crashed"} 0"#,
            r#"executions_refused_total{reason="queue_full"} 1"#,
            r#"executions_refused_total{reason="queue_timeout"} 1"#,
            r#"executions_refused_total{reason="draining"} 1"#,
            r#"executions_refused_total{reason="key_removed"} 1"#,
            r#"executions_failed_total{reason="no_container"} 0"#,
            r#"executions_failed_total{reason="not_started"} 1"#,
            r#"executions_failed_total{reason="lost"} 1"#,
            r#"executions_failed_total{reason="pack"} 1"#,
            "executions_abandoned_total 1",
            "executions_retried_total 1",
            "execution_duration_seconds_count 3",
            r#"execution_duration_seconds_bucket{le="0.001"} 0"#,
            r#"execution_duration_seconds_bucket{le="0.0025"} 3"#,
            r#"execution_duration_seconds_bucket{le="30.0"} 3"#,
            "executions_limit 4",
            "queue_limit 8",
        ],
    );
}

#[test]
fn a_phase_counts_while_it_lasts_and_its_time_if_it_was_passed() {
    let took = Duration::from_millis(300);
    let text = after(&[
        Event::PhaseEntered { phase: Phase::Queue },
        Event::PhaseEntered { phase: Phase::Queue },
        Event::PhaseEntered { phase: Phase::Queue },
        Event::PhaseLeft { phase: Phase::Queue, took, passed: true },
        Event::PhaseLeft { phase: Phase::Queue, took, passed: false },
        Event::PhaseEntered { phase: Phase::Lease },
    ]);
    assert_says(
        &text,
        &[
            r#"executions_in_phase{phase="queue"} 1"#,
            r#"executions_in_phase{phase="lease"} 1"#,
            r#"executions_in_phase{phase="remove"} 0"#,
            r#"phase_duration_seconds_count{phase="queue"} 1"#,
            r#"phase_duration_seconds_sum{phase="queue"} 0.3"#,
            r#"phase_duration_seconds_bucket{le="0.25",phase="queue"} 0"#,
            r#"phase_duration_seconds_bucket{le="0.5",phase="queue"} 1"#,
            r#"phase_duration_seconds_count{phase="collect"} 0"#,
        ],
    );
}

#[test]
fn the_pool_is_told_by_warmth_and_leases_by_what_they_got() {
    let text = after(&[
        Event::Standing { by_level: &[1, 1, 1] },
        Event::Standing { by_level: &[0, 2, 0] },
        Event::Leased { supply: Supply::Ready },
        Event::Leased { supply: Supply::Colder },
        Event::Leased { supply: Supply::Started },
        Event::Leased { supply: Supply::Started },
        Event::WarmContainerDied,
        Event::PreloadFailed { module: "pandas", error: "" },
    ]);
    assert_says(
        &text,
        &[
            r#"pool_containers{warmth="plain"} 0"#,
            r#"pool_containers{warmth="numpy"} 2"#,
            r#"pool_containers{warmth="pandas"} 0"#,
            "pool_size 3",
            r#"pool_leases_total{supply="ready"} 1"#,
            r#"pool_leases_total{supply="colder"} 1"#,
            r#"pool_leases_total{supply="started"} 2"#,
            r#"pool_leases_total{supply="own"} 0"#,
            "pool_deaths_total 1",
            "preload_failures_total 1",
        ],
    );
}

#[test]
fn starts_removals_and_calls_are_counted_with_their_failures() {
    let container = &ContainerName("a".to_owned());
    let (error, took) = (&io::Error::other(""), Duration::from_millis(200));
    let call = |call, failed| Event::DriverCalled { call, took, failed };
    let text = after(&[
        call(Call::Launch, false),
        call(Call::Launch, true),
        Event::ContainerStarted { container, took },
        Event::StartFailed { error, retry_in: Some(took), refill: true },
        Event::ResizeFailed { container, error },
        Event::RemovalFailed { container, attempt: 1, error },
        Event::Quarantined { container },
        Event::Quarantined { container },
        Event::QuarantineEnded { container },
        Event::Orphans { count: 3 },
        Event::SweepFailed { error },
    ]);
    assert_says(
        &text,
        &[
            r#"docker_call_duration_seconds_count{call="launch"} 2"#,
            r#"docker_call_errors_total{call="launch"} 1"#,
            r#"docker_call_errors_total{call="remove"} 0"#,
            "container_start_duration_seconds_count 1",
            r#"container_start_failures_total{purpose="refill"} 1"#,
            r#"container_start_failures_total{purpose="request"} 0"#,
            "resize_failures_total 1",
            "removal_failures_total 1",
            "quarantined_containers 1",
            "quarantines_total 2",
            "orphaned_containers_total 3",
            "sweep_failures_total 1",
        ],
    );
}

#[test]
fn requests_are_told_by_route_and_never_by_what_a_client_made_up() {
    let metrics = metrics();
    for (route, method, status) in [
        (Some("/get_data/{*key}"), "GET", 200),
        (Some("/get_data/{*key}"), "GET", 206),
        (Some("/get_data/{*key}"), "GET", 404),
        (None, "BREW", 404),
    ] {
        metrics.answered(route, method, status, Duration::from_millis(3));
    }
    let levels = Levels { store_bytes: 17, store_limit: 20, body_bytes: 1, ..Levels::default() };
    assert_says(
        &metrics.encode(&levels).unwrap(),
        &[
            r#"http_requests_total{route="/get_data/{*key}",method="GET",status="2xx"} 2"#,
            r#"http_requests_total{route="/get_data/{*key}",method="GET",status="4xx"} 1"#,
            r#"http_requests_total{route="none",method="other",status="4xx"} 1"#,
            r#"http_request_duration_seconds_count{route="/get_data/{*key}",method="GET"} 3"#,
            "store_bytes 17",
            "store_limit_bytes 20",
            "request_body_bytes 1",
        ],
    );
}

#[test]
fn the_process_says_what_it_uses_and_what_it_is() {
    let text = after(&[]);
    let value = |name: &str| {
        let line = text.lines().find(|line| line.starts_with(&format!("{name} ")));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok()).unwrap_or_else(|| panic!("{text}"))
    };
    assert!(value("process_resident_memory_bytes") > 1e6);
    assert!(value("process_open_fds") >= 3.0);
    assert!(value("process_max_fds") >= value("process_open_fds"));
    assert!((0.0..600.0).contains(&value("process_cpu_seconds_total")));
    assert!(value("process_start_time_seconds") > 1.7e9);
    assert!(text.contains(concat!(
        "code_sandbox_build_info{version=\"",
        env!("CARGO_PKG_VERSION"),
        "\"} 1\n"
    )));
    assert!(text.ends_with("# EOF\n"));
}
