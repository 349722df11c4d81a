//! The running product against its own OpenAPI document, by schemathesis: requests that it says are right and wrong, and
//! answers that must be those it says. tests/schemathesis says what is asked.

use std::{fs, path::Path, time::Duration};

use e2e::{Product, keys::new_key, machine::tool};
use tokio::{process::Command, time::timeout};

#[tokio::test]
async fn schemathesis_finds_nothing() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    // With keys, so that what answers without one is found as well.
    let (key, line) = new_key("schemathesis").await;
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    fs::write(&keys, format!("{} metrics=yes", line.trim())).unwrap();
    let product = Product::start(&["--pool-size", "2", "--api-keys-file", keys.to_str().unwrap()]).await;
    let run = Command::new(tool("schemathesis"))
        .args(["--config-file", "schemathesis.toml", "run", "--no-color", &product.url("/openapi.json")])
        .args(["--header", &format!("Authorization: Bearer {key}")])
        .current_dir(tests.join("schemathesis"))
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("HYPOTHESIS_STORAGE_DIRECTORY", folder.path())
        .env("NO_PROXY", "127.0.0.1")
        .kill_on_drop(true)
        .output();
    let run = timeout(Duration::from_secs(240), run).await.expect("schemathesis does not end").unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}{}", String::from_utf8_lossy(&run.stderr));
    let (_, summary) = told.split_once("SUMMARY").expect("a summary");
    // How much was tried is worth knowing.
    println!("{summary}");
    product.stop().await;
}
