//! Who calls: keys, the tenants they belong to, and what those may ask for.
//!
//! A key is 256 random bits that only its caller has. The file of `--api-keys-file` holds digests:
//!
//! ```text
//! # TENANT SHA-256-OF-THE-KEY [LIMIT=VALUE ...] [# comment]
//! team-a 2bb80d53...  concurrency=4 rate=120/m timeout=30s memory=512m data=1g   # Anna, until March
//! watch  9f0a11c2...  metrics=yes
//! ```
//!
//! [`KeysFile`] reads it, and reads it again; a [`Keyring`] says which [`Account`] a key opens. Nothing here writes a key or a
//! digest into an error or a debug text.

mod account;
mod digest;
mod file;
mod keyring;
mod limits;
mod line;
mod new_key;
mod rate;

pub use self::{
    account::Account,
    file::{KeysFile, KeysFileError, read_text},
    keyring::{Count, Keyring, Pass},
    limits::{InvalidLimit, Limits},
    line::InvalidLine,
    new_key::{NewKey, NoRandomness},
    rate::{Rate, RateExceeded},
};
