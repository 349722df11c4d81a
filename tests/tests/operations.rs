//! The life of the service: start, mistakes at the start, the end, sudden death.

use std::time::Duration;

use e2e::{
    Product,
    docker::{self, OwnImage},
    eventually,
    machine::free_port,
    product::{has_ended, run_binary, start_binary, undertaker_of},
};
use futures_util::future::join_all;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::{Client, StatusCode};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    task::JoinHandle,
    time::timeout,
};

/// The exit status of a start that must fail, and what it prints.
#[expect(clippy::unwrap_used, reason = "part of a test")]
async fn failing_start(flags: &[&str]) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let mut given = vec!["--listen", "127.0.0.1:0", "--log-format", "text"];
    if !flags.contains(&"--data-dir") {
        given.extend(["--data-dir", data.to_str().unwrap()]);
    }
    given.extend(flags);
    let output = run_binary(&given).await;
    if let Ok(instance) = std::fs::read_to_string(data.join("instance-id")) {
        assert_eq!(
            docker::containers_of(instance.trim()).await,
            Default::default(),
            "left behind: {flags:?}"
        );
    }
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[tokio::test]
async fn a_start_that_cannot_succeed_says_why_in_one_line_and_what_to_do() {
    for (flags, texts) in [
        (["--image", "no-such-image:1"], ["the image no-such-image:1 is missing", "make images"]),
        (
            ["--docker-host", "unix:///nowhere/docker.sock"],
            ["unix:///nowhere/docker.sock cannot be reached", "is it running"],
        ),
        (["--docker-host", "tcp://127.0.0.1:9"], ["tcp://127.0.0.1:9 cannot be reached", "is it running"]),
        (["--runtime", "no-such-runtime"], ["refused to", "no-such-runtime"]),
        (["--cpus", "1000"], ["refused to create a container", "CPUs"]),
        (["--image", "debian:trixie-slim"], ["the service cannot run", "runner"]),
    ] {
        let (status, log) = failing_start(&flags).await;
        assert_eq!(status, Some(1), "{flags:?}: {log}");
        let errors: Vec<_> = log.lines().filter(|line| line.contains("ERROR")).collect();
        assert_eq!(errors.len(), 1, "{log}");
        assert!(texts.iter().all(|text| errors[0].contains(text)), "{flags:?}: {}", errors[0]);
    }
    let (status, log) = failing_start(&["--memory", "1g", "--workspace-size", "1g"]).await;
    assert_eq!(status, Some(2), "{log}");
    assert!(log.contains("--workspace-size"), "{log}");
}

/// An engine that says this, by method and path, until it is aborted; its address.
#[expect(clippy::unwrap_used, reason = "part of a test")]
async fn engine_that_says(answer: fn(&str) -> &'static str) -> (String, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let host = format!("tcp://{}", listener.local_addr().unwrap());
    let serving = tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut request = [0; 65_536];
            let read = stream.read(&mut request).await.unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let body = answer(request.lines().next().unwrap_or_default());
            let head =
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length:";
            stream.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await.unwrap();
        }
    });
    (host, serving)
}

#[tokio::test]
async fn a_container_that_the_engine_would_isolate_less_than_asked_is_refused() {
    let (host, engine) = engine_that_says(|request| match request {
        _ if request.contains("/info") => {
            r#"{"MemoryLimit":true,"SwapLimit":true,"PidsLimit":true,"CpuCfsQuota":true,"NCPU":2}"#
        }
        _ if request.contains("/create") => {
            r#"{"Id":"x","Warnings":["Your kernel does not support swap limit capabilities"]}"#
        }
        _ if request.contains("/containers/json") => "[]",
        _ => r#"{"Id":"sha256:x"}"#,
    })
    .await;
    let (status, log) = failing_start(&["--docker-host", &host]).await;
    assert_eq!(status, Some(1), "{log}");
    let told =
        "the Docker engine cannot apply every isolation setting: Your kernel does not support swap limit";
    assert!(log.contains(told), "{log}");
    engine.abort();
}

#[tokio::test]
async fn an_engine_that_can_set_no_limits_is_refused_also_where_it_would_not_warn() {
    // As a rootless one without cgroups says of itself.
    let (host, engine) = engine_that_says(
        |_| r#"{"MemoryLimit":false,"SwapLimit":false,"PidsLimit":false,"CpuCfsQuota":true,"NCPU":2}"#,
    )
    .await;
    let (status, log) = failing_start(&["--docker-host", &host]).await;
    assert_eq!(status, Some(1), "{log}");
    assert!(
        log.contains("the engine cannot limit memory, swap, processes, which the sandbox rests on"),
        "{log}"
    );
    engine.abort();
}

