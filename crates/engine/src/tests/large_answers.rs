//! Large answers take turns, and nobody's turn is anybody else's to keep.

use std::{sync::Arc, time::Duration};

use protocol::message::Status;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

use super::{
    config, request,
    scripted::{FINISHED, READY, STARTED, STDOUT, Script, Scripted, with_script_and},
};
use crate::{Engine, EngineConfig, Live, Tenant, driver::Driver, large::SMALL};

fn roomy() -> EngineConfig {
    EngineConfig { result_limit: 4 * SMALL as u64, ..config() }
}

/// A run that leaves a result of that many bytes.
fn leaves(size: usize) -> Script {
    let json = format!("{{\"a\":\"{}\"}}", "x".repeat(size));
    let length = u32::try_from(json.len()).unwrap().to_be_bytes();
    let frame = [&[0x85], &length[..], json.as_bytes()].concat().leak();
    Script::Says(vec![READY, STARTED, STDOUT, frame, FINISHED])
}

const SOON: Duration = Duration::from_secs(1);

#[tokio::test(start_paused = true)]
async fn a_large_answer_waits_for_the_one_before_to_be_encoded_and_a_small_one_for_nobody() {
    let scripts = vec![leaves(2 * SMALL), leaves(2 * SMALL), leaves(10)];
    with_script_and(roomy(), scripts, async |engine, _, _| {
        let first = engine.execute(request(engine, "")).await.unwrap();
        let mut second = Box::pin(engine.execute(request(engine, "")));
        assert!(timeout(SOON, &mut second).await.is_err());
        let small = timeout(SOON, engine.execute(request(engine, ""))).await.unwrap().unwrap();
        assert_eq!((small.status, small.turn.is_some()), (Status::Ok, false));
        drop(first);
        let second = timeout(SOON, second).await.unwrap().unwrap();
        assert_eq!(second.result.unwrap().get().len(), 2 * SMALL + 8);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_does_not_read_keeps_no_large_answer_of_others_waiting() {
    with_script_and(roomy(), vec![leaves(2 * SMALL), leaves(2 * SMALL)], async |engine, _, _| {
        let (live, _outputs) = Live::new();
        let stuck = engine.execute_live(request(engine, ""), live);
        let (stuck, unread) = timeout(SOON, stuck).await.unwrap();
        let stuck = stuck.unwrap();
        let next = timeout(SOON, engine.execute(request(engine, ""))).await.unwrap().unwrap();
        assert_eq!((stuck.status, next.status), (Status::Ok, Status::Ok));
        assert!(unread.bytes() > 0);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_a_turn_can_be_cancelled_and_drained() {
    let driver = Arc::new(Scripted::default());
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, roomy(), Arc::new(()));
    *driver.scripts.lock().unwrap() = vec![leaves(2 * SMALL), leaves(2 * SMALL), leaves(2 * SMALL)];
    let _first = engine.execute(request(&engine, "")).await.unwrap();
    let waiting = request(&engine, "");
    let id = waiting.id;
    let cancel = async {
        sleep(SOON).await;
        assert!(engine.cancel(&Tenant::everyone(), id));
    };
    let (outcome, ()) = tokio::join!(timeout(2 * SOON, engine.execute(waiting)), cancel);
    assert_eq!(outcome.unwrap().unwrap().status, Status::Cancelled);

    let drain = async {
        sleep(SOON).await;
        engine.drain(Duration::ZERO, &CancellationToken::new()).await;
    };
    let (outcome, ()) = tokio::join!(timeout(2 * SOON, engine.execute(request(&engine, ""))), drain);
    assert_eq!(outcome.unwrap().unwrap().status, Status::Cancelled);
    assert!(driver.containers.lock().unwrap().is_empty(), "a container was left behind");
}
