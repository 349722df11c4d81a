//! What becomes of containers that are to go, and of those that nobody owns.

use std::{sync::Arc, time::Duration};

use protocol::message::Status;
use tokio_util::sync::CancellationToken;

use super::{
    config, request,
    scripted::{READY, STARTED, Script, Scripted, healthy, with_script},
};
use crate::{
    Engine,
    driver::{ContainerName, Driver},
};

#[tokio::test(start_paused = true)]
async fn a_removal_that_hangs_holds_its_slot_for_three_seconds_only() {
    with_script(vec![], async |engine, driver, heard| {
        *driver.removals_hang.lock().unwrap() = true;
        let began = tokio::time::Instant::now();
        for _ in 0..4 {
            assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Ok);
        }
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
        assert!(heard.0.lock().unwrap().iter().any(|event| event.starts_with("Quarantined")));
        *driver.removals_hang.lock().unwrap() = false;
        tokio::time::sleep(Duration::from_secs(100)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_container_that_resists_removal_is_quarantined_but_not_forgotten() {
    with_script(vec![], async |engine, driver, heard| {
        *driver.failing_removals.lock().unwrap() = 40;
        for _ in 0..6 {
            // Two slots, six executions, not one removal: quarantine gives the slots back.
            assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Ok);
        }
        assert!(heard.0.lock().unwrap().iter().any(|event| event.starts_with("Quarantined")));
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert!(driver.containers.lock().unwrap().is_empty());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_sweep_that_hangs_keeps_no_removal_waiting_and_takes_what_is_gone_by_then_for_no_orphan() {
    with_script(vec![Script::SaysThenHangs(vec![READY, STARTED])], async |engine, driver, heard| {
        *driver.lists_hang.lock().unwrap() = true;
        tokio::time::sleep(Duration::from_secs(25)).await;
        // It is there when the list is made, 5 s later.
        assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Timeout);
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(driver.containers.lock().unwrap().is_empty(), "it waits for the sweep");
        *driver.lists_hang.lock().unwrap() = false;
        tokio::time::sleep(Duration::from_secs(30)).await;
        assert_eq!(heard.count("Orphans"), 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_container_that_the_engine_makes_after_it_was_given_up_is_removed_and_a_drain_waits_for_it() {
    for drains in [false, true] {
        with_script(vec![Script::IsNotAnswered], async |engine, driver, heard| {
            engine.execute(request(engine, "")).await.unwrap_err();
            let late = driver.launched.lock().unwrap().last().unwrap().name.clone();
            let comes = async {
                tokio::time::sleep(Duration::from_secs(2)).await;
                driver.containers.lock().unwrap().insert(late.clone(), None);
            };
            let end = async {
                if drains {
                    engine.drain(Duration::ZERO, &CancellationToken::new()).await;
                } else {
                    // Nobody waits for its slots meanwhile.
                    for _ in 0..3 {
                        assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Ok);
                    }
                    tokio::time::sleep(Duration::from_secs(6)).await;
                }
            };
            tokio::join!(comes, end);
            assert!(driver.containers.lock().unwrap().is_empty());
            assert_eq!((heard.count("Orphans"), heard.count("Quarantined")), (0, 0));
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn orphans_that_resist_removal_keep_no_other_from_it() {
    with_script(vec![], async |_, driver, heard| {
        let orphans: Vec<_> = (0..10).map(|n| ContainerName(format!("orphan-{n}"))).collect();
        driver.stuck.lock().unwrap().extend(orphans[..8].iter().cloned());
        driver.containers.lock().unwrap().extend(orphans.into_iter().map(|name| (name, None)));
        tokio::time::sleep(Duration::from_secs(60)).await;
        assert_eq!(driver.containers.lock().unwrap().len(), 8);
        assert_eq!(heard.count("Quarantined"), 8);
        driver.stuck.lock().unwrap().clear();
        tokio::time::sleep(Duration::from_secs(60)).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn orphans_are_swept_at_start_and_later_but_never_what_somebody_owns() {
    let driver = Arc::new(Scripted::default());
    let orphan = |n: u32| ContainerName(format!("orphan-{n}"));
    driver.containers.lock().unwrap().extend([(orphan(1), None), (orphan(2), None)]);
    *driver.scripts.lock().unwrap() = vec![healthy(), Script::SaysThenHangs(vec![READY, STARTED])];
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, config(), Arc::new(()));
    engine.prove().await.unwrap();
    let mut long = request(&engine, "");
    long.timeout = engine.bounds().timeout(20.0).unwrap();
    let running = tokio::spawn({
        let engine = engine.clone();
        async move { engine.execute(long).await.unwrap().status }
    });
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(driver.containers.lock().unwrap().len(), 1, "the orphans are gone, the running one is not");
    driver.containers.lock().unwrap().insert(orphan(3), None);
    tokio::time::sleep(Duration::from_secs(40)).await;
    assert_eq!(running.await.unwrap(), Status::Timeout);
    assert!(driver.containers.lock().unwrap().is_empty());
    engine.drain(Duration::from_secs(1), &CancellationToken::new()).await;
}
