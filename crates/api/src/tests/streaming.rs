//! A run told as it happens.

use super::*;

/// Name and data of every event.
fn events(body: &[u8]) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(body).unwrap();
    let events = text.split("\n\n").filter(|event| !event.is_empty());
    events
        .map(|event| {
            let (name, data) = event.split_once('\n').unwrap();
            let data = data.strip_prefix("data: ").unwrap();
            (name.strip_prefix("event: ").unwrap().to_owned(), serde_json::from_str(data).unwrap())
        })
        .collect()
}

#[tokio::test]
async fn a_stream_tells_what_happens_in_order_and_last_the_rest_of_the_answer() {
    with_service(async |service| {
        let code = "import sys, time\nprint('a')\ntime.sleep(0.4)\nprint('ü', file=sys.stderr)\ntime.sleep(0.4)\n\
                    sys.stdout.buffer.write(b'\\xe2\\x82')\nsys.stdout.flush()\ntime.sleep(0.4)\n\
                    sys.stdout.buffer.write(b'\\xac\\xff')\nopen('f', 'w').write('x')\nn = 1\n6 * 7";
        let request = Request::post("/execute_code/stream").header("content-type", "application/json");
        let request = request.body(json!({ "code": code }).to_string().into()).unwrap();
        let response = service.send(request).await;
        assert_eq!((response.status(), header(&response, "content-type")), (StatusCode::OK, "text/event-stream"));
        let id = json!(header(&response, "x-request-id"));
        let mut events = events(&bytes_of(response).await);
        let (name, mut finished) = events.pop().unwrap();
        let text = |name: &str, text: &str| (name.to_owned(), json!({ "text": text }));
        let file = json!({ "path": "f", "size": 1, "content": "x", "encoding": "utf-8" });
        let expected = [
            ("started".to_owned(), json!({ "id": id })),
            text("stdout", "a\n"),
            text("stderr", "ü\n"),
            text("stdout", "€\u{fffd}"),
            ("display".to_owned(), json!({ "text/plain": "42" })),
            ("file".to_owned(), file),
        ];
        assert_eq!(events, expected);
        for volatile in ["execution_time", "usage"] {
            finished.as_object_mut().unwrap().remove(volatile).unwrap();
        }
        let rest = json!({
            "id": id, "status": "ok", "result": { "n": 1 }, "error": null, "exit_code": 0, "signal": null,
            "omitted": [], "truncated": { "stdout": false, "stderr": false }
        });
        assert_eq!((name.as_str(), finished), ("finished", rest));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_hears_nothing_from_the_code_hears_a_comment() {
    with_service(async |service| {
        let request = Request::post("/execute_code/stream").header("content-type", "application/json");
        let code = json!({ "code": "import time; time.sleep(4)" });
        let response = service.send(request.body(code.to_string().into()).unwrap()).await;
        let body = bytes_of(response).await;
        let events: Vec<_> = std::str::from_utf8(&body).unwrap().split_terminator("\n\n").collect();
        assert!(events[0].starts_with("event: started\n"), "{events:?}");
        assert_eq!(events[1], ":");
        assert!(events[2].starts_with("event: finished\n"), "{events:?}");
    })
    .await;
}

#[tokio::test]
async fn what_goes_wrong_before_a_stream_begins_has_its_status() {
    with_service(async |service| {
        let stream = async |body: Value| {
            service.post("/execute_code/stream", "application/json", body.to_string()).await
        };
        assert_eq!(stream(json!({ "cod": "" })).await.0, StatusCode::UNPROCESSABLE_ENTITY);
        let running = service.execute(json!({ "code": "import time; time.sleep(1)" }));
        let refused = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            stream(json!({ "code": "" })).await
        };
        let (running, refused) = futures_util::future::join(running, refused).await;
        assert_eq!((running.0, refused.0), (StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE));
    })
    .await;
}

#[tokio::test]
async fn a_client_that_leaves_its_stream_ends_the_run() {
    with_service(async |service| {
        let code = json!({ "code": "print('a')\nimport time; time.sleep(60)" }).to_string();
        let request = Request::post("/execute_code/stream").header("content-type", "application/json");
        let response = service.send(request.body(code.into()).unwrap()).await;
        let mut body = response.into_body().into_data_stream();
        assert!(body.next().await.unwrap().unwrap().starts_with(b"event: started"));
        drop(body);
        // The only turn is free again.
        let began = std::time::Instant::now();
        loop {
            let (status, _) = service.execute(json!({ "code": "" })).await;
            if status == StatusCode::OK {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(5), "{status}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}
