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
    let mut peak = 0;
    let watch = async {
        loop {
            // Without the pages of the binary itself, which in a debug build are tens of MiB.
            peak = peak.max(product.memory("RssAnon"));
            sleep(Duration::from_millis(1)).await;
        }
    };
    tokio::select! {
        _ = join_all(runs) => {}
        () = watch => unreachable!(),
    }
    println!("at most {} MiB, {} MiB at the end", peak >> 20, product.memory("RssAnon") >> 20);
    assert!(peak < 128 << 20, "{} MiB", peak >> 20);
    product.stop().await;
}
