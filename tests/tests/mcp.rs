//! `POST /mcp`, with the official Python client: `tests/mcp/client.py` says what it checks.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{path::Path, process::Stdio, time::Duration};

use e2e::{Product, eventually, keys::new_key, machine::tool};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::Command,
    time::timeout,
};

/// Lets the client do its work; it stays connected after it has cancelled a run, until that is seen to have ended.
async fn speak(product: &Product, mode: &str, key: Option<&str>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut client = Command::new(tool("python"))
        .arg(folder.join("mcp/client.py"))
        .arg(product.url("/mcp"))
        .arg(mode)
        .args(key)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(client.stdout.take().unwrap()).lines();
    let holds = async {
        let mut held = Vec::new();
        while let Some(line) = lines.next_line().await.unwrap() {
            if line == "cancelled" {
                return;
            }
            held.push(line);
        }
        panic!("the client has failed, its traceback is above; what held before: {held:#?}");
    };
    timeout(Duration::from_secs(120), holds).await.unwrap();
    let abandoned = || product.log().contains("abandoned: the client has left");
    eventually("the cancelled run has ended", Duration::from_secs(5), || async { abandoned() }).await;
    client.stdin.take().unwrap().write_all(b"\n").await.unwrap();
    assert!(timeout(Duration::from_secs(30), client.wait()).await.unwrap().unwrap().success());
}

#[tokio::test]
async fn the_official_client_of_today_uses_every_tool() {
    let product = Product::start(&["--pool-size", "2"]).await;
    speak(&product, "auto", None).await;
    product.stop().await;
}

#[tokio::test]
async fn a_client_of_the_older_protocol_uses_every_tool_with_its_key_and_cancels_by_notification() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let (key, line) = new_key("agents").await;
    std::fs::write(&keys, line).unwrap();
    let product = Product::start(&["--api-keys-file", keys.to_str().unwrap(), "--pool-size", "2"]).await;
    speak(&product, "legacy", Some(&key)).await;
    product.stop().await;
}
