//! The `code-sandbox` binary as a process of its own.

use std::{
    fmt::{self, Display},
    fs,
    path::{Path, PathBuf},
    process::{ExitStatus, Output, Stdio},
    sync::OnceLock,
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use reqwest::{Client, Response, StatusCode, header::HeaderMap};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::{
    process::{Child, Command},
    task::JoinHandle,
    time::timeout,
};

use crate::{docker, eventually, machine};

/// A running control plane. Ends with [`Product::stop`]; a test that fails before leaves neither it nor its containers.
#[derive(Debug)]
pub struct Product {
    child: Child,
    client: Client,
    port: u16,
    folder: Option<TempDir>,
}

/// The answer to one execution.
#[derive(Debug)]
pub struct Run {
    /// HTTP status.
    pub http: StatusCode,
    /// HTTP headers.
    pub headers: HeaderMap,
    /// The whole body.
    pub body: Value,
}

/// The binary, built once from the work tree; `TESTED_BINARY` names another one.
fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        if let Some(named) = std::env::var_os("TESTED_BINARY") {
            return named.into();
        }
        let built = std::process::Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--locked", "-p", "supervisor"])
            .current_dir(machine::repository())
            .status()
            .unwrap();
        assert!(built.success());
        // This test is target/PROFILE/deps/NAME.
        let target = std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("code-sandbox");
        assert!(target.exists(), "{} is missing", target.display());
        target
    })
}

/// Runs the binary to its end, as an operator who made a mistake would see it.
pub async fn run_binary(args: &[&str]) -> Output {
    timeout(Duration::from_secs(60), start_binary(args).wait_with_output()).await.unwrap().unwrap()
}

/// Starts the binary.
pub fn start_binary(args: &[&str]) -> Child {
    let mut command = Command::new(binary());
    command.args(args).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true).spawn().unwrap()
}

