//! What stands between user code and the host: as the engine tells it, and as code inside sees it.

#![expect(clippy::unwrap_used, reason = "part of a test")]

use std::{collections::BTreeSet, path::Path, time::Duration};

use e2e::{Product, docker, eventually};
use serde_json::{Map, Value, json};

const ALLOWED: &str = include_str!("../isolation/allowed.txt");
const PROBE: &str = include_str!("../isolation/probe.py");
const PROFILE: &str = include_str!("../../crates/engine/src/driver/seccomp-python.json");

#[tokio::test]
#[cfg_attr(not(target_arch = "x86_64"), ignore = "the probe and its list have the system calls of x86_64")]
async fn what_code_can_do_is_what_the_list_allows() {
    let product = Product::start(&[]).await;
    let run = product.post(json!({ "code": PROBE, "timeout": 240 })).await;
    assert_eq!(run.status(), "ok", "{}", run.body);
    let (mut could, mut others) = (BTreeSet::new(), Vec::new());
    for line in run.stdout().lines() {
        match line.split_once(' ').unwrap() {
            ("could", what) => assert!(could.insert(what), "{what} was tried twice"),
            ("refused", _) => others.push(line),
            _ => panic!("it shows nothing: {line}"),
        }
    }
    assert!(others.len() > 1_000, "only {} attempts were refused", others.len());

    let profile: Value = serde_json::from_str(PROFILE).unwrap();
    let rules = profile["syscalls"].as_array().unwrap().iter();
    let calls: Vec<String> = rules
        .filter(|rule| rule["action"] == "SCMP_ACT_ALLOW")
        .flat_map(|rule| rule["names"].as_array().unwrap())
        .map(|name| format!("system call {}", name.as_str().unwrap()))
        .collect();
    let lines = ALLOWED.split_once("\n\n").unwrap().1.lines();
    let lines: Vec<_> = lines.filter(|line| !line.is_empty() && !line.starts_with('#')).collect();
    let must: BTreeSet<_> = lines.iter().copied().filter(|line| !line.starts_with('?')).collect();
    let may = lines.iter().filter_map(|line| line.strip_prefix("? ")).chain(calls.iter().map(String::as_str));
    let may: BTreeSet<_> = may.chain(must.iter().copied()).collect();
    let new: Vec<_> = could.difference(&may).collect();
    let gone: Vec<_> = must.difference(&could).collect();
    assert!(
        new.is_empty() && gone.is_empty(),
        "possible, but not in allowed.txt: {new:#?}\nin allowed.txt, but not possible: {gone:#?}\n{}",
        run.field("stderr")
    );
    product.stop().await;
}

/// What is set at all: no null, false, 0, empty text, or list or object of nothing else. What is not in the snapshot is off, also
/// what only a newer engine knows.
fn set(value: &Value) -> Option<Value> {
    match value {
        Value::Null | Value::Bool(false) => None,
        Value::Number(number) if number.as_f64() == Some(0.0) => None,
        Value::String(text) if text.is_empty() => None,
        Value::Array(items) => items.iter().any(|item| set(item).is_some()).then(|| value.clone()),
        Value::Object(fields) => {
            let fields: Map<_, _> =
                fields.iter().filter_map(|(name, value)| Some((name.clone(), set(value)?))).collect();
            (!fields.is_empty()).then(|| fields.into())
        }
        _ => Some(value.clone()),
    }
}

