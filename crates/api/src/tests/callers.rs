//! Who may call.

use std::fs;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use engine::Tenant;
use keys::{KeysFile, NewKey};

use super::*;
use crate::caller::Caller;

/// A tenant's key, and its line.
pub(super) fn key_of(tenant: &str, limits: &str) -> (String, String) {
    let key = NewKey::generate().unwrap();
    let line = format!("{} {limits}\n", key.line(&Tenant::try_from(tenant).unwrap()));
    (key.as_str().to_owned(), line)
}

/// A service for a tenant with these limits, and its key.
pub(super) async fn with_key_of(tenant: &str, limits: &str, test: impl AsyncFnOnce(&Service, &str)) {
    let (key, line) = key_of(tenant, limits);
    with_lines(&line, async |service| test(service, &key).await).await;
}

pub(super) async fn with_lines(lines: &str, test: impl AsyncFnOnce(&Service)) {
    with_keys(Some(Keyring::parse(lines).unwrap()), test).await;
}

impl Service {
    pub(super) async fn send_as(
        &self,
        key: &str,
        method: &str,
        path: &str,
        body: impl Into<Body>,
    ) -> Response<Body> {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json");
        self.send(request.body(body.into()).unwrap()).await
    }

    pub(super) async fn json_as(
        &self,
        key: &str,
        method: &str,
        path: &str,
        body: &str,
    ) -> (StatusCode, Value) {
        json_of(self.send_as(key, method, path, body.to_owned()).await).await
    }

    pub(super) async fn execute_as(&self, key: &str, body: Value) -> (StatusCode, Value) {
        self.json_as(key, "POST", "/execute_code", &body.to_string()).await
    }
}

