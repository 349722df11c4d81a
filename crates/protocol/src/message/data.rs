//! Uploaded data for the code that runs: what it asks, and the answers.

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use super::to_json;
use crate::frame::{Frame, Kind};

/// What the code wants to know of uploaded data; answered before the next one is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case")]
pub enum DataRequest {
    /// Is there a value with this key?
    Find {
        /// Not checked here.
        key: String,
    },
    /// The same, and its first bytes; it is to be read next, in place of the one opened before.
    Open {
        /// Not checked here.
        key: String,
    },
    /// The next bytes of the opened value.
    Read,
    /// Some keys, in order.
    List {
        /// The keys behind this one; all if none.
        after: Option<String>,
    },
}

/// What there is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Data {
    /// A value.
    Value(Known),
    /// No value with this key.
    Missing,
    /// Keys, in order.
    Keys {
        /// The next ones.
        keys: Vec<String>,
        /// Whether there are others behind them.
        more: bool,
    },
    /// It cannot be read, through a failure of ours.
    Unreadable,
}

/// What is known of a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    /// As it was uploaded.
    pub content_type: String,
    /// Bytes.
    pub size: u64,
}

/// A value that can be read now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Opened {
    /// What it is.
    pub known: Known,
    /// Its first bytes; none only if it has none.
    pub start: Bytes,
}

impl From<Opened> for Frame {
    fn from(Opened { known, start }: Opened) -> Self {
        let Self { kind, payload: known } = to_json(Kind::DataOpened, &known);
        let mut payload = BytesMut::with_capacity(2 + known.len() + start.len());
        // A content type has at most 255 characters, each of them two in JSON.
        payload.put_u16(u16::try_from(known.len()).unwrap_or(u16::MAX));
        payload.put(known);
        payload.put(start);
        Self { kind, payload: payload.freeze() }
    }
}