/// Checks what differs from container to container and from engine to engine, and leaves the rest for the snapshot.
fn settings(inspected: &Value, product: &Product) -> Value {
    let mut all = json!({ "Config": inspected["Config"], "HostConfig": inspected["HostConfig"] });
    let user = all["Config"]["User"].take();
    let (user, group) = user.as_str().unwrap().split_once(':').unwrap();
    assert!(user == group && (20_000..60_000).contains(&user.parse::<u32>().unwrap()), "{user}:{group}");
    let owner = format!("uid={user},gid={group}");
    for options in all["HostConfig"]["Tmpfs"].as_object_mut().unwrap().values_mut() {
        *options = options.as_str().unwrap().replace(&owner, "[user]").into();
    }
    // The image's own labels come on top.
    let labels = all["Config"]["Labels"].take();
    assert_eq!(labels["code-sandbox.instance"], product.instance());
    assert!(labels["code-sandbox.generation"].is_string() && labels["code-sandbox.deadline"].is_string());
    let host = all["HostConfig"].as_object_mut().unwrap();
    let profile = host["SecurityOpt"][1].as_str().unwrap().strip_prefix("seccomp=").unwrap();
    let mut expected: Value = serde_json::from_str(PROFILE).unwrap();
    for rule in expected["syscalls"].as_array_mut().unwrap() {
        rule.as_object_mut().unwrap().remove("comment");
    }
    assert_eq!(serde_json::from_str::<Value>(profile).unwrap(), expected);
    host["SecurityOpt"][1] = json!("seccomp=[the profile]");
    // Left at the engine's default, which grows from version to version.
    let read_only = host.remove("ReadonlyPaths").unwrap();
    for path in ["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"] {
        assert!(read_only.as_array().unwrap().contains(&json!(path)), "{read_only}");
    }
    // The engine's words for its own runtime, for no restarts and for the kernel's own swappiness.
    host.remove("Runtime");
    let restarts = host.remove("RestartPolicy").unwrap();
    assert!(["no", ""].contains(&restarts["Name"].as_str().unwrap()), "{restarts}");
    if host["MemorySwappiness"] == -1 {
        host.remove("MemorySwappiness");
    }
    set(&all).unwrap()
}

/// What is masked in a container for which nobody says what shall be.
async fn masked_by_the_engine(image: &str) -> Vec<String> {
    let container = docker::docker(&["create", "--network", "none", image]).await;
    let inspected = docker::inspect(container.trim()).await;
    docker::docker(&["rm", container.trim()]).await;
    serde_json::from_value(inspected["HostConfig"]["MaskedPaths"].clone()).unwrap()
}

#[tokio::test]
async fn a_warm_and_a_running_container_have_every_promised_setting_and_no_other() {
    let product = Product::start(&["--pool-size", "1", "--preload", "", "--memory", "256m"]).await;
    let sleeping = product.begin(&json!({ "code": "import time; time.sleep(120)", "timeout": 120 }));
    product.running().await;
    product.warm(2).await;
    eventually("the one that runs, and the next", Duration::from_secs(20), || async {
        product.containers().await.len() == 2
    })
    .await;
    let mut all = Vec::new();
    for name in product.containers().await {
        let inspected = docker::inspect(&name).await;
        assert_eq!((&inspected["State"]["Running"], &inspected["Mounts"]), (&json!(true), &json!([])));
        all.push(settings(&inspected, &product));
    }
    assert_eq!(all[0], all[1]);
    let ours = all[0]["HostConfig"]["MaskedPaths"].as_array().unwrap();
    for path in masked_by_the_engine(all[0]["Config"]["Image"].as_str().unwrap()).await {
        let is_within = |ours: &Value| Path::new(&path).starts_with(ours.as_str().unwrap());
        assert!(ours.iter().any(is_within), "{path} would be masked if we named nothing");
    }
    insta::with_settings!({ sort_maps => true }, { insta::assert_json_snapshot!(all[0]) });
    sleeping.abort();
    product.stop().await;
}

