//! Whether bytes are JSON, without keeping what they say.

use std::{
    collections::HashSet,
    fmt,
    hash::{BuildHasher, RandomState},
    io::{self, Read},
};

use bytes::{Buf, Bytes};
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use tokio::{sync::mpsc, task::JoinHandle};

/// Accepts any JSON of up to serde_json's 128 levels; with `unique`, only if no object has a name twice.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyJson {
    pub(crate) unique: bool,
}

impl<'de> DeserializeSeed<'de> for AnyJson {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for AnyJson {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        while items.next_element_seed(self)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        // Hashes under a random key stand for the names: a few bytes each, whatever their length.
        let hasher = RandomState::new();
        let mut seen = HashSet::new();
        while let Some(name) = fields.next_key::<String>()? {
            if self.unique && !seen.insert(hasher.hash_one(&name)) {
                return Err(A::Error::custom(format_args!("the name {name:?} appears twice in one object")));
            }
            fields.next_value_seed(self)?;
        }
        Ok(())
    }
}

/// Checks text in memory.
pub(crate) fn check_text(text: &str, rule: AnyJson) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    rule.deserialize(&mut deserializer)?;
    deserializer.end()
}

/// Checks a stream while it passes by, in bounded memory.
pub(crate) struct StreamCheck {
    sender: mpsc::Sender<Bytes>,
    verdict: JoinHandle<Result<(), serde_json::Error>>,
}

impl StreamCheck {
    pub(crate) fn start() -> Self {
        let (sender, receiver) = mpsc::channel(4);
        let verdict = tokio::task::spawn_blocking(move || {
            let reader = ChannelReader { receiver, current: Bytes::new() };
            let mut deserializer = serde_json::Deserializer::from_reader(io::BufReader::new(reader));
            AnyJson { unique: false }.deserialize(&mut deserializer)?;
            deserializer.end()
        });
        Self { sender, verdict }
    }

    /// Hands over the next bytes. Once they are known not to be JSON the rest is ignored.
    pub(crate) async fn feed(&self, bytes: Bytes) {
        let _ = self.sender.send(bytes).await;
    }

    /// The verdict on everything fed; an error's text says what is wrong and where.
    pub(crate) async fn finish(self) -> Result<(), String> {
        drop(self.sender);
        match self.verdict.await {
            Ok(verdict) => verdict.map_err(|error| error.to_string()),
            Err(panic) => Err(panic.to_string()),
        }
    }
}

struct ChannelReader {
    receiver: mpsc::Receiver<Bytes>,
    current: Bytes,
}

impl Read for ChannelReader {
    fn read(&mut self, target: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            match self.receiver.blocking_recv() {
                Some(bytes) => self.current = bytes,
                None => return Ok(0),
            }
        }
        let length = target.len().min(self.current.len());
        self.current.copy_to_slice(&mut target[..length]);
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNIQUE: AnyJson = AnyJson { unique: true };

    #[test]
    fn json_of_every_kind_passes() {
        for good in
            ["null", "true", "-0.5e3", r#""\u00e4""#, "[]", r#"{"a": [1, {"b": null}], "b": {"a": 1}}"#]
        {
            check_text(good, UNIQUE).unwrap();
        }
        check_text(&format!("{}{}", "[".repeat(127), "]".repeat(127)), UNIQUE).unwrap();
    }

    #[test]
    fn what_is_not_json_or_too_deep_or_ambiguous_does_not() {
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        for bad in [
            "",
            "{",
            "nul",
            "1 2",
            "NaN",
            r#""\ud800""#,
            r#"{"a": 1, "a": 2}"#,
            r#"[{"b": {"a": 1, "a": 2}}]"#,
            &deep,
        ] {
            assert!(check_text(bad, UNIQUE).is_err(), "{bad}");
        }
        let error = check_text(r#"{"a": 1, "a": 2}"#, UNIQUE).unwrap_err().to_string();
        assert_eq!(error, "the name \"a\" appears twice in one object at line 1 column 12");
    }

    #[tokio::test]
    async fn a_stream_is_judged_whole_however_it_is_cut() {
        for (text, good) in
            [(r#"{"a": "ä", "a": [1]}"#, true), (r#"{"a": "#, false), ("[1] x", false), ("\"\u{ff}", false)]
        {
            let check = StreamCheck::start();
            for byte in text.as_bytes() {
                check.feed(Bytes::copy_from_slice(&[*byte])).await;
            }
            assert_eq!(check.finish().await.is_ok(), good, "{text}");
        }
        let check = StreamCheck::start();
        check.feed(Bytes::from_static(b"\"\xff\"")).await;
        assert!(check.finish().await.unwrap_err().contains("unicode"));
    }
}
