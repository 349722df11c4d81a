//! Uploaded data, in and out.

use super::*;

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
        assert_eq!(header(&same, "content-length"), "10", "as a 200 would have");
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
            ("Application/JSON ; =x", "{\"a\": ", 400, "The request body is not valid JSON: it ends early"),
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
        for start in ["", "--b\r\nx-long: "] {
            let endless =
                stream::iter([start.to_owned()]).chain(stream::repeat("x".repeat(10_000)).take(100));
            let body = Body::from_stream(endless.map(Ok::<_, std::io::Error>));
            let (status, answer) =
                service.post("/upload_data/k", "multipart/form-data; boundary=b", body).await;
            let detail = json!({ "detail": "The form holds too much beside its file" });
            assert_eq!((status, answer), (StatusCode::BAD_REQUEST, detail));
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
