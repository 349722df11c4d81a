//! `/metrics` against what really happened: to executions, and to containers by the engine's own count.

use std::{path::Path, time::Duration};

use e2e::{Product, docker, eventually, machine::tool};
use nix::sys::signal::Signal;
use reqwest::StatusCode;
use serde_json::json;
use tokio::process::Command;

/// The value of one series.
#[expect(clippy::unwrap_used, reason = "part of a test")]
async fn metric(product: &Product, series: &str) -> f64 {
    let response = product.client().get(product.url("/metrics")).send().await.unwrap();
    let text = response.text().await.unwrap();
    let line = text.lines().find(|line| line.strip_prefix(series).is_some_and(|rest| rest.starts_with(' ')));
    let value = line.unwrap_or_else(|| panic!("no {series} in {text}")).rsplit(' ').next();
    value.unwrap().parse().unwrap()
}

#[tokio::test]
async fn counters_say_what_happened_to_executions_and_their_containers() {
    let product = Product::start(&["--pool-size", "2", "--preload", "numpy"]).await;
    let counted = async |series: &str| metric(&product, &format!("code_sandbox_{series}")).await;
    // The trial at the start.
    assert_eq!(counted(r#"executions_total{status="ok"}"#).await, 1.0);
    assert_eq!(counted(r#"pool_containers{warmth="numpy"}"#).await, 2.0);

    assert_eq!(product.run("import numpy\na = 1").await.status(), "ok");
    assert_eq!(product.run("1/0").await.status(), "error");
    let endless = json!({ "code": "while True: pass", "timeout": 0.5 });
    assert_eq!(product.post(endless).await.status(), "timeout");
    assert!(!product.post(json!({ "code": 1 })).await.http.is_success());
    for (series, count) in [
        (r#"executions_total{status="ok"}"#, 2.0),
        (r#"executions_total{status="error"}"#, 1.0),
        (r#"executions_total{status="timeout"}"#, 1.0),
        (r#"phase_duration_seconds_count{phase="collect"}"#, 4.0),
        (r#"executions_in_phase{phase="run"}"#, 0.0),
        (r#"http_requests_total{route="/execute_code",method="POST",status="2xx"}"#, 3.0),
        (r#"http_requests_total{route="/execute_code",method="POST",status="4xx"}"#, 1.0),
    ] {
        assert_eq!(counted(series).await, count, "{series}");
    }
    assert!(counted(r#"pool_leases_total{supply="ready"}"#).await >= 1.0);

    let refilled = async || counted(r#"pool_containers{warmth="numpy"}"#).await == 2.0;
    eventually("the pool is warm again", Duration::from_secs(30), refilled).await;
    eventually("the rest is removed", Duration::from_secs(10), async || counted("containers").await == 2.0)
        .await;
    let standing = product.containers().await;
    assert_eq!(standing.len(), 2);
    // Four executions, and nothing else, have had their containers removed.
    assert_eq!(counted(r#"docker_call_duration_seconds_count{call="remove"}"#).await, 4.0);
    docker::try_docker(&["kill", standing.first().map_or("", String::as_str)]).await;
    eventually("a death is told", Duration::from_secs(10), async || {
        counted("pool_deaths_total").await == 1.0
    })
    .await;
    product.stop().await;
}

/// By Prometheus' own grammar: tests/metrics/expressions.py says what is checked.
#[tokio::test]
async fn the_dashboard_and_the_alerts_ask_only_for_what_is_there() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut product = Product::start(&["--pool-size", "1"]).await;
    // An unhealthy service is part of what they ask for.
    let running = product.begin(&json!({ "code": "import time; time.sleep(25)" }));
    product.running().await;
    product.signal(Signal::SIGTERM);
    eventually("it drains", Duration::from_secs(5), async || {
        product.get("/health").await.is_ok_and(|(status, _)| status == StatusCode::SERVICE_UNAVAILABLE)
    })
    .await;
    let check = Command::new(tool("python"))
        .arg(tests.join("metrics/expressions.py"))
        .arg(product.url("/metrics"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output();
    let check = check.await.expect("Python");
    let told = String::from_utf8_lossy(&check.stderr);
    assert!(check.status.success(), "{told}");
    product.signal(Signal::SIGTERM);
    assert!(product.wait(Duration::from_secs(20)).await.success());
    drop(running);
}
