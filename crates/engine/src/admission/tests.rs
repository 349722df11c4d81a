use futures_util::{FutureExt, future::join_all};

use super::*;

fn admission(max_executions: u32, queue_size: u32) -> Admission {
    let max_executions = NonZeroU32::new(max_executions).unwrap();
    Admission::new(max_executions, queue_size, Duration::from_secs(5))
}

fn tenant(name: &str) -> Tenant {
    Tenant::try_from(name).unwrap()
}

async fn admit<'a>(admission: &'a Admission, name: &str) -> Result<Place<'a>, AdmissionError> {
    admission.admit(&tenant(name), None).await
}

#[tokio::test(start_paused = true)]
async fn beyond_the_turns_requests_wait_and_beyond_the_queue_they_are_turned_away() {
    let admission = admission(1, 1);
    let first = admit(&admission, "a").await.unwrap();
    let (second, third) = tokio::join!(admit(&admission, "a"), admit(&admission, "a"));
    let second = second.unwrap_err();
    assert!(matches!(second, AdmissionError::QueueTimeout { .. }));
    assert_eq!(second.to_string(), "no execution slot came free within 5 s");
    assert_eq!(third.unwrap_err().to_string(), "the queue is full, with 1 waiting");
    drop(first);
    assert!(admit(&admission, "a").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn those_of_one_tenant_who_wait_come_in_by_order_of_arrival() {
    let admission = admission(1, 8);
    let first = admit(&admission, "a").await.unwrap();
    let order = Mutex::new(Vec::new());
    let wait = async |n: u8| {
        let admitted = admit(&admission, "a").await.unwrap();
        order.lock().unwrap().push(n);
        drop(admitted);
    };
    tokio::join!(wait(1), wait(2), wait(3), async { drop(first) });
    assert_eq!(*order.lock().unwrap(), [1, 2, 3]);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_makes_room_for_another_tenant_and_tells_who_is_pushed_out() {
    let admission = admission(1, 2);
    let running = admit(&admission, "flood").await.unwrap();
    let mut oldest = Box::pin(admit(&admission, "flood"));
    let mut newest = Box::pin(admit(&admission, "flood"));
    assert!((&mut oldest).now_or_never().is_none() && (&mut newest).now_or_never().is_none());
    let mut single = Box::pin(admit(&admission, "single"));
    assert!((&mut single).now_or_never().is_none());
    assert!(matches!(newest.await, Err(AdmissionError::QueueFull { waiting: 2, .. })));
    drop(running);
    let single = single.await.unwrap();
    assert!((&mut oldest).now_or_never().is_none());
    drop(single);
    assert!(oldest.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_leaves_gives_back_its_place_or_its_turn_even_one_it_does_not_know_of_yet() {
    let admission = admission(1, 1);
    let running = admit(&admission, "a").await.unwrap();
    let mut waiting = Box::pin(admit(&admission, "a"));
    assert!((&mut waiting).now_or_never().is_none());
    drop(waiting);
    let mut told = Box::pin(admit(&admission, "a"));
    assert!((&mut told).now_or_never().is_none(), "the place is free again");
    drop(running);
    drop(told);
    assert!(admit(&admission, "a").now_or_never().unwrap().is_ok(), "the turn is free again");
    admission.idle().now_or_never().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_tenant_at_its_own_limit_waits_beside_free_turns() {
    let admission = admission(4, 8);
    let one = NonZeroU32::new(1);
    let first = admission.admit(&tenant("a"), one).await.unwrap();
    let mut second = Box::pin(async { admission.admit(&tenant("a"), one).await });
    assert!((&mut second).now_or_never().is_none());
    assert!(admit(&admission, "b").now_or_never().unwrap().is_ok());
    drop(first);
    assert!(second.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn who_is_turned_away_is_told_when_the_queue_will_have_been_served() {
    let retry_after = |error| match error {
        AdmissionError::QueueFull { retry_after, .. } | AdmissionError::QueueTimeout { retry_after, .. } => {
            retry_after.as_secs_f64()
        }
        AdmissionError::Draining => panic!("not draining"),
    };
    let admission = admission(2, 3);
    // Turns of three seconds.
    let trials = [admit(&admission, "a").await.unwrap(), admit(&admission, "a").await.unwrap()];
    time::sleep(Duration::from_secs(3)).await;
    drop(trials);
    // Two run, three wait, one is too many: (3 + 1) / 2 rounds of three seconds.
    let running = [admit(&admission, "a").await.unwrap(), admit(&admission, "a").await.unwrap()];
    let all = join_all((0..4).map(|_| admit(&admission, "a"))).await;
    let mut errors = all.into_iter().map(|result| result.unwrap_err());
    let waited: Vec<_> = errors.by_ref().take(3).map(retry_after).collect();
    assert_eq!(retry_after(errors.next().unwrap()), 6.0);
    // After five seconds of patience without any turn coming back these have become longer than three. Three gave up,
    // one after the other.
    assert_eq!(waited, [7.5, 5.0, 2.5]);
    drop(running);
    // A limit of its own makes a tenant's way longer than the queue.
    let one = NonZeroU32::new(1);
    let _running = admission.admit(&tenant("b"), one).await.unwrap();
    let all = join_all((0..4).map(|_| async { admission.admit(&tenant("b"), one).await })).await;
    let last = all.into_iter().last().unwrap().unwrap_err();
    assert!(retry_after(last) > 12.0);
}

#[tokio::test(start_paused = true)]
async fn closing_turns_away_those_who_wait_and_idle_waits_for_those_who_run() {
    let admission = admission(1, 8);
    let running = admit(&admission, "a").await.unwrap();
    let (waiting, ()) = tokio::join!(admit(&admission, "a"), async { admission.close() });
    assert!(matches!(waiting, Err(AdmissionError::Draining)));
    assert!(matches!(admit(&admission, "a").await, Err(AdmissionError::Draining)));
    assert!(time::timeout(Duration::from_secs(60), admission.idle()).await.is_err());
    drop(running);
    admission.idle().await;
}
