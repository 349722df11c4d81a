//! What the engine makes of container engines and runners that misbehave: each is scripted.

use std::{os::unix::fs::OpenOptionsExt, sync::Arc, time::Duration};

use nix::{libc::O_NONBLOCK, sys::stat::Mode, unistd::mkfifo};
use protocol::message::Status;
use store::{SpaceName, Store, StoreLimits};
use tokio_util::sync::CancellationToken;

use super::{
    config, request,
    scripted::{
        DATA_REQUEST, DATA_REQUEST_OPEN, DISPLAY, FIGURE, FILE, FINISHED, FINISHED_OVER_TIME, READY, READY_9,
        REHEARSED, RESULT, STARTED, STDOUT, Script, Scripted, with_script,
    },
};
use crate::{
    Engine, ExecuteError, LaunchError,
    driver::{Driver, DriverError},
};

/// One script in, one status and error out.
async fn outcome_of(script: Script) -> (Status, String) {
    let mut out = None;
    with_script(vec![script], async |engine, _, _| {
        let outcome = engine.execute(request(engine, "")).await.unwrap();
        assert!(outcome.result.is_none());
        out = Some((outcome.status, outcome.error.unwrap()));
    })
    .await;
    out.unwrap()
}

#[tokio::test(start_paused = true)]
async fn what_no_runner_says_is_a_crash_and_never_an_answer() {
    let huge: &'static [u8] = &[0x85, 0xff, 0xff, 0xff, 0xff];
    let finished_without_result = vec![READY, FINISHED];
    let cases: [(Vec<&'static [u8]>, &str); 22] = [
        (vec![READY, b"\x7f\0\0\0\0"], "unknown frame kind 0x7f"),
        (vec![READY, huge], "Result frame of 4294967295 bytes is over its cap of 10000"),
        (vec![READY, STARTED, READY], "a message out of order"),
        (vec![READY, STARTED, REHEARSED], "a message out of order"),
        (vec![READY, REHEARSED, REHEARSED, STARTED], "a message out of order"),
        (vec![READY, STARTED, RESULT, RESULT], "a message out of order"),
        (vec![READY, DATA_REQUEST], "a message out of order"),
        (vec![READY, STDOUT], "a message out of order"),
        (vec![READY, RESULT, FINISHED], "a message out of order"),
        (vec![READY, STARTED, FIGURE, RESULT], "a message out of order"),
        (vec![READY, STARTED, FILE, STDOUT], "a message out of order"),
        (vec![READY, STARTED, RESULT, DATA_REQUEST], "a message out of order"),
        (
            vec![READY, STARTED, b"\x8b\0\0\0\x0d{\"op\":\"drop\"}"],
            "payload of a DataRequest frame: unknown variant `drop`, expected one of `find`, `open`, `read`, `list` at line 1 column 12",
        ),
        (
            vec![READY, STARTED, &[0x88, 0xff, 0xff, 0xff, 0xff]],
            "Figure frame of 4294967295 bytes is over its cap of 100000",
        ),
        (vec![READY, STARTED, b"\x88\0\0\0\x03GIF"], "payload of a Figure frame: not a PNG"),
        (vec![READY, STARTED, DISPLAY, DISPLAY], "a second display"),
        (vec![READY, STARTED, b"\x89\0\0\0\x06\0\x04../x"], "a file with a path that is none"),
        (vec![READY, STARTED, FILE, b"\x89\0\0\0\x03\0\x01a"], "files out of order"),
        (vec![READY, STARTED, b"\x85\0\0\0\x02[]", FINISHED], "no result"),
        (vec![READY, STARTED, RESULT, FINISHED, FINISHED], "a message out of order"),
        (vec![READY, STARTED, RESULT, FINISHED, b"\x7f\xff"], "a message out of order"),
        (vec![READY, STARTED, b"\x85\0\0\0\x02{]", FINISHED], "expected a name at byte 2"),
    ];
    for (said, error) in cases {
        let (status, text) = outcome_of(Script::Says(said)).await;
        assert_eq!((status, text), (Status::Crashed, format!("the runner's report is not valid: {error}")));
    }
    assert_eq!(outcome_of(Script::Says(finished_without_result)).await.0, Status::Crashed);
    let (status, text) = outcome_of(Script::Says(vec![READY, STARTED, STDOUT, &[0x83, 0, 0]])).await;
    assert_eq!(
        (status, text.as_str()),
        (Status::Crashed, "the runner ended without a report (exit status 1)")
    );
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_floods_past_the_limit_or_never_ends_is_cut_off_from_outside() {
    static FLOOD: &[u8] = &{
        let mut frame = [b'x'; 65_541];
        [frame[0], frame[1], frame[2], frame[3], frame[4]] = [0x83, 0, 1, 0, 0];
        frame
    };
    let (status, text) = outcome_of(Script::SaysThenHangs(vec![READY, STARTED, FLOOD])).await;
    assert_eq!((status, text.ends_with("more output than its limit")), (Status::Crashed, true));
    with_script(vec![Script::SaysThenHangs(vec![READY, STARTED, STDOUT, FLOOD])], async |engine, _, _| {
        let outcome = engine.execute(request(engine, "")).await.unwrap();
        let within = String::from_utf8_lossy(&STDOUT[5..]);
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Status::Crashed, &*within));
    })
    .await;
    let (status, text) = outcome_of(Script::SaysThenHangs(vec![READY, STARTED, STDOUT])).await;
    assert_eq!((status, text.as_str()), (Status::Timeout, "time limit of 20 s exceeded"));
}

