//! What stands between user code and the host: as the engine tells it, and as code inside sees it.

use std::time::Duration;

use e2e::{Product, docker, eventually};
use serde_json::{Value, json};

#[tokio::test]
async fn a_running_container_has_every_promised_setting() {
    let product = Product::start(&[]).await;
    let sleeping = tokio::spawn({
        let request = product.client().post(product.url("/execute_code"));
        request.json(&json!({ "code": "import time; time.sleep(4)", "memory_mb": 256 })).send()
    });
    eventually("the container runs", Duration::from_secs(10), || async {
        !product.containers().await.is_empty()
    })
    .await;
    let name = product.containers().await.pop_first().unwrap();
    let all = docker::inspect(&name).await;
    let host = &all["HostConfig"];
    let config = &all["Config"];

    let options = host["SecurityOpt"].as_array().unwrap();
    assert_eq!(options[0], "no-new-privileges");
    let profile: Value =
        serde_json::from_str(options[1].as_str().unwrap().strip_prefix("seccomp=").unwrap()).unwrap();
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    let user: u32 = config["User"].as_str().unwrap().split(':').next().unwrap().parse().unwrap();
    assert!((20_000..60_000).contains(&user));
    let labels = config["Labels"].as_object().unwrap();
    assert_eq!(labels["code-sandbox.instance"], product.instance());
    assert!(labels.contains_key("code-sandbox.generation") && labels.contains_key("code-sandbox.deadline"));
    let environment = config["Env"].to_string();
    assert!(
        !environment.contains("KEY")
            && !environment.contains("DOCKER")
            && !environment.contains("CODE_SANDBOX")
    );

    // Left at the engine's defaults, which grow from version to version.
    for (list, paths) in [
        ("MaskedPaths", ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"].as_slice()),
        ("ReadonlyPaths", &["/proc/bus", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"]),
    ] {
        assert!(
            paths.iter().all(|path| host[list].as_array().unwrap().contains(&json!(path))),
            "{}",
            host[list]
        );
    }
    assert_ne!(host["OomKillDisable"], true);

    let picked = |of: &Value, fields: &[&str]| -> Value {
        // One engine says null where another says [].
        let value = |field| if of[field] == json!([]) { Value::Null } else { of[field].clone() };
        fields
            .iter()
            .map(|field| ((*field).to_owned(), value(*field)))
            .collect::<serde_json::Map<_, _>>()
            .into()
    };
    let user = format!("uid={user},gid={user}");
    let mut tmpfs = host["Tmpfs"].clone();
    for options in tmpfs.as_object_mut().unwrap().values_mut() {
        *options = json!(options.as_str().unwrap().replace(&user, "[user]"));
    }
    let settings = json!({
        "Config": picked(config, &[
            "Hostname", "AttachStdin", "OpenStdin", "StdinOnce", "Tty", "Entrypoint", "Cmd", "Volumes", "Healthcheck",
            "NetworkDisabled", "WorkingDir",
        ]),
        "HostConfig": picked(host, &[
            "NetworkMode", "Memory", "MemorySwap", "PidsLimit", "NanoCpus", "ReadonlyRootfs", "ShmSize", "CapAdd", "CapDrop",
            "Privileged", "Ulimits", "IpcMode", "CgroupnsMode", "OomScoreAdj", "LogConfig", "AutoRemove",
            "Init", "Binds", "Mounts", "Devices", "PidMode", "UTSMode", "UsernsMode", "GroupAdd", "VolumesFrom",
        ]),
        "Tmpfs": tmpfs,
    });
    insta::assert_json_snapshot!(settings);
    assert_eq!(all["Mounts"], json!([]));
    sleeping.await.unwrap().unwrap();
    product.stop().await;
}

#[tokio::test]
async fn code_can_arm_no_timer_that_would_wake_it_once_it_is_stopped() {
    let product = Product::start(&[]).await;
    let code = "import ctypes\nlibc = ctypes.CDLL(None, use_errno=True)\n\
                timer, refused = ctypes.c_void_p(), libc.timer_create(1, None, ctypes.byref(ctypes.c_void_p()))\n\
                errno = ctypes.get_errno()\ndel libc, timer";
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
