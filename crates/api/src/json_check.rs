//! Whether bytes are JSON, without keeping what they say.

use std::{
    collections::HashSet,
    fmt,
    hash::{BuildHasher, RandomState},
};

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

use crate::clip::clip;

/// Accepts any JSON of up to 127 levels, which is what serde_json reads, in which no object has a name twice.
#[derive(Clone, Copy, Debug)]
struct Unambiguous;

impl<'de> DeserializeSeed<'de> for Unambiguous {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Unambiguous {
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
            if !seen.insert(hasher.hash_one(&name)) {
                let name = clip(&name);
                return Err(A::Error::custom(format_args!("the name {name:?} appears twice in one object")));
            }
            fields.next_value_seed(self)?;
        }
        Ok(())
    }
}

/// Checks text in memory, strictly: code must not see another of two values than a proxy before us did.
pub(crate) fn check_text(text: &str) -> Result<(), serde_json::Error> {
    let mut deserializer = serde_json::Deserializer::from_str(text);
    Unambiguous.deserialize(&mut deserializer)?;
    deserializer.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_of_every_kind_passes() {
        for good in
            ["null", "true", "-0.5e3", r#""\u00e4""#, "[]", r#"{"a": [1, {"b": null}], "b": {"a": 1}}"#]
        {
            check_text(good).unwrap();
        }
        check_text(&format!("{}{}", "[".repeat(127), "]".repeat(127))).unwrap();
    }

    #[test]
    fn what_is_not_json_or_too_deep_or_ambiguous_does_not() {
        let deep = format!("{}{}", "[".repeat(128), "]".repeat(128));
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
            assert!(check_text(bad).is_err(), "{bad}");
        }
        let error = check_text(r#"{"a": 1, "a": 2}"#).unwrap_err().to_string();
        assert_eq!(error, "the name \"a\" appears twice in one object at line 1 column 12");
    }
}
