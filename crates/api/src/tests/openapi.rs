//! The document says what the router serves, completely; the pages over it work.

use std::collections::{BTreeMap, BTreeSet};

use axum::{
    body::Body,
    http::{Method, Request, StatusCode, Uri},
};
use serde_json::{Value, json};

use super::{Service, bytes_of, callers::with_key_of, header, json_of, with_service};

/// Not for clients of the API: a path that ends where its key should begin, the document itself, and the fallback.
const UNDOCUMENTED: [&str; 9] = [
    "/upload_data/",
    "/get_data/",
    "/data/",
    "/openapi.json",
    "/docs",
    "/docs/",
    "/docs/{file}",
    "/",
    "/{__private__axum_fallback}",
];

async fn document(service: &Service) -> Value {
    let (status, document) = service.get("/openapi.json").await;
    assert_eq!(status, StatusCode::OK);
    document
}

/// Path, method and description of every operation.
fn operations(document: &Value) -> impl Iterator<Item = (&str, &str, &Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths.iter().flat_map(|(path, methods)| {
        methods.as_object().unwrap().iter().map(|(method, about)| (path.as_str(), method.as_str(), about))
    })
}

/// Calls `visit` with every object in it, and where it is.
fn walk(value: &Value, at: &str, visit: &mut impl FnMut(&str, &Value)) {
    visit(at, value);
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, field)| walk(field, &format!("{at}/{name}"), visit));
        }
        Value::Array(items) => items.iter().for_each(|item| walk(item, at, visit)),
        _ => {}
    }
}