impl Product {
    /// Starts a control plane with these flags beside the test's own, and waits until it is healthy. Without a
    /// `--pool-size` among them it has no pool: every container there is then runs code or is being removed.
    pub async fn start(flags: &[&str]) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), flags).await
    }

    /// The same on the data folder of an earlier life.
    pub async fn start_in(folder: TempDir, flags: &[&str]) -> Self {
        Self::start_with(folder, flags, &[]).await
    }

    /// The same with these variables in its environment.
    pub async fn start_with(folder: TempDir, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let without_pool = if flags.contains(&"--pool-size") { &[][..] } else { &["--pool-size", "0"] };
        let product = Self::spawn(folder, &[without_pool, flags].concat(), variables).await;
        if flags.windows(2).any(|pair| pair[0] == "--pool-size" && pair[1] != "0") {
            product.warm(1).await;
        } else {
            // The trial execution's container goes behind its answer.
            product.no_containers(Duration::from_secs(10)).await;
        }
        product
    }

    async fn spawn(folder: TempDir, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let port = machine::free_port();
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = Command::from(docker::on_engine(binary()))
            .args(["--log-level", "debug"])
            .args(["--listen", &format!("127.0.0.1:{port}")])
            .arg("--data-dir")
            .arg(folder.path().join("data"))
            .args(flags)
            // As in the image: what is freed goes back to the system.
            .envs([
                ("MALLOC_ARENA_MAX", "2"),
                ("MALLOC_MMAP_THRESHOLD_", "131072"),
                ("MALLOC_TRIM_THRESHOLD_", "131072"),
            ])
            .envs(variables.iter().copied())
            .stdout(Stdio::null())
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let client = Client::builder().no_proxy().build().unwrap();
        let product = Self { child, client, port, folder: Some(folder) };
        eventually(product.telling("healthy"), Duration::from_secs(60), || async {
            product.get("/health").await.is_ok_and(|(status, _)| status == StatusCode::OK)
        })
        .await;
        product
    }

    /// Waits until the pool has said so often that it is warm.
    pub async fn warm(&self, times: usize) {
        eventually(self.telling("the pool is warm"), Duration::from_secs(60), || async {
            self.log().matches("the pool is warm").count() >= times
        })
        .await;
    }

    /// Waits until an execution runs, and returns its id.
    pub async fn running(&self) -> String {
        let id = OnceLock::new();
        eventually("an execution runs", Duration::from_secs(20), async || {
            let (_, listed) = self.get("/executions").await.unwrap();
            let running = listed.as_array().unwrap().iter().find(|one| one["status"] == "running");
            running.is_some_and(|one| id.set(one["id"].as_str().unwrap().to_owned()).is_ok())
        })
        .await;
        id.into_inner().unwrap()
    }

    /// What is waited for, and the log as it is once that is told.
    fn telling(&self, what: &str) -> impl Display {
        fmt::from_fn(move |text| write!(text, "{what}; log: {}", self.log()))
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder().join("log")).unwrap_or_default()
    }

    /// Process id.
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.id().unwrap()).unwrap()
    }

    /// The process that removes its containers if it is killed.
    pub fn undertaker(&self) -> Pid {
        undertaker_of(self.pid())
    }

    /// The label value of its containers.
    pub fn instance(&self) -> String {
        fs::read_to_string(self.data_dir().join("instance-id")).unwrap().trim().to_owned()
    }

    fn folder(&self) -> &Path {
        self.folder.as_ref().unwrap().path()
    }

    /// Where its data is.
    pub fn data_dir(&self) -> PathBuf {
        self.folder().join("data")
    }

    /// Open file descriptors of the process.
    pub fn descriptors(&self) -> usize {
        machine::descriptors(self.pid())
    }

    /// Waits until as many are open as were then; the connections that the client keeps for later count as well.
    pub async fn has_descriptors_back(&self, then: usize) {
        eventually("the descriptors are back", Duration::from_secs(20), || async {
            self.descriptors() <= then + 8
        })
        .await;
    }

    /// Resident memory, or its highest so far (`VmHWM`), in bytes.
    pub fn memory(&self, field: &str) -> u64 {
        machine::memory(self.pid(), field)
    }

    /// Address and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Address of a path.
    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address())
    }

    /// The HTTP client.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// `GET`, with a JSON answer.
    pub async fn get(&self, path: &str) -> reqwest::Result<(StatusCode, Value)> {
        let response = self.client.get(self.url(path)).send().await?;
        Ok((response.status(), response.json().await?))
    }

    /// `POST /execute_code` with a whole body.
    pub async fn post(&self, body: Value) -> Run {
        self.try_post(&body).await.unwrap()
    }

    /// The same where the connection may break.
    pub async fn try_post(&self, body: &Value) -> reqwest::Result<Run> {
        let response = self.client.post(self.url("/execute_code")).json(body).send().await?;
        let (http, headers) = (response.status(), response.headers().clone());
        Ok(Run { http, headers, body: response.json().await? })
    }

    /// The same while the test goes on.
    pub fn begin(&self, body: &Value) -> JoinHandle<reqwest::Result<Response>> {
        tokio::spawn(self.client.post(self.url("/execute_code")).json(body).send())
    }

    /// Runs code.
    pub async fn run(&self, code: &str) -> Run {
        self.post(json!({ "code": code })).await
    }

    /// Names of its containers.
    pub async fn containers(&self) -> std::collections::BTreeSet<String> {
        docker::containers_of(&self.instance()).await
    }

    /// Waits until none of its containers is there.
    pub async fn no_containers(&self, limit: Duration) {
        eventually("no container left", limit, || async { self.containers().await.is_empty() }).await;
    }

    /// Sends a signal to the process.
    pub fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.pid()), signal).unwrap();
    }

    /// Waits for the end of the process.
    pub async fn wait(&mut self, limit: Duration) -> ExitStatus {
        timeout(limit, self.child.wait()).await.expect("still running").unwrap()
    }

    /// Kills it without warning and returns its data folder for the next life.
    pub async fn kill(mut self) -> TempDir {
        self.child.kill().await.unwrap();
        self.folder.take().unwrap()
    }

    /// Ends it as an operator would, and checks that it leaves nothing.
    pub async fn stop(mut self) {
        let instance = self.instance();
        self.signal(Signal::SIGTERM);
        let status = self.wait(Duration::from_secs(60)).await;
        assert!(status.success(), "{status}: {}", self.log());
        assert_eq!(docker::containers_of(&instance).await, Default::default(), "containers left behind");
    }
}

