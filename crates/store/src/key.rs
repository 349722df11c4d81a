//! Names of values.

use std::{borrow::Borrow, fmt};

/// 1 to 255 characters of `A-Z a-z 0-9 . _ -`, not `.` or `..`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String")]
pub struct Key(String);

/// A key that is not one.
#[derive(Debug, thiserror::Error)]
#[error("a key is 1 to 255 characters of A-Z a-z 0-9 . _ -, and not '.' or '..'")]
pub struct InvalidKey;

impl Key {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Key {
    type Error = InvalidKey;

    fn try_from(key: String) -> Result<Self, InvalidKey> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
        let valid = (1..=255).contains(&key.len()) && key.bytes().all(allowed) && key != "." && key != "..";
        if valid { Ok(Self(key)) } else { Err(InvalidKey) }
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Key;

    #[test]
    fn the_limits_of_a_key() {
        for good in ["a", "...", ".a", "A-z_0.9", &"k".repeat(255)] {
            assert!(Key::try_from(good.to_owned()).is_ok(), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "../x", "a b", "ä", "a\0", "%2f", "a\n", &"k".repeat(256)] {
            assert!(Key::try_from(bad.to_owned()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn a_key_is_what_its_pattern_says(text in ".{0,12}") {
            let allowed = text.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c));
            let expected = allowed && !text.is_empty() && text != "." && text != "..";
            prop_assert_eq!(Key::try_from(text).is_ok(), expected);
        }
    }
}
