//! What is whose, and how much of it.

use super::{
    callers::{key_of, with_lines},
    *,
};

#[tokio::test]
async fn what_is_one_tenants_is_to_another_as_if_it_were_not_there() {
    let ((a, line_a), (b, line_b), (a2, line_a2)) = (key_of("a", ""), key_of("b", ""), key_of("a", ""));
    with_lines(&(line_a + &line_b + &line_a2), async |service| {
        let missing = (StatusCode::NOT_FOUND, json!({ "detail": "No data found for key 'k'" }));
        service.json_as(&a, "POST", "/upload_data/k", "\"of a\"").await;
        assert_eq!(service.json_as(&b, "GET", "/get_data/k", "").await, missing);
        assert_eq!(service.json_as(&b, "DELETE", "/data/k", "").await, missing);
        assert_eq!(service.json_as(&b, "GET", "/data", "").await, (StatusCode::OK, json!([])));
        service.json_as(&b, "GET", "/clear_data", "").await;
        service.json_as(&b, "POST", "/upload_data/k", "\"of b\"").await;
        // The same for every key of the tenant.
        for key in [&a, &a2] {
            assert_eq!(service.json_as(key, "GET", "/get_data/k", "").await.1, json!("of a"));
            assert_eq!(service.json_as(key, "GET", "/data", "").await.1.as_array().unwrap().len(), 1);
        }
        service.json_as(&a, "GET", "/clear_data", "").await;
        assert_eq!(service.json_as(&a, "GET", "/data", "").await.1, json!([]));
        assert_eq!(service.json_as(&b, "GET", "/get_data/k", "").await.1, json!("of b"));
    })
    .await;
}

#[tokio::test]
async fn what_runs_is_listed_for_its_own_tenant_and_cancelled_by_it_alone() {
    let ((a, line_a), (b, line_b)) = (key_of("a", ""), key_of("b", ""));
    with_lines(&(line_a + &line_b), async |service| {
        let look = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let listed = service.json_as(&a, "GET", "/executions", "").await.1;
            let id = listed[0]["id"].as_str().unwrap();
            let path = format!("/executions/{id}");
            let missing = json!({ "detail": format!("No execution with id '{id}'") });
            assert_eq!(service.json_as(&b, "GET", "/executions", "").await, (StatusCode::OK, json!([])));
            assert_eq!(service.json_as(&b, "DELETE", &path, "").await, (StatusCode::NOT_FOUND, missing));
            assert_eq!(service.json_as(&a, "GET", "/executions", "").await.1, listed);
            assert_eq!(service.json_as(&a, "DELETE", &path, "").await.0, StatusCode::ACCEPTED);
        };
        let run = service.execute_as(&a, json!({ "code": "import time; time.sleep(60)" }));
        let ((status, answer), ()) = tokio::join!(run, look);
        assert_eq!((status, &answer["status"]), (StatusCode::OK, &json!("cancelled")));
    })
    .await;
}

#[tokio::test]
async fn code_reads_the_data_of_its_own_tenant_alone() {
    let ((a, line_a), (b, line_b)) = (key_of("a", ""), key_of("b", ""));
    with_lines(&(line_a + &line_b), async |service| {
        service.json_as(&a, "POST", "/upload_data/k", "\"of a\"").await;
        service.json_as(&b, "POST", "/upload_data/other", "1").await;
        let code = json!({ "code": "keys = list(data)\nvalue = data.get('k')\nthere = 'k' in data" });
        let by_route = async |key: &str| service.execute_as(key, code.clone()).await.1["result"].clone();
        let by_stream = async |key: &str| {
            let stream = service.send_as(key, "POST", "/execute_code/stream", code.to_string()).await;
            let stream = String::from_utf8(bytes_of(stream).await.into()).unwrap();
            let (_, finished) = stream.rsplit_once("event: finished\ndata: ").unwrap();
            serde_json::from_str::<Value>(finished).unwrap()["result"].clone()
        };
        let by_tool = async |key: &str| {
            service.tool(Some(key), "execute_python", code.clone()).await["structuredContent"]["result"]
                .clone()
        };
        let of_a = json!({ "keys": ["k"], "value": "of a", "there": true });
        let of_b = json!({ "keys": ["other"], "value": null, "there": false });
        assert_eq!(
            [by_route(&a).await, by_stream(&a).await, by_tool(&a).await],
            [(); 3].map(|()| of_a.clone())
        );
        assert_eq!(
            [by_route(&b).await, by_stream(&b).await, by_tool(&b).await],
            [(); 3].map(|()| of_b.clone())
        );
        let uploaded = json!({ "key": "k", "content": "by its tool" });
        service.tool(Some(&b), "upload_data", uploaded).await;
        let listed = async |key: &str| service.tool(Some(key), "list_data", json!({})).await.to_string();
        assert!(listed(&b).await.contains("other") && !listed(&a).await.contains("other"));
        assert_eq!(service.json_as(&a, "GET", "/get_data/k", "").await.1, json!("of a"));
    })
    .await;
}

