//! Uploaded data, over real HTTP.

use e2e::Product;
use futures_util::{future::join_all, stream};
use reqwest::{
    Body, StatusCode,
    multipart::{Form, Part},
};
use serde_json::json;

#[tokio::test]
async fn a_large_upload_passes_through_without_being_held() {
    let product = Product::start(&[]).await;
    let before = product.memory("VmRSS");
    let chunk = vec![b'x'; 1 << 20];
    let body = Body::wrap_stream(stream::iter((0..200).map(move |_| Ok::<_, std::io::Error>(chunk.clone()))));
    let upload =
        product.client().post(product.url("/upload_data/large")).header("content-type", "text/plain");
    assert_eq!(upload.body(body).send().await.unwrap().status(), StatusCode::OK);
    let value = product.client().get(product.url("/get_data/large")).send().await.unwrap();
    assert_eq!(value.bytes().await.unwrap().len(), 200 << 20);
    let grown = product.memory("VmHWM").saturating_sub(before);
    assert!(grown < 32 << 20, "{} MiB", grown >> 20);
    product.stop().await;
}

#[tokio::test]
async fn of_fifty_uploads_of_one_key_at_once_one_is_there_whole() {
    let product = Product::start(&[]).await;
    let uploads = (0..50_u8).map(|n| {
        let upload =
            product.client().post(product.url("/upload_data/k")).body(vec![b'A' + n; 100_000 + n as usize]);
        async { upload.send().await.unwrap().status() }
    });
    assert!(join_all(uploads).await.into_iter().all(|status| status == StatusCode::OK));
    let value = product.client().get(product.url("/get_data/k")).send().await.unwrap().bytes().await.unwrap();
    assert_eq!(value, vec![value[0]; 100_000 + (value[0] - b'A') as usize]);
    product.stop().await;
}

#[tokio::test]
async fn a_refused_upload_is_answered_and_not_a_broken_connection() {
    let product = Product::start(&["--max-value-size", "1m", "--data-limit", "2m", "--max-body", "1m"]).await;
    for body in [vec![b'x'; 30 << 20], vec![b'x'; (1 << 20) + 1]] {
        let upload =
            product.client().post(product.url("/upload_data/k")).body(body.clone()).send().await.unwrap();
        assert_eq!(upload.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let execute =
            product.client().post(product.url("/execute_code")).header("content-type", "application/json");
        let execute = execute.body(body).send().await.unwrap();
        assert_eq!(execute.status(), StatusCode::PAYLOAD_TOO_LARGE);
        let detail: serde_json::Value = execute.json().await.unwrap();
        assert_eq!(detail, json!({ "detail": "The request body is over the limit of 1048576 bytes" }));
    }
    let (_, listed) = product.get("/data").await.unwrap();
    assert_eq!(listed, json!([]));
    product.stop().await;
}

#[tokio::test]
async fn a_form_with_a_file_is_taken() {
    let product = Product::start(&[]).await;
    let file = Part::text("a,b\n1,2\n").file_name("a.csv").mime_str("text/csv").unwrap();
    let form = Form::new().part("file", file);
    let upload =
        product.client().post(product.url("/upload_data/sales")).multipart(form).send().await.unwrap();
    assert_eq!(upload.status(), StatusCode::OK);
    let value = product.client().get(product.url("/get_data/sales")).send().await.unwrap();
    assert_eq!(value.headers()["content-type"], "text/csv");
    assert_eq!(value.text().await.unwrap(), "a,b\n1,2\n");
    product.stop().await;
}
