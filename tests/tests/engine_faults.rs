//! What becomes of the engine under load: stopped, killed, restarted, frozen, full. An engine of the test's own, so as root; one
//! test, because the engine takes half a minute to load the image.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::time::Duration;

use e2e::{Product, docker, engine::OwnEngine, eventually, product::has_ended};
use nix::sys::signal::Signal;
use reqwest::{Client, StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};
use tokio::{
    sync::watch,
    task::JoinSet,
    time::{Instant, sleep},
};

const POOL: usize = 3;
/// What a caller is promised when and while the engine is away.
const TOLD_WITHIN: Duration = Duration::from_secs(2);
/// Those who come all the time meet an engine that starts again and does not answer yet: on a loaded machine that takes longer.
const LOADED: Duration = Duration::from_secs(1);
/// One that hangs is given time to answer, and those who came before wait for it too; most for one that had a container, and whose code
/// was just to start.
const HANGS_FOR: Duration = Duration::from_secs(16);
const RECOVERS_WITHIN: Duration = Duration::from_secs(30);

/// Callers that go on whatever happens; each answer is the right one, or says that the service has lost the run.
struct Load {
    callers: JoinSet<Account>,
    stop: watch::Sender<bool>,
}

/// What they were told.
#[derive(Default)]
struct Account {
    right: usize,
    told: usize,
    /// After which time at most they were told to come back.
    told_within: Duration,
}

impl Load {
    fn begin(product: &Product) -> Self {
        let (stop, stopped) = watch::channel(false);
        let mut callers = JoinSet::new();
        for caller in 0..4_u64 {
            let (url, stopped) = (product.url("/execute_code"), stopped.clone());
            callers.spawn(async move {
                let client = Client::builder().no_proxy().build().unwrap();
                let mut account = Account::default();
                for n in 0.. {
                    if *stopped.borrow() {
                        break;
                    }
                    let n = caller * 100_000 + n;
                    let body = json!({ "code": "import time; time.sleep(0.1); twice = n * 2",
                        "input_data": { "n": n }, "timeout": 3 });
                    let began = Instant::now();
                    if answered_right(&client, &url, &body, &json!({ "twice": n * 2 })).await {
                        account.right += 1;
                    } else {
                        account.told += 1;
                        account.told_within = account.told_within.max(began.elapsed());
                        sleep(Duration::from_millis(50)).await;
                    }
                }
                account
            });
        }
        Self { callers, stop }
    }

    async fn end(self) -> Account {
        self.stop.send_replace(true);
        let all = self.callers.join_all().await;
        all.into_iter().fold(Account::default(), |all, one| Account {
            right: all.right + one.right,
            told: all.told + one.told,
            told_within: all.told_within.max(one.told_within),
        })
    }
}

/// Otherwise it was told, as promised, that the service is to blame.
async fn answered_right(client: &Client, url: &str, body: &Value, result: &Value) -> bool {
    let response = client.post(url).json(body).send().await.unwrap();
    let (status, retry_after) = (response.status(), response.headers().get(RETRY_AFTER).cloned());
    let answer: Value = response.json().await.unwrap();
    if status == StatusCode::OK && answer["status"] == "ok" {
        assert_eq!(&answer["result"], result, "{answer}");
        return true;
    }
    assert!(status == StatusCode::SERVICE_UNAVAILABLE && retry_after.is_some(), "{status} {answer}");
    false
}

async fn health(product: &Product) -> (StatusCode, String) {
    let (status, body) = product.get("/health").await.unwrap();
    let message = body["message"].as_str().unwrap().to_owned();
    for path in ["/var/", "/run/", "/tmp/", ".sock"] {
        assert!(!message.contains(path), "{message}");
    }
    (status, message)
}

async fn says(product: &Product, why: &str) {
    eventually(&format!("health says {why}"), Duration::from_secs(20), async || {
        let (status, message) = health(product).await;
        status == StatusCode::SERVICE_UNAVAILABLE && message.contains(why)
    })
    .await;
}

/// Calls are refused within that time, and `/health` says why.
async fn is_told(product: &Product, why: &str, within: Duration) {
    says(product, why).await;
    eventually("calls are refused", Duration::from_secs(20), async || {
        product.run("a = 1").await.http == StatusCode::SERVICE_UNAVAILABLE
    })
    .await;
    for _ in 0..10 {
        let began = Instant::now();
        let run = product.run("a = 1").await;
        assert_eq!(run.http, StatusCode::SERVICE_UNAVAILABLE, "{}", run.body);
        assert!(began.elapsed() < within, "{:?}", began.elapsed());
    }
}

/// Without a restart of the control plane: it serves, is healthy, and has the containers it shall have and no other.
async fn recovers(product: &Product, fault: &str) {
    eventually(&format!("recovered after: {fault}"), RECOVERS_WITHIN, async || {
        health(product).await.0 == StatusCode::OK && product.containers().await.len() == POOL
    })
    .await;
    let run = product.run("a = 6 * 7").await;
    assert_eq!(run.field("result"), &json!({ "a": 42 }), "{fault}");
}

