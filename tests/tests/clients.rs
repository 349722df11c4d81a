//! The clients of `examples/clients`, each run as it is where this machine has what it needs.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    path::{Path, PathBuf},
    process::{Output, Stdio},
    time::Duration,
};

use e2e::{Product, keys::new_key, skip};
use serde_json::json;
use tokio::{io::AsyncWriteExt, process::Command, time::timeout};

const SUM: &str = "total = sum(values)\nprint(total)\n";

/// A program of the folder, and what starts it.
struct Client {
    file: &'static str,
    program: PathBuf,
    variables: Vec<(&'static str, String)>,
}

impl Client {
    fn new(product: &Product, program: impl Into<PathBuf>, file: &'static str) -> Self {
        Self { file, program: program.into(), variables: vec![("SANDBOX_URL", product.url(""))] }
    }

    fn with(mut self, variable: &'static str, value: &str) -> Self {
        self.variables.push((variable, value.to_owned()));
        self
    }

    async fn run(&self, arguments: &[&str], input: &str) -> Output {
        let folder = tempfile::tempdir().unwrap();
        self.run_in(folder.path(), arguments, input).await
    }

    async fn run_in(&self, folder: &Path, arguments: &[&str], input: &str) -> Output {
        let mut child = Command::new(&self.program)
            .arg(clients().join(self.file))
            .args(arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        // A client that reads no input may have closed it.
        let _ = stdin.write_all(input.as_bytes()).await;
        drop(stdin);
        timeout(Duration::from_secs(60), child.wait_with_output()).await.unwrap().unwrap()
    }
}

fn clients() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/clients").canonicalize().unwrap()
}

/// A Python with httpx: the one that `make e2e` makes, or this machine's.
async fn python() -> Option<PathBuf> {
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/venv/bin/python");
    for python in [made, "python3".into()] {
        if starts(&python, &["-c", "import httpx"]).await {
            return Some(python);
        }
    }
    skip("there is no Python with httpx: scripts/e2e.sh installs it");
    None
}

async fn starts(program: &Path, arguments: &[&str]) -> bool {
    Command::new(program).args(arguments).output().await.is_ok_and(|output| output.status.success())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).unwrap()
}

/// JSON without the spaces that one language writes and the other does not.
fn compact(bytes: &[u8]) -> String {
    text(bytes).replace(' ', "")
}

/// Keeps the only place for an execution taken for so long.
async fn occupy(
    product: &Product,
    seconds: f64,
) -> tokio::task::JoinHandle<reqwest::Result<reqwest::Response>> {
    let code = format!("import time; time.sleep({seconds})");
    let occupying = product.begin(&json!({ "code": code }));
    product.running().await;
    occupying
}

