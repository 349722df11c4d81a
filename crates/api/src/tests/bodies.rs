//! Bodies that are too large, too slow or too many.

use super::*;

#[tokio::test]
async fn a_body_over_its_limit_is_refused_with_and_without_a_length() {
    with_service(async |service| {
        let detail = json!({ "detail": "The request body is over the limit of 50000 bytes" });
        for body in [
            Body::from(vec![b' '; 50_001]),
            Body::from_stream(stream::repeat_with(|| Ok::<_, std::io::Error>("x".repeat(20_000))).take(3)),
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
async fn more_large_bodies_at_once_than_there_is_memory_for_are_refused() {
    with_service(async |service| {
        let slow = || {
            let body = stream::iter([" ".repeat(40_000), String::new()]).then(async |part| {
                tokio::time::sleep(Duration::from_millis(100)).await;
                Ok::<_, std::io::Error>(part)
            });
            service.post("/execute_code", "application/json", Body::from_stream(body))
        };
        let answers = tokio::join!(slow(), slow(), slow());
        let mut statuses = [answers.0.0, answers.1.0, answers.2.0].map(|status| status.as_u16());
        statuses.sort_unstable();
        // Of each all but 16 KiB count, and there are 24: the first is let in, and found to be no JSON.
        assert_eq!(statuses, [400, 503, 503]);
        assert_eq!(service.execute(json!({ "code": "" })).await.0, StatusCode::OK);
    })
    .await;
}

#[tokio::test]
async fn bodies_that_are_announced_and_do_not_come_keep_nobody_out() {
    with_service(async |service| {
        let idle = || {
            let request = Request::post("/execute_code")
                .header("content-type", "application/json")
                .header("content-length", "40000")
                .body(Body::from_stream(stream::pending::<Result<String, std::io::Error>>()));
            service.send(request.unwrap())
        };
        let other = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            service.post("/upload_data/k", "text/plain", "x").await;
            service.execute(json!({ "code": "", "stdin": "x".repeat(30_000) })).await.0
        };
        let (first, second, other) = tokio::join!(idle(), idle(), other);
        assert_eq!([first.status(), second.status()], [StatusCode::REQUEST_TIMEOUT; 2]);
        assert_eq!(other, StatusCode::OK);
    })
    .await;
}
