//! The tool `execute_python`.

use std::time::Duration;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use engine::{ExecuteError, ExecutionRequest, Live, Omitted, Outcome, Output, Outputs, Status};
use rmcp::{
    Peer, RoleServer,
    model::{CallToolResult, ContentBlock, ProgressNotificationParam, ProgressToken},
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout_at};

use super::Call;
use crate::{
    answer,
    error::ApiError,
    routes::execute::{aside, request_of},
    wire::{Utf8, execute},
};

const TOO_LARGE_A_NUMBER: &str =
    "a number in it is too large for structured content: the text has it in full";
const TOO_LARGE_A_RESULT: &str =
    "larger than 256 KiB, too large for structured content: the text has it in full";
/// Bytes of a result that is parsed for structured content: what it is parsed into takes a hundred times as much memory.
const LONGEST_RESULT: usize = 256 << 10;
/// Output that comes within this time goes into one notification.
const GATHER: Duration = Duration::from_millis(20);

/// Runs code. Text for the model, the whole answer as structured content, figures as images.
pub(super) async fn execute_python(call: Call<'_>) -> Result<CallToolResult, ApiError> {
    let Call { app, caller, arguments, id, context, .. } = call;
    caller.count_execution()?;
    let request = request_of(app, caller, id.0, arguments.as_bytes())?;
    let outcome = match context.meta.get_progress_token() {
        Some(token) => follow(app, request, token, &context.peer).await?,
        None => app.engine.execute(request).await?,
    };
    // As text and as structured content.
    let size = 2 * answer::size(&outcome);
    call.keep(answer::share(size, &app.answers, &caller.tenant)?);
    aside(usize::try_from(size).unwrap_or(usize::MAX), || result(id.0, outcome))
}

/// The same with its output as progress, as it comes.
async fn follow(
    app: &crate::App,
    request: ExecutionRequest,
    token: ProgressToken,
    peer: &Peer<RoleServer>,
) -> Result<Outcome, ExecuteError> {
    let (live, outputs) = Live::new();
    let run = async {
        let (outcome, unread) = app.engine.execute_live(request, live).await;
        unread.deliver().await;
        outcome
    };
    let (outcome, [stdout, stderr]) = tokio::join!(run, tell(outputs, token, peer));
    Ok(Outcome { stdout, stderr, ..outcome? })
}

async fn tell(mut outputs: Outputs, token: ProgressToken, peer: &Peer<RoleServer>) -> [String; 2] {
    let (mut decoders, mut texts) = ([Utf8::default(), Utf8::default()], [String::new(), String::new()]);
    let mut decode = |output: Output| {
        let (stream, bytes) = match output {
            Output::Started => return String::new(),
            Output::Stdout(bytes) => (0, bytes),
            Output::Stderr(bytes) => (1, bytes),
        };
        let text = decoders[stream].decode(&bytes);
        texts[stream].push_str(&text);
        text
    };
    let mut progress = 0.0;
    while let Some(output) = outputs.recv().await {
        let (mut message, until) = (decode(output), Instant::now() + GATHER);
        while let Ok(Some(output)) = timeout_at(until, outputs.recv()).await {
            message.push_str(&decode(output));
        }
        if !message.is_empty() {
            progress += message.len() as f64;
            let told = ProgressNotificationParam::new(token.clone(), progress).with_message(message);
            // A client that has left is noticed by whoever called us.
            let _ = peer.notify_progress(told).await;
        }
    }
    for (text, decoder) in texts.iter_mut().zip(&mut decoders) {
        text.push_str(decoder.end());
    }
    texts
}

fn result(id: uuid::Uuid, mut outcome: Outcome) -> Result<CallToolResult, ApiError> {
    let _turn = outcome.turn.take();
    let is_error = outcome.status != Status::Ok;
    let mut images: Vec<String> = std::mem::take(&mut outcome.figures)
        .iter()
        .map(|figure| BASE64_STANDARD.encode(&figure.png))
        .collect();
    // A figure that is the last line's value is among the figures already.
    let shown = outcome.display.as_mut().and_then(|display| display.png.take());
    images.extend(shown.filter(|png| !images.contains(png)));
    let mut content = vec![ContentBlock::text(text(&outcome))];
    content.extend(images.into_iter().map(|png| ContentBlock::image(png, "image/png")));

    let values = outcome.result.take().map(|json| values(json.get())).transpose();
    if let Err(reason) = values {
        outcome.omitted.push(Omitted { name: "result".to_owned(), reason: reason.to_owned() });
    }
    let mut structured =
        serde_json::to_value(execute::Response::new(id, outcome)).map_err(|_| ApiError::Internal)?;
    if let Some(fields) = structured.as_object_mut() {
        fields.remove("figures");
        fields.insert("result".to_owned(), json!(values.unwrap_or_default()));
    }
    let mut result = if is_error { CallToolResult::error(content) } else { CallToolResult::success(content) };
    result.structured_content = Some(structured);
    Ok(result)
}

fn values(json: &str) -> Result<Value, &'static str> {
    if json.len() > LONGEST_RESULT {
        return Err(TOO_LARGE_A_RESULT);
    }
    // A whole number that no double is as large as is JSON, but no `Value`.
    serde_json::from_str(json).map_err(|_| TOO_LARGE_A_NUMBER)
}

/// What a person at a terminal would have seen, and what has become of it.
fn text(outcome: &Outcome) -> String {
    let mut text = outcome.stdout.clone();
    let mut add = |title: &str, part: &str| {
        if !part.is_empty() {
            if !text.is_empty() && !text.ends_with('\n') {
                text.push('\n');
            }
            text.push_str(title);
            text.push_str(part);
        }
    };
    add("[stderr]\n", &outcome.stderr);
    if let Some(display) = &outcome.display {
        add("[value of the last line]\n", &display.text);
    }
    if let Some(result) = outcome.result.as_ref().filter(|result| result.get() != "{}") {
        add("[variables]\n", result.get());
    }
    let names = |items: Vec<&str>| items.join(", ");
    add("[files] ", &names(outcome.files.iter().map(|file| file.path.as_str()).collect()));
    add("[left out] ", &names(outcome.omitted.iter().map(|omitted| omitted.name.as_str()).collect()));
    if outcome.status != Status::Ok {
        let error = outcome.error.as_deref().unwrap_or_default();
        add(
            &format!("[{}] ", outcome.status.as_str()),
            if error.is_empty() { "no more is known" } else { error },
        );
    }
    text
}
