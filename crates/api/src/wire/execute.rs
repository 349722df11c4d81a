//! `POST /execute_code`: its request and its response.

use engine::{Bounds, ExecutionRequest, Outcome, Permit};
use serde::Serialize;
use serde_json::{json, value::RawValue};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr, Schema, Type,
        schema::{Object, ObjectBuilder, SchemaType},
    },
};
use uuid::Uuid;

use super::{
    JsonObject,
    files::{Figure, FileToWrite, OutputFile},
    report::{Display, Omitted, Status, Truncated, Usage},
};
use crate::{caller::Caller, document, error::ApiError};

/// Code to run.
#[derive(ToSchema)]
#[schema(as = ExecutionRequest, examples(
    json!({ "code": "total = sum(values)\nprint(total)", "input_data": { "values": [1, 2, 3] } })
))]
#[expect(dead_code, reason = "says what `request` reads")]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// Python source, at most as many bytes in UTF-8 as it may have characters.
    #[schema(examples("total = sum(values)\nprint(total)"))]
    code: String,
    #[schema(schema_with = input_data, required = false)]
    input_data: (),
    /// Wall-clock time the code may take, seconds; what is less than a millisecond counts as one.
    #[schema(required = false, exclusive_minimum = 0, examples(2.5))]
    timeout: f64,
    /// Memory the container may take, MiB.
    #[schema(required = false, examples(256))]
    memory_mb: i64,
    /// What `input()` and `sys.stdin` read.
    #[schema(required = false, default = "", examples("first line\nsecond line\n"))]
    stdin: String,
    /// `sys.argv[1:]`.
    #[schema(required = false, max_items = 10_000, default = json!([]), examples("--verbose"))]
    args: Vec<String>,
    /// Files in the current directory before the code runs.
    #[schema(required = false, max_items = 1000, default = json!([]))]
    files: Vec<FileToWrite>,
}

fn input_data() -> Object {
    let description = "The dict `input_data`; each key that is an identifier is a variable as well. No object in it has a name \
                       twice; it is nested at most 127 levels deep, and its numbers are within ±1.8e308.";
    ObjectBuilder::new()
        .description(Some(description))
        .default(Some(json!({})))
        .examples([json!({ "values": [1, 2, 3] })])
        .build()
}

fn result() -> Object {
    let description = "The variables left at the end; null unless `status` is `ok`.";
    document::anything(SchemaType::from_iter([Type::Object, Type::Null]), description, json!({ "total": 6 }))
}

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
        permit: Permit::default(),
    })
}

fn empty_object() -> Box<RawValue> {
    RawValue::from_string("{}".to_owned()).unwrap_or_default()
}

/// What a run is answered with.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Execution)]
pub(crate) struct Response {
    /// UUIDv7 of the execution; also the header `X-Request-Id`, unless the client sent one.
    #[schema(examples("01a205e8-ac83-7057-8c3a-060ce2d08c42"))]
    id: Uuid,
    /// How the run ended.
    status: Status,
    #[schema(schema_with = result, required)]
    result: Option<Box<RawValue>>,
    /// The value of an expression on the last line, as in a notebook; null without one, and unless `status` is `ok`.
    #[schema(required)]
    display: Option<Display>,
    /// Matplotlib's figures: those that `plt.show()` has shown, in this order, and those left open, in order of creation; then
    /// figures and pictures left in variables.
    figures: Vec<Figure>,
    /// New and changed files of the current directory, by path.
    files: Vec<OutputFile>,
    /// What came out until the end, on a timeout too; invalid UTF-8 is replaced.
    #[schema(examples("6\n"))]
    stdout: String,
    /// Likewise; with the traceback of an exception.
    #[schema(examples(""))]
    stderr: String,
    /// Wall-clock time of the code alone, seconds.
    #[schema(minimum = 0, examples(0.0021))]
    execution_time: f64,
    /// One line: what went wrong, or which limit and how much it is; null if `status` is `ok`.
    #[schema(required, examples(json!(null), "ZeroDivisionError: division by zero"))]
    error: Option<String>,
    /// Exit status of the process; null if a signal ended it, or it is not known.
    #[schema(required, examples(0))]
    exit_code: Option<i32>,
    /// Name of the signal that ended the process; null if none did.
    #[schema(required, examples(json!(null), "SIGSEGV"))]
    signal: Option<String>,
    /// Variables, figures and files that could not be given back.
    omitted: Vec<Omitted>,
    /// Which stream was cut at its limit.
    truncated: Truncated,
    /// What the whole run used.
    usage: Usage,
}

impl Response {
    pub(crate) fn new(id: Uuid, outcome: Outcome) -> Self {
        Self {
            id,
            status: outcome.status.into(),
            result: outcome.result,
            display: outcome.display.map(Display::from),
            figures: outcome.figures.into_iter().map(Figure::from).collect(),
            files: outcome.files.into_iter().map(OutputFile::from).collect(),
            stdout: outcome.stdout,
            stderr: outcome.stderr,
            execution_time: outcome.execution_time,
            error: outcome.error,
            exit_code: outcome.exit_code,
            signal: outcome.signal,
            omitted: outcome.omitted.into_iter().map(Omitted::from).collect(),
            truncated: outcome.truncated.into(),
            usage: outcome.usage.into(),
        }
    }

    /// What is streamed before the end, and what is told at the end.
    pub(crate) fn split(self) -> (Returned, Finished) {
        let Self { id, status, result, display, figures, files, execution_time, error, exit_code, .. } = self;
        let Self { signal, omitted, truncated, usage, .. } = self;
        let finished = Finished {
            id,
            status,
            result,
            execution_time,
            error,
            exit_code,
            signal,
            omitted,
            truncated,
            usage,
        };
        (Returned { display, figures, files }, finished)
    }
}

/// What is told of a run at the end of its stream: the fields of a [`Response`] that were not streamed before.
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

impl ToSchema for Finished {}

impl PartialSchema for Finished {
    fn schema() -> RefOr<Schema> {
        let mut schema = Response::schema();
        if let RefOr::T(Schema::Object(object)) = &mut schema {
            let streamed = |name: &str| ["display", "figures", "files", "stdout", "stderr"].contains(&name);
            object.properties.retain(|name, _| !streamed(name));
            object.required.retain(|name| !streamed(name));
            object.description = Some("What is told of a run at the end of its stream.".to_owned());
        }
        schema
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use axum::{body::to_bytes, response::IntoResponse};
    use serde_json::Value;

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
        let name = "\u{e000}".repeat(100_000);
        let (_, answer) =
            refused(&format!(r#"{{"code": "", "input_data": {{"{name}": 1, "{name}": 2}}}}"#)).await;
        assert!(answer.to_string().len() < 5_000);
    }

    #[tokio::test]
    async fn code_over_its_limit_is_too_large() {
        assert!(parse(&json!({ "code": "x".repeat(1000) }).to_string()).is_ok());
        let (status, answer) = refused(&json!({ "code": "x".repeat(1001) }).to_string()).await;
        assert_eq!((status, answer), (413, json!({ "detail": "The code is over the limit of 1000 bytes" })));
    }
}