#[tokio::test]
async fn whatever_becomes_of_the_engine_calls_are_answered_right_or_told_and_all_comes_back_by_itself() {
    let Some(engine) = OwnEngine::start().await else { return };
    let pool = POOL.to_string();
    let flags = ["--pool-size", &pool, "--max-executions", "4", "--preload", ""];
    let product = Product::start(&flags).await;
    let descriptors = product.descriptors();

    let load = Load::begin(&product);
    sleep(Duration::from_secs(2)).await;
    engine.stop().await;
    is_told(&product, "cannot be reached", TOLD_WITHIN).await;
    engine.start_again().await;
    recovers_under(load, &product, "a stop", TOLD_WITHIN + LOADED).await;

    let load = Load::begin(&product);
    sleep(Duration::from_secs(1)).await;
    engine.signal(Signal::SIGKILL);
    is_told(&product, "cannot be reached", TOLD_WITHIN).await;
    engine.start_again().await;
    recovers_under(load, &product, "a kill", TOLD_WITHIN + LOADED).await;

    let load = Load::begin(&product);
    sleep(Duration::from_secs(1)).await;
    engine.stop().await;
    engine.start_again().await;
    recovers_under(load, &product, "a restart", TOLD_WITHIN + LOADED).await;

    let load = Load::begin(&product);
    sleep(Duration::from_secs(1)).await;
    let frozen = engine.freeze();
    is_told(&product, "does not answer", HANGS_FOR).await;
    drop(frozen);
    recovers_under(load, &product, "a freeze", HANGS_FOR).await;

    // A moment of it is no fault of anybody's.
    let load = Load::begin(&product);
    let frozen = engine.freeze();
    sleep(Duration::from_secs(1)).await;
    drop(frozen);
    sleep(Duration::from_secs(1)).await;
    let Account { right, told, .. } = load.end().await;
    assert!(right > 0 && told == 0, "{right} {told}");

    // Beyond the time of the code that runs, which has ended in time all the same.
    let load = Load::begin(&product);
    sleep(Duration::from_secs(1)).await;
    let frozen = engine.freeze();
    sleep(Duration::from_secs(6)).await;
    drop(frozen);
    sleep(Duration::from_secs(2)).await;
    assert!(load.end().await.right > 0);
    recovers(&product, "a short freeze").await;

    let load = Load::begin(&product);
    engine.fill().await;
    // What is removed gives room for another: some calls are served.
    says(&product, "no space left on device").await;
    engine.empty().await;
    recovers_under(load, &product, "a full disk", TOLD_WITHIN + LOADED).await;

    product.has_descriptors_back(descriptors).await;

    // Killed while the engine is away, or hangs: what it leaves is removed all the same.
    let (instance, undertaker) = (product.instance(), product.undertaker());
    let (frozen, vanished) = (engine.freeze(), engine.vanish());
    drop(product.kill().await);
    sleep(Duration::from_secs(2)).await;
    drop(vanished);
    sleep(Duration::from_secs(2)).await;
    drop(frozen);
    eventually("nothing is left", Duration::from_secs(20), async || {
        docker::containers_of(&instance).await.is_empty()
    })
    .await;
    // Without its engine it would go on for minutes.
    has_ended(undertaker).await;

    // Ended while the engine is about to make more containers.
    let mut product = Product::start(&flags).await;
    let instance = product.instance();
    let load = Load::begin(&product);
    sleep(Duration::from_secs(1)).await;
    let frozen = engine.freeze();
    sleep(Duration::from_millis(500)).await;
    load.stop.send_replace(true);
    product.signal(Signal::SIGTERM);
    sleep(Duration::from_secs(6)).await;
    drop(frozen);
    load.end().await;
    assert!(product.wait(Duration::from_secs(60)).await.success());
    eventually("nothing is left", Duration::from_secs(15), async || {
        docker::containers_of(&instance).await.is_empty()
    })
    .await;
    // Nor comes to be.
    sleep(Duration::from_secs(3)).await;
    assert!(docker::containers_of(&instance).await.is_empty());
    engine.end().await;
}

/// With callers that never ceased.
async fn recovers_under(load: Load, product: &Product, fault: &str, within: Duration) {
    eventually(&format!("served again after {fault}"), RECOVERS_WITHIN, async || {
        product.run("a = 1").await.http == StatusCode::OK
    })
    .await;
    sleep(Duration::from_secs(1)).await;
    let Account { right, told, told_within } = load.end().await;
    assert!(right > 0 && told > 0 && told_within < within, "{fault}: {right} {told} {told_within:?}");
    recovers(product, fault).await;
}
