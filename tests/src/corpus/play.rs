//! Playing a case: its requests, and whether what came back is what its file says.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Map, Value, json};
use tokio::time::{sleep, timeout};

use super::{
    case::{Case, Step},
    contract::Contract,
    expectation::mismatch,
    operator,
    raw::{self, Answer},
    stage::Stage,
};

/// The answer comes so long after the deadline at the latest.
const AFTER_DEADLINE: f64 = 2.0;
/// What a start of a container may take where none stands ready, on a machine that is busy with attacks.
const LEASE: f64 = 6.0;
const DEFAULT_TIMEOUT: f64 = 30.0;
/// For whatever runs no code.
const PROMPT: f64 = 15.0;

impl Case {
    /// Everything that is not as it must be; afterwards nothing of it is left but what the service itself keeps.
    pub async fn play(&self, stage: &Stage) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut steps = self.steps.iter().enumerate().peekable();
        while let Some((n, step)) = steps.next() {
            // Those that begin meanwhile, each so long after the one before.
            let mut together = vec![(n, step, 0.0)];
            while let Some((n, step)) = steps.next_if(|(_, step)| step.meanwhile.is_some()) {
                let begins = together[together.len() - 1].2 + step.meanwhile.unwrap_or_default();
                together.push((n, step, begins));
            }
            let played = together.into_iter().map(|(n, step, begins)| async move {
                sleep(Duration::from_secs_f64(begins)).await;
                let all = join_all((0..step.times.unwrap_or(1)).map(|_| step.play(stage))).await;
                all.into_iter()
                    .filter_map(Result::err)
                    .map(|told| format!("step {}: {told}", n + 1))
                    .collect::<Vec<_>>()
            });
            wrong.extend(join_all(played).await.into_iter().flatten());
        }
        let clear = stage.request("GET", "/clear_data", "attacker").send().await;
        if !clear.is_ok_and(|answer| answer.status().is_success()) {
            wrong.push("the attacker's data cannot be cleared".to_owned());
        }
        wrong
    }
}

impl Step {
    fn tenant(&self) -> &str {
        self.tenant.as_deref().unwrap_or("attacker")
    }

    /// Method and path, as the published document is to be asked for them.
    fn operation(&self) -> (String, String) {
        let line = match (&self.request, &self.raw) {
            (Some(request), _) => request.clone(),
            (None, Some(raw)) => raw.pieces().first().map_or_else(String::new, |piece| match piece {
                super::case::Piece::Once(text) => text.clone(),
                _ => String::new(),
            }),
            (None, None) => "POST /execute_code".to_owned(),
        };
        let mut words = line.split([' ', '\r']);
        (words.next().unwrap_or_default().to_owned(), words.next().unwrap_or_default().to_owned())
    }

    fn limit(&self) -> f64 {
        let timeout = self.with.get("timeout").and_then(Value::as_f64);
        let default = match (&self.run, timeout) {
            (Some(_), timeout) => timeout.unwrap_or(DEFAULT_TIMEOUT) + AFTER_DEADLINE + LEASE,
            (None, _) => PROMPT,
        };
        self.within.unwrap_or(default)
    }

    async fn play(&self, stage: &Stage) -> Result<(), String> {
        if let Some(deed) = self.operator {
            operator::act(deed, stage).await;
            return Ok(());
        }
        let answered = async {
            let limit = Duration::from_secs_f64(self.limit());
            match timeout(limit, self.ask(stage)).await {
                Ok(answer) => answer.map(Some),
                Err(_) => Err(format!("no answer within {limit:?}")),
            }
        };
        let answer = match self.leaves_after {
            Some(patience) => {
                timeout(Duration::from_secs_f64(patience), answered).await.unwrap_or(Ok(None))?
            }
            None => answered.await?,
        };
        answer.map_or(Ok(()), |answer| self.judge(stage, answer))?;
        if self.taken_over { stage.seized().is_unharmed().await } else { Ok(()) }
    }

    async fn ask(&self, stage: &Stage) -> Result<Answer, String> {
        if let Some(raw) = &self.raw {
            let authorization = stage.authorization(self.tenant()).unwrap_or_default();
            let pieces = raw.pieces().into_iter().map(|piece| piece.with_key(&authorization)).collect();
            let address = stage.service.url("").replace("http://", "");
            return raw::converse(&address, pieces, Duration::from_secs_f64(self.limit())).await;
        }
        let request = match (&self.run, &self.request) {
            (Some(code), None) => {
                let mut body = self.with.clone();
                body.insert("code".to_owned(), json!(code.whole()));
                let path = if self.stream { "/execute_code/stream" } else { "/execute_code" };
                if self.taken_over {
                    stage.seized().execute(path, body)
                } else {
                    stage.request("POST", path, self.tenant()).json(&body)
                }
            }
            (None, Some(_)) => {
                let (method, path) = self.operation();
                let path = match path.split_once("{running:") {
                    Some((before, tenant)) => {
                        let (tenant, after) = tenant.split_once('}').ok_or("whose execution runs?")?;
                        format!("{before}{}{after}", running(stage, tenant).await?)
                    }
                    None => path,
                };
                let mut request = stage.request(&method, &path, self.tenant());
                for (name, value) in &self.headers {
                    request = request.header(name, value);
                }
                match &self.body {
                    Some(body) => request.body(body.whole()),
                    None => request,
                }
            }
            _ => unreachable!("a step has one of run, request, raw and operator"),
        };
        let mut response = match request.send().await {
            Ok(response) => response,
            Err(error) => return Ok(Answer::none(&format!("{error:?}"))),
        };
        let http = response.status().as_u16();
        let headers: String =
            response.headers().iter().map(|(name, value)| format!("{name}: {value:?}\n")).collect();
        let mut bytes = Vec::new();
        while let Some(piece) =
            response.chunk().await.map_err(|error| format!("the answer broke off: {error:?}"))?
        {
            bytes.extend_from_slice(&piece);
            if let Some(rate) = self.reads {
                sleep(Duration::from_secs_f64(piece.len() as f64 / rate as f64)).await;
            }
        }
        let body = if self.stream && http == 200 {
            assembled(&String::from_utf8_lossy(&bytes), &stage.contract)?
        } else {
            serde_json::from_slice(&bytes).unwrap_or_else(|_| json!(String::from_utf8_lossy(&bytes)))
        };
        Ok(Answer { http, headers, body })
    }