#[tokio::test]
async fn no_request_chooses_anything_of_the_engine() {
    let product = Product::start(&["--max-executions", "2"]).await;
    for field in [
        "image",
        "cmd",
        "entrypoint",
        "env",
        "environment",
        "labels",
        "user",
        "working_dir",
        "volumes",
        "mounts",
        "binds",
        "tmpfs",
        "devices",
        "network",
        "privileged",
        "cap_add",
        "security_opt",
        "runtime",
        "cpus",
        "pids",
        "ulimits",
        "HostConfig",
        "name",
    ] {
        let run = product.post(json!({ "code": "1", field: "x" })).await;
        assert_eq!(run.http, 422, "{field}: {}", run.body);
        assert_eq!(run.body["detail"][0]["type"], "extra_forbidden", "{field}");
    }
    for path in ["/etc/passwd", "../x", "a/../../x", "/var/run/docker.sock", "a\0b"] {
        let run = product.post(json!({ "code": "1", "files": [{ "path": path, "content": "x" }] })).await;
        assert_eq!(run.http, 422, "{path}: {}", run.body);
    }
    // Whatever is said in the fields that there are, in the query and in the headers: the container is the same.
    let plain = json!({ "code": "import time; time.sleep(100)", "timeout": 100 });
    let telling = json!({
        "code": "import time; time.sleep(100)", "timeout": 100, "stdin": "--privileged", "args": ["-v", "/:/host", "--env=A=b"],
        "input_data": { "HostConfig": { "Binds": ["/:/host"] }, "Image": "debian" },
        "files": [{ "path": "Dockerfile", "content": "FROM debian" }, { "path": ".env", "content": "DOCKER_HOST=tcp://x" }],
    });
    let mut all = Vec::new();
    for (body, query) in [(plain, ""), (telling, "?image=debian&privileged=true")] {
        let request = product.client().post(product.url(&format!("/execute_code{query}"))).json(&body);
        let sleeping =
            tokio::spawn(request.header("X-Docker-Host", "tcp://x").header("X-Registry-Auth", "e30=").send());
        // It counts as running while its container is being started.
        eventually("its container", Duration::from_secs(20), async || product.containers().await.len() == 1)
            .await;
        product.running().await;
        let name = product.containers().await.pop_first().unwrap();
        all.push(settings(&docker::inspect(&name).await, &product));
        sleeping.abort();
        product.no_containers(Duration::from_secs(20)).await;
    }
    assert_eq!(all[0], all[1]);
    product.stop().await;
}

#[tokio::test]
async fn code_can_arm_no_timer_that_would_wake_it_once_it_is_stopped() {
    let product = Product::start(&[]).await;
    let code = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n\
                refused = libc.timer_create(1, None, ctypes.byref(ctypes.c_void_p()))\n\
                errno = ctypes.get_errno()\ndel libc";
    let run = product.run(code).await;
    // EPERM, as all that the profile does not name.
    assert_eq!(run.field("result"), &json!({ "refused": -1, "errno": 1 }), "{}", run.body);
    product.stop().await;
}

#[tokio::test]
async fn there_is_no_network_but_lo() {
    let product = Product::start(&[]).await;
    let run = product
        .run(
            "import socket, os\n\
             interfaces = os.listdir('/sys/class/net')\n\
             routes = open('/proc/net/route').read().splitlines()[1:]\n\
             def refused(attempt):\n\
             \x20   try: attempt()\n\
             \x20   except OSError: return True\n\
             \x20   return False\n\
             resolv = open('/etc/resolv.conf').read()\n\
             dns = refused(lambda: socket.getaddrinfo('example.com', 80))\n\
             inet = [refused(lambda: socket.socket(family, kind)) for family in (socket.AF_INET, socket.AF_INET6, \
             socket.AF_NETLINK, socket.AF_PACKET) for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM, socket.SOCK_RAW)]",
        )
        .await;
    let result = run.field("result");
    assert_eq!(
        (run.status(), &result["interfaces"], &result["routes"]),
        ("ok", &json!(["lo"]), &json!([])),
        "{}",
        run.body
    );
    assert_eq!((&result["resolv"], &result["dns"]), (&json!(""), &json!(true)));
    assert_eq!(result["inet"], json!(vec![true; 12]));
    product.stop().await;
}