/// What each client that runs one program does with every kind of answer.
async fn one_program(client: impl Fn(&Product) -> Client) {
    let product =
        Product::start(&["--max-executions", "1", "--queue-size", "0", "--max-code-size", "1k"]).await;
    let fine = client(&product).run(&[r#"{"values": [1, 2, 3]}"#], SUM).await;
    assert_eq!((compact(&fine.stdout), text(&fine.stderr)), ("6\n{\"total\":6}\n".to_owned(), ""));
    assert!(fine.status.success());

    let wrong = client(&product).run(&[], "print('so far')\n1/0").await;
    assert_eq!(text(&wrong.stdout), "so far\n");
    assert!(text(&wrong.stderr).ends_with("error: ZeroDivisionError: division by zero\n"), "{wrong:?}");
    assert_eq!(wrong.status.code(), Some(1));

    let misused = client(&product).run(&["{"], "a = 1").await;
    assert_eq!(text(&misused.stderr).lines().count(), 1, "{misused:?}");
    assert_eq!((misused.status.code(), text(&misused.stdout)), (Some(1), ""));

    let refused = client(&product).run(&[], &format!("#{}", "x".repeat(2000))).await;
    assert!(
        text(&refused.stderr).contains("no answer: ") && text(&refused.stderr).contains("413"),
        "{refused:?}"
    );
    assert_eq!(refused.status.code(), Some(1));

    let occupying = occupy(&product, 3.0).await;
    let later = client(&product).run(&[], "a = 1").await;
    assert_eq!((compact(&later.stdout), text(&later.stderr)), ("{\"a\":1}\n".to_owned(), ""));
    assert!(later.status.success());
    assert!(product.log().contains("could not be executed"), "it was not refused even once");
    occupying.await.unwrap().unwrap();

    let occupying = occupy(&product, 30.0).await;
    let impatient = client(&product).with("SANDBOX_PATIENCE", "1").run(&[], "a = 1").await;
    assert!(text(&impatient.stderr).contains("503"), "{impatient:?}");
    assert_eq!(impatient.status.code(), Some(1));
    occupying.abort();

    let unreachable =
        client(&product).with("SANDBOX_URL", "http://127.0.0.1:9").with("SANDBOX_PATIENCE", "1");
    let unreachable = unreachable.run(&[], "a = 1").await;
    assert!(text(&unreachable.stderr).contains("no answer: "), "{unreachable:?}");
    assert_eq!(unreachable.status.code(), Some(1));
    product.stop().await;
}

#[tokio::test]
async fn the_python_client_runs_waits_while_the_service_is_busy_and_tells_failures_apart() {
    let Some(python) = python().await else { return };
    one_program(|product| Client::new(product, &python, "sandbox.py")).await;
}

#[tokio::test]
async fn the_javascript_client_runs_waits_while_the_service_is_busy_and_tells_failures_apart() {
    if !starts(Path::new("node"), &["-e", "fetch"]).await {
        return skip("there is no Node of version 18 or newer");
    }
    one_program(|product| Client::new(product, "node", "sandbox.mjs")).await;
}

#[tokio::test]
async fn the_shell_client_runs_waits_while_the_service_is_busy_and_tells_failures_apart() {
    for tool in ["bash", "curl", "python3"] {
        if !starts(Path::new(tool), &["--version"]).await {
            return skip(&format!("there is no {tool}"));
        }
    }
    one_program(|product| Client::new(product, "bash", "sandbox.sh")).await;
}

#[tokio::test]
async fn the_asynchronous_client_brings_more_runs_through_than_the_service_has_places() {
    let Some(python) = python().await else { return };
    let product = Product::start(&["--max-executions", "2", "--queue-size", "1"]).await;
    let folder = tempfile::tempdir().unwrap();
    let names: Vec<_> = (0..8).map(|n| format!("{n}.py")).collect();
    for (n, name) in names.iter().enumerate() {
        let code = if n == 5 {
            "1/0".to_owned()
        } else {
            format!("import time\ntime.sleep(0.3)\nn = {n}\ndel time")
        };
        std::fs::write(folder.path().join(name), code).unwrap();
    }
    let names: Vec<_> = names.iter().map(String::as_str).collect();
    let client = Client::new(&product, python, "sandbox_async.py");
    let output = client.run_in(folder.path(), &names, "").await;
    let expected: String = [0, 1, 2, 3, 4, 6, 7].iter().map(|n| format!("{{\"n\": {n}}}\n")).collect();
    assert_eq!(text(&output.stdout), expected, "{output:?}");
    assert!(text(&output.stderr).contains("error: ZeroDivisionError"), "{output:?}");
    assert_eq!(output.status.code(), Some(1));
    assert!(product.log().contains("could not be executed"), "all fitted in at once");
    product.stop().await;
}

#[tokio::test]
async fn the_agents_tool_gives_text_and_pictures_and_what_went_wrong_as_text_too() {
    let Some(python) = python().await else { return };
    let product = Product::start(&[]).await;
    let tool = Client::new(&product, &python, "tool.py");
    let folder = tempfile::tempdir().unwrap();
    let code = "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nprint('drawn')\nn = 2\nn + 1";
    let drawn = tool.run_in(folder.path(), &[], code).await;
    assert_eq!(text(&drawn.stdout), "drawn\n3\nvariables: {\"n\": 2}\n", "{drawn:?}");
    let png = std::fs::read(folder.path().join("figure-1.png")).unwrap();
    assert!(png.starts_with(b"\x89PNG"), "{} bytes", png.len());

    let error = text(&tool.run(&[], "1/0").await.stdout).to_owned();
    assert!(
        error.starts_with("Traceback") && error.ends_with("ZeroDivisionError: division by zero\n"),
        "{error}"
    );
    let long = text(&tool.run(&[], "print('x' * 100_000)").await.stdout).to_owned();
    assert!(long.len() < 10_000 && long.contains("92000 characters are left out"), "{}", long.len());
    let silent = tool.run(&[], "pass").await;
    assert_eq!(text(&silent.stdout), "The program has printed nothing.\n");
    let limited = tool.run(&[], "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)").await;
    assert!(text(&limited.stdout).starts_with("crashed: "), "{limited:?}");
    let away = Client::new(&product, &python, "tool.py").with("SANDBOX_URL", "http://127.0.0.1:9");
    assert!(text(&away.run(&[], "1").await.stdout).starts_with("There is no answer: "));
    product.stop().await;
}

#[tokio::test]
async fn every_client_sends_its_key() {
    let Some(python) = python().await else { return };
    let (key, line) = new_key("clients").await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("keys"), line).unwrap();
    std::fs::write(folder.path().join("program.py"), "a = 1").unwrap();
    let product = Product::start(&["--api-keys-file", folder.path().join("keys").to_str().unwrap()]).await;
    for (program, file, arguments) in [
        (python.as_path(), "sandbox.py", &[][..]),
        (Path::new("node"), "sandbox.mjs", &[]),
        (Path::new("bash"), "sandbox.sh", &[]),
        (&python, "sandbox_async.py", &["program.py"]),
        (&python, "tool.py", &[]),
        (&python, "agent.py", &["What is the median of 1?"]),
    ] {
        if !starts(program, &["--version"]).await {
            skip(&format!("there is no {}", program.display()));
            continue;
        }
        let client = || Client::new(&product, program, file);
        let without = client().run_in(folder.path(), arguments, "a = 1").await;
        let told = format!("{}{}", text(&without.stdout), text(&without.stderr));
        // The package for MCP does not tell with which status it was refused.
        let refused = told.contains("401") || file == "agent.py" && !without.status.success();
        assert!(refused, "{file}: {told}");
        let with = client().with("SANDBOX_KEY", &key).run_in(folder.path(), arguments, "a = 1").await;
        let told = format!("{}{}", text(&with.stdout), text(&with.stderr));
        assert!(with.status.success() && !told.contains("401"), "{file}: {told}");
    }
    product.stop().await;
}

#[tokio::test]
async fn the_agent_learns_of_its_error_over_mcp_and_mends_it() {
    let Some(python) = python().await else { return };
    let product = Product::start(&[]).await;
    let agent = Client::new(&product, &python, "agent.py");
    let answer = agent.run(&["What is the median of 3, 1, 4, 1, 5?"], "").await;
    assert_eq!(text(&answer.stdout), "The median is 3.0.\n", "{answer:?}");
    assert!(text(&answer.stderr).contains("NameError: name 'statistics' is not defined"), "{answer:?}");
    product.stop().await;
}
