//! Large answers: what they hold of memory until their clients have taken them, all together, has a limit.

use std::{convert::Infallible, task::Poll};

use axum::body::Body;
use bytes::Bytes;
use engine::{Outcome, Tenant};
use futures_util::{Stream, StreamExt, stream};

use crate::{
    budget::{Budget, Exhausted, Share},
    error::ApiError,
};

/// Answers up to this size are not counted: a crowd of large ones that nobody reads keeps no small one out.
const SMALL: u64 = 64 << 10;
/// What is handed on at a time.
const PIECE: usize = 64 << 10;

/// What a tenant's answer of so many bytes holds of the memory for answers; none if it is small.
pub(crate) fn share(bytes: u64, budget: &Budget, tenant: &Tenant) -> Result<Option<Share>, ApiError> {
    if bytes <= SMALL {
        return Ok(None);
    }
    budget.take(tenant, bytes).map(Some).map_err(|Exhausted| ApiError::AnswersUnread)
}

/// For the answer with this share: rather longer than it will be, so that it needs not grow and so be there twice.
pub(crate) fn buffer(share: &Share) -> Vec<u8> {
    Vec::with_capacity(usize::try_from(share.bytes() + share.bytes() / 8).unwrap_or_default())
}

/// Bytes that it takes as JSON, or a little more.
pub(crate) fn size(outcome: &Outcome) -> u64 {
    let base64 = |bytes: usize| bytes.div_ceil(3) * 4;
    let display = outcome.display.as_ref().map_or(0, |display| {
        let parts = [Some(&display.text), display.html.as_ref(), display.png.as_ref()];
        parts.into_iter().flatten().map(|part| escaped(part)).sum()
    });
    let figures: usize = outcome.figures.iter().map(|figure| base64(figure.png.len())).sum();
    let files: usize = outcome.files.iter().map(|file| base64(file.content.len())).sum();
    let result = outcome.result.as_ref().map_or(0, |result| result.get().len());
    (escaped(&outcome.stdout) + escaped(&outcome.stderr) + result + display + figures + files) as u64
}

/// Bytes of a text within a JSON string.
fn escaped(text: &str) -> usize {
    let size = |byte| match byte {
        b'"' | b'\\' | b'\n' | b'\r' | b'\t' | 0x08 | 0x0c => 2,
        0..0x20 => 6,
        _ => 1,
    };
    text.bytes().map(size).sum()
}

/// Large bytes, a piece at a time.
pub(crate) fn pieces(mut bytes: Bytes) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::poll_fn(move |_| {
        let piece = bytes.split_to(bytes.len().min(PIECE));
        Poll::Ready((!piece.is_empty()).then_some(Ok(piece)))
    })
}

/// A body that keeps its share until the connection has taken all of it.
pub(crate) fn body(bytes: Vec<u8>, share: Share) -> Body {
    // Without a length: a connection that knows one drops the body before it has written it.
    Body::from_stream(pieces(bytes.into()).map(move |piece| {
        let _held = &share;
        piece
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_takes_what_json_makes_of_it() {
        let all: String = (0..0x300).filter_map(char::from_u32).collect();
        assert_eq!(escaped(&all), serde_json::to_string(&all).unwrap().len() - 2);
    }

    #[tokio::test]
    async fn a_share_comes_back_when_the_body_is_taken_or_dropped_and_not_before() {
        let budget = Budget::new(1 << 20, false);
        let take = |bytes| budget.take(&Tenant::everyone(), bytes);
        let share = || take(1 << 20).unwrap();
        let bytes = vec![b'x'; 3 * PIECE + 1];
        let mut taken = body(bytes.clone(), share()).into_data_stream();
        for size in [PIECE, PIECE, PIECE, 1] {
            assert!(take(1).is_err());
            assert_eq!(taken.next().await.unwrap().unwrap().len(), size);
        }
        assert!(taken.next().await.is_none());
        drop(taken);
        drop(body(bytes, share()));
        assert!(take(1 << 20).is_ok());
    }
}