#[tokio::test]
async fn everything_the_router_serves_is_documented_and_everything_documented_is_served() {
    with_service(async |service| {
        // Nothing else of axum's tells its paths.
        let debug = format!("{:?}", service.router);
        let quoted = debug.split('"').skip(1).step_by(2);
        let served: BTreeSet<_> =
            quoted.filter(|text| text.starts_with('/')).map(|path| path.replace("{*", "{")).collect();
        let document = document(service).await;
        let documented = operations(&document).map(|(path, ..)| path);
        let expected: BTreeSet<_> = documented.chain(UNDOCUMENTED).map(str::to_owned).collect();
        assert_eq!(served, expected);

        let mut methods = BTreeMap::<_, BTreeSet<_>>::new();
        for (path, method, _) in operations(&document) {
            methods.entry(path).or_default().insert(method.to_uppercase());
        }
        for (path, methods) in methods {
            let path = path.replace("{key}", "k");
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"].map(str::to_owned) {
                let request =
                    Request::builder().method(Method::try_from(method.as_str()).unwrap()).uri(&path);
                let answer = service.send(request.body(Body::empty()).unwrap()).await;
                let allowed = answer.status() != StatusCode::METHOD_NOT_ALLOWED;
                assert_eq!(allowed, methods.contains(&method), "{method} {path}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_document_is_this_one() {
    with_service(async |service| {
        let document = document(service).await;
        insta::assert_snapshot!(serde_json::to_string_pretty(&document).unwrap());
    })
    .await;
}

#[tokio::test]
async fn every_reference_resolves_and_everything_is_described_with_an_example() {
    with_service(async |service| {
        let document = document(service).await;
        assert_eq!(document["openapi"], "3.1.0");
        walk(&document, "", &mut |at, value| {
            if let Some(reference) = value["$ref"].as_str() {
                let target = document.pointer(reference.trim_start_matches('#'));
                assert!(target.is_some(), "{at}: {reference}");
            }
            let fields = value["properties"].as_object().into_iter().flatten();
            for (name, field) in fields.filter(|_| at.starts_with("/components/schemas/")) {
                // What may be null is described beside the null.
                let described = |field: &Value| field["description"].is_string();
                let either = field["oneOf"].as_array().is_some_and(|either| either.iter().any(described));
                assert!(described(field) || either, "{at}/{name} has no description");
                let shown = |field: &Value| {
                    let says = ["examples", "default", "enum", "$ref", "oneOf", "contentSchema"];
                    says.iter().any(|says| !field[says].is_null())
                };
                let shown = shown(field) || shown(&field["items"]) || shown(&field["additionalProperties"]);
                assert!(shown, "{at}/{name} has no example");
            }
        });
        for (path, method, about) in operations(&document) {
            assert!(about["summary"].is_string(), "{method} {path}");
            let parts = [&about["responses"], &about["parameters"]].map(Value::to_owned);
            let parameters = parts[1].as_array().unwrap().iter();
            for part in parts[0].as_object().unwrap().values().chain(parameters) {
                assert!(part["description"].is_string(), "{method} {path}: {part}");
            }
        }
    })
    .await;
}

#[tokio::test]
async fn the_document_has_the_limits_of_the_running_service() {
    with_service(async |service| {
        let document = document(service).await;
        let request = &document["components"]["schemas"]["ExecutionRequest"];
        assert_eq!(request["additionalProperties"], false);
        let fields = &request["properties"];
        assert_eq!(fields["code"]["maxLength"], 1_000);
        let timeout = &fields["timeout"];
        assert_eq!(
            (&timeout["exclusiveMinimum"], &timeout["maximum"], &timeout["default"]),
            (&json!(0), &json!(20), &json!(10.0))
        );
        let memory = &fields["memory_mb"];
        assert_eq!(
            (&memory["minimum"], &memory["maximum"], &memory["default"]),
            (&json!(32), &json!(512), &json!(512))
        );
        assert_eq!(fields["files"]["maxItems"], engine::InputFiles::MOST);
        let answer = &document["components"]["schemas"]["Execution"]["properties"];
        assert_eq!(
            (&answer["stdout"]["maxLength"], &answer["stderr"]["maxLength"]),
            (&json!(10_000), &json!(10_000))
        );
        let about = document["info"]["description"].as_str().unwrap();
        assert!(about.contains("bodies of up to 50000 B and uploads of up to 10000 B;"), "{about}");
    })
    .await;
}

#[tokio::test]
async fn the_documented_fields_are_those_of_the_readme_of_requests_and_of_answers() {
    with_service(async |service| {
        let document = document(service).await;
        let fields = |schema: &str| -> BTreeSet<_> {
            let properties = &document["components"]["schemas"][schema]["properties"];
            properties.as_object().unwrap().keys().cloned().collect()
        };
        let readme = include_str!("../../../../README.md");
        let (_, executing) = readme.split_once("## Executing code").unwrap();
        let mut tables = executing.split("| field |").skip(1).map(|table| -> BTreeSet<_> {
            let rows = table.lines().skip(2).take_while(|line| line.starts_with('|'));
            let names = rows.map(|row| row.split('|').nth(1).unwrap());
            names.flat_map(|names| names.split('`').skip(1).step_by(2)).map(str::to_owned).collect()
        });
        assert_eq!(tables.next(), Some(fields("ExecutionRequest")));
        assert_eq!(tables.next(), Some(fields("Execution")));

        let examples =
            document["components"]["schemas"]["ExecutionRequest"]["properties"].as_object().unwrap();
        let full: serde_json::Map<_, _> = examples
            .iter()
            .map(|(name, field)| {
                let value =
                    [&field["examples"][0], &field["default"]].into_iter().find(|value| !value.is_null());
                (name.clone(), value.unwrap().clone())
            })
            .collect();
        let (status, answer) = service.execute(Value::Object(full)).await;
        assert_eq!((status, &answer["result"]), (StatusCode::OK, &json!({ "total": 6 })));
        let names = |answer: &Value| answer.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
        assert_eq!(names(&answer), fields("Execution"));

        let stream = Request::post("/execute_code/stream").header("content-type", "application/json");
        let stream = service.send(stream.body(r#"{"code": ""}"#.into()).unwrap()).await;
        let stream = String::from_utf8(bytes_of(stream).await.into()).unwrap();
        let (_, finished) = stream.rsplit_once("event: finished\ndata: ").unwrap();
        assert_eq!(names(&serde_json::from_str(finished).unwrap()), fields("Finished"));
    })
    .await;
}

#[tokio::test]
async fn the_document_says_which_operations_need_a_key() {
    with_key_of("a", "", async |service, key| {
        let (_, document) = service.json_as(key, "GET", "/openapi.json", "").await;
        assert_eq!(document["security"], json!([{ "bearer": [] }]));
        for (path, method, about) in operations(&document) {
            let request =
                Request::builder().method(method.to_uppercase().as_str()).uri(path.replace("{key}", "k"));
            let answer = service.send(request.body(Body::empty()).unwrap()).await;
            let open = answer.status() != StatusCode::UNAUTHORIZED;
            assert_eq!(about["security"] == json!([]), open, "{path}");
            assert_eq!(about["responses"]["401"]["headers"]["WWW-Authenticate"].is_object(), !open, "{path}");
        }
    })
    .await;
    with_service(async |service| {
        assert_eq!(document(service).await["security"], json!([{}, { "bearer": [] }]));
    })
    .await;
}

#[tokio::test]
async fn the_pages_come_from_the_binary_and_load_nothing_from_elsewhere() {
    with_service(async |service| {
        let get = async |path: &str| {
            // As a browser that follows a link on another page.
            let request = Request::get(path).header("sec-fetch-site", "cross-site");
            service.send(request.body(Body::empty()).unwrap()).await
        };
        let moved = get("/docs").await;
        assert_eq!((moved.status(), header(&moved, "location")), (StatusCode::PERMANENT_REDIRECT, "docs/"));
        for name in ["", "swagger-ui-bundle.js", "swagger-ui.css", "index.css", "swagger-initializer.js"] {
            let file = get(&format!("/docs/{name}")).await;
            assert_eq!(file.status(), StatusCode::OK, "{name}");
            let policy = header(&file, "content-security-policy");
            assert!(policy.starts_with("default-src 'self'") && policy.contains("frame-ancestors 'none'"));
            assert!(!policy.contains("unsafe-eval") && !policy.contains("http"), "{policy}");
            assert_eq!(header(&file, "x-content-type-options"), "nosniff");
        }
        let start =
            String::from_utf8(bytes_of(get("/docs/swagger-initializer.js").await).await.into()).unwrap();
        assert!(
            start.contains("\"../openapi.json\"") && start.contains("\"validatorUrl\": \"none\""),
            "{start}"
        );
        let missing = json_of(get("/docs/no-such-file").await).await;
        assert_eq!(missing, (StatusCode::NOT_FOUND, json!({ "detail": "Not Found" })));
        let (status, _) = service.post("/docs/", "text/plain", "").await;
        assert_eq!(status, StatusCode::METHOD_NOT_ALLOWED);

        // "Try it out" on the page: the browser names our own origin.
        let uri = Uri::from_static("/data");
        let own = Request::get(uri).header("host", "box:8000").header("origin", "http://box:8000");
        let own = own.header("sec-fetch-site", "same-origin").body(Body::empty()).unwrap();
        assert_eq!(service.send(own).await.status(), StatusCode::OK);
    })
    .await;
}