#[tokio::test]
async fn code_finds_nothing_of_the_host_and_can_write_only_its_own_folders() {
    let product = Product::start(&[]).await;
    let run = product
        .run(
            "import os, pathlib, ctypes\n\
             cwd, files = os.getcwd(), os.listdir()\n\
             writable = []\n\
             for top in os.listdir('/'):\n\
             \x20   for folder, folders, _ in os.walk('/' + top):\n\
             \x20       if folder.startswith(('/proc', '/sys')): folders.clear()\n\
             \x20       if os.access(folder, os.W_OK): writable.append(folder)\n\
             \x20       if folder in ('/tmp', '/workspace', '/dev/shm'): folders.clear()\n\
             writable.sort()\n\
             uid_is_root = os.getuid() == 0\n\
             docker_socket = os.path.exists('/var/run/docker.sock')\n\
             environment = sorted(os.environ)\n\
             status = dict(line.split(':', 1) for line in open('/proc/self/status'))\n\
             capabilities = [status[name].strip() for name in ('CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb')]\n\
             no_new_privs, seccomp = status['NoNewPrivs'].strip(), status['Seccomp'].strip()\n\
             pathlib.Path('a.txt').write_text('x')\n\
             pathlib.Path('/tmp/a.sh').write_text('#!/bin/sh\\n'); os.chmod('/tmp/a.sh', 0o755)\n\
             try: os.execv('/tmp/a.sh', ['a']); executed = True\n\
             except PermissionError: executed = False\n\
             descriptors = sorted(int(n) for n in os.listdir('/proc/self/fd'))[:-1]\n\
             del status, folder, folders, top",
        )
        .await;
    assert_eq!(run.status(), "ok", "{}", run.body);
    insta::assert_json_snapshot!(run.field("result"));
    product.stop().await;
}

#[tokio::test]
async fn the_runner_is_out_of_reach_of_the_code_it_runs() {
    let product = Product::start(&[]).await;
    // Frames that would end the run as ok with a forged result, wherever they can be written.
    let run = product
        .run(
            "import os, signal, struct\n\
             frame = struct.pack('>BI', 0x85, 13) + b'{\"forged\": 1}' + struct.pack('>BI', 0x86, 2) + b'{}'\n\
             reached = []\n\
             for path, flags in [('/proc/1/fd/0', os.O_RDONLY), ('/proc/1/fd/1', os.O_WRONLY), ('/proc/1/fd/2', os.O_WRONLY),\n\
             \x20       ('/proc/1/mem', os.O_RDWR), ('/proc/1/environ', os.O_RDONLY), ('/proc/1/maps', os.O_RDONLY),\n\
             \x20       ('/proc/1/root', os.O_RDONLY), ('/proc/1/cwd', os.O_RDONLY)]:\n\
             \x20   try: os.open(path, flags); reached.append(path)\n\
             \x20   except PermissionError: pass\n\
             for fd in range(3, 1024):\n\
             \x20   try: os.write(fd, frame); reached.append(fd)\n\
             \x20   except OSError: pass\n\
             for number in range(1, 65):\n\
             \x20   try: os.kill(1, number)\n\
             \x20   except OSError: pass\n\
             os.closerange(3, 1024)\n\
             os.write(1, frame)\n\
             me = os.getpid()",
        )
        .await;
    assert_eq!((run.status(), &run.field("result")["reached"]), ("ok", &json!([])), "{}", run.body);
    assert!(run.field("result")["forged"].is_null() && run.field("result")["me"].as_u64().unwrap() > 1);
    product.stop().await;
}

#[tokio::test]
async fn every_execution_has_a_container_of_its_own() {
    let product = Product::start(&[]).await;
    let started = docker::Events::listen(&product.instance(), "start");
    let mut codes = vec!["1"; 6];
    codes
        .push("import pathlib\nseen = pathlib.Path('/tmp/mark').exists()\npathlib.Path('/tmp/mark').touch()");
    codes.push(codes[6]);
    // Nothing tells when the listener is up; too early a run is a missing event below, not a wrong pass.
    tokio::time::sleep(Duration::from_secs(1)).await;
    for code in &codes {
        let run = product.run(code).await;
        assert_eq!(run.status(), "ok");
        assert_ne!(run.field("result")["seen"], true);
    }
    let mut ids = tokio::time::timeout(Duration::from_secs(10), started.take(codes.len())).await.unwrap();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), codes.len());
    product.stop().await;
}
