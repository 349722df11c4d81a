//! The well-behaved client: uses the service while it is attacked, and checks every answer.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use reqwest::{StatusCode, header::RETRY_AFTER};
use serde_json::{Value, json};
use tokio::{runtime::Handle, sync::watch, task::JoinHandle, time::sleep};

use super::stage::Stage;

/// Milliseconds between its calls. Slow enough that on two processors the pool stays ahead of it, and uneven, as clients are: with an even
/// pause the refill for one call would always be done before the next, and the peace be quieter than it is for anybody.
const PAUSES: [u64; 10] = [130, 610, 290, 540, 170, 690, 380, 240, 460, 490];

/// Calls so far, of all that there were.
static CALLS: AtomicUsize = AtomicUsize::new(0);

/// What it has seen.
#[derive(Debug, Default)]
pub struct Account {
    /// How long its answers took.
    pub latencies: Vec<Duration>,
    /// What was wrong with them.
    pub wrong: Vec<String>,
}

/// A client at work until it is asked what it has seen.
#[derive(Debug)]
pub struct Bystander {
    enough: watch::Sender<bool>,
    work: JoinHandle<Account>,
}

impl Bystander {
    /// Begins, in a runtime that it shares with nobody who reads and checks megabytes. Where the service is disturbed, to be told so or
    /// not to reach it is not wrong.
    pub fn begin(stage: Arc<Stage>, runtime: &Handle, disturbed: bool) -> Self {
        let (enough, mut told) = watch::channel(false);
        let work = runtime.spawn(async move {
            let mut account = Account::default();
            loop {
                let n = CALLS.fetch_add(1, Ordering::Relaxed);
                let began = Instant::now();
                match visit(&stage, n).await {
                    Visit::Right => account.latencies.push(began.elapsed()),
                    Visit::Refused(_) if disturbed => {}
                    Visit::Refused(told) | Visit::Wrong(told) => account.wrong.push(told),
                }
                tokio::select! {
                    () = sleep(Duration::from_millis(PAUSES[n % PAUSES.len()])) => {}
                    _ = told.changed() => break,
                }
            }
            account
        });
        Self { enough, work }
    }

    /// Ends it, and tells what it has seen.
    pub async fn end(self) -> Account {
        self.enough.send_replace(true);
        self.work.await.unwrap()
    }
}

enum Visit {
    Right,
    Wrong(String),
    /// With a 503 that says when to come again, or not reached.
    Refused(String),
}

/// One execution, whose answer can be nobody else's.
async fn visit(stage: &Stage, n: usize) -> Visit {
    let body = json!({ "code": "double = n * 2\nprint(n, data['secret'].stat().st_size)", "input_data": { "n": n } });
    let request = stage.request("POST", "/execute_code", "bystander").json(&body);
    let answer = async {
        let response = request.send().await?;
        let put_off = response.status() == StatusCode::SERVICE_UNAVAILABLE
            && response.headers().contains_key(RETRY_AFTER);
        Ok::<_, reqwest::Error>((put_off, response.text().await?))
    };
    let answer = match answer.await {
        Ok((true, told)) => return Visit::Refused(told),
        Ok((false, told)) => serde_json::from_str(&told).unwrap_or(Value::String(told)),
        Err(error) => return Visit::Refused(format!("{error:?}")),
    };
    let right = answer["status"] == "ok"
        && answer["result"] == json!({ "double": n * 2 })
        && answer["stdout"] == format!("{n} 25\n")
        && answer["stderr"] == ""
        && answer["files"] == json!([]);
    if right { Visit::Right } else { Visit::Wrong(answer.to_string()) }
}

/// The time that 95 of 100 are within.
pub fn p95(mut latencies: Vec<Duration>) -> Duration {
    latencies.sort_unstable();
    let place = (latencies.len() * 95).div_ceil(100).saturating_sub(1);
    latencies.get(place).copied().unwrap_or_default()
}
