//! The engine with the real runner as a plain process: everything about an execution that needs no container.

mod broken_drivers;
mod fairness;
mod large_answers;
mod pool;
mod reaper;
mod scripted;
mod warmth;

use std::{num::NonZeroU32, sync::Arc, time::Duration};

use serde_json::value::RawValue;
use tokio::{task::JoinHandle, time::Instant};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    AdmissionError, Bounds, Engine, EngineConfig, ExecuteError, ExecutionRequest, FilePath, InputFile,
    InputFiles, Outcome, Permit, ReturnLimits, Status, Tenant,
    driver::{Driver, process::ProcessDriver},
};

fn config() -> EngineConfig {
    EngineConfig {
        max_executions: NonZeroU32::new(2).unwrap(),
        queue_size: 8,
        queue_timeout: Duration::from_secs(20),
        returns: ReturnLimits { figures: 100_000, max_files: 3, files: 600_000 },
        bounds: Bounds {
            default_timeout: Duration::from_secs(20),
            max_timeout: Duration::from_secs(20),
            default_memory: 512 << 20,
            max_memory: 1 << 30,
        },
        ..EngineConfig::small()
    }
}

/// An engine whose containers are all gone when the test ends, or the test fails.
async fn with_engine(test: impl AsyncFnOnce(&Engine)) {
    let driver = Arc::new(ProcessDriver::default());
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, config(), Arc::new(()));
    engine.prove().await.unwrap();
    test(&engine).await;
    engine.drain(Duration::from_secs(20), &CancellationToken::new()).await;
    assert!(driver.list().await.unwrap().is_empty(), "a process was left behind");
}

fn request(engine: &Engine, code: &str) -> ExecutionRequest {
    ExecutionRequest {
        tenant: Tenant::everyone(),
        concurrency: None,
        id: Uuid::now_v7(),
        code: code.to_owned(),
        input_data: RawValue::from_string("{}".to_owned()).unwrap(),
        timeout: engine.bounds().default_timeout(),
        memory: engine.bounds().default_memory(),
        stdin: String::new(),
        args: Vec::new(),
        files: InputFiles::default(),
        data: None,
        permit: Permit::default(),
    }
}

async fn run(engine: &Engine, code: &str) -> Outcome {
    engine.execute(request(engine, code)).await.unwrap()
}

