//! `POST /execute_code`: its request and its response.

use engine::{Bounds, Display, ExecutionRequest, Omitted, Outcome, Status, Truncated, Usage};
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    JsonObject,
    files::{Figure, OutputFile},
};
use crate::{caller::Caller, error::ApiError};

/// Parses and validates a request body, within what this caller may ask for; what the code may read of uploaded data is for the
/// route to say.
pub(crate) fn request(
    body: &[u8],
    id: Uuid,
    caller: &Caller,
    bounds: &Bounds,
    max_code_size: u64,
) -> Result<ExecutionRequest, ApiError> {
    let bounds = bounds.capped(caller.limits.timeout, caller.limits.memory);
    let mut fields = JsonObject::read(body)?;
    let code: Option<String> = fields.required("code");
    let input_data = fields.optional("input_data").unwrap_or_else(empty_object);
    let timeout = fields.bounded("timeout", bounds.default_timeout(), |seconds| bounds.timeout(seconds));
    let memory =
        fields.bounded("memory_mb", bounds.default_memory(), |mebibytes| bounds.memory_mib(mebibytes));
    let stdin = fields.optional("stdin").unwrap_or_default();
    let args = fields.optional("args").unwrap_or_default();
    let files = fields.optional("files").unwrap_or_default();
    fields.finish()?;
    let code = code.ok_or(ApiError::Internal)?;
    if code.len() as u64 > max_code_size {
        return Err(ApiError::CodeTooLarge { limit: max_code_size });
    }
    Ok(ExecutionRequest {
        id,
        tenant: caller.tenant.clone(),
        concurrency: caller.limits.concurrency,
        code,
        input_data,
        timeout,
        memory,
        stdin,
        args,
        files,
        data: None,
    })
}

fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_default()
}

/// What a run is answered with.
#[derive(Debug, Serialize)]
pub(crate) struct Response {
    id: Uuid,
    status: Status,
    result: Option<Box<RawValue>>,
    display: Option<Display>,
    figures: Vec<Figure>,
    files: Vec<OutputFile>,
    stdout: String,
    stderr: String,
    execution_time: f64,
    error: Option<String>,
    exit_code: Option<i32>,
    signal: Option<String>,
    omitted: Vec<Omitted>,
    truncated: Truncated,
    usage: Usage,
}

impl Response {
    pub(crate) fn new(id: Uuid, outcome: Outcome) -> Self {
        Self {
            id,
            status: outcome.status,
            result: outcome.result,
            display: outcome.display,
            figures: outcome.figures.into_iter().map(Figure::from).collect(),
            files: outcome.files.into_iter().map(OutputFile::from).collect(),
            stdout: outcome.stdout,
            stderr: outcome.stderr,
            execution_time: outcome.execution_time,
            error: outcome.error,
            exit_code: outcome.exit_code,
            signal: outcome.signal,
            omitted: outcome.omitted,
            truncated: outcome.truncated,
            usage: outcome.usage,
        }
    }
}

/// What is told of a run at the end of its stream.
#[derive(Debug, Serialize)]
pub(crate) struct Finished {
    id: Uuid,
    status: Status,
    result: Option<Box<RawValue>>,
    execution_time: f64,
    error: Option<String>,
    exit_code: Option<i32>,
    signal: Option<String>,
    omitted: Vec<Omitted>,
    truncated: Truncated,
    usage: Usage,
}

/// What is streamed before it.
#[derive(Debug)]
pub(crate) struct Returned {
    pub(crate) display: Option<Display>,
    pub(crate) figures: Vec<Figure>,
    pub(crate) files: Vec<OutputFile>,
}

impl Finished {
    pub(crate) fn new(id: Uuid, outcome: Outcome) -> (Returned, Self) {
        let returned = Returned {
            display: outcome.display,
            figures: outcome.figures.into_iter().map(Figure::from).collect(),
            files: outcome.files.into_iter().map(OutputFile::from).collect(),
        };
        let finished = Self {
            id,
            status: outcome.status,
            result: outcome.result,
            execution_time: outcome.execution_time,
            error: outcome.error,
            exit_code: outcome.exit_code,
            signal: outcome.signal,
            omitted: outcome.omitted,
            truncated: outcome.truncated,
            usage: outcome.usage,
        };
        (returned, finished)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{body::to_bytes, response::IntoResponse};
    use serde_json::{Value, json};

    use super::*;

    const MAX_CODE: u64 = 1000;

    fn parse(body: &str) -> Result<ExecutionRequest, ApiError> {
        let bounds = Bounds {
            default_timeout: Duration::from_secs(30),
            max_timeout: Duration::from_secs(300),
            default_memory: 512 << 20,
            max_memory: 2 << 30,
        };
        request(body.as_bytes(), Uuid::nil(), &Caller::everyone(), &bounds, MAX_CODE)
    }

    async fn refused(body: &str) -> (u16, Value) {
        let response = parse(body).map(|_| ()).unwrap_err().into_response();
        let status = response.status().as_u16();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap())
    }

