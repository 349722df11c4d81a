// The contract of `POST /execute_code`, as a client sees it. Included by each file that says with which POOL it is to hold.

use std::time::{Duration, Instant};

use e2e::Product;
use serde_json::{Value, json};

const CANONICAL: &str = "import pandas as pd\ndf = pd.DataFrame({'a': [1, 2, 3], 'b': [4, 5, 6]})\ndf['c'] = df['a'] + df['b']\nprint(df)";

#[tokio::test]
async fn the_canonical_example_answers_exactly_as_promised() {
    let product = Product::start(&["--pool-size", POOL]).await;
    let began = Instant::now();
    let run = product.post(json!({ "code": CANONICAL, "input_data": {} })).await;
    let took = began.elapsed().as_secs_f64();
    let rows = json!([{ "a": 1, "b": 4, "c": 5 }, { "a": 2, "b": 5, "c": 7 }, { "a": 3, "b": 6, "c": 9 }]);
    assert_eq!(run.field("result"), &json!({ "df": rows }));
    assert_eq!(run.stdout(), "   a  b  c\n0  1  4  5\n1  2  5  7\n2  3  6  9\n");
    for (field, value) in [
        ("status", json!("ok")),
        ("stderr", json!("")),
        ("error", Value::Null),
        ("exit_code", json!(0)),
        ("signal", Value::Null),
        ("display", Value::Null),
        ("figures", json!([])),
        ("files", json!([])),
        ("omitted", json!([])),
        ("truncated", json!({ "stdout": false, "stderr": false })),
    ] {
        assert_eq!(run.field(field), &value, "{field}");
    }
    let fields: Vec<_> = run.body.as_object().unwrap().keys().collect();
    assert_eq!(fields.len(), 15, "{fields:?}");
    let time = |field: &Value| field.as_f64().unwrap();
    let (code, usage) = (time(run.field("execution_time")), run.field("usage"));
    assert!(0.0 < code && code <= time(&usage["wall_time"]) && time(&usage["wall_time"]) < took);
    assert!(time(&usage["cpu_time"]) > 0.0 && usage["peak_memory"].as_u64().unwrap() > 50 << 20);
    product.stop().await;
}

#[tokio::test]
async fn inputs_become_variables_and_pandas_and_numpy_need_no_import() {
    let product = Product::start(&["--pool-size", POOL]).await;
    let body = json!({
        "code": "total = sum(values)\nname2 = name.upper()",
        "input_data": { "values": [1, 2, 3], "name": "ada" },
    });
    assert_eq!(product.post(body).await.field("result"), &json!({ "total": 6, "name2": "ADA" }));
    let run = product.run("df = pd.DataFrame({'x': np.arange(3)})").await;
    assert_eq!(run.field("result"), &json!({ "df": [{ "x": 0 }, { "x": 1 }, { "x": 2 }] }));
    let run = product.post(json!({ "code": "import sys\nv = [input(), sys.argv, sys.stdin.read()]", "stdin": "a\nb", "args": ["-n", "ü"] })).await;
    assert_eq!(run.field("result"), &json!({ "v": ["a", ["main.py", "-n", "ü"], "b"] }));
    product.stop().await;
}

#[tokio::test]
async fn a_warning_names_its_line_and_a_module_may_await() {
    let product = Product::start(&["--pool-size", POOL]).await;
    let code = "import warnings\n\
                def f():\n\
                \x20 warnings.warn('w', stacklevel=2)\n\
                f()";
    assert_eq!(product.run(code).await.field("stderr"), "main.py:4: UserWarning: w\n  f()\n");
    let run =
        product.run("import asyncio\nx = await asyncio.sleep(0, 5)\nawait asyncio.wait_for(y, 1)").await;
    assert_eq!(run.error(), "NameError: name 'y' is not defined");
    assert_eq!(
        run.field("stderr").as_str().unwrap().lines().nth(1),
        Some("  File \"main.py\", line 3, in <module>")
    );
    product.stop().await;
}