    fn judge(&self, stage: &Stage, answer: Answer) -> Result<(), String> {
        let mut expected = self.expect.clone();
        let http = expected.remove("http").unwrap_or(json!(200));
        if let Some(told) = mismatch("http", &http, &json!(answer.http)) {
            return Err(format!("{told}: {:.600}", answer.body.to_string()));
        }
        // /health only reports.
        let put_off = matches!(answer.http, 429 | 503) && !self.operation().1.starts_with("/health");
        if put_off && !answer.headers.contains("retry-after: ") {
            return Err(format!("a {} without Retry-After", answer.http));
        }
        if self.taken_over
            && !expected.contains_key("stderr")
            && answer.body["stderr"].as_str().is_some_and(|text| !text.is_empty())
        {
            return Err(format!("its code has failed itself: {}", answer.body["stderr"]));
        }
        if let Some(headers) = expected.remove("headers")
            && let Some(told) = mismatch("headers", &headers, &json!(answer.headers))
        {
            return Err(told);
        }
        let expected = expected.remove("body").unwrap_or(Value::Object(expected));
        if let Some(told) = mismatch("answer", &expected, &answer.body) {
            return Err(format!("{told}: {:.600}", without_details(&answer.body)));
        }
        let (method, path) = self.operation();
        // What is no HTTP is answered by the server itself, with a status alone.
        let bare = self.raw.is_some() && matches!(answer.http, 400 | 408 | 431) && answer.body == "";
        if !bare
            && answer.http != 0
            && let Some(breach) = stage.contract.breach(&method, &path, &answer)
        {
            return Err(breach);
        }
        if let Some(wall_time) = answer.body["usage"]["wall_time"].as_f64() {
            let timeout = self.with.get("timeout").and_then(Value::as_f64).unwrap_or(DEFAULT_TIMEOUT);
            if wall_time > timeout + AFTER_DEADLINE {
                return Err(format!("it ran for {wall_time} s with a limit of {timeout} s"));
            }
        }
        Ok(())
    }
}

impl super::case::Piece {
    fn with_key(self, authorization: &str) -> Self {
        match self {
            Self::Once(text) => Self::Once(text.replace("{key}", authorization)),
            other => other,
        }
    }
}

/// The id of the tenant's execution that came first, once it runs.
async fn running(stage: &Stage, tenant: &str) -> Result<String, String> {
    let deadline = Instant::now() + Duration::from_secs(10);
    loop {
        let listed =
            stage.request("GET", "/executions", tenant).send().await.map_err(|error| error.to_string())?;
        let listed: Value = listed.json().await.map_err(|error| error.to_string())?;
        if listed[0]["status"] == "running"
            && let Some(id) = listed[0]["id"].as_str()
        {
            return Ok(id.to_owned());
        }
        if Instant::now() > deadline {
            return Err("nothing runs".to_owned());
        }
        sleep(Duration::from_millis(20)).await;
    }
}

/// The one answer that the events of a stream amount to.
fn assembled(events: &str, contract: &Contract) -> Result<Value, String> {
    let mut answer = json!({ "stdout": "", "stderr": "", "display": null, "figures": [], "files": [] });
    let mut last = String::new();
    for (n, event) in
        events.split("\n\n").filter(|event| !event.is_empty() && !event.starts_with(':')).enumerate()
    {
        let malformed = || format!("an event that is none: {event:.300}");
        let (name, data) = event.split_once('\n').ok_or_else(malformed)?;
        let name = name.strip_prefix("event: ").ok_or_else(malformed)?;
        let data = data.strip_prefix("data: ").ok_or_else(malformed)?;
        let data: Value = serde_json::from_str(data).map_err(|_| malformed())?;
        if let Some(breach) = contract.event_breach(name, &data) {
            return Err(breach);
        }
        if (n == 0) != (name == "started") {
            return Err(format!("event {n} is '{name}'"));
        }
        match name {
            "started" => {}
            "stdout" | "stderr" => {
                let text = data["text"].as_str().ok_or_else(malformed)?;
                let Value::String(all) = &mut answer[name] else { unreachable!() };
                all.push_str(text);
            }
            "display" => answer[name] = data,
            "figure" | "file" => answer[format!("{name}s")].as_array_mut().ok_or_else(malformed)?.push(data),
            "finished" | "error" => {
                let fields: Map<String, Value> = serde_json::from_value(data).map_err(|_| malformed())?;
                answer.as_object_mut().ok_or_else(malformed)?.extend(fields);
            }
            _ => return Err(malformed()),
        }
        last = name.to_owned();
    }
    if last == "finished" { Ok(answer) } else { Err(format!("the last event is '{last}': {answer:.300}")) }
}

/// What explains an answer best, first.
fn without_details(answer: &Value) -> String {
    let telling = ["status", "error", "stderr", "omitted"]
        .map(|name| format!("{name}: {:.400}", answer[name].to_string()));
    if answer["status"].is_null() { answer.to_string() } else { telling.join(", ") }
}
