//! Every route, through the router, with the real runner as a plain process behind it.

mod openapi;

use std::{num::NonZeroU32, path::Path, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{Request, Response, StatusCode},
    response::IntoResponse,
};
use engine::{
    AdmissionError, Bounds, Engine, EngineConfig, ExecuteError, PoolConfig, ReturnLimits,
    driver::{Driver, process::ProcessDriver},
};
use futures_util::{StreamExt, stream};
use keys::Keyring;
use serde_json::{Value, json};
use store::{Store, StoreLimits};
use telemetry::{Metrics, Traces};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::{ApiConfig, App, Budget, error::ApiError, router};

mod callers;
mod metrics;
#[cfg(feature = "otlp")]
mod traces;

struct Service {
    router: Router,
    engine: Engine,
    driver: Arc<ProcessDriver>,
    _folder: TempDir,
}

async fn with_service(test: impl AsyncFnOnce(&Service)) {
    with_keys(None, test).await;
}

/// The same where only these keys open something.
async fn with_keys(keys: Option<Keyring>, test: impl AsyncFnOnce(&Service)) {
    with(keys, 0, Traces::off(), test).await;
}

/// The same where so many may wait.
async fn with_queue(queue_size: u32, test: impl AsyncFnOnce(&Service)) {
    with(None, queue_size, Traces::off(), test).await;
}

async fn with(keys: Option<Keyring>, queue_size: u32, traces: Traces, test: impl AsyncFnOnce(&Service)) {
    let runner = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../runner-image/runner");
    let driver = Arc::new(ProcessDriver::new(&runner));
    let config = EngineConfig {
        max_executions: NonZeroU32::MIN,
        queue_size,
        queue_timeout: Duration::from_secs(10),
        output_limit: 10_000,
        result_limit: 10_000,
        returns: ReturnLimits { figures: 10_000, max_files: 3, files: 1_000 },
        bounds: Bounds {
            default_timeout: Duration::from_secs(10),
            max_timeout: Duration::from_secs(20),
            default_memory: 512 << 20,
            max_memory: 512 << 20,
        },
        pool: PoolConfig::none(),
    };
    let metrics = Metrics::new(&config);
    let observer = Arc::new((metrics.clone(), traces.clone()));
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, config, observer);
    engine.prove().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let limits = StoreLimits { max_value_size: 10_000, data_limit: 15_000, ttl: None };
    let store = Store::open(folder.path(), limits).await.unwrap();
    let config = ApiConfig {
        max_body: 5_000,
        max_code_size: 1_000,
        max_value_size: limits.max_value_size,
        body_idle: Duration::from_millis(200),
        body_total: Duration::from_millis(500),
    };
    let bodies = Budget::new(8 << 10);
    let answers = Budget::new(1 << 20);
    let router =
        router(App { engine: engine.clone(), store, keys, config, bodies, answers, metrics, traces });
    let service = Service { router, engine, driver, _folder: folder };
    test(&service).await;
    service.engine.drain(Duration::from_secs(10), &CancellationToken::new()).await;
    assert!(service.driver.list().await.unwrap().is_empty());
}

impl Service {
    async fn send(&self, request: Request<Body>) -> Response<Body> {
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, path: &str) -> (StatusCode, Value) {
        json_of(self.send(Request::get(path).body(Body::empty()).unwrap()).await).await
    }

    async fn post(&self, path: &str, content_type: &str, body: impl Into<Body>) -> (StatusCode, Value) {
        let request = Request::post(path).header("content-type", content_type).body(body.into()).unwrap();
        json_of(self.send(request).await).await
    }

    async fn execute(&self, body: Value) -> (StatusCode, Value) {
        self.post("/execute_code", "application/json", body.to_string()).await
    }
}

async fn bytes_of(response: Response<Body>) -> Bytes {
    to_bytes(response.into_body(), usize::MAX).await.unwrap()
}

async fn json_of(response: Response<Body>) -> (StatusCode, Value) {
    let status = response.status();
    let body = bytes_of(response).await;
    (status, if body.is_empty() { Value::Null } else { serde_json::from_slice(&body).unwrap() })
}

fn header<'a>(response: &'a Response<Body>, name: &str) -> &'a str {
    response.headers().get(name).map_or("", |value| value.to_str().unwrap())
}

