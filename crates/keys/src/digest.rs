//! What is kept of a key.

use std::fmt;

use sha2::{Digest as _, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// The SHA-256 of a key. A slow hash would protect words that people choose; nobody guesses 256 random bits.
#[derive(Clone, Copy)]
pub(crate) struct Digest([u8; 32]);

/// Not 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InvalidDigest;

impl Digest {
    pub(crate) fn of(key: &str) -> Self {
        Self(Sha256::digest(key).into())
    }

    pub(crate) fn parse(text: &str) -> Result<Self, InvalidDigest> {
        let mut bytes = [0; 32];
        hex::decode_to_slice(text, &mut bytes).map_err(|_| InvalidDigest)?;
        Ok(Self(bytes))
    }

    pub(crate) fn to_hex(self) -> String {
        hex::encode(self.0)
    }
}

/// The only way to compare: how long it takes tells nothing of what is kept.
impl ConstantTimeEq for Digest {
    fn ct_eq(&self, other: &Self) -> Choice {
        self.0.ct_eq(&other.0)
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_is_the_sha_256_of_the_key_as_other_tools_write_it() {
        // printf abc | sha256sum
        let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(Digest::of("abc").to_hex(), abc);
        for same in [abc, &abc.to_uppercase()] {
            assert!(bool::from(Digest::parse(same).unwrap().ct_eq(&Digest::of("abc"))));
        }
        assert!(!bool::from(Digest::of("abc").ct_eq(&Digest::of("abd"))));
        for bad in ["", "ba78", &abc[1..], &format!("{abc}00"), &abc.replace('b', "g")] {
            assert_eq!(Digest::parse(bad).unwrap_err(), InvalidDigest, "{bad}");
        }
    }

    #[test]
    fn no_debug_text_tells_a_digest() {
        assert_eq!(format!("{:?}", Digest::of("abc")), "Digest(..)");
    }
}
