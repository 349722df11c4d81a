//! What an error gives back of a request: cut, so that a large request has no large error.

use std::borrow::Cow;

/// Longest text that an error gives back whole, bytes.
pub(crate) const ECHO: usize = 256;

pub(crate) fn clip(text: &str) -> Cow<'_, str> {
    if text.len() <= ECHO {
        return text.into();
    }
    format!("{}…", &text[..text.floor_char_boundary(ECHO)]).into()
}