/// The only child of a control plane, or of its `check`.
pub fn undertaker_of(process: i32) -> Pid {
    let child = |entry: fs::DirEntry| {
        let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?);
        let [_, parent] = state_and_parent(pid)?;
        (parent == process.to_string()).then_some(pid)
    };
    let children: Vec<_> = fs::read_dir("/proc").unwrap().flatten().filter_map(child).collect();
    let [undertaker] = children[..] else { panic!("children: {children:?}") };
    undertaker
}

/// Waits until the undertaker of a control plane that was killed has done its work, for which it takes its time.
pub async fn has_ended(undertaker: Pid) {
    // One that nobody waits for stays as a zombie.
    let ended = || state_and_parent(undertaker).is_none_or(|[state, _]| state == "Z");
    eventually("the undertaker has ended", Duration::from_secs(30), async || ended()).await;
}

/// Of a process, as the kernel has them.
fn state_and_parent(pid: Pid) -> Option<[String; 2]> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().map(str::to_owned);
    Some([fields.next()?, fields.next()?])
}

impl Drop for Product {
    fn drop(&mut self) {
        // After a stop or a kill there is nothing left to do here.
        if self.folder.is_none() || self.child.id().is_none() {
            return;
        }
        let _ = self.child.start_kill();
        // One that has not even begun has made none.
        let Ok(instance) = fs::read_to_string(self.data_dir().join("instance-id")) else { return };
        let filter = format!("label=code-sandbox.instance={}", instance.trim());
        let listed = docker::on_engine("docker").args(["ps", "-aq", "--filter", &filter]).output();
        let listed = String::from_utf8(listed.unwrap().stdout).unwrap();
        let left: Vec<_> = listed.lines().collect();
        if !left.is_empty() {
            let _ = docker::on_engine("docker").args(["rm", "-f"]).args(left).output();
        }
    }
}

impl Run {
    /// One field of the answer to a request that was served.
    pub fn field(&self, name: &str) -> &Value {
        assert_eq!(self.http, StatusCode::OK, "{}", self.body);
        &self.body[name]
    }

    /// The status of the execution.
    pub fn status(&self) -> &str {
        self.field("status").as_str().unwrap()
    }

    /// What it printed.
    pub fn stdout(&self) -> &str {
        self.field("stdout").as_str().unwrap()
    }

    /// Name and reason of everything that was left out.
    pub fn omitted(&self) -> Vec<(&str, &str)> {
        let entries = self.field("omitted").as_array().unwrap().iter();
        entries.map(|entry| (entry["name"].as_str().unwrap(), entry["reason"].as_str().unwrap())).collect()
    }

    /// Width and height of the figures, each of which must be a PNG.
    pub fn figure_sizes(&self) -> Vec<(u64, u64)> {
        let size = |figure: &Value| {
            assert_eq!(figure["format"], "png");
            assert!(figure["data"].as_str().unwrap().starts_with("iVBORw0KGgo"), "{figure}");
            (figure["width"].as_u64().unwrap(), figure["height"].as_u64().unwrap())
        };
        self.field("figures").as_array().unwrap().iter().map(size).collect()
    }

    /// The error line.
    pub fn error(&self) -> &str {
        self.field("error").as_str().unwrap_or_default()
    }
}
