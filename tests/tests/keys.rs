//! Keys and tenants, as an operator and a caller see them.

use std::{fs, path::Path, time::Duration};

use e2e::{Product, eventually, keys::new_key, product::run_binary};
use reqwest::{Method, RequestBuilder, StatusCode};
use serde_json::{Value, json};

/// As a program that must not be seen half-way does it.
#[expect(clippy::unwrap_used, reason = "part of a test")]
fn write(path: &Path, lines: &str) {
    let beside = path.with_extension("new");
    fs::write(&beside, lines).unwrap();
    fs::rename(beside, path).unwrap();
}

fn request(product: &Product, key: &str, method: Method, path: &str) -> RequestBuilder {
    product.client().request(method, product.url(path)).bearer_auth(key)
}

#[expect(clippy::unwrap_used, reason = "part of a test")]
async fn execute(product: &Product, key: &str, body: Value) -> (StatusCode, Value) {
    let answer = request(product, key, Method::POST, "/execute_code").json(&body).send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

#[tokio::test]
async fn tenants_run_and_store_apart_and_a_removed_key_stops_working_within_seconds() {
    let ((a, line_a), (b, line_b)) = (new_key("team-a").await, new_key("team-b").await);
    let line_a = format!("{} timeout=2s memory=128m rate=1000/m # ends in March\n", line_a.trim());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    write(&path, &(line_a.clone() + &line_b));
    let product = Product::start(&["--api-keys-file", path.to_str().unwrap()]).await;

    assert_eq!(product.run("x = 1").await.http, StatusCode::UNAUTHORIZED);
    let (status, answer) = execute(&product, &a, json!({ "code": "x = 1" })).await;
    assert_eq!((status, &answer["result"]), (StatusCode::OK, &json!({ "x": 1 })));
    let (_, answer) = execute(&product, &a, json!({ "code": "x = bytearray(200 << 20)" })).await;
    assert_eq!(
        (&answer["status"], &answer["error"]),
        (&json!("memory_limit"), &json!("memory limit of 128 MiB exceeded"))
    );
    let (status, _) = execute(&product, &a, json!({ "code": "", "timeout": 3 })).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY);
    assert_eq!(execute(&product, &b, json!({ "code": "", "timeout": 3 })).await.0, StatusCode::OK);

    let upload = request(&product, &a, Method::POST, "/upload_data/k").body("of a").send().await.unwrap();
    assert_eq!(upload.status(), StatusCode::OK);
    let get =
        async |key: &str| request(&product, key, Method::GET, "/get_data/k").send().await.unwrap().status();
    assert_eq!((get(&a).await, get(&b).await), (StatusCode::OK, StatusCode::NOT_FOUND));

    write(&path, &line_b);
    eventually("the key of a is out", Duration::from_secs(5), || async {
        get(&a).await == StatusCode::UNAUTHORIZED
    })
    .await;
    write(&path, "team-b not-a-digest");
    eventually("the bad line is told", Duration::from_secs(5), || async {
        product.log().contains("keys:1: ")
    })
    .await;
    assert_eq!(get(&b).await, StatusCode::NOT_FOUND);
    write(&path, &(line_b + &line_a));
    eventually("the key of a is back", Duration::from_secs(5), || async { get(&a).await == StatusCode::OK })
        .await;

    let log = product.log();
    let digests = line_a.split_whitespace().skip(1).take(1);
    for secret in digests.chain([a.as_str(), b.as_str(), "not-a-digest"]) {
        assert!(!log.contains(secret), "the log holds {secret}");
    }
    product.stop().await;
}

#[tokio::test]
async fn a_keys_file_that_cannot_be_used_ends_the_start_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("keys");
    fs::write(&path, "# keys\nteam-a 12345\n").unwrap();
    let data = folder.path().join("data");
    let flags = ["--listen", "127.0.0.1:0", "--log-format", "text", "--data-dir", data.to_str().unwrap()];
    for (file, text) in
        [(path.as_path(), "keys:2: after the tenant"), (&folder.path().join("none"), "cannot be read")]
    {
        let output = run_binary(&[&flags[..], &["--api-keys-file", file.to_str().unwrap()]].concat()).await;
        let log = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(1) && log.contains(text) && !log.contains("12345"), "{log}");
        assert_eq!(log.lines().count(), 1, "{log}");
    }
}
