//! The well-behaved client: uses the service while it is attacked, and checks every answer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use tokio::{sync::watch, task::JoinHandle, time::sleep};

use super::stage::Stage;

/// Slow enough that on two processors the pool stays ahead of it.
const PAUSE: Duration = Duration::from_millis(400);

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
    /// Begins.
    pub fn begin(stage: Arc<Stage>) -> Self {
        let (enough, mut told) = watch::channel(false);
        let work = tokio::spawn(async move {
            let mut account = Account::default();
            for n in 0_u64.. {
                let began = Instant::now();
                if let Some(wrong) = visit(&stage, n).await {
                    account.wrong.push(wrong);
                }
                account.latencies.push(began.elapsed());
                tokio::select! {
                    () = sleep(PAUSE) => {}
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

/// One execution, whose answer can be nobody else's; what is wrong with it.
async fn visit(stage: &Stage, n: u64) -> Option<String> {
    let body = json!({ "code": "double = n * 2\nprint(n, data['secret'].stat().st_size)", "input_data": { "n": n } });
    let request = stage.request("POST", "/execute_code", "bystander").json(&body);
    let answer = async { request.send().await?.json::<Value>().await };
    let answer = match answer.await {
        Ok(answer) => answer,
        Err(error) => return Some(error.to_string()),
    };
    let right = answer["status"] == "ok"
        && answer["result"] == json!({ "double": n * 2 })
        && answer["stdout"] == format!("{n} 25\n")
        && answer["stderr"] == ""
        && answer["files"] == json!([]);
    (!right).then(|| answer.to_string())
}

/// The time that 95 of 100 are within.
pub fn p95(mut latencies: Vec<Duration>) -> Duration {
    latencies.sort_unstable();
    let place = (latencies.len() * 95).div_ceil(100).saturating_sub(1);
    latencies.get(place).copied().unwrap_or_default()
}