#[tokio::test]
async fn execution_time_is_the_users_code_alone() {
    let product = Product::start(&["--pool-size", POOL]).await;
    let quick = product.run("pass").await.field("execution_time").as_f64().unwrap();
    assert!(quick < 0.05, "{quick}");
    let slept = product.run("import time; time.sleep(0.5)").await.field("execution_time").as_f64().unwrap();
    assert!((0.5..0.7).contains(&slept), "{slept}");
    product.stop().await;
}

#[tokio::test]
async fn an_exception_is_an_error_with_a_traceback_and_keeps_the_output() {
    let product = Product::start(&["--pool-size", POOL]).await;
    let run = product.run("print('before')\n1/0").await;
    assert_eq!((run.status(), run.error()), ("error", "ZeroDivisionError: division by zero"));
    assert_eq!(
        (run.stdout(), run.field("result"), run.field("exit_code")),
        ("before\n", &Value::Null, &json!(1))
    );
    let stderr = run.field("stderr").as_str().unwrap();
    assert!(stderr.contains("main.py\", line 2, in <module>\n    1/0\n"), "{stderr}");
    assert!(
        stderr.ends_with("ZeroDivisionError: division by zero\n") && !stderr.contains("/opt"),
        "{stderr}"
    );

    let run = product.run("import sys\nsys.exit(3)").await;
    assert_eq!((run.status(), run.field("exit_code")), ("error", &json!(3)));
    let run = product.run("x = 1\nimport sys\nsys.exit()").await;
    assert_eq!((run.status(), run.field("result")), ("ok", &json!({ "x": 1 })));
    let run = product.run("def f(:").await;
    assert_eq!(run.status(), "error");
    assert!(run.error().starts_with("SyntaxError"), "{}", run.error());
    product.stop().await;
}

#[tokio::test]
async fn a_run_over_its_time_is_ended_and_keeps_what_it_printed() {
    let product = Product::start(&["--pool-size", POOL]).await;
    for code in [
        "print('begun')\nwhile True: pass",
        "print('begun', end='')\nimport time\ntime.sleep(1000)",
        "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, range(1, 65))\nprint('begun')\nwhile True:\n  try:\n    while True: pass\n  except BaseException: pass",
        "print('begun')\nint('9' * 4000) ** 999999999",
    ] {
        let began = Instant::now();
        let run = product.post(json!({ "code": code, "timeout": 1 })).await;
        assert!(began.elapsed() < Duration::from_secs(3), "{code}: {:?}", began.elapsed());
        assert_eq!((run.status(), run.error()), ("timeout", "time limit of 1 s exceeded"), "{code}");
        assert!(run.stdout().starts_with("begun"), "{code}");
    }
    product.stop().await;
}

#[tokio::test]
async fn memory_is_limited_and_told_as_such() {
    let product = Product::start(&["--pool-size", POOL]).await;
    let run = product.run("x = 'a' * 10**10").await;
    let told = run.status() == "memory_limit" || run.error().starts_with("MemoryError");
    assert!(told, "{}", run.body);
    let grow = "print('begun')\nb = bytearray()\nwhile True: b += bytes(1 << 20)";
    let run = product.post(json!({ "code": grow, "memory_mb": 128 })).await;
    assert_eq!(
        (run.status(), run.error()),
        ("memory_limit", "memory limit of 128 MiB exceeded"),
        "{}",
        run.body
    );
    assert_eq!((run.stdout(), run.field("signal")), ("begun\n", &json!("SIGKILL")));
    // The limit is the request's: what fits into 512 MiB does not fit into 128.
    let fits = "b = bytearray(200 << 20)\nn = len(b)\ndel b";
    assert_eq!(product.run(fits).await.status(), "ok");
    assert_eq!(product.post(json!({ "code": fits, "memory_mb": 128 })).await.status(), "memory_limit");
    product.stop().await;
}

