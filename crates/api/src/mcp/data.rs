//! The tools `upload_data` and `list_data`.

use axum::body::Body;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use rmcp::model::{CallToolResult, ContentBlock};
use serde::Deserialize;
use serde_json::json;
use store::Key;

use super::Call;
use crate::{
    answer::{pieces, share},
    clip::clip,
    error::ApiError,
    routes::{
        data::{Listed, receive},
        execute::aside,
    },
    wire::Encoding,
};

/// Values that a model is told of, which reads every word.
pub(super) const MOST_LISTED: usize = 1000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Uploaded {
    key: Key,
    content: String,
    #[serde(default)]
    encoding: Encoding,
    content_type: Option<String>,
}

pub(super) async fn upload_data(call: Call<'_>) -> Result<CallToolResult, ApiError> {
    let wrong = |reason: String| Ok(CallToolResult::error(vec![ContentBlock::text(reason)]));
    let Uploaded { key, content, encoding, content_type } =
        match aside(call.arguments.len(), || serde_json::from_str(call.arguments)) {
            Ok(uploaded) => uploaded,
            Err(error) => return wrong(misfit(&error)),
        };
    let (bytes, usual_type) = match encoding {
        Encoding::Utf8 => (content.into_bytes(), mime::TEXT_PLAIN_UTF_8),
        Encoding::Base64 => match aside(content.len(), || BASE64_STANDARD.decode(content)) {
            Ok(bytes) => (bytes, mime::APPLICATION_OCTET_STREAM),
            Err(error) => return wrong(format!("content is not base64: {error}")),
        },
    };
    let content_type = content_type.unwrap_or_else(|| usual_type.to_string());
    call.caller.still_may()?;
    let space = call.caller.space(&call.app.store)?;
    let mut body = Body::from_stream(pieces(bytes.into())).into_data_stream();
    let meta = receive(&call.app.config, &space, &key, content_type, &mut body).await?.commit().await?;
    let text = format!("Data for key '{key}' uploaded successfully: in code it is data[\"{key}\"]");
    let mut result = CallToolResult::success(vec![ContentBlock::text(text)]);
    result.structured_content = serde_json::to_value(Listed::from(meta)).ok();
    Ok(result)
}

/// What is wrong with arguments, without the place in a text of which the model has not seen the lines.
fn misfit(error: &serde_json::Error) -> String {
    let told = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    clip(told.strip_suffix(&place).unwrap_or(&told)).into_owned()
}

/// No arguments.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

pub(super) fn list_data(call: Call<'_>) -> Result<CallToolResult, ApiError> {
    if let Err(error) = serde_json::from_str::<Nothing>(call.arguments) {
        return Ok(CallToolResult::error(vec![ContentBlock::text(misfit(&error))]));
    }
    let page = call.caller.space(&call.app.store)?.page(None, MOST_LISTED + 1);
    let more = page.len() > MOST_LISTED;
    let listed: Vec<Listed> = page.into_iter().take(MOST_LISTED).map(Listed::from).collect();
    let data = json!({ "data": listed, "more": more });
    // As text and as structured content.
    let size = 2 * data.to_string().len() as u64;
    call.keep(share(size, &call.app.answers, &call.caller.tenant)?);
    Ok(CallToolResult::structured(data))
}