/// Code that has begun, has printed "a", and runs until it is ended.
async fn running(engine: &Engine) -> JoinHandle<Outcome> {
    let folder = tempfile::tempdir().unwrap();
    let begun = folder.path().join("begun");
    let code = format!("import time; print('a', flush=True); open({begun:?}, 'x').close(); time.sleep(60)");
    let running = tokio::spawn({
        let engine = engine.clone();
        async move { run(&engine, &code).await }
    });
    while !begun.exists() {
        assert!(!running.is_finished(), "it has not begun");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    running
}

#[tokio::test]
async fn code_input_stdin_and_arguments_go_in_and_result_and_output_come_out() {
    with_engine(async |engine| {
        let mut request =
            request(engine, "import sys\ntotal = n + int(input())\nprint(sys.argv[1:], file=sys.stderr)");
        request.input_data = RawValue::from_string(r#"{"n": 40}"#.to_owned()).unwrap();
        request.stdin = "2\n".to_owned();
        request.args = vec!["ä".to_owned()];
        let outcome = engine.execute(request).await.unwrap();
        assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
        assert_eq!(outcome.result.unwrap().get(), r#"{"total":42}"#);
        assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("", "['ä']\n"));
        assert_eq!((outcome.exit_code, outcome.error), (Some(0), None));
        assert!(outcome.execution_time > 0.0 && outcome.execution_time <= outcome.usage.wall_time);
    })
    .await;
}

#[tokio::test]
async fn a_request_of_many_archive_frames_arrives_whole() {
    with_engine(async |engine| {
        let mut request = request(engine, "import sys\nn = len(sys.stdin.read())");
        request.stdin = "x".repeat(3_000_000);
        let outcome = engine.execute(request).await.unwrap();
        assert_eq!(outcome.result.unwrap().get(), r#"{"n":3000000}"#);
    })
    .await;
}

#[tokio::test]
async fn files_go_in_and_what_is_new_or_changed_comes_out_with_the_value_of_the_last_line() {
    with_engine(async |engine| {
        let code = "import os\nos.makedirs('out/long' * 20)\nopen('a', 'a').write(open('b/c').read())\n\
                    open('out/x', 'wb').write(bytes(500_000))\n6 * 7";
        let mut request = request(engine, code);
        let long = format!("{}/deep", "folder/".repeat(100).trim_end_matches('/'));
        let files = [("a", "1"), ("b/c", "2"), (&long, "3")].map(|(path, content)| InputFile {
            path: FilePath::new(path.to_owned()).unwrap(),
            content: content.into(),
        });
        request.files = InputFiles::new(files.into()).unwrap();
        let outcome = engine.execute(request).await.unwrap();
        assert_eq!(outcome.status, Status::Ok, "{outcome:?}");
        let files = outcome.files.into_iter();
        let files: Vec<_> = files.map(|file| (file.path, file.content.into_vec())).collect();
        let path = |path: &str| FilePath::new(path.to_owned()).unwrap();
        assert_eq!(files, [(path("a"), b"12".to_vec()), (path("out/x"), vec![0; 500_000])]);
        assert_eq!(outcome.display.unwrap().text, "42");
    })
    .await;
}

#[tokio::test]
async fn files_come_back_of_a_run_that_failed_but_not_of_one_that_was_ended() {
    with_engine(async |engine| {
        for (code, status, files) in [
            ("open('a', 'w').write('x')\n1/0", Status::Error, 1),
            ("open('a', 'w').write('x')\nimport os; os._exit(3)", Status::Crashed, 0),
            ("open('a', 'w').write('x')\nwhile True: print('a')", Status::OutputLimit, 0),
        ] {
            let outcome = run(engine, code).await;
            assert_eq!((outcome.status, outcome.files.len()), (status, files), "{code}");
        }
        let outcome = run(engine, "for n in range(5): open(f'{n}', 'wb').write(bytes(n * 100_000))").await;
        assert_eq!(outcome.files.len(), 3);
        let omitted = outcome.omitted.iter().map(|omitted| format!("{}: {}", omitted.name, omitted.reason));
        let expected = ["3: over the limit of 3 files", "4: over the limit of 3 files"];
        assert_eq!(omitted.collect::<Vec<_>>(), expected);
    })
    .await;
}

#[tokio::test]
async fn every_bad_end_is_an_outcome_and_keeps_what_was_printed() {
    with_engine(async |engine| {
        let cases = [
            ("print('a'); 1/0", Status::Error, Some(1), None, "ZeroDivisionError: division by zero"),
            (
                "print('a'); import os; os._exit(7)",
                Status::Crashed,
                Some(7),
                None,
                "the process exited with status 7",
            ),
            (
                "print('a'); import os, signal; os.kill(os.getpid(), signal.SIGSEGV)",
                Status::Crashed,
                None,
                Some("SIGSEGV"),
                "the process was killed by SIGSEGV",
            ),
            (
                "while True: print('a')",
                Status::OutputLimit,
                None,
                None,
                "output limit of 10000 B exceeded on stdout",
            ),
        ];
        for (code, status, exit_code, signal, error) in cases {
            let outcome = run(engine, code).await;
            assert_eq!(outcome.status, status, "{code}: {outcome:?}");
            if status != Status::OutputLimit {
                assert_eq!((outcome.exit_code, outcome.signal.as_deref()), (exit_code, signal), "{code}");
            }
            assert!(outcome.error.as_deref().unwrap().starts_with(error), "{code}: {:?}", outcome.error);
            assert!(outcome.result.is_none() && outcome.stdout.starts_with("a\n"), "{code}");
        }
    })
    .await;
}

#[tokio::test]
async fn a_run_over_its_time_is_ended_and_keeps_what_was_printed() {
    with_engine(async |engine| {
        let mut request = request(engine, "print('a', end='')\nwhile True: pass");
        request.timeout = engine.bounds().timeout(0.5).unwrap();
        let outcome = engine.execute(request).await.unwrap();
        assert_eq!((outcome.status, outcome.stdout.as_str()), (Status::Timeout, "a"));
        assert_eq!(outcome.error.as_deref(), Some("time limit of 0.5 s exceeded"));
        assert!(outcome.execution_time < 2.0);
    })
    .await;
}

#[tokio::test]
async fn beyond_the_slots_executions_wait_and_all_are_answered() {
    with_engine(async |engine| {
        let runs = (0..8).map(|n| {
            let engine = engine.clone();
            tokio::spawn(
                async move { run(&engine, &format!("n = {n}")).await.result.unwrap().get().to_owned() },
            )
        });
        let results: Vec<_> = futures_util::future::join_all(runs).await;
        for (n, result) in results.into_iter().enumerate() {
            assert_eq!(result.unwrap(), format!(r#"{{"n":{n}}}"#));
        }
    })
    .await;
}

#[tokio::test]
async fn a_dropped_execution_leaves_no_container_and_gives_its_slot_back() {
    with_engine(async |engine| {
        for patience in [0, 1, 20, 100, 300] {
            let code = "import time; time.sleep(60)";
            let run = engine.execute(request(engine, code));
            let left = tokio::time::timeout(Duration::from_millis(patience), run).await;
            assert!(left.is_err());
        }
        let both = futures_util::future::join(run(engine, "a = 1"), run(engine, "a = 1")).await;
        assert!(both.0.status == Status::Ok && both.1.status == Status::Ok);
    })
    .await;
}

#[tokio::test]
async fn draining_turns_new_executions_away_and_cancels_what_outlasts_its_patience() {
    let driver = Arc::new(ProcessDriver::default());
    let engine = Engine::new(Arc::clone(&driver) as Arc<dyn Driver>, config(), Arc::new(()));
    engine.prove().await.unwrap();
    let running = running(&engine).await;
    let began = Instant::now();
    let patient = CancellationToken::new();
    let drain = engine.drain(Duration::from_secs(1), &patient);
    let refused = async {
        tokio::task::yield_now().await;
        engine.execute(request(&engine, "pass")).await
    };
    let ((), refused) = futures_util::future::join(drain, refused).await;
    assert!(matches!(refused, Err(ExecuteError::Admission(AdmissionError::Draining))));
    let outcome = running.await.unwrap();
    assert_eq!((outcome.status, outcome.stdout.as_str()), (Status::Cancelled, "a\n"));
    assert!(began.elapsed() < Duration::from_secs(5));
    assert!(driver.list().await.unwrap().is_empty());
}

#[tokio::test]
async fn an_impatient_drain_does_not_wait() {
    let engine = Engine::new(Arc::new(ProcessDriver::default()), config(), Arc::new(()));
    engine.prove().await.unwrap();
    let running = running(&engine).await;
    let impatient = CancellationToken::new();
    impatient.cancel();
    let began = Instant::now();
    engine.drain(Duration::from_secs(60), &impatient).await;
    assert!(began.elapsed() < Duration::from_secs(5));
    assert_eq!(running.await.unwrap().status, Status::Cancelled);
}