#[tokio::test]
async fn slow_growth_and_hidden_hogs_are_the_memory_limit_too() {
    let product = Product::start(&["--pool-size", POOL]).await;
    let hogs = "import os, time\n\
                fd = os.open('/proc/self/oom_score_adj', os.O_WRONLY)\n\
                os.write(fd, b'0')\n\
                for _ in range(6):\n\
                \x20 if os.fork() == 0:\n\
                \x20   l = []\n\
                \x20   while True: l.append(bytearray(1000000)); time.sleep(.02)\n\
                time.sleep(8)";
    let run = product.post(json!({ "code": hogs, "memory_mb": 128, "timeout": 20 })).await;
    // The kernel may leave the main process alone: then it ends as it would.
    assert!(["memory_limit", "ok"].contains(&run.status()), "{}", run.body);
    for code in ["l = []\nwhile True: l.append([len(l)])", "compile('x=1\\n' * 1000000, 'a', 'exec')"] {
        let began = Instant::now();
        let run = product.post(json!({ "code": code, "memory_mb": 192, "timeout": 60 })).await;
        assert_eq!(
            (run.status(), run.error()),
            ("memory_limit", "memory limit of 192 MiB exceeded"),
            "{code}: {}",
            run.body
        );
        assert!(began.elapsed() < Duration::from_secs(40), "{code}: {:?}", began.elapsed());
        assert_eq!(run.field("stderr"), "");
    }
    // More input than memory: the runner itself does not survive it.
    let run =
        product.post(json!({ "code": "x = 1", "stdin": "x".repeat(20_000_000), "memory_mb": 32 })).await;
    assert_eq!(run.status(), "memory_limit", "{}", run.body);
    product.stop().await;
}

#[tokio::test]
async fn a_crash_is_told_with_its_true_end() {
    let product = Product::start(&["--pool-size", POOL]).await;
    let run = product.run("print('a')\nimport os\nos._exit(7)").await;
    assert_eq!((run.status(), run.field("exit_code"), run.stdout()), ("crashed", &json!(7), "a\n"));
    for (code, signal) in [
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "SIGSEGV"),
        ("import ctypes\nctypes.string_at(0)", "SIGSEGV"),
        ("import os\nos.abort()", "SIGABRT"),
    ] {
        let run = product.run(code).await;
        assert_eq!((run.status(), run.field("signal")), ("crashed", &json!(signal)), "{code}");
        assert_eq!((run.field("result"), run.field("exit_code")), (&Value::Null, &Value::Null), "{code}");
    }
    product.stop().await;
}

#[tokio::test]
async fn a_flood_is_cut_at_the_limit_while_the_control_planes_memory_stays_flat() {
    let product = Product::start(&["--pool-size", POOL]).await;
    product.run("pass").await;
    let before = product.memory("VmRSS");
    for (stream, other) in [("stdout", "stderr"), ("stderr", "stdout")] {
        let code = format!("import sys\nwhile True: sys.{stream}.write('flood ' * 10000)");
        let began = Instant::now();
        let run = product.post(json!({ "code": code })).await;
        assert!(began.elapsed() < Duration::from_secs(5));
        assert_eq!(run.status(), "output_limit");
        assert_eq!(run.error(), format!("output limit of 1 MiB exceeded on {stream}"));
        assert_eq!(run.field(stream).as_str().unwrap().len(), 1 << 20);
        assert_eq!(run.field("truncated"), &json!({ stream: true, other: false }));
    }
    let grown = product.memory("VmHWM").saturating_sub(before);
    assert!(grown < 48 << 20, "{} MiB", grown >> 20);
    product.stop().await;
}

