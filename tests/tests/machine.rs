//! What becomes of the machine: the control plane killed at any moment, its disk full, its clock moved; clients that are slow or
//! leave. The engine's faults are in engine_faults.rs, those of hostile code elsewhere.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{fs, io, os::unix::fs::symlink, path::Path, process::Command, time::Duration};

use e2e::{Product, docker, eventually, product::has_ended};
use futures_util::stream;
use nix::{
    sys::signal::{Signal, kill},
    unistd::geteuid,
};
use reqwest::{Body, StatusCode};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::{Instant, sleep},
};

const MOMENTS: u32 = 20;
const PIECES: u32 = 16;
const PIECE: usize = 256 << 10;

/// One byte all over: torn, it would show.
fn value(life: u32) -> Vec<u8> {
    vec![u8::try_from(life).unwrap(); PIECES as usize * PIECE]
}

/// Uploads a value over about as long as `takes`. True if it was acknowledged.
async fn upload(product: &Product, life: u32, takes: Duration) -> bool {
    let pieces = stream::unfold(0, move |sent| async move {
        if sent == PIECES {
            return None;
        }
        sleep(takes / PIECES).await;
        Some((io::Result::Ok(vec![u8::try_from(life).unwrap(); PIECE]), sent + 1))
    });
    let request = product.client().post(product.url("/upload_data/torn")).body(Body::wrap_stream(pieces));
    request.send().await.is_ok_and(|answer| answer.status() == StatusCode::OK)
}

async fn read(product: &Product, key: &str) -> Vec<u8> {
    let answer = product.client().get(product.url(&format!("/get_data/{key}"))).send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK, "{key}");
    answer.bytes().await.unwrap().to_vec()
}

#[tokio::test]
async fn killed_at_twenty_moments_of_a_run_and_an_upload_it_leaves_no_container_and_every_value_whole() {
    let mut product = Product::start(&[]).await;
    let instance = product.instance();
    let steady = product.client().post(product.url("/upload_data/steady")).body("steady").send();
    assert_eq!(steady.await.unwrap().status(), StatusCode::OK);

    let code = json!({ "code": "import time; time.sleep(0.2); a = list(range(100_000)); n = len(a)" });
    assert!(upload(&product, 0, Duration::ZERO).await);
    let (mut newest, mut undertakers) = (0, Vec::new());
    for life in 1..=MOMENTS {
        let began = Instant::now();
        assert_eq!(product.post(code.clone()).await.status(), "ok");
        let takes = began.elapsed();
        let (after, undertaker) = (takes * life / MOMENTS, product.undertaker());
        let (run, acknowledged, ()) =
            tokio::join!(product.try_post(&code), upload(&product, life, takes), async {
                sleep(after).await;
                product.signal(Signal::SIGKILL);
            });
        if let Ok(run) = run {
            assert!(
                run.http == StatusCode::SERVICE_UNAVAILABLE || run.field("result")["n"] == 100_000,
                "{run:?}"
            );
        }
        // Every fourth time nothing outlives it: what it leaves is the next life's to remove.
        let alone = life % 4 == 0;
        if alone {
            kill(undertaker, Signal::SIGKILL).unwrap();
        }
        undertakers.push(undertaker);
        let folder = product.kill().await;
        if !alone {
            eventually(&format!("no container left after {after:?}"), Duration::from_secs(10), async || {
                docker::containers_of(&instance).await.is_empty()
            })
            .await;
        }
        // Every other time with containers that stand ready.
        let pool = life % 2 * 2;
        product = Product::start_in(folder, &["--pool-size", &pool.to_string(), "--preload", ""]).await;
        eventually("only the pool is there", Duration::from_secs(10), async || {
            docker::containers_of(&instance).await.len() == pool as usize
        })
        .await;
        let torn = read(&product, "torn").await;
        let seen = u32::from(torn[0]);
        assert!(torn == value(seen), "a torn value after {after:?}");
        assert!(seen == life || (seen == newest && !acknowledged), "{seen} after {newest}, {acknowledged}");
        newest = seen;
        assert_eq!(read(&product, "steady").await, b"steady");
        let staged = fs::read_dir(product.data_dir().join("objects")).unwrap().count();
        assert_eq!(staged, 2, "an upload that was cut off is left");
    }
    product.stop().await;
    for undertaker in undertakers {
        has_ended(undertaker).await;
    }
}

/// A small disk; it takes root.
struct Disk(TempDir);

impl Disk {
    fn mount() -> Option<Self> {
        if !geteuid().is_root() {
            e2e::skip("a disk of the test's own takes root");
            return None;
        }
        let disk = Self(tempfile::tempdir().unwrap());
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", "size=4m", "full"]).arg(disk.0.path()).status();
        assert!(mounted.unwrap().success());
        Some(disk)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.0.path()).status();
    }
}

