//! The running product against its own OpenAPI document, by schemathesis: requests that it says are right and wrong, and
//! answers that must be those it says.

use std::{path::Path, time::Duration};

use e2e::Product;
use tokio::{process::Command, time::timeout};

#[tokio::test]
async fn schemathesis_finds_nothing() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tools = tests.parent().unwrap().join("target/tools/venv");
    let schemathesis = tools.join("bin/schemathesis");
    assert!(schemathesis.exists(), "{} is missing: scripts/e2e.sh installs it", schemathesis.display());

    let product = Product::start(&["--pool-size", "2"]).await;
    let run = Command::new(schemathesis)
        .args(["--config-file", "schemathesis.toml", "run", "--no-color", &product.url("/openapi.json")])
        .current_dir(tests.join("schemathesis"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("HYPOTHESIS_STORAGE_DIRECTORY", tools.join("hypothesis"))
        .env("NO_PROXY", "127.0.0.1")
        .kill_on_drop(true)
        .output();
    let run = timeout(Duration::from_secs(240), run).await.expect("schemathesis does not end").unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}{}", String::from_utf8_lossy(&run.stderr));
    let (_, summary) = told.split_once("SUMMARY").expect("a summary");
    println!("{summary}");
    product.stop().await;
}
