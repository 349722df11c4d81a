//! `GET /get_data/{key}`: the value, or the part of it that a `Range` names.

use std::ops::Range;

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse, Response},
};
use store::Meta;

use super::PathKey;
use crate::{
    App,
    caller::Caller,
    document::{
        self,
        answers::{NoValue, Problem},
    },
    error::ApiError,
};

/// Gives a value back, byte for byte.
#[utoipa::path(
    get,
    path = "/get_data/{*key}",
    operation_id = "get_data",
    tag = document::DATA,
    params(
        PathKey,
        ("Range" = Option<String>, Header, description = "One range of bytes; another unit, or several ranges, are answered with the whole value", example = "bytes=0-99"),
        ("If-Range" = Option<String>, Header, description = "The `ETag` the range belongs to: of another version the whole value comes", example = "\"01a205e8ac8370578c3a060ce2d08c42\""),
        ("If-None-Match" = Option<String>, Header, description = "The `ETag` of the version that the client has", example = "\"01a205e8ac8370578c3a060ce2d08c42\""),
    ),
    responses(
        (
            status = 200,
            description = "The value, with the content type it was uploaded with",
            content(("*/*")),
            headers(
                ("ETag" = String, description = "Names this version of the value"),
                ("Accept-Ranges" = String, description = "`bytes`"),
            )
        ),
        (
            status = 206,
            description = "The part of the value that `Range` names",
            content(("*/*")),
            headers(
                ("ETag" = String, description = "Names this version of the value"),
                ("Accept-Ranges" = String, description = "`bytes`"),
                ("Content-Range" = String, description = "Which bytes, of how many: `bytes 0-99/1234`"),
            )
        ),
        (
            status = 304,
            description = "The client has this version already",
            headers(
                ("ETag" = String, description = "Names this version of the value"),
                ("Accept-Ranges" = String, description = "`bytes`"),
            )
        ),
        NoValue,
        (
            status = 416,
            description = "The range lies outside the value",
            body = Problem,
            headers(("Content-Range" = String, description = "How many bytes there are: `bytes */1234`")),
            example = json!({ "detail": "The range lies outside the value's 19 bytes" })
        ),
    )
)]
// In bounded memory, whatever the value's size.
pub(crate) async fn get(
    method: Method,
    State(app): State<App>,
    caller: Caller,
    PathKey(key): PathKey,
    mut headers: HeaderMap,
) -> Result<Response, ApiError> {
    // Of HEAD it says nothing (RFC 9110, section 14.2).
    if method != Method::GET {
        headers.remove(header::RANGE);
    }
    let space = caller.space(&app.store)?;
    let value = space.read(&key, |meta| match wanted(&headers, meta) {
        Wanted::Part(range) => range,
        Wanted::All => 0..meta.size,
        Wanted::Nothing | Wanted::Impossible => 0..0,
    });
    let Some(value) = value.await? else { return Err(ApiError::NoData(key)) };
    let (meta, range) = (value.meta, value.range);
    let text = |text: String| HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static(""));
    let mut response = match wanted(&headers, &meta) {
        Wanted::Impossible => return Err(ApiError::BadRange { size: meta.size }),
        Wanted::Nothing => StatusCode::NOT_MODIFIED.into_response(),
        Wanted::All => Body::from_stream(value.stream).into_response(),
        Wanted::Part(_) => {
            let mut part = (StatusCode::PARTIAL_CONTENT, Body::from_stream(value.stream)).into_response();
            let content_range = format!("bytes {}-{}/{}", range.start, range.end - 1, meta.size);
            part.headers_mut().insert(header::CONTENT_RANGE, text(content_range));
            part
        }
    };
    let status = response.status();
    let headers = response.headers_mut();
    headers.insert(header::ETAG, text(etag(&meta)));
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    if status == StatusCode::NOT_MODIFIED {
        // What a 200 would have (RFC 9110, section 8.6): to HEAD it would be told as 0.
        headers.insert(header::CONTENT_LENGTH, meta.size.into());
    } else {
        headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
        headers.insert(header::CONTENT_TYPE, text(meta.content_type.as_str().to_owned()));
    }
    // Whoever uploaded it chose the type: a browser shall neither guess another nor run scripts of it.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static("sandbox"));
    Ok(response)
}

