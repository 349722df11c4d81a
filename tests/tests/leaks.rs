//! Nothing is left: no container, volume, descriptor or slot, whatever happened.

use std::time::Duration;

use e2e::{Product, docker, eventually, machine};
use futures_util::{StreamExt, stream};
use serde_json::json;

/// Code, time limit, and how it must end.
const KINDS: [(&str, f64, &str); 10] = [
    ("x = n * 2\nprint(n)", 30.0, "ok"),
    ("1/0", 30.0, "error"),
    ("while True: pass", 0.3, "timeout"),
    ("import os; os._exit(7)", 30.0, "crashed"),
    ("import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 30.0, "crashed"),
    ("while True: print('flood')", 30.0, "output_limit"),
    ("b = bytearray()\nwhile True: b += bytes(8 << 20)", 30.0, "memory_limit"),
    (
        "import os, time\nfor _ in range(20):\n  if not os.fork(): os.setsid(); time.sleep(1000)\nx = n * 2",
        30.0,
        "ok",
    ),
    ("open('big', 'wb').write(bytes(1 << 30))", 30.0, "error"),
    ("import sys; sys.exit(3)", 30.0, "error"),
];

#[tokio::test]
async fn five_hundred_executions_of_every_kind_are_answered_right_and_leave_nothing() {
    let product = Product::start(&["--max-executions", "8"]).await;
    product.run("pass").await;
    product.no_containers(Duration::from_secs(10)).await;
    let (volumes, descriptors) = (docker::volumes().await, product.descriptors());
    let (mounts, shims) = (machine::mounts(), machine::processes("containerd-shim"));

    // Two thirds are well-behaved, as in life; each checks that the answer is its own.
    let runs = stream::iter(0..500_u64).map(|n| {
        let product = &product;
        async move {
            let (code, timeout, status) =
                if n % 3 == 0 { KINDS[(n / 3) as usize % KINDS.len()] } else { KINDS[0] };
            let body =
                json!({ "code": code, "timeout": timeout, "memory_mb": 128, "input_data": { "n": n } });
            let run = product.post(body).await;
            assert_eq!(run.status(), status, "{code}: {}", run.body);
            if code.contains("print(n)") {
                assert_eq!(
                    (run.field("result"), run.stdout()),
                    (&json!({ "x": n * 2 }), format!("{n}\n").as_str())
                );
            }
        }
    });
    runs.buffer_unordered(8).collect::<Vec<()>>().await;

    product.no_containers(Duration::from_secs(10)).await;
    assert_eq!(docker::volumes().await, volumes);
    // What a test before this one has left to the engine may be gone since.
    eventually("no more mounts and shims of the engine's", Duration::from_secs(10), || async {
        machine::mounts() <= mounts && machine::processes("containerd-shim") <= shims
    })
    .await;
    product.has_descriptors_back(descriptors).await;
    // Without the pages of the binary itself, which in a debug build are tens of MiB.
    let memory = product.memory("RssAnon");
    assert!(memory < 64 << 20, "{} MiB", memory >> 20);
    product.stop().await;
}

#[tokio::test]
async fn a_client_that_leaves_takes_its_container_with_it_at_every_stage() {
    let product = Product::start(&["--max-executions", "2"]).await;
    for patience in [1, 30, 80, 130, 200, 300, 500, 1_000] {
        let request =
            product.client().post(product.url("/execute_code")).timeout(Duration::from_millis(patience));
        let left = request.json(&json!({ "code": "import time; time.sleep(60)" })).send().await;
        assert!(left.unwrap_err().is_timeout());
    }
    product.no_containers(Duration::from_secs(10)).await;
    // Both slots are back.
    let (one, other) = tokio::join!(product.run("a = 1"), product.run("a = 1"));
    assert_eq!((one.status(), other.status()), ("ok", "ok"));
    product.stop().await;
}

#[tokio::test]
async fn a_container_removed_killed_or_paused_behind_our_back_is_not_the_codes_fault_and_its_slot_comes_back()
{
    let product = Product::start(&["--max-executions", "1"]).await;
    for verb in [&["kill"][..], &["rm", "-f"], &["pause"]] {
        let behind = async {
            eventually("it runs", Duration::from_secs(10), || async {
                !product.containers().await.is_empty()
            })
            .await;
            tokio::time::sleep(Duration::from_millis(700)).await;
            let name = product.containers().await.pop_first().unwrap();
            docker::docker(&[verb, &[&name]].concat()).await;
        };
        let asleep = json!({ "code": "import time; time.sleep(30)", "timeout": 5 });
        let (run, ()) = tokio::join!(product.post(asleep), behind);
        assert_eq!(run.http.as_u16(), 503, "{verb:?}: {}", run.body);
        assert!(run.headers.contains_key("retry-after"), "{verb:?}: {:?}", run.headers);
    }
    assert_eq!(product.run("a = 1").await.status(), "ok");
    product.stop().await;
}
