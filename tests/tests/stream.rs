//! `POST /execute_code/stream` against a real container.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::{Duration, Instant};

use e2e::{Product, eventually};
use futures_util::StreamExt;
use reqwest::Response;
use serde_json::{Value, json};

async fn open(product: &Product, body: Value) -> Response {
    let request = product.client().post(product.url("/execute_code/stream")).json(&body);
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    response
}

/// Every event with the time at which it was there.
async fn follow(response: Response) -> Vec<(Instant, String, Value)> {
    let (mut events, mut text) = (Vec::new(), String::new());
    let mut body = response.bytes_stream();
    while let Some(bytes) = body.next().await {
        text.push_str(std::str::from_utf8(&bytes.unwrap()).unwrap());
        while let Some((event, rest)) = text.split_once("\n\n") {
            let (name, data) = event.split_once('\n').unwrap();
            let data = serde_json::from_str(data.strip_prefix("data: ").unwrap()).unwrap();
            events.push((Instant::now(), name.strip_prefix("event: ").unwrap().to_owned(), data));
            text = rest.to_owned();
        }
    }
    events
}

#[tokio::test]
async fn lines_arrive_as_they_are_printed() {
    let product = Product::start(&["--pool-size", "1"]).await;
    let code = "import time\nfor i in range(5):\n    print(i)\n    time.sleep(0.2)";
    let events = follow(open(&product, json!({ "code": code })).await).await;
    let printed: Vec<_> = events.iter().filter(|(_, name, _)| name == "stdout").collect();
    let texts: Vec<_> = printed.iter().map(|(_, _, data)| data["text"].as_str().unwrap()).collect();
    assert_eq!(texts, ["0\n", "1\n", "2\n", "3\n", "4\n"]);
    for pair in printed.windows(2) {
        let gap = pair[1].0 - pair[0].0;
        assert!(gap > Duration::from_millis(100) && gap < Duration::from_millis(400), "{gap:?}");
    }
    assert_eq!((events[0].1.as_str(), events.last().unwrap().1.as_str()), ("started", "finished"));
    assert_eq!(events.last().unwrap().2["status"], "ok");
    product.stop().await;
}

#[tokio::test]
async fn a_slow_client_makes_the_code_wait_in_flat_memory_and_loses_no_byte() {
    let product = Product::start(&["--output-limit", "512m", "--max-timeout", "10m"]).await;
    // A letter of no event's name or field: those that arrive are those that were printed.
    let code = "line = 'z' * 999 + '\\n'\nfor _ in range(200_000): print(line, end='')\ndel line";
    let response = open(&product, json!({ "code": code, "timeout": 300 })).await;
    let before = product.memory("VmRSS");
    let mut body = response.bytes_stream();
    let (mut received, mut letters, began) = (0, 0, Instant::now());
    let mut tail = Vec::new();
    while let Some(bytes) = body.next().await {
        let bytes = bytes.unwrap();
        received += bytes.len();
        letters += bytes.iter().filter(|byte| **byte == b'z').count();
        tail.extend_from_slice(&bytes);
        tail.drain(..tail.len().saturating_sub(4096));
        // A megabyte a second for five seconds, then as fast as it comes.
        if began.elapsed() < Duration::from_secs(5) {
            tokio::time::sleep(Duration::from_secs_f64(bytes.len() as f64 / 1e6)).await;
            assert!(received < 20_000_000, "the code did not wait: {received}");
        }
    }
    let tail = String::from_utf8_lossy(&tail).into_owned();
    assert!(tail.contains("event: finished") && tail.contains(r#""status":"ok""#), "{tail}");
    assert_eq!(letters, 200_000 * 999);
    let grown = product.memory("VmHWM").saturating_sub(before);
    assert!(grown < 32 << 20, "{} MiB", grown >> 20);
    product.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_its_stream_leaves_no_container() {
    let product = Product::start(&[]).await;
    let response = open(&product, json!({ "code": "print(1)\nimport time; time.sleep(60)" })).await;
    let mut body = response.bytes_stream();
    body.next().await.unwrap().unwrap();
    assert_eq!(product.containers().await.len(), 1);
    drop(body);
    product.no_containers(Duration::from_secs(10)).await;
    let log = || product.log().contains("abandoned");
    eventually("the log says so", Duration::from_secs(5), || async { log() }).await;
    product.stop().await;
}