#[derive(Debug, PartialEq)]
enum Wanted {
    All,
    Part(Range<u64>),
    /// The client has this version already.
    Nothing,
    Impossible,
}

fn etag(meta: &Meta) -> String {
    format!("\"{}\"", meta.version.simple())
}

fn wanted(headers: &HeaderMap, meta: &Meta) -> Wanted {
    let etag = etag(meta);
    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let tag_matches = |tag: &str| tag.trim().trim_start_matches("W/") == etag;
    let matches = |list: &str| list.trim() == "*" || list.split(',').any(tag_matches);
    let mut lists =
        headers.get_all(header::IF_NONE_MATCH).iter().filter_map(|list: &HeaderValue| list.to_str().ok());
    if lists.any(matches) {
        return Wanted::Nothing;
    }
    // A range that belongs to another version must not be mixed with this one.
    if header(header::IF_RANGE).is_some_and(|tag| tag != etag) {
        return Wanted::All;
    }
    header(header::RANGE).map_or(Wanted::All, |range| parse_range(range, meta.size))
}

/// One range of RFC 9110; several at once, or another unit, may be answered with the whole value, and are.
fn parse_range(range: &str, size: u64) -> Wanted {
    let parsed = range.strip_prefix("bytes=").and_then(|range| {
        let (first, last) = range.split_once('-')?;
        let number = |text: &str| match text.trim() {
            "" => Some(None),
            // One that is larger than any size is as good as the largest.
            digits if digits.bytes().all(|byte| byte.is_ascii_digit()) => {
                Some(Some(digits.parse().unwrap_or(u64::MAX)))
            }
            _ => None,
        };
        Some((number(first)?, number(last)?))
    });
    match parsed {
        Some((Some(first), last)) if last.is_none_or(|last| first <= last) => {
            let end = last.map_or(size, |last| last.saturating_add(1).min(size));
            if first < size { Wanted::Part(first..end) } else { Wanted::Impossible }
        }
        Some((None, Some(0))) => Wanted::Impossible,
        Some((None, Some(suffix))) if size > 0 => Wanted::Part(size.saturating_sub(suffix)..size),
        Some((None, Some(_))) => Wanted::Impossible,
        _ => Wanted::All,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ranges_are_those_of_rfc_9110() {
        for (range, wanted) in [
            ("bytes=0-0", Wanted::Part(0..1)),
            ("bytes=2-", Wanted::Part(2..10)),
            ("bytes=2-99", Wanted::Part(2..10)),
            ("bytes=-3", Wanted::Part(7..10)),
            ("bytes=-99", Wanted::Part(0..10)),
            ("bytes=10-", Wanted::Impossible),
            ("bytes=99999999999999999999999-", Wanted::Impossible),
            ("bytes=2-99999999999999999999999", Wanted::Part(2..10)),
            ("bytes=-0", Wanted::Impossible),
            ("bytes=5-4", Wanted::All),
            ("bytes=0-1,3-4", Wanted::All),
            ("bytes=-", Wanted::All),
            ("lines=1-2", Wanted::All),
            ("bytes=+1-2", Wanted::All),
        ] {
            assert_eq!(parse_range(range, 10), wanted, "{range}");
        }
        assert_eq!(parse_range("bytes=0-", 0), Wanted::Impossible);
        assert_eq!(parse_range("bytes=-5", 0), Wanted::Impossible);
    }

    proptest! {
        #[test]
        fn a_part_always_lies_within_the_value(range in "bytes=[0-9]{0,21}-[0-9]{0,21}", size in any::<u64>()) {
            if let Wanted::Part(part) = parse_range(&range, size) {
                prop_assert!(part.start < part.end && part.end <= size);
            }
        }
    }
}
