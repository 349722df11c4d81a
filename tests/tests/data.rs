//! Uploaded data, over real HTTP.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

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

async fn upload(product: &Product, key: &str, content_type: &str, body: impl Into<Body>) {
    let upload = product.client().post(product.url(&format!("/upload_data/{key}")));
    let answer = upload.header("content-type", content_type).body(body).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
}

#[tokio::test]
async fn code_reads_uploaded_data_as_values_and_files_that_do_not_come_back() {
    let product = Product::start(&["--pool-size", "1"]).await;
    upload(&product, "settings", "application/json", r#"{"rate": 1.5, "names": ["ä"]}"#).await;
    upload(&product, "sales.csv", "text/csv", "n\n1\n2\n").await;
    let code = "import pandas as pd\n\
                total = int(pd.read_csv(data['sales.csv'])['n'].sum()) * data['settings']['rate']\n\
                names, there = data['settings']['names'], ['x' in data, *data]\n\
                text = data.path('settings').read_text()\n\
                data['x']";
    let run = product.run(code).await;
    assert_eq!((run.status(), run.error()), ("error", "KeyError: 'x'"), "{}", run.body);
    assert_eq!(run.field("files"), &json!([]));
    let run = product.run(code.rsplit_once('\n').unwrap().0).await;
    let result = json!({
        "total": 4.5, "names": ["ä"], "there": [false, "sales.csv", "settings"],
        "text": r#"{"rate": 1.5, "names": ["ä"]}"#
    });
    assert_eq!((run.status(), run.field("result")), ("ok", &result), "{}", run.error());
    product.stop().await;
}

#[tokio::test]
async fn a_run_keeps_what_it_opened_while_it_is_replaced_and_cleared() {
    let product = Product::start(&[]).await;
    upload(&product, "k", "application/json", "1").await;
    upload(&product, "other", "application/json", "0").await;
    // The values go one by one.
    let code = "import time\nfirst = data['k']\nwhile list(data): time.sleep(0.01)\nagain = data['k']";
    let clear = async {
        tokio::time::sleep(std::time::Duration::from_millis(700)).await;
        upload(&product, "k", "application/json", "2").await;
        product.get("/clear_data").await.unwrap();
    };
    let (run, ()) = futures_util::future::join(product.run(code), clear).await;
    let result = json!({ "first": 1, "again": 1 });
    assert_eq!((run.status(), run.field("result")), ("ok", &result), "{}", run.error());
    product.stop().await;
}

#[tokio::test]
async fn two_hundred_mebibytes_reach_code_in_pieces_or_fail_with_what_does_not_fit() {
    let product = Product::start(&["--workspace-size", "256m", "--memory", "640m"]).await;
    let chunk = vec![b'x'; 1 << 20];
    let body = Body::wrap_stream(stream::iter((0..200).map(move |_| Ok::<_, std::io::Error>(chunk.clone()))));
    upload(&product, "large", "text/plain", body).await;
    let before = product.memory("VmRSS");
    let run = product.run("n = data['large'].stat().st_size\nx = data['large'].open('rb').read(3)").await;
    let result = json!({ "n": 200 << 20, "x": "eHh4" });
    assert_eq!((run.status(), run.field("result")), ("ok", &result), "{}", run.error());
    let grown = product.memory("VmHWM").saturating_sub(before);
    assert!(grown < 32 << 20, "{} MiB", grown >> 20);
    let run = product.run("open('rest', 'wb').write(bytes(100 << 20))\ndata['large']").await;
    let error = "OSError: [Errno 28] the uploaded value 'large' of 209715200 bytes does not fit into what is left of the workspace";
    assert_eq!(run.error(), error);
    product.stop().await;
}
