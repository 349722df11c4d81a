//! Answers that nobody reads.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use e2e::{Product, eventually};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};

/// Sends a request and reads the status alone.
async fn ask(product: &Product, code: &str) -> (TcpStream, String) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = product.address().parse().unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let body = json!({ "code": code }).to_string();
    let head = format!(
        "POST /execute_code HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all((head + &body).as_bytes()).await.unwrap();
    let mut status = [0; 12];
    stream.read_exact(&mut status).await.unwrap();
    (stream, String::from_utf8(status[9..].to_vec()).unwrap())
}

#[tokio::test]
async fn large_answers_that_nobody_reads_have_a_limit_together_and_small_ones_still_come() {
    let limits =
        ["--files-limit", "8m", "--figures-limit", "1k", "--result-limit", "1m", "--output-limit", "1k"];
    let product = Product::start(&[&limits[..], &["--max-executions", "1"]].concat()).await;
    let large = "open('large', 'wb').write(bytes(8_000_000))";
    let before = product.memory("VmRSS");
    let (mut unread, mut refused) = (Vec::new(), 0);
    for _ in 0..9 {
        let (stream, status) = ask(&product, large).await;
        match status.as_str() {
            "200" => unread.push(stream),
            "503" => refused += 1,
            other => panic!("{other}"),
        }
    }
    // Room for five of the largest, about 12 MiB each.
    assert!(unread.len() >= 4 && refused >= 2, "{} unread, {refused} refused", unread.len());
    let grown = product.memory("VmRSS").saturating_sub(before);
    assert!(grown < 160 << 20, "{} MiB", grown >> 20);
    assert_eq!(product.run("x = 1").await.status(), "ok");
    drop(unread);
    eventually("a large answer comes again", Duration::from_secs(10), || async {
        product.run(large).await.http.is_success()
    })
    .await;
    product.stop().await;
}