#[tokio::test]
async fn a_tenants_own_limits_are_told_as_those_for_everybody_are() {
    let ((a, line_a), (b, line_b)) = (key_of("a", "timeout=2s memory=128m data=3k"), key_of("b", ""));
    with_lines(&(line_a + &line_b), async |service| {
        let (status, answer) =
            service.execute_as(&a, json!({ "code": "", "timeout": 2.5, "memory_mb": 129 })).await;
        let messages: Vec<_> =
            answer["detail"].as_array().unwrap().iter().map(|error| error["msg"].as_str().unwrap()).collect();
        assert_eq!(
            (status, messages),
            (
                StatusCode::UNPROCESSABLE_ENTITY,
                vec!["Input should be less than or equal to 2", "Input should be less than or equal to 128"]
            )
        );
        let within = json!({ "code": "", "timeout": 2, "memory_mb": 128 });
        assert_eq!(service.execute_as(&a, within).await.0, StatusCode::OK);
        // What is not asked for is no more either.
        let (status, answer) = service.execute_as(&a, json!({ "code": "while True: pass" })).await;
        assert_eq!((status, &answer["error"]), (StatusCode::OK, &json!("time limit of 2 s exceeded")));
        let other = json!({ "code": "", "timeout": 2.5, "memory_mb": 129 });
        assert_eq!(service.execute_as(&b, other).await.0, StatusCode::OK);

        let value = json!("x".repeat(1500)).to_string();
        assert_eq!(service.json_as(&a, "POST", "/upload_data/1", &value).await.0, StatusCode::OK);
        let (status, answer) = service.json_as(&a, "POST", "/upload_data/2", &value).await;
        assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE);
        assert_eq!(
            answer["detail"],
            "The tenant's stored data has reached its limit of 3072 bytes: delete some of it"
        );
        assert_eq!(service.json_as(&b, "POST", "/upload_data/2", &value).await.0, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn a_tenant_over_its_rate_is_told_when_to_come_back_and_the_others_are_not_held_up() {
    let ((a, line_a), (b, line_b)) = (key_of("a", "rate=2/m"), key_of("b", ""));
    with_lines(&(line_a + &line_b), async |service| {
        for _ in 0..2 {
            assert_eq!(service.execute_as(&a, json!({ "code": "" })).await.0, StatusCode::OK);
        }
        let by_tool = service.tool(Some(&a), "execute_python", json!({ "code": "" })).await;
        assert!(
            by_tool["isError"] == json!(true) && by_tool.to_string().contains("Try again in"),
            "{by_tool}"
        );
        let streamed = service.send_as(&a, "POST", "/execute_code/stream", r#"{"code": ""}"#).await;
        assert_eq!(streamed.status(), StatusCode::TOO_MANY_REQUESTS);
        let refused = service.send_as(&a, "POST", "/execute_code", "{}").await;
        assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
        let wait: u64 = header(&refused, "retry-after").parse().unwrap();
        assert!((15..=30).contains(&wait), "{wait}");
        let detail = json_of(refused).await.1["detail"].as_str().unwrap().to_owned();
        assert!(detail == "This tenant's executions are limited to 2 a minute", "{detail}");
        // It is executions that are counted.
        assert_eq!(service.json_as(&a, "GET", "/data", "").await.0, StatusCode::OK);
        assert_eq!(service.execute_as(&b, json!({ "code": "" })).await.0, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn a_tenants_executions_at_once_are_those_of_its_line() {
    let (key, line) = key_of("a", "concurrency=1");
    with_places(Some(Keyring::parse(&line).unwrap()), 2, async |service| {
        let run = || service.execute_as(&key, json!({ "code": "import time; time.sleep(15)" }));
        let look = async {
            let mut listed = Vec::new();
            while listed.len() < 2 {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let (_, runs) = service.json_as(&key, "GET", "/executions", "").await;
                listed = runs.as_array().unwrap().clone();
            }
            assert_eq!((&listed[0]["status"], &listed[1]["status"]), (&json!("running"), &json!("queued")));
            for run in listed.iter().rev() {
                let path = format!("/executions/{}", run["id"].as_str().unwrap());
                service.send_as(&key, "DELETE", &path, "").await;
            }
        };
        let (first, second, ()) = tokio::join!(run(), run(), look);
        assert_eq!((&first.1["status"], &second.1["status"]), (&json!("cancelled"), &json!("cancelled")));
    })
    .await;
}
