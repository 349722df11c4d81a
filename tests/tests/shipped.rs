//! The service as it is shipped, by Compose: what the corpus does not try.

use std::{fs, time::Duration};

use e2e::{eventually, keys::new_key, service::Service};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

/// As process 1 of its container it has no undertaker: it is its next start that removes what it left.
#[tokio::test]
async fn killed_in_the_middle_of_a_run_compose_starts_it_again_which_removes_the_containers_and_has_the_data()
{
    let (key, line) = new_key("team").await;
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("api-keys"), line).unwrap();
    let service = Service::start(folder).await;
    let client = Client::builder().no_proxy().build().unwrap();
    let post = |path: &str| client.post(service.url(path)).bearer_auth(&key);
    let get = |path: &str| client.get(service.url(path)).bearer_auth(&key);
    assert_eq!(post("/upload_data/k").body("kept").send().await.unwrap().status(), StatusCode::OK);
    let code = json!({ "code": "import time; time.sleep(60)", "timeout": 60 });
    let running = tokio::spawn(post("/execute_code").json(&code).send());
    eventually("it runs", Duration::from_secs(10), async || {
        let listed: Value = get("/executions").send().await.unwrap().json().await.unwrap();
        listed[0]["status"] == "running"
    })
    .await;
    let before = service.containers().await;
    service.kill();
    assert!(running.await.unwrap().is_err(), "the answer of a service that was killed");
    eventually("the containers of before are gone", Duration::from_secs(10), async || {
        service.containers().await.is_disjoint(&before)
    })
    .await;
    eventually("it is healthy", Duration::from_secs(20), async || {
        get("/health").send().await.is_ok_and(|answer| answer.status() == StatusCode::OK)
    })
    .await;
    let kept = get("/get_data/k").send().await.unwrap().text().await.unwrap();
    assert_eq!(kept, "kept");
    service.stop().await;
}
