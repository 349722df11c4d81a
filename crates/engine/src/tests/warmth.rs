//! What makes a container that stands ready quick: rehearsals and preloads.

use std::{sync::Arc, time::Duration};

use tokio_util::sync::CancellationToken;

use super::{
    pool::{answers, pooled, until, with_pool, with_scripted_pool, with_scripts},
    request, run,
    scripted::{
        FINISHED, Heard, PRELOADED, READY, READY_AND_REHEARSED, REHEARSED, RESULT, STARTED, Script, Scripted,
    },
};
use crate::{Engine, Status, driver::Driver, events::Observer};

#[tokio::test]
async fn what_is_preloaded_is_there_and_a_module_that_is_not_costs_nothing_but_a_word() {
    with_pool(pooled(1, &["colorsys", "nonesuch"]), async |engine, _, heard| {
        let outcome = run(engine, "import sys\nthere = 'colorsys' in sys.modules").await;
        assert_eq!(outcome.result.unwrap().get(), r#"{"there":true}"#);
        assert!(heard.count("PreloadFailed { module: \"nonesuch\"") > 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_has_nothing_running_gets_none_that_rehearses_still_while_another_as_warm_stands() {
    with_scripted_pool(3, answers, async |engine, driver, heard| {
        let rehearsed = || Script::Answers(vec![READY_AND_REHEARSED, STARTED, RESULT, FINISHED]);
        let rehearses = Script::Answers(vec![READY, REHEARSED, STARTED, RESULT, FINISHED]);
        *driver.scripts.lock().unwrap() = vec![rehearses, rehearsed(), rehearsed()];
        until("all stand ready", || heard.count("PoolWarm") > 0).await;
        let names = [1, 2, 3].map(|n| driver.launched.lock().unwrap()[n].name.clone());
        let are_there = || names.each_ref().map(|name| driver.containers.lock().unwrap().contains_key(name));
        // The refills have not rehearsed either.
        for left in [[true, false, true], [true, false, false], [false, false, false]] {
            assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Ok);
            until("one is gone", || are_there() == left).await;
        }
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_has_been_warmed_while_it_rehearsed_is_no_longer_passed_over() {
    let mut config = pooled(3, &["numpy"]);
    config.pool.refill_concurrency = 4.try_into().unwrap();
    let stands = || Script::SaysThenHangs(vec![READY]);
    with_scripts(config, stands, async |engine, driver, heard| {
        let warms = || {
            Script::SaysInParts(vec![
                (Duration::ZERO, vec![READY]),
                (Duration::from_secs(5), vec![REHEARSED, PRELOADED]),
                (Duration::from_secs(2), vec![STARTED, RESULT, FINISHED]),
            ])
        };
        *driver.scripts.lock().unwrap() = vec![warms(), warms(), warms()];
        until("all are warm", || heard.count("PoolWarm") > 0).await;
        let second = async {
            tokio::time::sleep(Duration::from_millis(300)).await;
            engine.execute(request(engine, "")).await.unwrap().status
        };
        let (first, second) = tokio::join!(engine.execute(request(engine, "")), second);
        assert_eq!((first.unwrap().status, second), (Status::Ok, Status::Ok));
        // The refill of the first, which has not rehearsed when the second comes.
        let refill = driver.launched.lock().unwrap()[4].name.clone();
        assert!(driver.containers.lock().unwrap().contains_key(&refill));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_rehearses_twice_is_no_runner() {
    let twice = || Script::SaysThenHangs(vec![READY, REHEARSED, REHEARSED]);
    with_scripted_pool(1, twice, async |engine, driver, heard| {
        until("it has died", || heard.count("WarmContainerDied") > 0).await;
        *driver.usual.lock().unwrap() = Some(answers);
        until("another stands ready", || heard.count("PoolWarm") > 1).await;
        assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Ok);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_module_that_ends_its_container_is_given_up() {
    let ends = || Script::Answers(vec![READY]);
    with_scripts(pooled(2, &["huge"]), ends, async |engine, driver, heard| {
        until("the pool is as warm as it gets", || heard.count("PoolWarm") > 0).await;
        assert_eq!(heard.count("PreloadFailed { module: \"huge\""), 1);
        let launched = driver.launched.lock().unwrap().len();
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(driver.launched.lock().unwrap().len(), launched);
        assert!(engine.health().await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn of_many_preloads_that_end_at_once_one_counts() {
    let mut config = pooled(4, &["numpy"]);
    config.pool.refill_concurrency = 4.try_into().unwrap();
    let warms = || {
        Script::SaysInParts(vec![(Duration::ZERO, vec![READY]), (Duration::from_secs(5), vec![PRELOADED])])
    };
    let ends = || Script::EndsAfter(Duration::from_secs(3));
    with_scripts(config, warms, async |_, driver, heard| {
        // Those that were started last are warmed first.
        *driver.scripts.lock().unwrap() = vec![warms(), ends(), ends(), ends()];
        until("they have ended", || heard.count("WarmContainerDied") == 3).await;
        until("the others are warm", || heard.count("PoolWarm") > 0).await;
        assert_eq!(heard.count("PreloadFailed"), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_preload_under_way_does_not_hold_up_the_end() {
    let (driver, heard) = (Arc::new(Scripted::default()), Arc::new(Heard::default()));
    let observer = Arc::clone(&heard) as Arc<dyn Observer>;
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, pooled(1, &["pandas"]), observer);
    engine.prove().await.unwrap();
    *driver.usual.lock().unwrap() = Some(|| Script::SaysThenHangs(vec![READY]));
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(heard.count("ContainerStarted"), 2, "that of the trial, and the one that is warmed up");
    let began = tokio::time::Instant::now();
    engine.drain(Duration::ZERO, &CancellationToken::new()).await;
    assert!(began.elapsed() < Duration::from_secs(1), "{:?}", began.elapsed());
    assert!(driver.containers.lock().unwrap().is_empty());
}
