//! Lists in a request. A long one takes no more memory than as many items as it may have, and no longer error than a few of them.

use std::fmt;

use serde::{
    Deserializer as _,
    de::{IgnoredAny, SeqAccess, Visitor},
};
use serde_json::{Deserializer, value::RawValue};

use super::Mismatch;

/// Wrong items of one list that are told.
pub(super) const MOST_ERRORS: usize = 100;

/// The items of a list that may have so many.
pub(super) fn items(raw: &RawValue, most: usize) -> Result<Vec<&RawValue>, Mismatch> {
    let mut json = Deserializer::from_str(raw.get());
    let Items { first, count } = json
        .deserialize_seq(AtMost(most))
        .map_err(|_| Mismatch::new("list_type", "Input should be a valid list", raw))?;
    if count > most {
        let msg = format!("List should have at most {most} items after validation, not {count}");
        return Err(Mismatch::new("too_long", msg, raw));
    }
    Ok(first)
}

/// What each item is, or what is wrong with the first that are none.
pub(super) fn each<T>(
    items: &[&RawValue],
    parse: impl Fn(&RawValue) -> Result<T, Vec<Mismatch>>,
) -> Result<Vec<T>, Vec<Mismatch>> {
    let (mut parsed, mut mismatches) = (Vec::with_capacity(items.len()), Vec::new());
    for (index, item) in items.iter().enumerate() {
        match parse(item) {
            Ok(value) => parsed.push(value),
            Err(found) => mismatches.extend(found.into_iter().map(|mismatch| mismatch.within(index))),
        }
        if mismatches.len() >= MOST_ERRORS {
            break;
        }
    }
    if mismatches.is_empty() { Ok(parsed) } else { Err(mismatches) }
}

struct AtMost(usize);

struct Items<'a> {
    first: Vec<&'a RawValue>,
    count: usize,
}

impl<'de> Visitor<'de> for AtMost {
    type Value = Items<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Items<'de>, A::Error> {
        let mut first = Vec::new();
        while first.len() < self.0
            && let Some(item) = items.next_element()?
        {
            first.push(item);
        }
        let mut count = first.len();
        while items.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Items { first, count })
    }
}
