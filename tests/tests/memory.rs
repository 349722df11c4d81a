//! The control plane's memory while user code does its worst: eight floods, eight giant results and eight giant sets of files,
//! all at once.

use std::time::Duration;

use e2e::Product;
use futures_util::future::join_all;
use serde_json::json;
use tokio::time::sleep;

/// Each waits for all the others to be started, so that they really come at once, and tells whether it was in time.
const TOGETHER: &str =
    "import os, time\nready = time.time() < start\nwhile time.time() < start: time.sleep(0.001)\n";
const FLOOD: &str = "print(ready)\nwhile True: print('x' * 10_000)";
const RESULT: &str = "n = ['x' * 1_000] * 8_000";
const FILES: &str = "for n in range(16): open(str(n), 'wb').write(os.urandom((1 << 20) - 1))";
const FILE: &str = "open('one', 'wb').write(os.urandom((16 << 20) - 1))";

#[tokio::test]
async fn eight_floods_eight_giant_results_and_eight_giant_files_at_once_stay_within_128_mebibytes() {
    // The crowd is in at once, not one after the other.
    let product =
        Product::start(&["--max-executions", "24", "--memory", "192m", "--workspace-size", "64m"]).await;
    let start =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs_f64() + 30.0;
    let runs = (0..24).map(|n| {
        let code = [FLOOD, RESULT, if n % 2 == 0 { FILES } else { FILE }][n % 3];
        let body =
            json!({ "code": format!("{TOGETHER}{code}"), "timeout": 120, "input_data": { "start": start } });
        let product = &product;
        async move {
            let run = product.post(body).await;
            let returned = run.body["result"]["n"].as_array().map_or(0, Vec::len);
            let files: u64 = run
                .field("files")
                .as_array()
                .unwrap()
                .iter()
                .map(|file| file["size"].as_u64().unwrap())
                .sum();
            let ready = run.body["result"]["ready"] == true || run.stdout().starts_with("True\n");
            assert!(ready, "code {n} was not there when the others were: {}", run.error());
            match n % 3 {
                0 => assert_eq!((run.status(), run.stdout().len()), ("output_limit", 1 << 20)),
                1 => assert_eq!((run.status(), returned), ("ok", 8_000)),
                _ => assert!(run.status() == "ok" && files > 15 << 20, "{files} bytes, {}", run.error()),
            }
        }
    });
    let (_, peak) = with_peak(&product, join_all(runs)).await;
    assert!(peak < 128 << 20, "{} MiB", peak >> 20);
    product.stop().await;
}

#[tokio::test]
async fn millions_of_values_that_agents_send_and_get_are_never_a_tree_of_them() {
    let product = Product::start(&[]).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let ask = async |message: String| {
        let request = client.post(product.url("/mcp")).header("content-type", "application/json");
        let answer = request.header("accept", "application/json, text/event-stream").body(message).send();
        let answer = answer.await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    };
    let message = |method: &str, params: &str| {
        format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#)
    };
    let call = |code: &str, input: &str| {
        let arguments = format!(r#"{{"code":"{code}","input_data":{{"a":{input}}}}}"#);
        message("tools/call", &format!(r#"{{"name":"execute_python","arguments":{arguments}}}"#))
    };
    let numbers = format!("[{}1]", "1,".repeat(4 << 20));
    let all = async {
        let (status, text) = ask(message("ping", &format!(r#"{{"a":{numbers}}}"#))).await;
        assert_eq!(status, 413, "{text}");
        let (status, text) = ask(call("n = len(a)", &numbers)).await;
        assert!(status == 200 && text.contains(r#""result":{"n":4194305}"#), "{status} {text:.300}");
        let (status, text) = ask(call("x = [{'a': 1}] * 200000", "1")).await;
        assert!(status == 200 && text.contains("too large for structured content"), "{status} {text:.300}");
    };
    let ((), peak) = with_peak(&product, all).await;
    assert!(peak < 128 << 20, "{} MiB", peak >> 20);
    product.stop().await;
}

/// The most memory that the control plane has taken meanwhile, bytes.
async fn with_peak<T>(product: &Product, work: impl Future<Output = T>) -> (T, u64) {
    let mut peak = 0;
    let watch = async {
        loop {
            // Without the pages of the binary itself, which in a debug build are tens of MiB.
            peak = peak.max(product.memory("RssAnon"));
            sleep(Duration::from_millis(1)).await;
        }
    };
    let done = tokio::select! {
        done = work => done,
        () = watch => unreachable!(),
    };
    (done, peak)
}