#[tokio::test]
async fn sigterm_lets_running_executions_finish_and_refuses_new_ones() {
    let mut product = Product::start(&[]).await;
    let instance = product.instance();
    let running = product.begin(&json!({ "code": "import time; time.sleep(2); a = 1" }));
    product.running().await;
    product.signal(Signal::SIGTERM);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let refused = product.run("a = 1").await;
    assert_eq!(refused.http, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(refused.body, json!({ "detail": "The service is shutting down" }));
    let post = |path: &str| product.client().post(product.url(path));
    let streamed = post("/execute_code/stream").json(&json!({ "code": "a = 1" })).send().await.unwrap();
    assert_eq!(streamed.status(), StatusCode::SERVICE_UNAVAILABLE);
    let call = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
                       "params": { "name": "execute_python", "arguments": { "code": "a = 1" } } });
    let called =
        post("/mcp").header("accept", "application/json, text/event-stream").json(&call).send().await;
    let called: serde_json::Value = called.unwrap().json().await.unwrap();
    assert_eq!(called["result"]["isError"], json!(true), "{called}");
    let told = called["result"]["content"][0]["text"].as_str().unwrap();
    assert!(told.starts_with("The service is shutting down. Try again in"), "{told}");
    let answer: serde_json::Value = running.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(answer["result"], json!({ "a": 1 }));
    assert!(product.wait(Duration::from_secs(20)).await.success());
    assert!(docker::containers_of(&instance).await.is_empty());
}

#[tokio::test]
async fn sigterm_lets_an_upload_that_has_begun_come_to_its_end_unless_a_second_one_hurries() {
    for hurried in [false, true] {
        let mut product = Product::start(&["--pool-size", "0"]).await;
        let mut client = TcpStream::connect(product.address()).await.unwrap();
        let head = "POST /upload_data/k HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n1";
        client.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_millis(300)).await;
        product.signal(Signal::SIGTERM);
        tokio::time::sleep(Duration::from_millis(500)).await;
        if hurried {
            product.signal(Signal::SIGTERM);
        }
        // Longer than who hurries waits.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let mut answer = String::new();
        // Who is gone takes nothing any more.
        let _ = client.write_all(b"2").await;
        let _ = client.read_to_string(&mut answer).await;
        assert_eq!(answer.starts_with("HTTP/1.1 200"), !hurried, "{answer}");
        assert!(product.wait(Duration::from_secs(5)).await.success());
    }
}

