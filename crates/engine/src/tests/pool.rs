//! The pool: with the real runner as a process where code runs, with scripts where containers misbehave.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio_util::sync::CancellationToken;

use super::{
    config,
    fairness::request_of,
    request, run,
    scripted::{FINISHED, Heard, READY, RESULT, STARTED, Script, Scripted},
};
use crate::{
    Engine, EngineConfig, ExecuteError, ExecutionRequest, PoolConfig, Status,
    driver::{Driver, process::ProcessDriver},
    events::Observer,
};

pub(super) fn pooled(size: usize, preloads: &[&str]) -> EngineConfig {
    let preloads = preloads.iter().map(|module| (*module).to_owned()).collect();
    let pool = PoolConfig { size, preloads, ..PoolConfig::none() };
    EngineConfig { pool, max_executions: 4.try_into().unwrap(), ..config() }
}

pub(super) async fn until(what: &str, condition: impl Fn() -> bool) {
    let patience = tokio::time::Instant::now() + Duration::from_secs(60);
    while !condition() {
        assert!(tokio::time::Instant::now() < patience, "never: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

pub(super) async fn with_pool(config: EngineConfig, test: impl AsyncFnOnce(&Engine, &ProcessDriver, &Heard)) {
    let (driver, heard) = (Arc::new(ProcessDriver::default()), Arc::new(Heard::default()));
    let observer = Arc::clone(&heard) as Arc<dyn Observer>;
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, config, observer);
    engine.prove().await.unwrap();
    until("the pool is warm", || heard.count("PoolWarm") > 0).await;
    test(&engine, &driver, &heard).await;
    engine.drain(Duration::from_secs(5), &CancellationToken::new()).await;
    assert!(driver.list().await.unwrap().is_empty(), "a process was left behind");
}

pub(super) async fn with_scripted_pool(
    size: usize,
    usual: fn() -> Script,
    test: impl AsyncFnOnce(&Engine, &Scripted, &Heard),
) {
    with_scripts(pooled(size, &[]), usual, test).await;
}

/// `usual`: what containers do behind the trial.
pub(super) async fn with_scripts(
    config: EngineConfig,
    usual: fn() -> Script,
    test: impl AsyncFnOnce(&Engine, &Scripted, &Heard),
) {
    let (driver, heard) = (Arc::new(Scripted::default()), Arc::new(Heard::default()));
    let observer = Arc::clone(&heard) as Arc<dyn Observer>;
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, config, observer);
    engine.prove().await.unwrap();
    *driver.usual.lock().unwrap() = Some(usual);
    test(&engine, &driver, &heard).await;
    engine.drain(Duration::from_secs(1), &CancellationToken::new()).await;
    assert!(driver.containers.lock().unwrap().is_empty(), "a container was left behind");
}

pub(super) fn answers() -> Script {
    Script::Answers(vec![READY, STARTED, RESULT, FINISHED])
}

fn dies_at_once() -> Script {
    Script::Says(vec![READY])
}

#[tokio::test]
async fn every_execution_has_a_process_of_its_own_and_the_pool_is_filled_again() {
    with_pool(pooled(3, &[]), async |engine, driver, heard| {
        let mut seen = std::collections::HashSet::new();
        for _ in 0..8 {
            let outcome = run(engine, "import os\npids = [os.getppid(), os.getpid()]").await;
            assert!(seen.insert(outcome.result.unwrap().get().to_owned()));
        }
        until("it is warm again", || heard.count("PoolWarm") > 1).await;
        let patience = Instant::now() + Duration::from_secs(20);
        while driver.list().await.unwrap().len() != 3 {
            assert!(Instant::now() < patience, "what ran is not gone");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn more_at_once_than_the_pool_holds_are_all_answered() {
    with_pool(pooled(2, &[]), async |engine, _, _| {
        let runs = (0..8).map(|n| {
            let engine = engine.clone();
            tokio::spawn(
                async move { run(&engine, &format!("n = {n}")).await.result.unwrap().get().to_owned() },
            )
        });
        for (n, result) in futures_util::future::join_all(runs).await.into_iter().enumerate() {
            assert_eq!(result.unwrap(), format!(r#"{{"n":{n}}}"#));
        }
    })
    .await;
}

#[tokio::test]
async fn containers_killed_while_they_stand_ready_cost_no_request_and_are_replaced() {
    with_pool(pooled(2, &[]), async |engine, driver, heard| {
        for round in 1..4 {
            for name in driver.list().await.unwrap() {
                driver.remove(&name).await.unwrap();
            }
            assert_eq!(run(engine, "a = 1").await.status, Status::Ok);
            until("it is warm again", || heard.count("PoolWarm") > round).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_containers_go_in_the_order_of_their_starts() {
    with_scripted_pool(3, answers, async |engine, driver, heard| {
        for round in 1..6 {
            until("the pool is warm", || heard.count("PoolWarm") >= round).await;
            // The first was for the trial.
            let oldest = driver.launched.lock().unwrap()[round].name.clone();
            assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Ok);
            until("the oldest is gone", || !driver.containers.lock().unwrap().contains_key(&oldest)).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_flood_leaves_the_last_container_to_who_has_nothing_running() {
    with_scripted_pool(2, answers, async |engine, driver, heard| {
        let of = |name| engine.execute(request_of(engine, name, ""));
        until("the pool is warm", || heard.count("PoolWarm") > 0).await;
        assert_eq!(of("single").await.unwrap().status, Status::Ok);
        until("it is warm again", || heard.count("PoolWarm") > 1).await;
        // Nothing is refilled from here on.
        *driver.usual.lock().unwrap() = Some(|| Script::SaysThenHangs(Vec::new()));
        let mut flood: FuturesUnordered<_> = (0..3).map(|_| of("flood")).collect();
        assert_eq!(flood.next().await.unwrap().unwrap().status, Status::Ok);
        let more = tokio::time::timeout(Duration::from_secs(1), flood.next()).await;
        assert!(more.is_err(), "{more:?}");
        assert_eq!(of("single").await.unwrap().status, Status::Ok);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_request_whose_container_dies_before_the_code_starts_moves_to_another() {
    with_scripted_pool(0, answers, async |engine, driver, heard| {
        *driver.scripts.lock().unwrap() = vec![dies_at_once(), dies_at_once()];
        assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Ok);
        assert_eq!(heard.count("Retried"), 2);
    })
    .await;
    with_scripted_pool(0, dies_at_once, async |engine, driver, _| {
        let before = driver.launched.lock().unwrap().len();
        let error = engine.execute(request(engine, "")).await.unwrap_err();
        assert!(matches!(error, ExecuteError::NotStarted), "{error}");
        assert_eq!(driver.launched.lock().unwrap().len() - before, 4);
    })
    .await;
    with_scripted_pool(
        0,
        || Script::Says(vec![READY, STARTED]),
        async |engine, _, heard| {
            assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Crashed);
            assert_eq!(heard.count("Retried"), 0, "what has begun does not begin again");
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_container_killed_while_it_starts_fails_no_request_unless_it_never_ends() {
    let killed = || Script::Says(vec![]);
    with_scripted_pool(0, answers, async |engine, driver, _| {
        *driver.scripts.lock().unwrap() = vec![killed(), killed(), killed()];
        assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Ok);
        *driver.scripts.lock().unwrap() = vec![killed(), killed(), killed(), killed()];
        let error = engine.execute(request(engine, "")).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the runner did not start: it ended without a word, as if it were killed"
        );
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn starts_that_fail_are_tried_again_ever_more_rarely_show_on_health_and_recover() {
    with_scripted_pool(
        2,
        || Script::Refuses,
        async |engine, driver, heard| {
            tokio::time::sleep(Duration::from_secs(120)).await;
            let launched = driver.launched.lock().unwrap().len();
            assert!((10..60).contains(&launched), "{launched}");
            let told = engine.health().await.unwrap_err().to_string();
            assert_eq!(
                told,
                "the last container could not be started: the Docker engine refused to start a container: no"
            );
            *driver.usual.lock().unwrap() = Some(answers);
            until("it is warm", || heard.count("PoolWarm") > 0).await;
            assert!(engine.health().await.is_ok());
        },
    )
    .await;
}

#[tokio::test(start_paused = true)]
async fn containers_that_die_as_soon_as_they_are_ready_are_no_tight_loop() {
    with_scripted_pool(2, dies_at_once, async |engine, driver, heard| {
        tokio::time::sleep(Duration::from_secs(120)).await;
        let launched = driver.launched.lock().unwrap().len();
        assert!((10..80).contains(&launched), "{launched}");
        assert!(
            engine
                .health()
                .await
                .unwrap_err()
                .to_string()
                .ends_with("containers end as soon as they stand ready")
        );
        *driver.usual.lock().unwrap() = Some(answers);
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert!(engine.health().await.is_ok() && heard.count("PoolWarm") > 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn containers_that_die_at_once_are_no_tight_loop_beside_an_old_one_that_stands() {
    with_scripted_pool(2, answers, async |engine, driver, heard| {
        until("all stand ready", || heard.count("PoolWarm") > 0).await;
        tokio::time::sleep(Duration::from_secs(5)).await;
        *driver.usual.lock().unwrap() = Some(dies_at_once);
        assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Ok);
        let before = driver.launched.lock().unwrap().len();
        tokio::time::sleep(Duration::from_secs(120)).await;
        let launched = driver.launched.lock().unwrap().len() - before;
        assert!((10..40).contains(&launched), "{launched}");
        assert!(engine.health().await.is_err());
        *driver.usual.lock().unwrap() = Some(answers);
        tokio::time::sleep(Duration::from_secs(15)).await;
        assert!(engine.health().await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_container_that_serves_proves_that_they_do_not_die_any_more() {
    with_scripted_pool(1, answers, async |engine, driver, heard| {
        until("one stands ready", || heard.count("PoolWarm") > 0).await;
        *driver.scripts.lock().unwrap() = vec![dies_at_once()];
        assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Ok);
        until("the next is dead", || heard.count("WarmContainerDied") == 1).await;
        assert!(engine.health().await.is_err());
        assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Ok);
        assert!(engine.health().await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_start_for_one_request_alone_that_fails_says_nothing_about_the_others() {
    with_scripted_pool(2, answers, async |engine, driver, heard| {
        until("all stand ready", || heard.count("PoolWarm") > 0).await;
        *driver.scripts.lock().unwrap() = vec![Script::Refuses];
        let memory = engine.bounds().memory_mib(64).unwrap();
        let refused = engine.execute(ExecutionRequest { memory, ..request(engine, "") }).await;
        assert!(matches!(refused, Err(ExecuteError::Launch(_))), "{refused:?}");
        assert!(engine.health().await.is_ok());
        // The refill behind that trial.
        tokio::time::sleep(Duration::from_secs(1)).await;
        // But an engine that does not answer is the others' too; whether it does is found out without a request.
        *driver.scripts.lock().unwrap() = vec![Script::IsNotAnswered];
        engine.execute(ExecutionRequest { memory, ..request(engine, "") }).await.unwrap_err();
        assert!(engine.health().await.is_err());
        tokio::time::sleep(Duration::from_secs(2)).await;
        assert!(engine.health().await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_container_that_nobody_has_come_for_keeps_no_request_from_one_of_its_own() {
    let driver = Arc::new(Scripted::default());
    let config = EngineConfig { max_executions: 1.try_into().unwrap(), ..pooled(0, &[]) };
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, config, Arc::new(()));
    engine.prove().await.unwrap();
    until("the trial's is gone", || driver.containers.lock().unwrap().is_empty()).await;
    *driver.usual.lock().unwrap() = Some(answers);
    let leaves = tokio::time::timeout(Duration::from_micros(500), engine.execute(request(&engine, "")));
    assert!(leaves.await.is_err());
    assert_eq!(driver.containers.lock().unwrap().len(), 1, "it is being started");
    let memory = engine.bounds().memory_mib(64).unwrap();
    let own = engine.execute(ExecutionRequest { memory, ..request(&engine, "") });
    let own = tokio::time::timeout(Duration::from_secs(5), own).await;
    assert_eq!(own.unwrap().unwrap().status, Status::Ok);
    engine.drain(Duration::ZERO, &CancellationToken::new()).await;
}

#[tokio::test(start_paused = true)]
async fn of_many_that_die_at_once_one_counts() {
    let half_a_second = || Script::EndsAfter(Duration::from_millis(500));
    with_scripted_pool(8, half_a_second, async |_, driver, heard| {
        until("all stand ready", || heard.count("PoolWarm") > 0).await;
        *driver.usual.lock().unwrap() = Some(answers);
        until("they are dead", || heard.count("WarmContainerDied") == 8).await;
        // The first pause ends before that, the third after it.
        tokio::time::sleep(Duration::from_millis(250)).await;
        assert!(heard.count("ContainerStarted") >= 16, "{}", heard.count("ContainerStarted"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn more_memory_is_given_to_a_warm_container_and_less_takes_one_of_its_own() {
    with_scripted_pool(1, answers, async |engine, driver, heard| {
        let run = async |mebibytes| {
            until("one stands ready", || heard.count("PoolWarm") > 0).await;
            let mut request = request(engine, "");
            request.memory = engine.bounds().memory_mib(mebibytes).unwrap();
            assert_eq!(engine.execute(request).await.unwrap().status, Status::Ok);
            tokio::time::sleep(Duration::from_secs(1)).await;
        };
        let of_launched = |mebibytes: u64| {
            let launched = driver.launched.lock().unwrap();
            launched.iter().filter(|spec| spec.memory.bytes() == mebibytes << 20).count()
        };
        run(1024).await;
        assert_eq!(
            driver.resized.lock().unwrap().iter().map(|memory| memory.bytes()).collect::<Vec<_>>(),
            [1 << 30]
        );
        assert_eq!(of_launched(1024), 0);
        run(64).await;
        assert_eq!((driver.resized.lock().unwrap().len(), of_launched(64)), (1, 1));
        *driver.refuses_resize.lock().unwrap() = true;
        run(1024).await;
        assert_eq!(of_launched(1024), 1);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_container_that_has_stood_too_long_is_replaced() {
    let mut config = pooled(2, &[]);
    config.pool.max_age = Duration::from_secs(100);
    with_scripts(config, answers, async |_, driver, _| {
        tokio::time::sleep(Duration::from_secs(1)).await;
        let first: Vec<_> = driver.containers.lock().unwrap().keys().cloned().collect();
        tokio::time::sleep(Duration::from_secs(110)).await;
        let second: Vec<_> = driver.containers.lock().unwrap().keys().cloned().collect();
        assert_eq!(second.len(), 2);
        assert!(first.iter().all(|name| !second.contains(name)));
    })
    .await;
}

#[tokio::test]
async fn draining_gives_up_what_stands_ready() {
    with_pool(pooled(4, &[]), async |engine, driver, _| {
        assert!(driver.list().await.unwrap().len() >= 4);
        let began = Instant::now();
        engine.drain(Duration::from_secs(20), &CancellationToken::new()).await;
        assert!(began.elapsed() < Duration::from_secs(5));
        assert!(driver.list().await.unwrap().is_empty());
    })
    .await;
}