/// Everything there is, and something that is not.
const ROUTES: [(&str, &str); 19] = [
    ("POST", "/execute_code"),
    ("GET", "/execute_code"),
    ("POST", "/execute_code/stream"),
    ("POST", "/mcp"),
    ("GET", "/executions"),
    ("DELETE", "/executions/01a205da-7c39-70a3-bb02-3bd838671e62"),
    ("POST", "/upload_data/k"),
    ("POST", "/upload_data/"),
    ("GET", "/get_data/k"),
    ("GET", "/data"),
    ("DELETE", "/data/k"),
    ("GET", "/clear_data"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/docs"),
    ("GET", "/docs/index.css"),
    ("GET", "/nowhere"),
    ("GET", "/health/none"),
    ("GET", "//health"),
];

#[tokio::test]
async fn no_route_but_the_health_checks_answers_without_a_key_of_the_file() {
    let (key, line) = key_of("a", "");
    with_lines(&line, async |service| {
        service.json_as(&key, "POST", "/upload_data/k", "1").await;
        let digest = line.split_whitespace().nth(1).unwrap();
        let wrong = [
            format!("Bearer {}", NewKey::generate().unwrap().as_str()),
            format!("Bearer {digest}"),
            format!("Bearer {}", &key[..67]),
            format!("Basic {key}"),
            format!("Bearer{key}"),
            key.clone(),
            "Bearer ".to_owned(),
            "\u{e4}".to_owned(),
        ];
        for (method, path) in ROUTES {
            for authorization in [None].into_iter().chain(wrong.iter().map(Some)) {
                let request =
                    Request::builder().method(method).uri(path).header("content-type", "application/json");
                let request = authorization
                    .into_iter()
                    .fold(request, |request, text| request.header("authorization", text));
                let refused = service.send(request.body("{}".into()).unwrap()).await;
                assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{method} {path} {authorization:?}");
                assert_eq!(header(&refused, "www-authenticate"), "Bearer");
                assert!(!header(&refused, "x-request-id").is_empty());
                assert!(json_of(refused).await.1["detail"].is_string());
            }
        }
        for path in ["/health", "/health/live"] {
            let open = service.send(Request::get(path).body(Body::empty()).unwrap()).await;
            assert_eq!((open.status(), header(&open, "x-authentication")), (StatusCode::OK, "api-key"));
        }
        // Nothing of all that was done.
        assert_eq!(service.json_as(&key, "GET", "/get_data/k", "").await, (StatusCode::OK, json!(1)));
    })
    .await;
}

#[tokio::test]
async fn with_its_key_everything_answers_as_it_does_without_keys() {
    let (key, line) = key_of("a", "");
    with_lines(&line, async |service| {
        let (status, answer) = service.execute_as(&key, json!({ "code": "a = 1" })).await;
        assert_eq!((status, &answer["result"]), (StatusCode::OK, &json!({ "a": 1 })));
        for (method, path, status) in [
            ("POST", "/upload_data/k", 200),
            ("GET", "/get_data/k", 200),
            ("GET", "/data", 200),
            ("DELETE", "/data/k", 204),
            ("GET", "/clear_data", 200),
            ("GET", "/nowhere", 404),
            ("GET", "/execute_code", 405),
            ("GET", "/health", 200),
        ] {
            assert_eq!(
                service.send_as(&key, method, path, "1").await.status().as_u16(),
                status,
                "{method} {path}"
            );
        }
        let request = Request::get("/data").header("authorization", format!("bearer  {key} "));
        assert_eq!(service.send(request.body(Body::empty()).unwrap()).await.status(), StatusCode::OK);
        // Which of the two would count?
        let twice = Request::get("/data").header("authorization", format!("Bearer {key}"));
        let twice = twice.header("authorization", format!("Bearer {key}"));
        let twice = service.send(twice.body(Body::empty()).unwrap()).await;
        assert_eq!(twice.status(), StatusCode::UNAUTHORIZED);
    })
    .await;
}

#[tokio::test]
async fn a_password_opens_the_documentation_and_nothing_else() {
    let (key, line) = key_of("a", "metrics=yes");
    with_lines(&line, async |service| {
        let ask = async |method: &str, path: &str, authorization: String| {
            let request = Request::builder().method(method).uri(path).header("authorization", authorization);
            service.send(request.body(Body::empty()).unwrap()).await
        };
        let basic = |name: &str, password: &str| {
            format!("Basic {}", BASE64_STANDARD.encode(format!("{name}:{password}")))
        };
        for (method, path) in ROUTES {
            let documentation = path == "/openapi.json" || path.starts_with("/docs");
            for authorization in [basic("", &key), basic("any:name", "no key"), basic("any", "no key")] {
                let right = authorization == basic("", &key);
                let answer = ask(method, path, authorization).await;
                let refused = answer.status() == StatusCode::UNAUTHORIZED;
                assert_eq!(refused, !(documentation && right), "{method} {path}");
                let challenges = answer.headers().get_all("www-authenticate").iter();
                let asked_for_a_password =
                    challenges.into_iter().any(|text| text.as_bytes().starts_with(b"Basic"));
                assert_eq!(asked_for_a_password, refused && documentation, "{method} {path}");
            }
        }
        let small = basic("", &key).replacen("Basic", "basic", 1);
        for authorization in [basic("a b", &key), small, format!("Bearer {key}")] {
            assert_eq!(ask("GET", "/openapi.json", authorization).await.status(), StatusCode::OK);
        }
    })
    .await;
}

#[tokio::test]
async fn metrics_are_for_those_who_may_read_them() {
    let ((a, line_a), (b, line_b)) = (key_of("a", ""), key_of("watcher", "metrics=yes"));
    with_lines(&(line_a + &line_b), async |service| {
        let (status, refused) = service.json_as(&a, "GET", "/metrics", "").await;
        assert_eq!(status, StatusCode::FORBIDDEN);
        assert!(refused["detail"].as_str().unwrap().contains("'metrics=yes'"), "{refused}");
        assert_eq!(service.send_as(&b, "GET", "/metrics", "").await.status(), StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn without_keys_nobody_needs_one_and_health_says_so() {
    with_service(async |service| {
        assert_eq!(service.json_as("whatever", "GET", "/data", "").await, (StatusCode::OK, json!([])));
        let health = service.send(Request::get("/health").body(Body::empty()).unwrap()).await;
        assert_eq!(header(&health, "x-authentication"), "none");
        service.engine.drain(Duration::ZERO, &CancellationToken::new()).await;
        let unhealthy = service.send(Request::get("/health").body(Body::empty()).unwrap()).await;
        assert_eq!(unhealthy.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(header(&unhealthy, "x-authentication"), "none");
    })
    .await;
}

#[tokio::test]
async fn whoever_has_no_key_is_answered_before_the_body_is_read() {
    let (_, line) = key_of("a", "");
    with_lines(&line, async |service| {
        for path in ["/execute_code", "/upload_data/k"] {
            let silent = Body::from_stream(stream::pending::<Result<Bytes, std::io::Error>>());
            let request =
                Request::post(path).header("content-type", "application/json").body(silent).unwrap();
            // A body that is read and does not come is a 408 after 200 ms.
            let answer = tokio::time::timeout(Duration::from_millis(150), service.send(request)).await;
            assert_eq!(answer.unwrap().status(), StatusCode::UNAUTHORIZED);
        }
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_removed_from_the_file_stops_working_and_a_new_one_begins_to() {
    let ((old, old_line), (new, new_line)) = (key_of("a", ""), key_of("a", ""));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    fs::write(&path, &old_line).unwrap();
    let mut file = KeysFile::open(path.clone()).unwrap();
    with_keys(Some(file.keyring().clone()), async |service| {
        service.json_as(&old, "POST", "/upload_data/k", "1").await;
        let status = async |key: &str| service.send_as(key, "GET", "/get_data/k", "").await.status().as_u16();
        fs::write(&path, old_line + &new_line).unwrap();
        file.reload().unwrap();
        assert_eq!((status(&old).await, status(&new).await), (200, 200));
        fs::write(&path, new_line).unwrap();
        file.reload().unwrap();
        assert_eq!((status(&old).await, status(&new).await), (401, 200));
    })
    .await;
}

#[tokio::test]
async fn a_key_that_is_removed_starts_nothing_that_it_had_asked_for_before() {
    let ((old, old_line), (new, new_line)) = (key_of("a", ""), key_of("a", ""));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    fs::write(&path, old_line + &new_line).unwrap();
    let mut file = KeysFile::open(path.clone()).unwrap();
    with(Some(file.keyring().clone()), 1, 4, Traces::default(), async |service| {
        let code = |code: &str| json!({ "code": code }).to_string();
        let long = code("import time; time.sleep(1)");
        let runs = service.json_as(&new, "POST", "/execute_code", &long);
        let asked = async |path: &str, body: Body| {
            tokio::time::sleep(Duration::from_millis(100)).await;
            json_of(service.send_as(&old, "POST", path, body).await).await.0
        };
        let slow = |text: String| {
            let (begin, end) = text.split_at(1);
            let parts = [(0, begin.to_owned()), (150, end.to_owned())];
            Body::from_stream(stream::iter(parts).then(async |(pause, part)| {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                Ok::<_, std::io::Error>(part)
            }))
        };
        let removed = async {
            tokio::time::sleep(Duration::from_millis(180)).await;
            fs::write(&path, &new_line).unwrap();
            file.reload().unwrap();
        };
        let (first, waits, streams, comes, uploads, ()) = tokio::join!(
            runs,
            asked("/execute_code", code("1").into()),
            asked("/execute_code/stream", code("1").into()),
            asked("/execute_code", slow(code("1"))),
            asked("/upload_data/k", slow("12".to_owned())),
            removed,
        );
        assert_eq!((first.0, first.1["status"].as_str()), (StatusCode::OK, Some("ok")));
        assert_eq!([waits, streams, comes, uploads], [StatusCode::UNAUTHORIZED; 4]);
        assert_eq!(service.json_as(&new, "GET", "/data", "").await, (StatusCode::OK, json!([])));
    })
    .await;
}

#[tokio::test]
async fn who_calls_is_known_outside_but_not_where_nobody_was_asked() {
    let (key, line) = key_of("a", "");
    with_lines(&line, async |service| {
        let has_caller = |response: Response<Body>| {
            response.extensions().get::<Caller>().map(|caller| caller.tenant.as_str().to_owned())
        };
        let refused = service.send_as(&key, "POST", "/execute_code", "?").await;
        assert_eq!(has_caller(refused).as_deref(), Some("a"));
        for (key, path) in [(key.as_str(), "/health"), ("none", "/health"), ("none", "/execute_code")] {
            assert_eq!(has_caller(service.send_as(key, "POST", path, "?").await), None, "{path}");
        }
    })
    .await;
}