    #[test]
    fn a_full_request_is_taken_as_it_is_and_an_empty_one_has_the_defaults() {
        let full = r#"{"code": "a", "input_data": {"x": 1e2}, "timeout": 1.5, "memory_mb": 256.0, "stdin": "s", "args": ["é"]}"#;
        let full = parse(full).unwrap();
        assert_eq!(
            (full.code.as_str(), full.input_data.get(), full.stdin.as_str()),
            ("a", r#"{"x": 1e2}"#, "s")
        );
        assert_eq!((full.timeout.get(), full.memory.bytes()), (Duration::from_millis(1500), 256 << 20));
        assert_eq!(full.args, ["é"]);
        let least = parse(r#"{"code": ""}"#).unwrap();
        assert_eq!((least.code.as_str(), least.input_data.get(), least.args.len()), ("", "{}", 0));
        assert_eq!((least.timeout.get(), least.memory.bytes()), (Duration::from_secs(30), 512 << 20));
    }

    #[tokio::test]
    async fn everything_wrong_is_told_at_once_as_fastapi_does() {
        let (status, body) = refused(
            r#"{"input_data": [1], "timeout": "5", "memory_mb": 1, "stdin": null, "args": ["a", 1], "timout": 5}"#,
        )
        .await;
        assert_eq!(status, 422);
        insta::assert_json_snapshot!(body);
    }

    #[tokio::test]
    async fn everything_wrong_with_files_is_told_with_its_place() {
        let (status, body) = refused(
            r#"{"code": "", "files": [
                {"path": "../x", "content": ""}, {"path": "/x", "content": ""}, {"path": "", "content": 1},
                {"path": "a\u0000", "content": "", "encoding": "latin-1"}, {"content": "", "contents": ""}, "x",
                {"path": "b", "content": "/w", "encoding": "base64"}, {"path": "c", "content": "", "path": "d"}
            ]}"#,
        )
        .await;
        assert_eq!(status, 422);
        insta::assert_json_snapshot!(body);
        for (files, loc, msg) in [
            (r#"{}"#, json!(["body", "files"]), "Input should be a valid list"),
            (
                r#"[{"path": "a", "content": ""}, {"path": "a/b", "content": ""}]"#,
                json!(["body", "files", 0, "path"]),
                "Value error, the path is a file's and a folder's at once",
            ),
            (
                r#"[{"path": "main.py", "content": ""}]"#,
                json!(["body", "files", 0, "path"]),
                "Value error, 'main.py' is the code itself: a file needs another name",
            ),
        ] {
            let (status, body) = refused(&format!(r#"{{"code": "", "files": {files}}}"#)).await;
            assert_eq!(
                (status, &body["detail"][0]["loc"], &body["detail"][0]["msg"]),
                (422, &loc, &json!(msg))
            );
        }
    }

    #[tokio::test]
    async fn numbers_out_of_range_are_told_with_their_range() {
        let cases = [
            (r#""timeout": 0"#, "Input should be greater than 0"),
            (r#""timeout": -1"#, "Input should be greater than 0"),
            (r#""timeout": 1e308"#, "Input should be less than or equal to 300"),
            (r#""timeout": 1e999"#, "Input should be a finite number"),
            (r#""timeout": true"#, "Input should be a valid number"),
            (r#""memory_mb": 31"#, "Input should be greater than or equal to 32"),
            (r#""memory_mb": 1e999"#, "Input should be less than or equal to 2048"),
            (r#""memory_mb": -99999999999999999999"#, "Input should be greater than or equal to 32"),
            (r#""memory_mb": 256.5"#, "Input should be a valid integer"),
        ];
        for (field, msg) in cases {
            let (status, body) = refused(&format!(r#"{{"code": "", {field}}}"#)).await;
            assert_eq!((status, &body["detail"][0]["msg"]), (422, &json!(msg)), "{field}");
        }
    }

    #[tokio::test]
    async fn malformed_bodies_are_refused_with_the_place() {
        for (body, status, reason) in [
            ("", 400, "EOF while parsing a value at line 1 column 0"),
            (r#"{"code": "#, 400, "EOF while parsing a value"),
            (r#"{"code": "", "timeout": NaN}"#, 400, "expected value at line 1 column 25"),
            (r#"{"code": "a", "code": "b"}"#, 400, "the field \"code\" appears twice"),
            ("[]", 422, "Input should be a valid dictionary"),
            (
                r#"{"code": "", "input_data": {"a": 1, "a": 1}}"#,
                422,
                "the name \"a\" appears twice in one object",
            ),
            (r#"{"code": "\ud800"}"#, 422, "Input should be a valid string"),
        ] {
            let (got, answer) = refused(body).await;
            assert_eq!(got, status, "{body}");
            assert!(answer.to_string().replace("\\\"", "\"").contains(reason), "{body}: {answer}");
        }
        let deep =
            format!(r#"{{"code": "", "input_data": {{"a": {}{}}}}}"#, "[".repeat(200), "]".repeat(200));
        let (status, answer) = refused(&deep).await;
        assert_eq!(status, 422);
        assert!(
            answer.to_string().contains("recursion limit") && answer.to_string().len() < 1000,
            "{answer}"
        );
    }

    #[tokio::test]
    async fn an_error_stays_small_however_large_the_request() {
        let many: String = (0..50_000).map(|n| format!(r#""f{n}": 0, "#)).collect();
        let (_, answer) = refused(&format!(r#"{{{many} "code": ""}}"#)).await;
        assert!(answer.to_string().len() < 50_000);
        let (_, answer) = refused(&format!(r#"{{"code": ["{}"]}}"#, "ä".repeat(100_000))).await;
        assert!(answer.to_string().len() < 1_000);
    }

    #[tokio::test]
    async fn code_over_its_limit_is_too_large() {
        assert!(parse(&json!({ "code": "x".repeat(1000) }).to_string()).is_ok());
        let (status, answer) = refused(&json!({ "code": "x".repeat(1001) }).to_string()).await;
        assert_eq!((status, answer), (413, json!({ "detail": "The code is over the limit of 1000 bytes" })));
    }
}