#[tokio::test(start_paused = true)]
async fn figures_without_end_are_cut_off_at_their_number() {
    let (status, text) = outcome_of(Script::SaysForEver(FIGURE)).await;
    assert_eq!((status, text.ends_with("more figures than their limit")), (Status::Crashed, true));
    let whole = vec![READY, STARTED, RESULT, DISPLAY, FIGURE, FIGURE, FILE, FINISHED];
    with_script(vec![Script::Says(whole)], async |engine, _, _| {
        let outcome = engine.execute(request(engine, "")).await.unwrap();
        let counts = (outcome.status, outcome.display.is_some(), outcome.figures.len(), outcome.files.len());
        assert_eq!(counts, (Status::Ok, true, 2, 1));
        assert_eq!((outcome.figures[0].width, outcome.figures[0].height), (2, 1));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_endless_stream_of_nothing_ends_the_conversation() {
    let (status, text) = outcome_of(Script::SaysForEver(&[0x83, 0, 0, 0, 0])).await;
    assert_eq!((status, text.ends_with("an empty piece of output")), (Status::Crashed, true));
}

#[tokio::test(start_paused = true)]
async fn a_runner_that_does_not_heed_a_cancel_is_still_told_as_cancelled() {
    with_script(vec![Script::SaysThenHangs(vec![READY, STARTED, STDOUT])], async |engine, _, _| {
        let patient = CancellationToken::new();
        let drain = async {
            tokio::time::sleep(Duration::from_secs(1)).await;
            engine.drain(Duration::ZERO, &patient).await;
        };
        let (outcome, ()) = tokio::join!(engine.execute(request(engine, "")), drain);
        assert_eq!(outcome.unwrap().status, Status::Cancelled);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn health_says_why_code_cannot_run_and_recovers_by_itself() {
    let dies = || Script::Says(vec![READY, STARTED]);
    with_script(vec![dies(), dies(), dies()], async |engine, driver, _| {
        assert!(engine.health().await.is_ok());
        // A run that ends without a report proves nothing, not even if it is the trial itself.
        assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Crashed);
        for _ in 0..2 {
            let error = engine.health().await.unwrap_err().to_string();
            assert_eq!(
                error,
                "a trial execution ended as 'crashed': the runner ended without a report (exit status 1)"
            );
        }
        assert!(engine.health().await.is_ok());
        *driver.unreachable.lock().unwrap() = true;
        let error = engine.health().await.unwrap_err().to_string();
        assert!(
            error.starts_with("the Docker engine at unix:///x cannot be reached (Connection refused)"),
            "{error}"
        );
        *driver.unreachable.lock().unwrap() = false;
        assert!(engine.health().await.is_ok());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_cannot_prove_itself_leaves_nothing() {
    let driver = Arc::new(Scripted::default());
    *driver.scripts.lock().unwrap() = vec![Script::Complains("bash: no job control\n")];
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, config(), Arc::new(()));
    assert_eq!(
        engine.prove().await.unwrap_err().to_string(),
        "the runner did not start: bash: no job control"
    );
    engine.drain(Duration::ZERO, &CancellationToken::new()).await;
    assert!(driver.containers.lock().unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_pipe_that_hangs_with_its_engine_is_not_the_codes_timeout() {
    with_script(vec![Script::HangsAndIsGone(vec![READY, STARTED])], async |engine, _, _| {
        let error = engine.execute(request(engine, "")).await.unwrap_err();
        assert_eq!(error.to_string(), "the container was lost during the run: the container is gone");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_container_that_somebody_pauses_or_kills_is_not_the_codes_end() {
    let hangs = |said| vec![Script::SaysThenHangs(said)];
    with_script(hangs(vec![READY]), async |engine, driver, heard| {
        *driver.paused.lock().unwrap() = true;
        // The code has not begun: it does so elsewhere.
        assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Ok);
        assert_eq!(heard.count("Retried"), 1);
    })
    .await;
    let lost = async |engine: &Engine| engine.execute(request(engine, "")).await.unwrap_err().to_string();
    with_script(hangs(vec![READY, STARTED]), async |engine, driver, _| {
        *driver.paused.lock().unwrap() = true;
        let paused = "the container was lost during the run: its container was paused while it was running";
        assert_eq!(lost(engine).await, paused);
    })
    .await;
    with_script(vec![Script::Ends(Some(137), vec![READY, STARTED])], async |engine, _, _| {
        let killed = "the container was lost during the run: its container was killed while it was running";
        assert_eq!(lost(engine).await, killed);
    })
    .await;
}

/// A runner whose report comes so long after its word that the code has started, and that so long after the request.
fn reports_late(starts_after: Duration, ends_after: Duration) -> Script {
    let parts =
        [(Duration::ZERO, vec![READY]), (starts_after, vec![STARTED]), (ends_after, vec![RESULT, FINISHED])];
    Script::SaysInParts(parts.into())
}

#[tokio::test(start_paused = true)]
async fn a_report_that_an_engine_has_slept_on_is_heard() {
    // The code is to start within 10 s and may take 20, and its runner's report 1.9 s more.
    for (starts_after, ends_after, status) in [
        (0, 21_899, Status::Ok),
        (0, 26_500, Status::Ok),
        (0, 28_000, Status::Timeout),
        (14_500, 26_500, Status::Ok),
        (14_500, 28_000, Status::Timeout),
    ] {
        let (starts_after, ends_after) =
            (Duration::from_millis(starts_after), Duration::from_millis(ends_after));
        with_script(vec![reports_late(starts_after, ends_after)], async |engine, driver, _| {
            *driver.inspects_take.lock().unwrap() = Duration::from_secs(4);
            let outcome = engine.execute(request(engine, "")).await.unwrap();
            assert_eq!(outcome.status, status, "{starts_after:?} {ends_after:?}");
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_report_that_this_process_has_slept_on_is_heard() {
    for starts_after in [Duration::ZERO, Duration::from_secs(5)] {
        let script = reports_late(starts_after, Duration::from_secs(5));
        with_script(vec![script], async |engine, _, heard| {
            let run = async {
                let outcome = engine.execute(request(engine, "")).await.unwrap();
                assert_eq!((outcome.status, heard.count("Retried")), (Status::Ok, 0));
            };
            let sleep = async {
                tokio::time::sleep(Duration::from_secs(1)).await;
                tokio::time::advance(Duration::from_secs(60)).await;
            };
            tokio::join!(run, sleep);
        })
        .await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_freezes_before_the_code_starts_is_asked_once_and_no_other_container_is_tried() {
    with_script(vec![Script::SaysThenHangs(vec![READY])], async |engine, driver, heard| {
        *driver.inspects_take.lock().unwrap() = Duration::MAX;
        let began = tokio::time::Instant::now();
        let error = engine.execute(request(engine, "")).await.unwrap_err();
        assert!(
            error.to_string().ends_with("the Docker engine did not inspect a container within 5 s"),
            "{error}"
        );
        assert_eq!((began.elapsed().as_secs(), heard.count("Retried")), (15, 0));
    })
    .await;
}

#[tokio::test]
async fn a_data_disk_that_hangs_does_not_keep_a_run_beyond_its_time() {
    let folder = tempfile::tempdir().unwrap();
    let limits = StoreLimits { max_value_size: 1000, data_limit: 10_000, ttl: None };
    let store = Store::open(folder.path(), limits).await.unwrap();
    let space = store.space(SpaceName::default(), None);
    let (key, content_type) =
        ("sales".to_owned().try_into().unwrap(), "text/csv".to_owned().try_into().unwrap());
    let mut upload = space.upload(key, content_type).await.unwrap();
    upload.write(&"a,b".into()).await.unwrap();
    let version = upload.commit().await.unwrap().version;
    // Whoever opens it waits until somebody writes.
    let object = folder.path().join("objects").join(version.to_string());
    std::fs::remove_file(&object).unwrap();
    mkfifo(&object, Mode::S_IRWXU).unwrap();
    let script = vec![Script::Says(vec![READY, STARTED, DATA_REQUEST_OPEN, FINISHED_OVER_TIME])];
    with_script(script, async |engine, _, heard| {
        let mut request = request(engine, "");
        request.timeout = engine.bounds().timeout(0.1).unwrap();
        request.data = Some(space);
        let outcome = tokio::time::timeout(Duration::from_secs(8), engine.execute(request)).await.unwrap();
        let outcome = outcome.unwrap();
        // In the runner's words, who ends the code while the disk still hangs.
        assert_eq!((outcome.status, outcome.usage.cpu_time), (Status::Timeout, 0.25));
        assert_eq!(heard.count("DataLate"), 1);
    })
    .await;
    // Fails unless it is being waited for, and ends that.
    std::fs::OpenOptions::new().write(true).custom_flags(O_NONBLOCK).open(&object).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_is_told_to_the_observer() {
    with_script(vec![Script::SaysThenHangs(vec![READY])], async |engine, _, heard| {
        let run = engine.execute(request(engine, ""));
        assert!(tokio::time::timeout(Duration::from_secs(1), run).await.is_err());
        assert!(heard.0.lock().unwrap().last().unwrap().starts_with("Abandoned"));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn while_the_engine_is_away_every_request_is_told_so_at_once_and_only_what_existed_is_removed() {
    with_script(vec![Script::SaysThenHangs(vec![READY, STARTED])], async |engine, driver, heard| {
        // The trial's own container.
        tokio::time::sleep(Duration::from_secs(1)).await;
        let cut_off = tokio::time::timeout(Duration::from_secs(1), engine.execute(request(engine, "")));
        let away = async {
            tokio::time::sleep(Duration::from_millis(500)).await;
            *driver.unreachable.lock().unwrap() = true;
        };
        assert!(tokio::join!(cut_off, away).0.is_err());
        let began = tokio::time::Instant::now();
        for _ in 0..100 {
            let error = engine.execute(request(engine, "")).await.unwrap_err();
            assert!(matches!(
                error,
                ExecuteError::Launch(LaunchError::Driver(DriverError::Unreachable { .. }))
            ));
        }
        assert!(began.elapsed() < Duration::from_millis(500), "{:?}", began.elapsed());
        tokio::time::sleep(Duration::from_secs(60)).await;
        // The one that ran, and that of the first start that failed.
        assert_eq!(heard.count("Quarantined"), 2);
        *driver.unreachable.lock().unwrap() = false;
        assert_eq!(engine.execute(request(engine, "")).await.unwrap().status, Status::Ok);
        tokio::time::sleep(Duration::from_secs(8)).await;
        assert_eq!(engine.containers(), 0);
        assert_eq!(heard.count("QuarantineEnded"), 2);
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn no_more_containers_start_at_once_than_there_are_processors() {
    let driver = Arc::new(Scripted::default());
    let config = crate::EngineConfig { max_executions: 64.try_into().unwrap(), ..config() };
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, config, Arc::new(()));
    let runs = (0..64).map(|_| engine.execute(request(&engine, "")));
    for run in futures_util::future::join_all(runs).await {
        assert_eq!(run.unwrap().status, Status::Ok);
    }
    let processors = std::thread::available_parallelism().unwrap().get();
    assert_eq!(driver.launching.lock().unwrap().1, processors.min(64));
    engine.drain(Duration::from_secs(1), &CancellationToken::new()).await;
}

#[tokio::test(start_paused = true)]
async fn a_failure_of_ours_is_an_error_and_says_why() {
    let script = vec![
        Script::Refuses,
        Script::Complains("python3: not found\n"),
        Script::Says(vec![b"HTTP/1.1"]),
        Script::Gone(vec![READY, STARTED]),
        Script::Ends(None, vec![READY, STARTED]),
        Script::Ends(Some(0), vec![READY, STARTED]),
        Script::Ends(Some(70), vec![READY, STARTED]),
        Script::Ends(Some(0), vec![READY]),
        Script::Ends(None, vec![READY]),
        Script::SaysThenHangs(vec![READY]),
        Script::SaysThenHangs(vec![]),
        Script::Says(vec![READY_9]),
    ];
    with_script(script, async |engine, _, heard| {
        let expected = [
            "the Docker engine refused to start a container: no",
            "the runner did not start: python3: not found",
            "the image is not a runner of this service: unknown frame kind 0x48",
            "the container was lost during the run: the container is gone",
            "the container was lost during the run: its pipe broke while it was running",
            "the container was lost during the run: its pipe broke while it was running",
            "the container was lost during the run: its pipe broke while it was running",
            "the container was lost during the run: its pipe broke when its code was to start",
            "the container was lost during the run: its pipe broke when its code was to start",
            "the container was lost during the run: its code did not start in time",
            "the runner was not ready within 30 s: is the image a runner of this service, and the machine not overloaded?",
            "the runner image speaks version 9 of the protocol and this control plane version 5: \
             build both from the same release",
        ];
        for expected in expected {
            let error = engine.execute(request(engine, "")).await.unwrap_err();
            assert_eq!(error.to_string(), expected);
            assert!(!matches!(error, ExecuteError::Admission(_)));
        }
        let failures =
            heard.0.lock().unwrap().iter().filter(|event| event.starts_with("NotExecuted")).count();
        assert_eq!(failures, expected.len());
    })
    .await;
}
