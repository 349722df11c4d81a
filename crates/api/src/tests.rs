//! Every route, through the router, with the real runner as a plain process behind it.

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    http::{HeaderValue, Request, Response, StatusCode},
    response::IntoResponse,
};
use engine::{
    AdmissionError, Engine, EngineConfig, ExecuteError,
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

mod bodies;
mod callers;
mod data;
mod executions;
mod mcp;
mod metrics;
mod openapi;
mod streaming;
mod tenants;
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
    with(keys, 1, 0, Traces::default(), test).await;
}

/// The same where so many may wait.
async fn with_queue(queue_size: u32, test: impl AsyncFnOnce(&Service)) {
    with(None, 1, queue_size, Traces::default(), test).await;
}

/// The same for these keys, where so many may run at once and wait.
async fn with_places(keys: Option<Keyring>, places: u32, test: impl AsyncFnOnce(&Service)) {
    with(keys, places, places, Traces::default(), test).await;
}

async fn with(
    keys: Option<Keyring>,
    max_executions: u32,
    queue_size: u32,
    traces: Traces,
    test: impl AsyncFnOnce(&Service),
) {
    let driver = Arc::new(ProcessDriver::default());
    let config = EngineConfig {
        max_executions: NonZeroU32::new(max_executions).unwrap(),
        queue_size,
        ..EngineConfig::small()
    };
    let metrics = Metrics::new(&config);
    let observer = Arc::new((metrics.clone(), traces.clone()));
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, config, observer);
    engine.prove().await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let limits = StoreLimits { max_value_size: 10_000, data_limit: 15_000, ttl: None };
    let store = Store::open(folder.path(), limits).await.unwrap();
    let config = ApiConfig {
        max_body: 50_000,
        max_code_size: 1_000,
        max_value_size: limits.max_value_size,
        body_idle: Duration::from_millis(200),
        keep_alive: Duration::from_secs(3),
        body_total: Duration::from_millis(500),
    };
    let bodies = Budget::new(24 << 10, false);
    let answers = Budget::new(1 << 20, false);
    let router =
        router(App { engine: engine.clone(), store, keys, config, bodies, answers, metrics, traces });
    let service = Service { router, engine, driver, _folder: folder };
    test(&service).await;
    service.engine.drain(Duration::from_secs(10), &CancellationToken::new()).await;
    assert!(service.driver.list().await.unwrap().is_empty());
}

impl Service {
    async fn send(&self, mut request: Request<Body>) -> Response<Body> {
        request.headers_mut().entry("host").or_insert(HeaderValue::from_static("127.0.0.1"));
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
        assert_eq!(json_of(refused).await.1, json!({ "detail": "The queue is full, with 0 waiting" }));
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
        for path in ["/execute_code", "/upload_data/k", "/mcp"] {
            let gzip = Request::post(path)
                .header("content-type", "application/json")
                .header("content-encoding", "gzip");
            let gzip = gzip.header("accept", "application/json, text/event-stream");
            let (status, body) = json_of(service.send(gzip.body(Body::from("{}")).unwrap()).await).await;
            assert_eq!(status, StatusCode::UNSUPPORTED_MEDIA_TYPE, "{path}");
            assert_eq!(body, detail("Send the body as it is: no Content-Encoding is understood, and no Transfer-Encoding but chunked"));
        }
        let coded = Request::post("/upload_data/k").header("transfer-encoding", "gzip, chunked");
        let coded = service.send(coded.body(Body::from("1")).unwrap()).await;
        assert_eq!(coded.status(), StatusCode::UNSUPPORTED_MEDIA_TYPE);
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
async fn looking_at_what_deletes_deletes_nothing() {
    with_service(async |service| {
        service.post("/upload_data/k", "text/plain", "x").await;
        let looked = service.send(Request::head("/clear_data").body(Body::empty()).unwrap()).await;
        assert_eq!((looked.status(), header(&looked, "allow")), (StatusCode::METHOD_NOT_ALLOWED, "GET"));
        let still = service.send(Request::get("/get_data/k").body(Body::empty()).unwrap()).await;
        assert_eq!(bytes_of(still).await, "x");
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