#[tokio::test]
async fn a_full_disk_refuses_uploads_shows_nothing_half_and_stops_nothing_else() {
    let Some(disk) = Disk::mount() else { return };
    let (folder, data) = (tempfile::tempdir().unwrap(), disk.0.path());
    // The product's folder goes with the product, the disk later.
    symlink(data, folder.path().join("data")).unwrap();
    let product = Product::start_in(folder, &[]).await;
    assert_eq!(send(&product, "old", 1 << 20).await.0, StatusCode::OK);
    for key in ["new", "old"] {
        let (status, detail) = send(&product, key, 8 << 20).await;
        assert_eq!(status, StatusCode::INSUFFICIENT_STORAGE, "{detail}");
        assert_eq!(detail, json!({ "detail": "The data disk is full" }));
    }
    let (_, listed) = product.get("/data").await.unwrap();
    assert_eq!(listed.as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(read(&product, "old").await, vec![b'x'; 1 << 20]);
    eventually("what was begun is gone", Duration::from_secs(10), async || {
        fs::read_dir(data.join("objects")).unwrap().count() == 1
    })
    .await;
    // Full to the last byte, also when it starts.
    fs::write(data.join("rest"), vec![0; 4 << 20]).unwrap_err();
    assert_eq!(
        product.run("n = len(open(data['old']).read())").await.field("result"),
        &json!({ "n": 1 << 20 })
    );
    let folder = product.kill().await;
    let product = Product::start_in(folder, &[]).await;
    assert_eq!(read(&product, "old").await, vec![b'x'; 1 << 20]);
    fs::remove_file(data.join("rest")).unwrap();
    assert_eq!(send(&product, "new", 1 << 20).await.0, StatusCode::OK);
    product.stop().await;
}

async fn send(product: &Product, key: &str, size: usize) -> (StatusCode, Value) {
    let upload = product.client().post(product.url(&format!("/upload_data/{key}"))).body(vec![b'x'; size]);
    let answer = upload.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap())
}

/// Debian's libfaketime, which scripts/tools.sh installs where it may.
fn libfaketime() -> Option<&'static str> {
    let found = ["x86_64", "aarch64"]
        .map(|machine| format!("/usr/lib/{machine}-linux-gnu/faketime/libfaketime.so.1"));
    let found = found.into_iter().find(|path| Path::new(path).exists());
    if found.is_none() {
        e2e::skip("there is no libfaketime: scripts/e2e.sh installs it");
    }
    found.map(|path| &*path.leak())
}

#[tokio::test]
async fn a_clock_that_jumps_moves_no_deadline_and_loses_no_value() {
    let Some(library) = libfaketime() else { return };
    let folder = tempfile::tempdir().unwrap();
    let clock = folder.path().join("clock");
    let set = |offset: &str| fs::write(&clock, offset).unwrap();
    set("+0");
    let variables = [
        ("LD_PRELOAD", library),
        ("FAKETIME_TIMESTAMP_FILE", clock.to_str().unwrap()),
        ("FAKETIME_NO_CACHE", "1"),
        ("FAKETIME_DONT_FAKE_MONOTONIC", "1"),
    ];
    let flags = ["--data-ttl", "1h", "--max-executions", "1", "--queue-timeout", "2s", "--pool-size", "1"];
    let start = |folder: TempDir| Product::start_with(folder, &flags, &variables);
    let product = start(folder).await;
    assert_eq!(send(&product, "old", 1).await.0, StatusCode::OK);
    let created = async |key: &str| {
        let (_, listed) = product.get("/data").await.unwrap();
        let of_key = listed.as_array().unwrap().iter().find(|value| value["key"] == key).cloned();
        of_key.map(|value| value["created_at"].as_str().unwrap().to_owned())
    };
    let before = created("old").await.unwrap();

    // A run to its end, a run to its time limit and a wait to its own, while the clock goes a day back and then forth.
    for offset in ["-1d", "+0"] {
        let began = Instant::now();
        let (run, waits, ()) = tokio::join!(
            product.post(json!({ "code": "import time\nwhile True: time.sleep(0.1)", "timeout": 3 })),
            async {
                sleep(Duration::from_millis(500)).await;
                product.run("a = 1").await
            },
            async {
                sleep(Duration::from_secs(1)).await;
                set(offset);
            },
        );
        assert_eq!(run.status(), "timeout");
        assert_eq!(waits.body["detail"], "No execution slot came free within 2 s");
        let took = began.elapsed();
        assert!(took >= Duration::from_secs(3) && took < Duration::from_secs(10), "{took:?}");
        assert_eq!(product.run("a = 1").await.status(), "ok");
    }

    // Set back: what was uploaded is there, and what is uploaded now is the newer.
    set("-1d");
    assert_eq!(read(&product, "old").await, b"x");
    assert_eq!(send(&product, "old", 2).await.0, StatusCode::OK);
    assert_eq!(read(&product, "old").await, b"xx");
    let now = created("old").await.unwrap();
    assert!(now < before, "created {before}, then {now}");
    set("+2h");
    assert_eq!(created("old").await, None, "it has expired");
    assert_eq!(product.get("/get_data/old").await.unwrap().0, StatusCode::NOT_FOUND);
    assert_eq!(product.run("a = 1").await.status(), "ok");
    product.stop().await;
}

