//! The filter between the service and the engine's socket (examples/socket-proxy): it suffices for all that the service does, every
//! line of it is used, and what else could be asked of an engine is refused.

#![expect(clippy::unwrap_used, reason = "part of a test")]

use std::{
    collections::BTreeSet,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use e2e::{
    Product, docker, eventually,
    product::{has_ended, run_binary},
};
use serde_json::json;
use tempfile::TempDir;

/// Every call there is, as the proxy's log shows it, its query cut.
const CALLS: [&str; 10] = [
    "DELETE /containers/NAME",
    "GET /_ping",
    "GET /containers/NAME/json",
    "GET /containers/json",
    "GET /images/IMAGE/json",
    "GET /info",
    "POST /containers/NAME/attach",
    "POST /containers/NAME/start",
    "POST /containers/NAME/update",
    "POST /containers/create",
];

/// HAProxy with the example's configuration, before the engine of DOCKER_HOST. Ends when it is dropped.
struct Proxy {
    child: Child,
    folder: TempDir,
}

impl Proxy {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let engine = std::env::var("DOCKER_HOST").unwrap_or_default();
        let engine = engine.strip_prefix("unix://").unwrap_or("/var/run/docker.sock");
        let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/socket-proxy/haproxy.cfg");
        let child = Command::new("haproxy")
            .arg("-f")
            .arg(example)
            .env("SERVICE_SOCKET", folder.path().join("socket"))
            .env("ENGINE_SOCKET", engine)
            .stdout(fs::File::create(folder.path().join("log")).unwrap())
            .stderr(Stdio::inherit())
            .spawn()
            .expect("haproxy is installed: scripts/e2e.sh sees to it");
        let proxy = Self { child, folder };
        eventually("the proxy listens", Duration::from_secs(10), || async {
            proxy.folder.path().join("socket").exists()
        })
        .await;
        proxy
    }

    fn host(&self) -> String {
        format!("unix://{}", self.folder.path().join("socket").display())
    }

    /// Its log: status and call of each request that has ended.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The status of a request by hand.
    fn status(&self, method: &str, path: &str, body: &str) -> String {
        let socket = self.folder.path().join("socket");
        let curl = Command::new("curl")
            .args(["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--max-time", "20"])
            .args(["--request", method, "--header", "Content-Type: application/json", "--data", body])
            .arg("--unix-socket")
            .arg(socket)
            .arg(format!("http://engine{path}"))
            .output()
            .unwrap();
        String::from_utf8(curl.stdout).unwrap()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// `POST /containers/NAME/start` of a line of the log.
fn call(line: &str) -> String {
    let (_, call) = line.split_once(' ').unwrap();
    let call = call.split('?').next().unwrap();
    let parts = call.split('/').map(|part| match part {
        name if name.starts_with("code-sandbox-run-") => "NAME",
        image if image.starts_with("code-sandbox-runner:") => "IMAGE",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

#[tokio::test]
async fn the_service_makes_the_calls_that_the_proxy_lets_through_and_no_other() {
    let proxy = Proxy::start().await;
    let host = proxy.host();
    let flags = ["--docker-host", &host, "--pool-size", "1", "--preload", "numpy", "--memory", "256m"];
    let product = Product::start(&flags).await;
    for (code, timeout, memory, status) in [
        ("print(1)", 30.0, 256, "ok"),
        ("import numpy", 30.0, 64, "ok"),
        // A warm container is given more.
        ("pass", 30.0, 512, "ok"),
        ("1/0", 30.0, 256, "error"),
        ("while True: pass", 0.3, 256, "timeout"),
        ("b = bytearray()\nwhile True: b += bytes(8 << 20)", 30.0, 64, "memory_limit"),
        ("while True: print('flood')", 30.0, 256, "output_limit"),
        ("import os; os._exit(7)", 30.0, 256, "crashed"),
        ("open('a', 'w').write('x')", 30.0, 256, "ok"),
    ] {
        product.warm(1).await;
        let run = product.post(json!({ "code": code, "timeout": timeout, "memory_mb": memory })).await;
        assert_eq!(run.status(), status, "{code}: {}", run.body);
    }
    let sleeping = json!({ "code": "import time; time.sleep(100)", "timeout": 100 });
    // Cancelled.
    let cancel = async {
        let id = product.running().await;
        product.client().delete(product.url(&format!("/executions/{id}"))).send().await.unwrap();
    };
    let (run, ()) = tokio::join!(product.post(sleeping.clone()), cancel);
    assert_eq!(run.status(), "cancelled", "{}", run.body);
    // The client leaves.
    let request = product.client().post(product.url("/execute_code")).json(&sleeping);
    assert!(request.timeout(Duration::from_secs(1)).send().await.unwrap_err().is_timeout());
    // Lost once its code has begun: its container is looked at.
    let body = json!({ "code": "print('here')\nimport time; time.sleep(100)", "timeout": 100 });
    let request = product.client().post(product.url("/execute_code/stream")).json(&body);
    let (mut stream, mut told) = (request.send().await.unwrap(), Vec::new());
    while !String::from_utf8_lossy(&told).contains("here") {
        told.extend(stream.chunk().await.unwrap().expect("it prints before it ends"));
    }
    for name in product.containers().await {
        docker::try_docker(&["kill", &name]).await;
    }
    while let Some(piece) = stream.chunk().await.unwrap() {
        told.extend(piece);
    }
    let told = String::from_utf8(told).unwrap();
    let (_, error) = told.rsplit_once("event: error\ndata: ").expect("the last event");
    let error: serde_json::Value = serde_json::from_str(error).unwrap();
    assert_eq!((&error["status"], &error["retry_after"]), (&json!(503), &json!(5)), "{error}");
    eventually("healthy again", Duration::from_secs(30), || async {
        product.get("/health").await.is_ok_and(|(status, _)| status == 200)
    })
    .await;
    // Killed, it leaves a process that removes its containers.
    eventually("one stands ready", Duration::from_secs(30), || async {
        !product.containers().await.is_empty()
    })
    .await;
    let (instance, undertaker) = (product.instance(), product.undertaker());
    let folder = product.kill().await;
    eventually("its containers are gone", Duration::from_secs(10), || async {
        docker::containers_of(&instance).await.is_empty()
    })
    .await;
    let product = Product::start_in(folder, &flags).await;
    assert_eq!(product.run("a = 1").await.status(), "ok");
    product.stop().await;
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let check = run_binary(&["--docker-host", &host, "--data-dir", data.to_str().unwrap(), "check"]).await;
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stdout));
    // Without the proxy it would go on for minutes.
    has_ended(undertaker).await;

    let log = proxy.log();
    let refused: Vec<_> = log.lines().filter(|line| line.starts_with("403")).collect();
    assert!(refused.is_empty(), "a call that examples/socket-proxy/haproxy.cfg does not know: {refused:#?}");
    let made: BTreeSet<_> = log.lines().map(call).collect();
    assert_eq!(made, CALLS.map(str::to_owned).into(), "{log}");
}

/// A create as the service sends it, of an image that there is not.
const CREATE: &str = concat!(
    r#"{"Hostname":"sandbox","User":"20001:20001","AttachStdin":true,"AttachStdout":true,"AttachStderr":true,"Tty":false,"#,
    r#""OpenStdin":true,"StdinOnce":true,"Env":["OMP_NUM_THREADS=1","OPENBLAS_NUM_THREADS=1","POLARS_MAX_THREADS=1","#,
    r#""SANDBOX_RESULT_LIMIT=1","SANDBOX_FIGURES_LIMIT=1"],"Healthcheck":{"Test":["NONE"]},"#,
    r#""Image":"code-sandbox-runner:0.0.0","NetworkDisabled":true,"Labels":{"#,
    r#""code-sandbox.generation":"00000000-0000-0000-0000-000000000000","#,
    r#""code-sandbox.instance":"00000000-0000-0000-0000-000000000000","code-sandbox.deadline":"1"},"#,
    r#""HostConfig":{"Memory":536870912,"MemorySwap":536870912,"NanoCpus":1000000000,"Init":false,"PidsLimit":64,"#,
    r#""Ulimits":[{"Name":"nofile","Soft":1024,"Hard":1024},{"Name":"core","Soft":0,"Hard":0},"#,
    r#"{"Name":"fsize","Soft":1,"Hard":1},{"Name":"msgqueue","Soft":0,"Hard":0},"#,
    r#"{"Name":"memlock","Soft":65536,"Hard":65536}],"LogConfig":{"Type":"none"},"NetworkMode":"none","AutoRemove":false,"#,
    r#""CapDrop":["ALL"],"CgroupnsMode":"private","IpcMode":"private","OomScoreAdj":500,"Privileged":false,"#,
    r#""ReadonlyRootfs":true,"SecurityOpt":["no-new-privileges","seccomp={\"defaultAction\":\"SCMP_ACT_ERRNO\"}"],"#,
    r#""Tmpfs":{"/workspace":"rw,nosuid,nodev,noexec,size=1,nr_inodes=1,mode=0700,uid=20001,gid=20001","#,
    r#""/tmp":"rw,nosuid,nodev,noexec,size=1,nr_inodes=1,mode=0700,uid=20001,gid=20001","#,
    r#""/dev/shm":"rw,nosuid,nodev,noexec,size=1,nr_inodes=1,mode=0700,uid=20001,gid=20001","#,
    r#""/dev/pts":"ro,nosuid,nodev,noexec,size=1,nr_inodes=1,mode=0555"},"ShmSize":1,"#,
    r#""MaskedPaths":["/proc/acpi","/proc/asound","/proc/interrupts","/proc/kcore","/proc/keys","/proc/latency_stats","#,
    r#""/proc/locks","/proc/sched_debug","/proc/scsi","/proc/timer_list","/proc/timer_stats","/sys/devices/system/cpu","#,
    r#""/sys/devices/virtual/powercap","/sys/firmware"]}}"#,
);

#[tokio::test]
async fn nothing_but_a_sandbox_can_be_had_through_the_proxy() {
    let proxy = Proxy::start().await;
    let name = format!("code-sandbox-run-{}", "0".repeat(32));
    let create = format!("/containers/create?name={name}&platform=");
    for (method, path, body) in [
        // Not ours at all.
        ("GET", "/containers/json", ""),
        ("GET", "/containers/json?all=true&size=false&filters=%7B%22label%22%3A%5B%22other%22%5D%7D", ""),
        ("GET", "/version", ""),
        ("GET", "/images/json", ""),
        ("POST", "/images/create?fromImage=debian", ""),
        ("POST", "/build", ""),
        ("POST", "/volumes/create", "{}"),
        ("POST", "/networks/create", "{}"),
        ("GET", "/v1.41/_ping", ""),
        // Other containers, and other things done to ours.
        ("GET", "/containers/database/json", ""),
        ("DELETE", "/containers/database?v=true&force=true&link=false", ""),
        ("POST", "/containers/database/start", ""),
        ("POST", &format!("/containers/{name}/exec"), "{}"),
        ("GET", &format!("/containers/{name}/archive?path=/"), ""),
        ("POST", &format!("/containers/{name}/../database/start"), ""),
        ("POST", &format!("/containers/{name}%2f..%2fdatabase/start"), ""),
        ("POST", &format!("/containers/{name}/start"), "{\"HostConfig\":{\"Binds\":[\"/:/host\"]}}"),
        ("POST", &format!("/containers/{name}/update"), "{\"Memory\":1,\"MemorySwap\":1,\"Devices\":[]}"),
        ("POST", &format!("/containers/{name}/update"), "{\"Memory\":0,\"MemorySwap\":0}"),
        ("POST", &format!("/containers/{name}/update"), "{\"Memory\":1,\"MemorySwap\":-1}"),
        ("POST", &create, "{}"),
        ("POST", "/containers/create", CREATE),
        ("POST", "/containers/create?name=database&platform=", CREATE),
    ] {
        assert_eq!(proxy.status(method, path, body), "403", "{method} {path} {body}");
    }
    // While what is on the list gets to the engine, which has no such container and no such image.
    assert_eq!(proxy.status("GET", &format!("/containers/{name}/json"), ""), "404");
    assert_eq!(proxy.status("POST", &create, CREATE), "404");
    // Other settings.
    for (setting, other) in [
        (r#""Privileged":false"#, r#""Privileged":true"#),
        (r#""NetworkMode":"none""#, r#""NetworkMode":"host""#),
        (r#""NetworkDisabled":true,"#, ""),
        (r#""HostConfig":{"#, r#""HostConfig":{"Binds":["/:/host"],"#),
        (r#""HostConfig":{"#, r#""HostConfig":{"Mounts":[{"Type":"bind","Source":"/","Target":"/host"}],"#),
        (
            r#""Init":false"#,
            r#""Init":false,"Devices":[{"PathOnHost":"/dev/sda","PathInContainer":"/dev/sda"}]"#,
        ),
        (r#""Init":false"#, r#""Init":false,"PidMode":"host""#),
        (r#""IpcMode":"private""#, r#""IpcMode":"host""#),
        (r#""CgroupnsMode":"private""#, r#""CgroupnsMode":"host""#),
        (r#""Memory":536870912"#, r#""Memory":0"#),
        (r#""MemorySwap":536870912"#, r#""MemorySwap":-1"#),
        (r#""NanoCpus":1000000000"#, r#""NanoCpus":0"#),
        (r#""PidsLimit":64"#, r#""PidsLimit":-1"#),
        (r#""CapDrop":["ALL"]"#, r#""CapDrop":[]"#),
        (r#""CapDrop":["ALL"]"#, r#""CapAdd":["ALL"],"CapDrop":["ALL"]"#),
        (r#""ReadonlyRootfs":true"#, r#""ReadonlyRootfs":false"#),
        (r#""no-new-privileges","#, ""),
        (r#""no-new-privileges","#, r#""no-new-privileges","apparmor=unconfined","#),
        (r#""seccomp={\"defaultAction\":\"SCMP_ACT_ERRNO\"}""#, r#""seccomp=unconfined""#),
        (r#""User":"20001:20001""#, r#""User":"0:0""#),
        (r#""/tmp":"rw,nosuid,nodev,noexec"#, r#""/tmp":"rw,nosuid,nodev"#),
        (r#""/tmp":"#, r#""/etc":"#),
        (r#""SANDBOX_FIGURES_LIMIT=1""#, r#""SANDBOX_FIGURES_LIMIT=1","LD_PRELOAD=/x""#),
        (r#""code-sandbox-runner:0.0.0""#, r#""debian:trixie-slim""#),
        (r#""code-sandbox-runner:0.0.0""#, r#""code-sandbox-runner:0.0.0","Cmd":["sh"]"#),
        (r#""code-sandbox-runner:0.0.0""#, r#""code-sandbox-runner:0.0.0","Entrypoint":["sh"]"#),
        (r#""ShmSize":1"#, r#""ShmSize":1,"Runtime":"other""#),
        (r#""/proc/kcore","#, ""),
        (r#""/sys/firmware"]}}"#, r#""/sys/firmware"]}} "#),
        (r#""/sys/firmware"]}}"#, r#""/sys/firmware"]},"Privileged":true}"#),
    ] {
        assert!(CREATE.contains(setting), "{setting}");
        assert_eq!(proxy.status("POST", &create, &CREATE.replace(setting, other)), "403", "{other}");
    }
}

#[test]
fn the_pattern_of_a_create_has_room_for_nothing_else() {
    let pattern = include_str!("../../examples/socket-proxy/create.regex");
    assert!(pattern.starts_with("^\\{\"Hostname\"") && pattern.trim_end().ends_with("\\}\\}$"));
    for anything in [".*", ".+", "[^\"]*", "[^\"]+"] {
        assert!(!pattern.contains(anything), "{anything}");
    }
    for setting in
        ["Binds", "Mounts", "Devices", "CapAdd", "PidMode", "UsernsMode", "VolumesFrom", "Privileged\":true"]
    {
        assert!(!pattern.contains(setting), "{setting}");
    }
    // Where zero would mean no limit, or the engine's own.
    for limit in [
        "\"Memory\":",
        "\"MemorySwap\":",
        "\"NanoCpus\":",
        "\"PidsLimit\":",
        "\"ShmSize\":",
        "size=",
        "nr_inodes=",
    ] {
        let mut values = pattern.split(limit).skip(1).peekable();
        assert!(values.peek().is_some() && values.all(|value| value.starts_with("[1-9][0-9]*")), "{limit}");
    }
}