#[tokio::test]
async fn while_it_drains_health_is_bad_who_waits_is_sent_away_and_what_stands_ready_goes() {
    let mut product = Product::start(&["--max-executions", "1", "--pool-size", "2"]).await;
    let instance = product.instance();
    let run = |code: &str| product.begin(&json!({ "code": code }));
    let running = run("import time; time.sleep(4); a = 1");
    tokio::time::sleep(Duration::from_secs(1)).await;
    let waiting = run("a = 2");
    tokio::time::sleep(Duration::from_millis(500)).await;
    product.signal(Signal::SIGTERM);
    let refused = waiting.await.unwrap().unwrap();
    assert_eq!(refused.status(), StatusCode::SERVICE_UNAVAILABLE);
    assert!(refused.headers().contains_key("retry-after"));
    let (status, health) = product.get("/health").await.unwrap();
    assert_eq!((status, &health["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("unhealthy")));
    assert!(!running.is_finished(), "the running execution goes on");
    let answer: serde_json::Value = running.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(answer["result"], json!({ "a": 1 }));
    assert!(product.wait(Duration::from_secs(20)).await.success());
    assert!(docker::containers_of(&instance).await.is_empty());
}

#[tokio::test]
async fn a_check_proves_every_promise_beside_a_running_service_of_the_same_flags_and_leaves_nothing() {
    let product = Product::start(&["--pool-size", "1"]).await;
    let image = OwnImage::tag().await;
    let standing = product.containers().await;
    let data = product.data_dir();
    let address = product.address();
    let flags = ["--image", image.name(), "--data-dir", data.to_str().unwrap(), "--listen", &address];
    let output = run_binary(&[&flags[..], &["--max-executions", "1", "check"]].concat()).await;
    let table = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(0), "{table}");
    assert!(table.lines().count() >= 19 && table.ends_with("are ok\n"), "{table}");
    for promise in [
        "a run",
        "no network",
        "read-only root",
        "memory limit",
        "time limit",
        "output limit",
        "nothing left",
    ] {
        assert!(
            table.lines().any(|line| line.starts_with(&format!("ok      {promise} "))),
            "{promise}: {table}"
        );
    }
    assert_eq!(image.containers().await, 0);
    assert_eq!(product.containers().await, standing);
    assert_eq!(product.run("a = 1").await.field("result"), &json!({ "a": 1 }));
    product.stop().await;
}

#[tokio::test]
async fn a_check_that_is_killed_leaves_no_container() {
    let (folder, image) = (tempfile::tempdir().unwrap(), OwnImage::tag().await);
    let flags = ["--image", image.name(), "--data-dir", folder.path().to_str().unwrap()];
    let mut check = start_binary(&[&flags[..], &["check"]].concat());
    eventually("it runs something", Duration::from_secs(20), async || image.containers().await > 0).await;
    let undertaker = undertaker_of(check.id().unwrap().try_into().unwrap());
    check.kill().await.unwrap();
    has_ended(undertaker).await;
    assert_eq!(image.containers().await, 0);
}

#[tokio::test]
async fn a_check_of_what_cannot_work_says_what_and_fails() {
    for (wrong, row, untried) in [
        (
            ["--image", "no-such-image:1"],
            "FAILED  image              the image no-such-image:1 is missing",
            true,
        ),
        (["--runtime", "no-such-runtime"], "FAILED  a run              the Docker engine refused to", true),
        (
            ["--preload", "no_such_module"],
            "FAILED  preloaded modules  ended as 'error': ModuleNotFoundError",
            false,
        ),
    ] {
        let folder = tempfile::tempdir().unwrap();
        let flags = ["--data-dir", folder.path().to_str().unwrap()];
        let output = run_binary(&[&flags[..], &wrong, &["check"]].concat()).await;
        let table = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{table}");
        let failed: Vec<_> = table.lines().filter(|line| line.starts_with("FAILED")).collect();
        assert!(failed.len() == 1 && failed[0].starts_with(row), "{row}: {table}");
        assert_eq!(table.ends_with("the rest was not tried\n"), untried, "{table}");
    }
}

#[tokio::test]
async fn what_outlasts_the_drain_is_cancelled_and_a_second_signal_hurries() {
    for (flags, signals) in [(["--drain-timeout", "1s"], 1), (["--drain-timeout", "1h"], 2)] {
        let mut product = Product::start(&flags).await;
        let instance = product.instance();
        let code = "print('a')\nimport time; time.sleep(60)";
        let running = product.begin(&json!({ "code": code, "timeout": 100 }));
        product.running().await;
        // It has printed by then.
        tokio::time::sleep(Duration::from_secs(1)).await;
        for _ in 0..signals {
            product.signal(Signal::SIGINT);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let answer: serde_json::Value = running.await.unwrap().unwrap().json().await.unwrap();
        assert_eq!((&answer["status"], &answer["stdout"]), (&json!("cancelled"), &json!("a\n")));
        assert!(product.wait(Duration::from_secs(20)).await.success());
        assert!(docker::containers_of(&instance).await.is_empty());
    }
}

#[tokio::test]
async fn after_sigkill_the_containers_end_by_themselves_the_next_start_removes_them_and_data_is_there() {
    let product = Product::start(&["--max-executions", "4"]).await;
    let instance = product.instance();
    for n in 0..20_u32 {
        let upload = product.client().post(product.url(&format!("/upload_data/k{n}")));
        assert_eq!(upload.body(n.to_string()).send().await.unwrap().status(), StatusCode::OK);
    }
    let runs: Vec<_> =
        (0..4).map(|_| product.begin(&json!({ "code": "while True: pass", "timeout": 300 }))).collect();
    eventually("four run", Duration::from_secs(20), || async { product.containers().await.len() == 4 }).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    // Or it would remove them before the next start does.
    kill(product.undertaker(), Signal::SIGKILL).unwrap();
    let folder = product.kill().await;
    join_all(runs).await;

    let running = async || {
        let filter = format!("label=code-sandbox.instance={instance}");
        docker::docker(&["ps", "-q", "--filter", &filter]).await
    };
    eventually("they end by themselves", Duration::from_secs(10), || async { running().await.is_empty() })
        .await;

    let product = Product::start_in(folder, &[]).await;
    assert_eq!(product.instance(), instance);
    product.no_containers(Duration::from_secs(10)).await;
    for n in 0..20_u32 {
        let value = product.client().get(product.url(&format!("/get_data/k{n}"))).send().await.unwrap();
        assert_eq!(value.text().await.unwrap(), n.to_string());
    }
    product.stop().await;
}

#[tokio::test]
async fn two_control_planes_on_one_engine_do_not_touch_each_others_containers() {
    let flags = ["--pool-size", "2", "--preload", ""];
    let first = Product::start(&flags).await;
    let running = first.begin(&json!({ "code": "import time; time.sleep(100)", "timeout": 100 }));
    let id = first.running().await;
    first.warm(2).await;
    let of_first = first.containers().await;
    assert_eq!(of_first.len(), 3);
    let second = Product::start(&flags).await;
    assert_ne!(first.instance(), second.instance());
    assert_eq!(second.run("a = 2").await.field("result"), &json!({ "a": 2 }));
    // Whatever of the second clears up behind it: its undertaker, the sweep of its next start, its drain.
    let undertaker = second.undertaker();
    let second = Product::start_in(second.kill().await, &flags).await;
    has_ended(undertaker).await;
    second.stop().await;
    assert_eq!(first.containers().await, of_first);
    first.client().delete(first.url(&format!("/executions/{id}"))).send().await.unwrap();
    let answer: serde_json::Value = running.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(answer["status"], json!("cancelled"));
    first.stop().await;
}

#[tokio::test]
async fn a_connection_that_says_nothing_or_never_ends_its_headers_is_closed() {
    let product = Product::start(&[]).await;
    let address = product.address();
    let closes = async |said: &str| {
        let mut connection = TcpStream::connect(&address).await.unwrap();
        connection.write_all(said.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        timeout(Duration::from_secs(30), connection.read_to_end(&mut answer)).await.is_ok()
    };
    let all =
        tokio::join!(closes(""), closes("P"), closes("PRI * HTTP/2"), closes("GET / HTTP/1.1\r\nA: b\r\n"));
    assert_eq!(all, (true, true, true, true));
    product.stop().await;
}

#[tokio::test]
async fn a_log_that_nobody_reads_keeps_neither_requests_nor_the_end_waiting() {
    let (folder, address) = (tempfile::tempdir().unwrap(), format!("127.0.0.1:{}", free_port()));
    let data = folder.path().join("data");
    let flags = ["--listen", &address, "--data-dir", data.to_str().unwrap(), "--pool-size", "1"];
    // Its stderr is a pipe, which nobody reads.
    let mut service = start_binary(&[&flags[..], &["--log-level", "debug"]].concat());
    let client = Client::builder().no_proxy().timeout(Duration::from_secs(10)).build().unwrap();
    let live = async || client.get(format!("http://{address}/health/live")).send().await;
    eventually("it answers", Duration::from_secs(60), async || live().await.is_ok()).await;
    // More lines than wait for a reader, and than the pipe holds.
    for _ in 0..100 {
        let answers = join_all((0..100).map(|_| live())).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap().status() == StatusCode::OK));
    }
    let code = client.post(format!("http://{address}/execute_code")).json(&json!({ "code": "a = 1" }));
    assert_eq!(code.timeout(Duration::from_secs(60)).send().await.unwrap().status(), StatusCode::OK);

    let instance = std::fs::read_to_string(data.join("instance-id")).unwrap();
    kill(Pid::from_raw(service.id().unwrap().try_into().unwrap()), Signal::SIGTERM).unwrap();
    assert!(timeout(Duration::from_secs(20), service.wait()).await.unwrap().unwrap().success());
    assert!(docker::containers_of(instance.trim()).await.is_empty());
}

#[tokio::test]
async fn a_data_folder_serves_one_control_plane() {
    let product = Product::start(&[]).await;
    let (status, log) = failing_start(&["--data-dir", product.data_dir().to_str().unwrap()]).await;
    assert_eq!(status, Some(1), "{log}");
    assert!(log.contains("is in use by another control plane"), "{log}");
    product.stop().await;
}