#[tokio::test]
async fn output_that_is_no_text_is_replaced_and_a_result_over_its_limit_is_named() {
    let product = Product::start(&["--pool-size", POOL, "--result-limit", "100k"]).await;
    let run = product.run("import os\nos.write(1, b'a\\xff\\x00\\x1b[0m')").await;
    assert_eq!(run.stdout(), "a\u{fffd}\0\u{1b}[0m");
    let run = product.run("a = 1\nbig = 'x' * 200_000\nz = float('nan')").await;
    assert_eq!((run.status(), run.field("result")), ("ok", &json!({ "a": 1, "z": null })));
    assert_eq!(run.field("omitted")[0]["name"], "big");
    product.stop().await;
}

#[tokio::test]
async fn bombs_end_within_their_limits_while_others_are_served() {
    let product = Product::start(&["--pool-size", POOL, "--max-executions", "4"]).await;
    let fork_bomb = "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass";
    let thread_bomb =
        "import threading, time\nwhile True: threading.Thread(target=time.sleep, args=(60,)).start()";
    for bomb in [fork_bomb, thread_bomb] {
        let began = Instant::now();
        let exploding = product.post(json!({ "code": bomb, "timeout": 2 }));
        let other = async {
            tokio::time::sleep(Duration::from_millis(800)).await;
            product.run("a = 1").await
        };
        let (bomb_run, other) = tokio::join!(exploding, other);
        assert!(["timeout", "error"].contains(&bomb_run.status()), "{}", bomb_run.body);
        assert!(began.elapsed() < Duration::from_secs(6), "{:?}", began.elapsed());
        assert_eq!(other.field("result"), &json!({ "a": 1 }));
    }
    product.stop().await;
}

#[tokio::test]
async fn full_file_systems_are_errors_of_the_code() {
    let product = Product::start(&["--pool-size", POOL]).await;
    for (code, error) in [
        (
            "open('a', 'wb').write(bytes(60 << 20))\nopen('b', 'wb').write(bytes(60 << 20))",
            "OSError: [Errno 28]",
        ),
        ("for n in range(10**6): open(f'/tmp/{n}', 'w').close()", "OSError: [Errno 28]"),
        ("for n in range(10**6): open(f'/dev/shm/{n}', 'w').close()", "OSError: [Errno 28]"),
        ("open('/dev/shm/a', 'wb').write(bytes(40 << 20))", "OSError: [Errno 28]"),
        ("import os\nos.truncate(os.open('a', os.O_CREAT | os.O_RDWR), 1 << 50)", "OSError: [Errno 27]"),
        ("open('/etc/x', 'w')", "OSError: [Errno 30]"),
    ] {
        let run = product.run(code).await;
        assert!(run.status() == "error" && run.error().starts_with(error), "{code}: {}", run.body);
    }
    // Small containers have small file systems: filling them is no memory limit either.
    let fill = "open('a', 'wb').write(bytes(1 << 30))";
    let run = product.post(json!({ "code": fill, "memory_mb": 64 })).await;
    assert_eq!(run.status(), "error", "{}", run.body);
    product.stop().await;
}

#[tokio::test]
async fn what_remains_after_the_last_line_does_not_delay_the_answer_for_long() {
    let product = Product::start(&["--pool-size", POOL]).await;
    for code in [
        "import atexit, time\natexit.register(time.sleep, 60)\nx = 1",
        "import threading, time\nthreading.Thread(target=time.sleep, args=(60,)).start()\nx = 1",
        "class A:\n  def __del__(self):\n    while True: pass\n_a = A()\nx = 1",
        "import os, time\nif os.fork() == 0:\n  os.setsid()\n  time.sleep(60)\nx = 1",
    ] {
        let began = Instant::now();
        let run = product.run(code).await;
        assert_eq!((run.status(), run.field("result")), ("ok", &json!({ "x": 1 })), "{code}");
        assert!(began.elapsed() < Duration::from_secs(4), "{code}: {:?}", began.elapsed());
    }
    product.stop().await;
}
