//! What stands before a value in its object: one line of JSON, padded to a fixed size so that ranges need no look-up.

use std::time::Duration;

use chrono::{TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{Time, key::Key, space::SpaceName};

/// What is known of a stored value.
#[derive(Clone, Debug)]
pub struct Meta {
    /// Whose it is.
    pub space: SpaceName,
    /// Its name.
    pub key: Key,
    /// Bytes of the value.
    pub size: u64,
    /// As uploaded.
    pub content_type: ContentType,
    /// When the upload began.
    pub created_at: Time,
    /// When it is gone by itself.
    pub expires_at: Option<Time>,
    /// Different for every upload, and later for a later one.
    pub version: Uuid,
}

impl Meta {
    pub(crate) fn has_expired(&self) -> bool {
        self.expires_at.is_some_and(|at| at <= Utc::now())
    }
}

/// A media type: 1 to 255 visible ASCII characters and spaces.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ContentType(String);

/// A content type that is not one.
#[derive(Debug, thiserror::Error)]
#[error("a content type is 1 to 255 visible ASCII characters")]
pub struct InvalidContentType;

impl ContentType {
    /// As it was uploaded.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ContentType {
    type Error = InvalidContentType;

    fn try_from(text: String) -> Result<Self, InvalidContentType> {
        let valid = (1..=255).contains(&text.len()) && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if valid { Ok(Self(text)) } else { Err(InvalidContentType) }
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Header {
    /// Version of this format.
    format: u32,
    /// Not in format 1.
    #[serde(default)]
    space: SpaceName,
    key: Key,
    content_type: ContentType,
    created_at: Time,
}

impl Header {
    const FORMAT: u32 = 2;
    const OLDEST_FORMAT: u32 = 1;
    /// Bytes. The longest space, key and content type, every character of it escaped, take 930.
    pub(crate) const SIZE: u64 = 1024;

    pub(crate) fn new(space: SpaceName, key: Key, content_type: ContentType) -> Self {
        Self { format: Self::FORMAT, space, key, content_type, created_at: Utc::now() }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        // Strings, a number and a date always serialize.
        let mut line = serde_json::to_vec(self).unwrap_or_default();
        line.resize(Self::SIZE as usize - 1, b' ');
        line.push(b'\n');
        line
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let known = |header: &Self| (Self::OLDEST_FORMAT..=Self::FORMAT).contains(&header.format);
        serde_json::from_slice(bytes).ok().filter(known)
    }

    /// A time to live beyond what a date can say is none.
    pub(crate) fn meta(self, version: Uuid, size: u64, ttl: Option<Duration>) -> Meta {
        let ttl = ttl.and_then(|ttl| TimeDelta::from_std(ttl).ok());
        Meta {
            space: self.space,
            key: self.key,
            size,
            content_type: self.content_type,
            created_at: self.created_at,
            expires_at: ttl.and_then(|ttl| self.created_at.checked_add_signed(ttl)),
            version,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_header_fits_its_fixed_size_and_comes_back() {
        let key = Key::try_from("k".repeat(255)).unwrap();
        let content_type = ContentType::try_from("\"".repeat(255)).unwrap();
        let space = SpaceName::try_from("s".repeat(SpaceName::LONGEST)).unwrap();
        let bytes = Header::new(space.clone(), key.clone(), content_type.clone()).encode();
        assert_eq!(bytes.len() as u64, Header::SIZE);
        let header = Header::decode(&bytes).unwrap();
        assert_eq!((header.space, header.key, header.content_type), (space, key, content_type));
    }

    #[test]
    fn a_header_of_another_format_or_none_is_refused() {
        assert!(Header::decode(b"").is_none());
        assert!(Header::decode(&[b' '; 1024]).is_none());
        let key = Key::try_from("k".to_owned()).unwrap();
        let content_type = ContentType::try_from("a/b".to_owned()).unwrap();
        let header = Header { format: 3, ..Header::new(SpaceName::default(), key, content_type) };
        assert!(Header::decode(&header.encode()).is_none());
    }

    #[test]
    fn a_header_from_before_there_were_spaces_is_read_as_the_default_spaces() {
        let old =
            br#"{"format":1,"key":"k","content_type":"a/b","created_at":"2026-11-23T00:57:44.881234567Z"}  "#;
        let header = Header::decode(old).unwrap();
        assert_eq!((header.space.as_str(), header.key.as_str()), ("default", "k"));
    }

    #[test]
    fn a_content_type_that_could_break_a_response_header_is_refused() {
        for bad in ["", "a\nb", "text/plain; charset=\u{e4}", &"x".repeat(256)] {
            assert!(ContentType::try_from(bad.to_owned()).is_err(), "{bad:?}");
        }
    }
}
