//! Containers that stand ready: each serves once, none is missed when it dies, nothing grows, nothing is left.

use std::{collections::HashSet, fs, time::Duration};

use e2e::{
    Product,
    docker::{self, OwnImage},
    eventually,
};
use futures_util::{StreamExt, stream};
use nix::sys::signal::{Signal, kill};
use serde_json::{Value, json};
use tokio::sync::{RwLock, oneshot};

/// Leaves a mark wherever code can, and looks for one that another execution has left.
const MARK: &str = "\
import builtins, glob, os, sys, tempfile
found = [p for p in glob.glob('/workspace/*') + glob.glob('/tmp/mark*') + glob.glob('/dev/shm/*')]
found += [n for n in ('mark',) if hasattr(builtins, n) or hasattr(sys, n) or n in os.environ]
builtins.mark = sys.mark = True
os.environ['mark'] = 'x'
for folder in ('/workspace', '/tmp', '/dev/shm'): open(folder + '/mark', 'w').close()
me = [os.getuid(), open('/proc/1/stat').read().split()[21]]
answer = n * 2";

#[tokio::test]
async fn no_container_runs_two_executions_however_hard_it_is_pressed() {
    let product = Product::start(&["--pool-size", "4", "--max-executions", "4"]).await;
    let started = docker::Events::listen(&product.instance(), "start");
    tokio::time::sleep(Duration::from_millis(500)).await;
    const CALLS: usize = 200;
    let runs = stream::iter(0..CALLS).map(|n| {
        let product = &product;
        async move {
            let run = product.post(json!({ "code": MARK, "input_data": { "n": n } })).await;
            let result = run.field("result").clone();
            assert_eq!((&result["answer"], &result["found"]), (&json!(n * 2), &json!([])), "{}", run.body);
            result["me"].to_string()
        }
    });
    let runners: HashSet<String> = runs.buffer_unordered(8).collect().await;
    assert_eq!(runners.len(), CALLS, "a runner answered twice");
    // The four that stood ready before were started before; so were as many fewer since.
    let containers: HashSet<String> = started.take(CALLS - 4).await.into_iter().collect();
    assert_eq!(containers.len(), CALLS - 4);
    product.stop().await;
}

#[tokio::test]
async fn warm_containers_that_are_killed_during_load_fail_no_request() {
    let product = Product::start(&["--pool-size", "4"]).await;
    // A kill comes between calls, so that none runs in what dies: code that has begun is never begun again. The calls that
    // wait for it lease at once what it has killed.
    let between_calls = RwLock::new(());
    let (killed, all_killed) = oneshot::channel();
    let mut rounds = 0;
    let killing = async {
        while product.log().matches("a container that stood ready has ended").count() < 4 {
            tokio::time::sleep(Duration::from_millis(300)).await;
            let _none_runs = between_calls.write().await;
            let standing = product.containers().await;
            let standing: Vec<_> = standing.iter().map(String::as_str).collect();
            let how = [&["kill"][..], &["rm", "-f"]][rounds % 2];
            rounds += 1;
            // Some of them may be going already.
            docker::try_docker(&[how, &standing].concat()).await;
        }
        killed.send(()).unwrap();
    };
    let calling = stream::iter(0_u64..).take_until(all_killed).for_each_concurrent(2, |n| {
        let (product, between_calls) = (&product, &between_calls);
        async move {
            let runs = between_calls.read().await;
            let run = product.post(json!({ "code": "x = n", "input_data": { "n": n } })).await;
            assert_eq!(run.field("result"), &json!({ "x": n }), "{}", run.body);
            drop(runs);
            // So slowly that a slow engine has some standing ready, too.
            tokio::time::sleep(Duration::from_millis(600)).await;
        }
    });
    tokio::join!(killing, calling);
    product.stop().await;
}

#[tokio::test]
async fn a_burst_far_beyond_the_pool_is_answered_whole_and_the_pool_comes_back() {
    let product = Product::start(&["--pool-size", "3", "--queue-size", "100", "--queue-timeout", "5m"]).await;
    let runs = (0..40_u64).map(|n| {
        let product = &product;
        async move {
            let run = product.post(json!({ "code": "x = n", "input_data": { "n": n } })).await;
            assert_eq!(run.field("result"), &json!({ "x": n }), "{}", run.body);
        }
    });
    futures_util::future::join_all(runs).await;
    product.warm(2).await;
    eventually("nothing but the pool is left", Duration::from_secs(10), || async {
        product.containers().await.len() == 3
    })
    .await;
    product.stop().await;
}