/// A connection on which a request is sent by hand.
async fn connect(product: &Product) -> TcpStream {
    TcpStream::connect(product.address()).await.unwrap()
}

/// `POST /execute_code` as it goes over the wire.
fn request(body: &Value) -> Vec<u8> {
    let body = body.to_string();
    let head =
        "POST /execute_code HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/json\r\n";
    format!("{head}Content-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

#[tokio::test]
async fn a_client_that_sends_or_reads_slowly_gets_its_answer_and_keeps_nobody_waiting() {
    let product = Product::start(&["--max-executions", "2", "--pool-size", "1"]).await;
    let slow = async {
        let body = json!({ "code": "a = 'x' * 4_000_000" }).to_string().into_bytes();
        let pieces = stream::unfold(body, |mut rest| async {
            let next = rest.split_off(rest.len().min(2));
            sleep(Duration::from_millis(100)).await;
            (!rest.is_empty()).then_some((io::Result::Ok(rest), next))
        });
        let sent =
            product.client().post(product.url("/execute_code")).header("content-type", "application/json");
        let mut response = sent.body(Body::wrap_stream(pieces)).send().await.unwrap();
        let mut answer = Vec::new();
        while let Some(piece) = response.chunk().await.unwrap() {
            answer.extend_from_slice(&piece);
            sleep(Duration::from_millis(20)).await;
        }
        let answer: Value = serde_json::from_slice(&answer).unwrap();
        assert_eq!(answer["result"]["a"].as_str().map(str::len), Some(4_000_000), "{}", answer["error"]);
        Instant::now()
    };
    let others = async {
        for n in 0..8 {
            let run = product.post(json!({ "code": "a = n", "input_data": { "n": n } })).await;
            assert_eq!(run.field("result"), &json!({ "a": n }));
        }
        Instant::now()
    };
    let (slow_done, others_done) = tokio::join!(slow, others);
    assert!(others_done < slow_done);
    product.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_at_any_stage_takes_its_run_with_it_and_its_turn_is_free() {
    let product = Product::start(&["--max-executions", "1", "--pool-size", "1", "--preload", ""]).await;
    let listed = async |statuses: &[&str]| {
        eventually(&format!("{statuses:?}"), Duration::from_secs(20), async || {
            let (_, all) = product.get("/executions").await.unwrap();
            let all: Vec<_> = all
                .as_array()
                .unwrap()
                .iter()
                .map(|one| one["status"].as_str().unwrap().to_owned())
                .collect();
            all == statuses
        })
        .await;
    };
    let sends = async |body: &Value| {
        let mut connection = connect(&product).await;
        connection.write_all(&request(body)).await.unwrap();
        connection
    };
    let idle = async |stage: &str| {
        listed(&[]).await;
        let run = product.run("a = 1").await;
        assert_eq!(run.field("result"), &json!({ "a": 1 }), "after one that left while {stage}");
    };
    let long = json!({ "code": "import time; time.sleep(60)", "timeout": 100 });

    // Before its request is whole.
    let mut connection = connect(&product).await;
    let whole = request(&long);
    connection.write_all(&whole[..whole.len() - 1]).await.unwrap();
    drop(connection);
    idle("sending its request").await;

    // Queued, and then running.
    let runs = sends(&long).await;
    product.running().await;
    let waits = sends(&long).await;
    listed(&["running", "queued"]).await;
    drop(waits);
    listed(&["running"]).await;
    drop(runs);
    idle("queued or running").await;

    // While a container is leased and the request goes into it.
    let large = json!({ "code": "import time; time.sleep(60)", "timeout": 100, "input_data": { "a": "x".repeat(8 << 20) } });
    for after in [0, 5, 20, 50, 100, 200] {
        let connection = sends(&large).await;
        sleep(Duration::from_millis(after)).await;
        drop(connection);
        idle("sent").await;
    }

    // While results are collected: they take longer than this.
    let collects =
        json!({ "code": "print('x')\nfor n in range(100): open(str(n), 'wb').write(bytes(100_000))" });
    for after in [0, 10, 30, 60, 100] {
        let connection = sends(&collects).await;
        product.running().await;
        sleep(Duration::from_millis(after)).await;
        drop(connection);
        idle("its results were collected").await;
    }

    // With half of the answer read.
    let mut connection = sends(&json!({ "code": "a = 'x' * 4_000_000" })).await;
    connection.read_exact(&mut vec![0; 100_000]).await.unwrap();
    drop(connection);
    idle("reading its answer").await;

    eventually("the pool alone", Duration::from_secs(20), async || product.containers().await.len() == 1)
        .await;
    product.stop().await;
}