#[tokio::test]
async fn a_healthy_service_says_so_in_the_contracts_words() {
    with_service(async |service| {
        let healthy = json!({ "status": "healthy", "message": "Sandbox is operational" });
        assert_eq!(service.get("/health").await, (StatusCode::OK, healthy));
        assert_eq!(service.get("/health/live").await.0, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn an_execution_is_answered_with_every_field() {
    with_service(async |service| {
        let body = json!({
            "code": "import sys\ntotal = sum(values)\nprint(input(), sys.argv[1:])\nx = open\n\
                     open('out/b.bin', 'wb').write(b'\\xff')\nopen('a.txt', 'a').write('ä')\n{'a': 1}",
            "files": [
                { "path": "a.txt", "content": "zw" },
                { "path": "out/same", "content": "/w==", "encoding": "base64" },
            ],
            "input_data": { "values": [1, 2, 3] },
            "stdin": "hello",
            "args": ["a"],
            "timeout": 5,
            "memory_mb": 256,
        });
        let (status, mut answer) = service.execute(body).await;
        assert_eq!(status, StatusCode::OK);
        assert!(answer["execution_time"].as_f64().unwrap() > 0.0);
        for volatile in ["id", "execution_time", "usage"] {
            answer[volatile] = json!("[volatile]");
        }
        insta::assert_json_snapshot!(answer);
    })
    .await;
}

#[tokio::test]
async fn files_over_their_limits_are_named_and_the_others_come() {
    with_service(async |service| {
        let code = "open('a', 'w').write('x' * 400)\nopen('b', 'w').write('x' * 700)\nopen('c', 'w').write('x' * 600)";
        let (_, answer) = service.execute(json!({ "code": code })).await;
        let paths: Vec<_> = answer["files"].as_array().unwrap().iter().map(|file| &file["path"]).collect();
        assert_eq!(paths, ["a", "c"]);
        let reason = "larger than what is left of the files limit of 1000 bytes";
        assert_eq!(answer["omitted"], json!([{ "name": "b", "reason": reason }]));
    })
    .await;
}

#[tokio::test]
async fn code_that_fails_is_still_answered_with_200() {
    with_service(async |service| {
        let (status, answer) = service.execute(json!({ "code": "print('before')\n1/0" })).await;
        assert_eq!(
            (status, &answer["status"], &answer["result"]),
            (StatusCode::OK, &json!("error"), &Value::Null)
        );
        assert_eq!(answer["error"], "ZeroDivisionError: division by zero");
        assert_eq!(answer["stdout"], "before\n");
        let stderr = answer["stderr"].as_str().unwrap();
        assert!(stderr.contains("main.py\", line 2") && stderr.contains("1/0"), "{stderr}");
    })
    .await;
}

#[tokio::test]
async fn the_request_id_is_the_clients_or_the_executions() {
    with_service(async |service| {
        let request = |id: Option<&str>| {
            let request = Request::post("/execute_code").header("content-type", "application/json");
            let request = id.into_iter().fold(request, |request, id| request.header("x-request-id", id));
            request.body(r#"{"code": ""}"#.into()).unwrap()
        };
        let ours = service.send(request(None)).await;
        let id = header(&ours, "x-request-id").to_owned();
        assert_eq!(json_of(ours).await.1["id"], id);
        let theirs = service.send(request(Some("from-the-client"))).await;
        assert_eq!(header(&theirs, "x-request-id"), "from-the-client");
        assert_ne!(json_of(theirs).await.1["id"], "from-the-client");
        let missing = service.send(Request::get("/nowhere").body(Body::empty()).unwrap()).await;
        assert!(!header(&missing, "x-request-id").is_empty());
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_is_a_503_that_says_when_to_come_back() {
    with_service(async |service| {
        let long = service.execute(json!({ "code": "import time; time.sleep(1)" }));
        let refused = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let request = Request::post("/execute_code").header("content-type", "application/json");
            service.send(request.body(r#"{"code": ""}"#.into()).unwrap()).await
        };
        let ((status, _), refused) = tokio::join!(long, refused);
        assert_eq!(status, StatusCode::OK);
        assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!((1..=60).contains(&header(&refused, "retry-after").parse::<u64>().unwrap()));
        assert_eq!(
            json_of(refused).await.1,
            json!({ "detail": "The queue is full: 0 requests are waiting" })
        );
    })
    .await;
}

#[tokio::test]
async fn when_to_come_back_is_admissions_estimate_in_whole_seconds() {
    let (patience, retry_after) = (Duration::from_secs(5), Duration::from_millis(2_100));
    for error in [
        AdmissionError::QueueFull { waiting: 8, retry_after },
        AdmissionError::QueueTimeout { patience, retry_after },
    ] {
        let response = ApiError::from(ExecuteError::from(error)).into_response();
        assert_eq!(header(&response, "retry-after"), "3");
    }
}

#[tokio::test]
async fn what_is_queued_or_runs_is_listed_and_answered_as_cancelled_when_it_is_deleted() {
    with_queue(1, async |service| {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        let code = format!("print('a', flush=True)\nopen({runs:?}, 'w')\nimport time; time.sleep(60)");
        let first = service.execute(json!({ "code": code, "timeout": 7.5 }));
        let second = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            service.execute(json!({ "code": "a = 1" })).await
        };
        let delete = async |id: &Value| {
            let path = format!("/executions/{}", id.as_str().unwrap());
            json_of(service.send(Request::delete(path).body(Body::empty()).unwrap()).await).await
        };
        let operator = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            let (status, mut listed) = service.get("/executions").await;
            let ids = [listed[0]["id"].clone(), listed[1]["id"].clone()];
            assert_eq!(status, StatusCode::OK);
            for time in [&listed[0]["queued_at"], &listed[0]["started_at"], &listed[1]["queued_at"]] {
                assert!(time.as_str().unwrap().starts_with("20") && time.as_str().unwrap().ends_with('Z'));
            }
            listed[0]["started_at"] = json!("[time]");
            for listed in listed.as_array_mut().unwrap() {
                (listed["id"], listed["queued_at"]) = (json!("[id]"), json!("[time]"));
            }
            insta::assert_json_snapshot!(listed);
            while !runs.exists() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            // The one that waits first: it never needs a container.
            for id in [&ids[1], &ids[0]] {
                let (status, answer) = delete(id).await;
                let message = format!("Execution '{}' is being cancelled", id.as_str().unwrap());
                assert_eq!((status, answer), (StatusCode::ACCEPTED, json!({ "message": message })));
            }
            ids
        };
        let (first, second, ids) = tokio::join!(first, second, operator);
        for ((status, answer), (id, stdout)) in [&first, &second].into_iter().zip(ids.iter().zip(["a\n", ""]))
        {
            assert_eq!((*status, &answer["id"]), (StatusCode::OK, id));
            assert_eq!((&answer["status"], &answer["error"]), (&json!("cancelled"), &json!("cancelled")));
            assert_eq!(answer["stdout"], stdout);
        }
        assert_eq!(second.1["usage"], json!({ "wall_time": 0.0, "cpu_time": 0.0, "peak_memory": 0 }));
        assert_eq!(service.get("/executions").await.1, json!([]));
        assert_eq!(delete(&ids[0]).await.0, StatusCode::NOT_FOUND);
    })
    .await;
}

#[tokio::test]
async fn an_execution_that_is_not_there_cannot_be_cancelled() {
    with_service(async |service| {
        for (path, id) in [
            ("01a205da-7c39-70a3-bb02-3bd838671e62", "01a205da-7c39-70a3-bb02-3bd838671e62"),
            ("7", "7"),
            ("a%2Fb'", "a/b'"),
            ("%FF", "\u{fffd}"),
        ] {
            let request = Request::delete(format!("/executions/{path}")).body(Body::empty()).unwrap();
            let answer = json_of(service.send(request).await).await;
            let detail = format!("No execution with id '{id}'");
            assert_eq!(answer, (StatusCode::NOT_FOUND, json!({ "detail": detail })));
        }
    })
    .await;
}

#[tokio::test]
async fn a_client_that_leaves_while_it_waits_or_runs_is_forgotten() {
    with_queue(1, async |service| {
        let run = || service.execute(json!({ "code": "import time; time.sleep(60)" }));
        let look = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            service.get("/executions").await.1
        };
        let listed = tokio::select! {
            _ = async { tokio::join!(run(), run()) } => unreachable!("they sleep"),
            listed = look => listed,
        };
        assert_eq!(listed.as_array().unwrap().len(), 2);
        assert_eq!(service.get("/executions").await.1, json!([]));
        assert_eq!(service.execute(json!({ "code": "a = 1" })).await.1["status"], "ok");
    })
    .await;
}

#[tokio::test]
async fn requests_that_are_none_are_told_why() {
    with_service(async |service| {
        let detail = |text: &str| json!({ "detail": text });
        assert_eq!(service.get("/nowhere").await, (StatusCode::NOT_FOUND, detail("Not Found")));
        let (status, body) = service.get("/execute_code").await;
        assert_eq!((status, body), (StatusCode::METHOD_NOT_ALLOWED, detail("Method Not Allowed")));
        let not_allowed = service.send(Request::get("/execute_code").body(Body::empty()).unwrap()).await;
        assert_eq!(header(&not_allowed, "allow"), "POST");
        let (status, body) = service.post("/execute_code", "text/plain", r#"{"code": ""}"#).await;
        assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
        assert_eq!(body, detail("Send the request with the header 'Content-Type: application/json'"));
        let (status, body) = service.post("/execute_code", "application/json", "{").await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(body["detail"].as_str().unwrap().starts_with("The request body is not valid JSON: EOF"));
        let (status, _) = service.post("/execute_code", "application/json", "\"\u{ff}").await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        let (status, body) =
            service.post("/execute_code", "application/json; charset=utf-8", r#"{"cod": ""}"#).await;
        assert_eq!((status, body["detail"].as_array().unwrap().len()), (StatusCode::UNPROCESSABLE_ENTITY, 2));
    })
    .await;
}

#[tokio::test]
async fn a_body_over_its_limit_is_refused_with_and_without_a_length() {
    with_service(async |service| {
        let detail = json!({ "detail": "The request body is over the limit of 5000 bytes" });
        for body in [
            Body::from(vec![b' '; 5_001]),
            Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(2_000))).take(3)),
        ] {
            let (status, answer) = service.post("/execute_code", "application/json", body).await;
            assert_eq!((status, answer), (StatusCode::PAYLOAD_TOO_LARGE, detail.clone()));
        }
        let (status, _) = service.execute(json!({ "code": "#".repeat(1_001) })).await;
        assert_eq!(status, StatusCode::PAYLOAD_TOO_LARGE);
    })
    .await;
}

#[tokio::test]
async fn a_body_that_comes_too_slowly_is_not_waited_for() {
    with_service(async |service| {
        let silent = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let (status, answer) = service.post("/execute_code", "application/json", silent).await;
        assert_eq!(
            (status, &answer["detail"]),
            (StatusCode::REQUEST_TIMEOUT, &json!("The request body came too slowly"))
        );
        let trickle = stream::repeat(()).then(async |()| {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok::<_, std::io::Error>(" ")
        });
        let (status, _) = service.post("/execute_code", "application/json", Body::from_stream(trickle)).await;
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        let silent = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
        let (status, _) = service.post("/upload_data/k", "text/plain", silent).await;
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        let trickle = stream::repeat(()).then(async |()| {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Ok::<_, std::io::Error>(" ")
        });
        let (status, _) = service.post("/upload_data/k", "text/plain", Body::from_stream(trickle)).await;
        assert_eq!(status, StatusCode::REQUEST_TIMEOUT);
        assert_eq!(service.get("/data").await.1, json!([]));
    })
    .await;
}

#[tokio::test]
async fn data_comes_back_as_it_was_uploaded() {
    with_service(async |service| {
        let form = "--b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.csv\"\r\ncontent-type: text/csv\r\n\r\n\
                    a,b\r\n1,2\r\n\r\n--b--\r\n";
        for (content_type, body, stored_type, stored) in [
            ("application/json", r#"{"b": [1, 2.50], "a": "ä"}"#, "application/json", r#"{"b": [1, 2.50], "a": "ä"}"#),
            ("text/csv", "a,b\n1,2\n", "text/csv", "a,b\n1,2\n"),
            ("application/octet-stream", "\0\u{1}", "application/octet-stream", "\0\u{1}"),
            ("multipart/form-data; boundary=b", form, "text/csv", "a,b\r\n1,2\r\n"),
        ] {
            let (status, answer) = service.post("/upload_data/my.key-1", content_type, body).await;
            let message = json!({ "message": "Data for key 'my.key-1' uploaded successfully" });
            assert_eq!((status, answer), (StatusCode::OK, message), "{content_type}");
            let got = service.send(Request::get("/get_data/my.key-1").body(Body::empty()).unwrap()).await;
            assert_eq!(header(&got, "content-type"), stored_type);
            assert_eq!(header(&got, "x-content-type-options"), "nosniff");
            assert_eq!(bytes_of(got).await, stored);
        }
    })
    .await;
}

#[tokio::test]
async fn a_range_and_a_version_can_be_asked_for() {
    with_service(async |service| {
        service.post("/upload_data/k", "text/plain", "0123456789").await;
        let get = async |name: &str, value: &str| {
            service.send(Request::get("/get_data/k").header(name, value).body(Body::empty()).unwrap()).await
        };
        let part = get("range", "bytes=2-4").await;
        assert_eq!(
            (part.status(), header(&part, "content-range")),
            (StatusCode::PARTIAL_CONTENT, "bytes 2-4/10")
        );
        let etag = header(&part, "etag").to_owned();
        assert_eq!(bytes_of(part).await, "234");
        let outside = get("range", "bytes=10-").await;
        assert_eq!(
            (outside.status(), header(&outside, "content-range")),
            (StatusCode::RANGE_NOT_SATISFIABLE, "bytes */10")
        );
        let same = get("if-none-match", &etag).await;
        assert_eq!((same.status(), header(&same, "etag")), (StatusCode::NOT_MODIFIED, etag.as_str()));
        service.post("/upload_data/k", "text/plain", "0123456789").await;
        assert_eq!(get("if-none-match", &etag).await.status(), StatusCode::OK);
        let mixed = Request::get("/get_data/k").header("range", "bytes=2-4").header("if-range", &etag);
        assert_eq!(service.send(mixed.body(Body::empty()).unwrap()).await.status(), StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn data_is_listed_deleted_and_cleared() {
    with_service(async |service| {
        service.post("/upload_data/b", "text/plain", "12").await;
        service.post("/upload_data/a", "application/json", "1").await;
        let (_, mut listed) = service.get("/data").await;
        for entry in listed.as_array_mut().unwrap() {
            assert!(entry["created_at"].as_str().unwrap().ends_with('Z'));
            entry["created_at"] = json!("[time]");
        }
        insta::assert_json_snapshot!(listed);
        let delete = |key: &str| Request::delete(format!("/data/{key}")).body(Body::empty()).unwrap();
        assert_eq!(json_of(service.send(delete("a")).await).await, (StatusCode::NO_CONTENT, Value::Null));
        let missing = (StatusCode::NOT_FOUND, json!({ "detail": "No data found for key 'a'" }));
        assert_eq!(json_of(service.send(delete("a")).await).await, missing);
        assert_eq!(service.get("/get_data/a").await, missing);
        let cleared = (StatusCode::OK, json!({ "message": "All data cleared" }));
        assert_eq!(service.get("/clear_data").await, cleared);
        assert_eq!(service.get("/data").await.1, json!([]));
    })
    .await;
}

#[tokio::test]
async fn a_bad_key_is_told_what_a_key_is() {
    with_service(async |service| {
        let long = "k".repeat(256);
        for key in ["", ".", "%2e%2e", "a%2fb", "a/b", "a%00", "a%20b", "%ff", &long] {
            for (method, path) in [("POST", "upload_data"), ("GET", "get_data"), ("DELETE", "data")] {
                let request = Request::builder().method(method).uri(format!("/{path}/{key}"));
                let (status, answer) = json_of(service.send(request.body("x".into()).unwrap()).await).await;
                assert_eq!(status, StatusCode::BAD_REQUEST, "{method} {key}");
                assert!(
                    answer["detail"].as_str().unwrap().starts_with("A key is 1 to 255 characters"),
                    "{answer}"
                );
            }
        }
    })
    .await;
}

#[tokio::test]
async fn an_upload_that_is_not_what_it_says_or_too_large_is_refused_and_leaves_nothing() {
    with_service(async |service| {
        let file = "--b\r\ncontent-disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\nx\r\n";
        let no_file = "--b--\r\n".to_owned();
        let no_name = "--b\r\ncontent-disposition: form-data; name=\"f\"\r\n\r\nx\r\n--b--\r\n".to_owned();
        let two_files = format!("{file}{file}--b--\r\n");
        let cut_off = file.to_owned();
        let large = "x".repeat(10_001);
        for (content_type, body, status, detail) in [
            ("application/json", "{\"a\": ", 400, "The request body is not valid JSON: it ends early"),
            ("application/json", "", 400, "The request body is not valid JSON: it ends early"),
            ("multipart/form-data", "x", 400, "The header 'Content-Type: multipart/form-data' must name"),
            ("multipart/form-data; boundary=b", &no_file, 400, "The form holds no file"),
            ("multipart/form-data; boundary=b", &two_files, 400, "The form must hold exactly one file"),
            (
                "multipart/form-data; boundary=b",
                &cut_off,
                400,
                "The form is not valid multipart/form-data, or ended early",
            ),
            ("multipart/form-data; boundary=b", &no_name, 400, "The form holds no file"),
            ("text/plain", &large, 413, "A value may have at most 10000 bytes"),
        ] {
            let (got, answer) = service.post("/upload_data/k", content_type, body.to_owned()).await;
            let text = answer["detail"].as_str().unwrap();
            assert!(got.as_u16() == status && text.starts_with(detail), "{content_type}: {got} {text}");
        }
        assert_eq!(service.get("/data").await.1, json!([]));
        let fits = "x".repeat(10_000);
        assert_eq!(service.post("/upload_data/a", "text/plain", fits.clone()).await.0, StatusCode::OK);
        let (status, answer) = service.post("/upload_data/b", "text/plain", fits).await;
        assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(
            answer["detail"],
            "The stored data has reached its limit of 15000 bytes: delete some of it"
        );
    })
    .await;
}

#[tokio::test]
async fn more_large_bodies_at_once_than_there_is_memory_for_are_refused() {
    with_service(async |service| {
        let slow = || {
            let body = stream::iter([" ".repeat(4_500), String::new()]).then(async |part| {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok::<_, std::io::Error>(part)
            });
            service.post("/execute_code", "application/json", Body::from_stream(body))
        };
        let answers = tokio::join!(slow(), slow(), slow());
        let mut statuses = [answers.0.0, answers.1.0, answers.2.0].map(|status| status.as_u16());
        statuses.sort_unstable();
        // 8 KiB in all: the first is let in, and found to be no JSON.
        assert_eq!(statuses, [400, 503, 503]);
        assert_eq!(service.execute(json!({ "code": "" })).await.0, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn a_page_of_another_origin_is_refused() {
    with_service(async |service| {
        service.post("/upload_data/k", "text/plain", "x").await;
        let request = Request::get("/clear_data").header("sec-fetch-site", "cross-site");
        let (status, answer) = json_of(service.send(request.body(Body::empty()).unwrap()).await).await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert_eq!(answer, json!({ "detail": "Pages of another origin may not call this API" }));
        let still = service.send(Request::get("/get_data/k").body(Body::empty()).unwrap()).await;
        assert_eq!(bytes_of(still).await, "x");
    })
    .await;
}

#[tokio::test]
async fn a_service_that_shuts_down_is_unhealthy_and_says_so() {
    with_service(async |service| {
        service.engine.drain(Duration::ZERO, &CancellationToken::new()).await;
        let unhealthy = json!({ "status": "unhealthy", "message": "the service is shutting down" });
        assert_eq!(service.get("/health").await, (StatusCode::SERVICE_UNAVAILABLE, unhealthy));
        let (status, answer) = service.execute(json!({ "code": "" })).await;
        assert_eq!(
            (status, answer),
            (StatusCode::SERVICE_UNAVAILABLE, json!({ "detail": "The service is shutting down" }))
        );
    })
    .await;
}

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
        let code = "import sys, time\nprint('a')\ntime.sleep(0.1)\nprint('ü', file=sys.stderr)\ntime.sleep(0.1)\n\
                    sys.stdout.buffer.write(b'\\xe2\\x82')\nsys.stdout.flush()\ntime.sleep(0.1)\n\
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