#[tokio::test]
async fn another_amount_of_memory_holds_with_a_pool_too() {
    let product = Product::start(&["--pool-size", "2"]).await;
    let fill = "b = bytearray(size << 20)\nn = len(b) >> 20\ndel b";
    for (memory_mb, size, status) in
        [(128, 64, "ok"), (128, 200, "memory_limit"), (1024, 700, "ok"), (1024, 1200, "memory_limit")]
    {
        let body = json!({ "code": fill, "memory_mb": memory_mb, "input_data": { "size": size } });
        let run = product.post(body).await;
        assert_eq!(run.status(), status, "{memory_mb} MiB, {size} MiB: {}", run.body);
        if status == "memory_limit" {
            assert_eq!(
                run.error(),
                format!("memory limit of {} exceeded", if memory_mb == 1024 { "1 GiB" } else { "128 MiB" })
            );
        }
    }
    product.stop().await;
}

#[tokio::test]
async fn a_control_plane_that_dies_leaves_no_running_container_of_its_pool() {
    let product = Product::start(&["--pool-size", "3"]).await;
    let instance = product.instance();
    assert_eq!(product.containers().await.len(), 3);
    // Or it would remove them before the next start does.
    kill(product.undertaker(), Signal::SIGKILL).unwrap();
    let folder = product.kill().await;
    let filter = format!("label=code-sandbox.instance={instance}");
    eventually("they end by themselves", Duration::from_secs(10), || async {
        docker::docker(&["ps", "-q", "--filter", &filter]).await.is_empty()
    })
    .await;
    let product = Product::start_in(folder, &["--pool-size", "1"]).await;
    eventually("the old ones are gone", Duration::from_secs(10), || async {
        product.containers().await.len() == 1
    })
    .await;
    product.stop().await;
}

#[tokio::test]
async fn a_pool_that_cannot_be_filled_says_so_and_recovers() {
    let image = OwnImage::tag().await;
    let product = Product::start(&["--pool-size", "2", "--image", image.name()]).await;
    let begun = product.begin(&json!({ "code": "import time; time.sleep(3); x = 2" }));
    product.running().await;
    image.untag().await;
    // What stands ready still serves, and what runs is not touched.
    assert_eq!(product.run("x = 1").await.status(), "ok");
    let begun: Value = begun.await.unwrap().unwrap().json().await.unwrap();
    assert_eq!(begun["result"], json!({ "x": 2 }), "{begun}");
    eventually("it is unhealthy", Duration::from_secs(20), || async {
        let (status, body) = product.get("/health").await.unwrap();
        status == 503
            && body["message"]
                .as_str()
                .unwrap()
                .contains("is missing on the Docker engine: build it with `make images`")
    })
    .await;
    // Two stood ready: of these calls one comes too late.
    let mut last = product.run("x = 1").await;
    if last.http == 200 {
        last = product.run("x = 1").await;
    }
    assert!(last.http == 503 && last.headers.contains_key("retry-after"), "{last:?}");
    image.tag_again().await;
    eventually("it is healthy again", Duration::from_secs(30), || async {
        product.get("/health").await.unwrap().0 == 200
    })
    .await;
    product.stop().await;
}

#[tokio::test]
async fn what_fails_only_when_it_is_started_is_told_as_ours_and_tried_ever_more_rarely() {
    let image = OwnImage::tag().await;
    let flags = ["--pool-size", "2", "--preload", "", "--image", image.name()];
    let product = Product::start(&flags).await;
    let folder = tempfile::tempdir().unwrap();
    // The engine creates a container of it.
    let dockerfile = "ARG RUNNER\nFROM ${RUNNER}\nENTRYPOINT [\"/nothing\"]\n";
    fs::write(folder.path().join("Dockerfile"), dockerfile).unwrap();
    image.rebuild(folder.path()).await;
    let broken = docker::docker(&["images", "-q", image.name()]).await;
    for container in product.containers().await {
        docker::docker(&["kill", &container]).await;
    }
    eventually("it is unhealthy", Duration::from_secs(20), async || {
        let (status, body) = product.get("/health").await.unwrap();
        status == 503
            && body["message"].as_str().unwrap().contains("the Docker engine refused to start a container")
    })
    .await;
    // Two at a time, and by then 3 to 10 s between.
    tokio::time::sleep(Duration::from_secs(8)).await;
    let failures = || product.log().matches("container could not be started").count();
    let before = failures();
    tokio::time::sleep(Duration::from_secs(10)).await;
    let tried = failures() - before;
    assert!((1..=6).contains(&tried), "{tried} in ten seconds");
    let run = product.run("x = 1").await;
    assert!(run.http == 503 && run.headers.contains_key("retry-after"), "{run:?}");
    assert_eq!(run.body["detail"], "No container could be started: try again later, /health says why");
    image.tag_again().await;
    eventually("it is healthy again", Duration::from_secs(30), async || {
        product.get("/health").await.unwrap().0 == 200
    })
    .await;
    assert_eq!(product.run("x = 1").await.field("result"), &json!({ "x": 1 }));
    product.stop().await;
    docker::docker(&["rmi", broken.trim()]).await;
}
