//! What is queued and runs: listed, cancelled, and shared out when far too many come at once.

use std::{collections::BTreeMap, time::Duration};

use e2e::{Product, eventually};
use futures_util::{StreamExt, future::join_all, stream::FuturesUnordered};
use reqwest::{Client, StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};
use tokio::{sync::Notify, time::Instant};

/// What `GET /executions` says, once it is about so many.
#[expect(clippy::unwrap_used, reason = "part of a test")]
async fn listed(product: &Product, queued: usize, running: usize) -> Vec<Value> {
    let list = async || product.get("/executions").await.unwrap().1.as_array().unwrap().clone();
    let count = |all: &[Value], status: &str| all.iter().filter(|one| one["status"] == status).count();
    eventually(&format!("{queued} queued, {running} running"), Duration::from_secs(20), async || {
        let all = list().await;
        (count(&all, "queued"), count(&all, "running")) == (queued, running)
    })
    .await;
    list().await
}

#[expect(clippy::unwrap_used, reason = "part of a test")]
async fn cancel(product: &Product, execution: &Value) -> StatusCode {
    let path = format!("/executions/{}", execution["id"].as_str().unwrap());
    product.client().delete(product.url(&path)).send().await.unwrap().status()
}

#[tokio::test]
async fn what_runs_or_waits_is_listed_and_a_cancel_ends_it_at_once_with_its_container() {
    let product = Product::start(&["--max-executions", "1"]).await;
    let stubborn = "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\nprint('a', flush=True)\n\
                    while True:\n  try:\n    while True: pass\n  except BaseException: pass";
    let runs = Notify::new();
    let first = async {
        let request = product.client().post(product.url("/execute_code/stream"));
        let mut events = request.json(&json!({ "code": stubborn, "timeout": 100 })).send().await.unwrap();
        let mut told = String::new();
        while let Some(chunk) = events.chunk().await.unwrap() {
            told += str::from_utf8(&chunk).unwrap();
            if told.contains("event: stdout") {
                runs.notify_one();
            }
        }
        told
    };
    let second = async {
        listed(&product, 0, 1).await;
        product.run("a = 1").await
    };
    let operator = async {
        let all = listed(&product, 1, 1).await;
        let shown =
            |one: &Value| (one["status"].clone(), one["timeout"].clone(), one["started_at"].is_string());
        assert_eq!(shown(&all[0]), (json!("running"), json!(100.0), true));
        assert_eq!(shown(&all[1]), (json!("queued"), json!(30.0), false));
        runs.notified().await;
        let containers = product.containers().await;
        assert_eq!(cancel(&product, &all[1]).await, StatusCode::ACCEPTED);
        assert_eq!(listed(&product, 0, 1).await.len(), 1);
        assert_eq!(product.containers().await, containers, "what was only queued has had no container");
        let told = Instant::now();
        assert_eq!(cancel(&product, &all[0]).await, StatusCode::ACCEPTED);
        listed(&product, 0, 0).await;
        (told.elapsed(), cancel(&product, &all[0]).await)
    };
    let (first, second, (took, again)) = tokio::join!(first, second, operator);
    let (_, finished) = first.split_once("event: finished\ndata: ").unwrap();
    let finished: Value = serde_json::from_str(finished.trim()).unwrap();
    assert_eq!((&finished["status"], &finished["error"]), (&json!("cancelled"), &json!("cancelled")));
    assert_eq!((second.status(), second.error(), second.stdout()), ("cancelled", "cancelled", ""));
    assert_eq!(second.field("usage"), &json!({ "wall_time": 0.0, "cpu_time": 0.0, "peak_memory": 0 }));
    assert!(took < Duration::from_secs(1), "{took:?}");
    assert_eq!(again, StatusCode::NOT_FOUND);
    product.no_containers(Duration::from_secs(10)).await;
    assert_eq!(product.run("a = 1").await.status(), "ok");
    product.stop().await;
}

#[tokio::test]
async fn a_thousand_requests_at_once_are_each_answered_honestly_and_leave_everything_as_it_was() {
    let flags = ["--max-executions", "4", "--queue-size", "40", "--pool-size", "2", "--preload", ""];
    let product = Product::start(&flags).await;
    let descriptors = product.descriptors();
    // A client of its own, whose connections end with it.
    let crowd = Client::builder().no_proxy().build().unwrap();
    let began = Instant::now();
    let asked: FuturesUnordered<_> = (0..1_000_u32)
        .map(|n| {
            let request = crowd.post(product.url("/execute_code"));
            let request = request.json(&json!({ "code": "double = n * 2", "input_data": { "n": n } }));
            async move {
                let response = request.send().await.unwrap();
                let status = response.status();
                let retry_after = response.headers().get(RETRY_AFTER).cloned();
                (n, status, retry_after, response.json::<Value>().await.unwrap())
            }
        })
        .collect();
    // As they come.
    let answers: Vec<_> = asked.collect().await;
    let took = began.elapsed();
    let last_refused = answers.iter().rposition(|(_, status, ..)| *status != StatusCode::OK).unwrap();
    assert!(answers.len() - last_refused > 20, "who is refused waits as long as who is served");
    drop(crowd);
    let mut statuses = BTreeMap::<u16, usize>::new();
    for (n, status, retry_after, body) in answers {
        *statuses.entry(status.as_u16()).or_default() += 1;
        if status == StatusCode::OK {
            assert_eq!(body["result"], json!({ "double": n * 2 }), "{body}");
        } else {
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{body}");
            assert_eq!(body, json!({ "detail": "The queue is full, with 40 waiting" }));
            let seconds: u64 = retry_after.unwrap().to_str().unwrap().parse().unwrap();
            assert!((1..=60).contains(&seconds), "{seconds}");
        }
    }
    assert!(took < Duration::from_secs(60), "{took:?}");
    // What was there when they came, and what came free meanwhile.
    assert!(statuses[&200] >= 44 && statuses[&503] > 0, "{statuses:?}");

    // Idle again: nothing listed, the pool filled, every turn free, no connection left but what a client keeps.
    assert_eq!(product.get("/executions").await.unwrap().1, json!([]));
    eventually("the pool alone", Duration::from_secs(20), async || product.containers().await.len() == 2)
        .await;
    let all = join_all((0..4).map(|_| product.run("import time; time.sleep(2)"))).await;
    assert!(all.iter().all(|run| run.status() == "ok"));
    product.has_descriptors_back(descriptors).await;
    product.stop().await;
}
