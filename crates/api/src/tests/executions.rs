//! What waits and runs: listed, cancelled, left.

use super::*;

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
