//! Many tenants at once, and executions that are listed, cancelled or left.

use std::{
    cell::Cell,
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    config,
    pool::until,
    request, run,
    scripted::{READY, STARTED, Script, with_script},
    with_engine,
};
use crate::{
    AdmissionError, Engine, EngineConfig, ExecuteError, ExecutionRequest, Outcome, Status, Tenant,
    driver::{Driver, process::ProcessDriver},
};

/// When its code began, by a clock that all processes share.
const BEGINNING: &str = "import time\nat = time.monotonic_ns()";

fn tenant(name: &str) -> Tenant {
    Tenant::try_from(name).unwrap()
}

pub(super) fn request_of(engine: &Engine, name: &str, code: &str) -> ExecutionRequest {
    ExecutionRequest { tenant: tenant(name), ..request(engine, code) }
}

fn beginning(outcome: &Outcome) -> u64 {
    let json: serde_json::Value = serde_json::from_str(outcome.result.as_ref().unwrap().get()).unwrap();
    json["at"].as_u64().unwrap()
}

/// Waits until what this tenant has there is so many queued and so many running.
async fn until_there(engine: &Engine, tenant: &Tenant, queued: usize, running: usize) {
    let patience = tokio::time::Instant::now() + Duration::from_secs(20);
    loop {
        let all = engine.executions(tenant);
        let run = all.iter().filter(|execution| execution.started_at.is_some()).count();
        if (all.len() - run, run) == (queued, running) {
            return;
        }
        assert!(
            tokio::time::Instant::now() < patience,
            "never {queued} queued and {running} running: {all:?}"
        );
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn beside_a_flood_of_two_hundred_calls_a_single_one_waits_for_one_execution_at_most() {
    let driver = Arc::new(ProcessDriver::default());
    let config = EngineConfig { max_executions: 1.try_into().unwrap(), ..config() };
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, config, Arc::new(()));
    engine.prove().await.unwrap();

    // Two hundred at once on a queue of eight: each is sent again when it was answered or turned away.
    let (beginnings, turned_away) = (std::cell::RefCell::new(Vec::new()), Cell::new(0));
    let flood = stream::iter(0..200).for_each_concurrent(None, async |_| {
        loop {
            match engine.execute(request_of(&engine, "flood", BEGINNING)).await {
                Ok(outcome) => beginnings.borrow_mut().push(beginning(&outcome)),
                Err(ExecuteError::Admission(AdmissionError::QueueFull { .. })) => {
                    turned_away.set(turned_away.get() + 1);
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
    });
    let single = async {
        let mut overtaken = Vec::new();
        for _ in 0..4 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            until_there(&engine, &tenant("flood"), 8, 1).await;
            let answered = beginnings.borrow().len();
            let outcome = engine.execute(request_of(&engine, "single", BEGINNING)).await.unwrap();
            let before = beginnings.borrow().iter().filter(|at| **at < beginning(&outcome)).count();
            overtaken.push(before - answered);
        }
        overtaken
    };
    let overtaken = tokio::select! {
        () = flood => unreachable!("the flood has no end"),
        overtaken = single => overtaken,
    };
    // The one that runs when it comes, and nobody else.
    assert!(overtaken.iter().all(|turns| *turns <= 1), "{overtaken:?}");
    assert!(turned_away.get() > 191 && beginnings.borrow().len() >= 4);
    // The flood's clients have left.
    assert!(engine.executions(&tenant("flood")).is_empty());
    assert_eq!(run(&engine, "a = 1").await.status, Status::Ok);
    engine.drain(Duration::from_secs(20), &CancellationToken::new()).await;
    assert!(driver.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_tenant_with_a_limit_of_its_own_runs_no_more_at_once() {
    with_engine(async |engine| {
        let limited = || ExecutionRequest {
            concurrency: std::num::NonZeroU32::new(1),
            ..request_of(engine, "limited", "import time\ntime.sleep(0.2)")
        };
        let runs = futures_util::future::join_all((0..3).map(|_| engine.execute(limited())));
        let most = async {
            let mut most = 0;
            loop {
                let all = engine.executions(&tenant("limited"));
                most = most.max(all.iter().filter(|execution| execution.started_at.is_some()).count());
                if all.is_empty() {
                    return most;
                }
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let (outcomes, most) = futures_util::future::join(runs, most).await;
        assert!(outcomes.into_iter().all(|outcome| outcome.unwrap().status == Status::Ok));
        assert_eq!(most, 1);
    })
    .await;
}

#[tokio::test]
async fn executions_are_listed_for_their_tenant_alone_in_order_of_arrival() {
    with_engine(async |engine| {
        let requests: Vec<_> =
            (0..4).map(|_| request_of(engine, "a", "import time; time.sleep(60)")).collect();
        let ids: Vec<_> = requests.iter().map(|request| request.id).collect();
        let runs =
            futures_util::future::join_all(requests.into_iter().map(|request| engine.execute(request)));
        let look = async {
            until_there(engine, &tenant("a"), 2, 2).await;
            let listed = engine.executions(&tenant("a"));
            assert_eq!(listed.iter().map(|execution| execution.id).collect::<Vec<_>>(), ids);
            for (execution, runs) in listed.iter().zip([true, true, false, false]) {
                assert_eq!(execution.started_at.is_some(), runs);
                assert!(execution.started_at.is_none_or(|at| at >= execution.queued_at));
                assert_eq!(execution.timeout, engine.bounds().default_timeout());
            }
            assert!(engine.executions(&Tenant::everyone()).is_empty());
            assert!(!engine.cancel(&Tenant::everyone(), ids[0]));
            assert!(!engine.cancel(&tenant("a"), Uuid::now_v7()));
        };
        tokio::select! {
            _ = runs => unreachable!("they sleep"),
            () = look => {}
        }
        assert!(engine.executions(&tenant("a")).is_empty(), "who has left is forgotten");
    })
    .await;
}

#[tokio::test]
async fn a_cancel_ends_what_runs_whatever_it_ignores_and_frees_the_place_of_what_waits() {
    with_engine(async |engine| {
        let folder = tempfile::tempdir().unwrap();
        let runs = folder.path().join("runs");
        let stubborn = format!(
            "import signal\nfor number in range(1, 65):\n  try: signal.signal(number, signal.SIG_IGN)\n  \
             except (OSError, ValueError): pass\nprint('a', flush=True)\nopen({runs:?}, 'w')\nwhile True:\n  \
             try:\n    while True: pass\n  except BaseException: pass"
        );
        let execute = |code: &str| {
            let request = request_of(engine, "a", code);
            (request.id, engine.execute(request))
        };
        let (first, first_run) = execute(&stubborn);
        let (_, second_run) = execute("import time; time.sleep(60)");
        let (third, third_run) = execute("a = 1");
        let cancel = async {
            until_there(engine, &tenant("a"), 1, 2).await;
            assert!(engine.cancel(&tenant("a"), third));
            until_there(engine, &tenant("a"), 0, 2).await;
            until("its code runs", || runs.exists()).await;
            let told = Instant::now();
            assert!(engine.cancel(&tenant("a"), first));
            until_there(engine, &tenant("a"), 0, 1).await;
            told.elapsed()
        };
        let all = futures_util::future::join3(first_run, third_run, cancel);
        let (first, third, took) = tokio::select! {
            all = all => all,
            _ = second_run => unreachable!("it sleeps"),
        };
        let (first, third) = (first.unwrap(), third.unwrap());
        assert_eq!((first.status, first.stdout.as_str()), (Status::Cancelled, "a\n"));
        assert!(took < Duration::from_secs(1), "{took:?}");
        assert_eq!((third.status, third.error.as_deref()), (Status::Cancelled, Some("cancelled")));
        assert_eq!((third.usage.wall_time, third.usage.peak_memory, third.execution_time), (0.0, 0, 0.0));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_cancel_while_a_container_is_being_started_does_not_wait_for_it() {
    with_script(vec![Script::SaysThenHangs(vec![])], async |engine, _, heard| {
        let request = request_of(engine, "a", "");
        let id = request.id;
        let cancel = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(engine.executions(&tenant("a"))[0].started_at.is_some());
            assert!(engine.cancel(&tenant("a"), id));
        };
        let began = tokio::time::Instant::now();
        let (outcome, ()) = tokio::join!(engine.execute(request), cancel);
        let outcome = outcome.unwrap();
        assert_eq!((outcome.status, outcome.usage.wall_time), (Status::Cancelled, 0.0));
        assert!(began.elapsed() < Duration::from_secs(2));
        assert!(heard.0.lock().unwrap().last().unwrap().contains("status: Cancelled"));
        let told = heard.0.lock().unwrap().clone();
        let left = told.iter().rfind(|event| event.starts_with("PhaseLeft { phase: Lease"));
        assert!(left.unwrap().ends_with("passed: false }"), "{left:?}");
        // The start ends by itself.
        tokio::time::sleep(Duration::from_secs(60)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_does_not_heed_the_cancel_of_an_execution_is_cut_off() {
    with_script(vec![Script::SaysThenHangs(vec![READY, STARTED])], async |engine, _, _| {
        let request = request_of(engine, "a", "");
        let id = request.id;
        let cancel = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            assert!(engine.cancel(&tenant("a"), id));
        };
        let began = tokio::time::Instant::now();
        let (outcome, ()) = tokio::join!(engine.execute(request), cancel);
        assert_eq!(outcome.unwrap().status, Status::Cancelled);
        assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_at_any_stage_leaves_nothing_behind() {
    let leasing = || Script::SaysThenHangs(vec![]);
    let running = || Script::SaysThenHangs(vec![READY, STARTED]);
    for scripts in [vec![leasing(), leasing()], vec![running(), running()]] {
        with_script(scripts, async |engine, _, heard| {
            // Two have a turn; the third is queued.
            let runs = (0..3).map(|_| engine.execute(request_of(engine, "a", "")));
            let all = futures_util::future::join_all(runs);
            let look = async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                until_there(engine, &tenant("a"), 1, 2).await;
            };
            tokio::select! {
                _ = all => unreachable!("they hang"),
                () = look => {}
            }
            assert!(engine.executions(&tenant("a")).is_empty());
            assert_eq!(heard.count("Abandoned"), 3);
            engine.shared.admission.idle().await;
            // A start under way ends by itself.
            tokio::time::sleep(Duration::from_secs(60)).await;
            let again = (0..2).map(|_| engine.execute(request_of(engine, "a", "")));
            for outcome in futures_util::future::join_all(again).await {
                assert_eq!(outcome.unwrap().status, Status::Ok);
            }
        })
        .await;
    }
}
