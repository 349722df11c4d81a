//! Every case of tests/corpus against the service as it is shipped, with a well-behaved client beside it all the time.
//!
//! `FAULTS=pipe/,zip_bomb make faults` plays those whose names contain one of these texts.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and tells what it has played"
)]

use std::{
    process::Command,
    sync::Arc,
    time::{Duration, Instant},
};

use e2e::corpus::{
    aftermath::Peace,
    bystander::{Account, Bystander, p95},
    case::Case,
    stage::Stage,
};
use futures_util::future::join_all;
use nix::unistd::gettid;
use tokio::{
    runtime::{Builder, Handle},
    sync::Semaphore,
    time::sleep,
};

/// Before each so many cases comes a moment of peace, in which the bystander says how that is.
const CASES_BETWEEN: usize = 12;
/// Of the executions that two processors have at once one turn stays for the bystander.
const TURNS: usize = 3;

/// Plays cases, and tells what was not as it must be.
struct Play {
    stage: Arc<Stage>,
    /// Where the bystander runs.
    bystander: Handle,
    peace: Peace,
    wrong: Vec<String>,
    under_attack: Vec<Duration>,
    quiet: Vec<Duration>,
}

impl Play {
    /// Plays these at the same time, and looks afterwards whether anything is left of them.
    async fn together(&mut self, cases: &[&Case]) {
        let began = Instant::now();
        let disturbed = cases.iter().any(|case| case.disturbs);
        let bystander = Bystander::begin(Arc::clone(&self.stage), &self.bystander, disturbed);
        let turns = Semaphore::new(TURNS);
        let played = cases.iter().map(|case| async {
            let _turn = if case.executes() { turns.acquire().await.ok() } else { None };
            let wrong = case.play(&self.stage).await;
            wrong.into_iter().map(|told| format!("{}: {told}", case.name)).collect::<Vec<_>>()
        });
        let mut wrong = join_all(played).await.concat();
        let took = began.elapsed();
        let Account { latencies, wrong: noticed } = bystander.end().await;
        let names = cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>().join(", ");
        wrong.extend(noticed.into_iter().map(|told| format!("beside {names}: {told}")));
        if let Err(left) = self.peace.is_back(&self.stage).await {
            wrong.push(format!("after {names}: {left}"));
        }
        let took_back = began.elapsed() - took;
        let slowest = latencies.iter().max().copied().unwrap_or_default();
        wrong.iter().for_each(|told| println!("WRONG {told}"));
        self.wrong.extend(wrong);
        println!("{names}: {took:.1?} and {took_back:.1?}, the bystander's slowest {slowest:.0?}");
        if !disturbed && !cases.iter().any(|case| case.crowds) {
            self.under_attack.extend(latencies);
        }
    }

    /// The bystander when nobody else is there, in the same rhythm.
    async fn in_peace(&mut self) {
        let bystander = Bystander::begin(Arc::clone(&self.stage), &self.bystander, false);
        sleep(Duration::from_secs(2)).await;
        let Account { latencies, wrong } = bystander.end().await;
        self.quiet.extend(latencies);
        self.wrong.extend(wrong);
        self.peace.is_back(&self.stage).await.unwrap();
    }
}

/// The attackers' own client would not be on the service's machine: here it has the processors when nobody else wants them.
fn yield_to_others() {
    let thread = gettid().to_string();
    assert!(Command::new("renice").args(["-n", "10", "-p", &thread]).output().unwrap().status.success());
}

#[test]
fn every_fault_of_the_corpus_is_answered_as_promised_and_a_bystander_is_served_right() {
    let bystander = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let attackers =
        Builder::new_multi_thread().enable_all().on_thread_start(yield_to_others).build().unwrap();
    attackers.block_on(attackers.spawn(play_all(bystander.handle().clone()))).unwrap();
}

async fn play_all(bystander: Handle) {
    let cases = Case::all(&std::env::var("FAULTS").unwrap_or_default());
    assert!(!cases.is_empty(), "no case has such a name");
    let stage = Arc::new(Stage::set(&cases).await);
    let peace = Peace::observe(&stage).await;
    let mut play = Play {
        stage: Arc::clone(&stage),
        bystander,
        peace,
        wrong: Vec::new(),
        under_attack: Vec::new(),
        quiet: Vec::new(),
    };
    let (waiting, others): (Vec<_>, Vec<_>) = cases.iter().partition(|case| case.waits);
    for some in others.chunks(CASES_BETWEEN) {
        play.in_peace().await;
        for case in some {
            play.together(&[case]).await;
        }
    }
    if !waiting.is_empty() {
        play.in_peace().await;
        play.together(&waiting).await;
    }
    let counts = (play.under_attack.len(), play.quiet.len());
    let (under_attack, quiet) = (p95(play.under_attack), p95(play.quiet));
    // Told, and no reason to fail: a test measures no time.
    println!(
        "{} cases; the bystander's p95 is {under_attack:.1?} in {} executions, {quiet:.1?} in {} in peace",
        cases.len(),
        counts.0,
        counts.1
    );
    assert!(play.wrong.is_empty(), "{} faults:\n{}", play.wrong.len(), play.wrong.join("\n"));
    drop(play.stage);
    Arc::into_inner(stage).unwrap().end().await;
}
