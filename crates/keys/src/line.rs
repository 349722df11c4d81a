//! The lines of a keys file.

use std::collections::HashMap;

use engine::{InvalidTenant, Tenant};

use crate::{
    digest::Digest,
    limits::{InvalidLimit, Limits},
};

/// What one line says.
#[derive(Debug)]
pub(crate) struct Line {
    pub(crate) tenant: Tenant,
    pub(crate) digest: Digest,
    pub(crate) limits: Limits,
}

/// What is wrong with a line. Never quotes it: it might hold a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLine {
    /// The first word.
    #[error(transparent)]
    Tenant(#[from] InvalidTenant),
    /// The second word.
    #[error(
        "after the tenant comes the SHA-256 of its key, 64 hexadecimal digits, as `code-sandbox keys new` prints it"
    )]
    Digest,
    /// One of the others.
    #[error(transparent)]
    Limit(#[from] InvalidLimit),
    /// A key belongs to one tenant, and once is enough.
    #[error("line {0} has the same key already")]
    SameKey(usize),
    /// Which of them would hold?
    #[error("line {0} gives the same tenant other limits: they must be the same for all its keys")]
    OtherLimits(usize),
}

/// Parses a whole file; the error comes with the number of its line.
pub(crate) fn parse(text: &str) -> Result<Vec<Line>, (usize, InvalidLine)> {
    let mut lines = Vec::new();
    let mut keys = HashMap::new();
    let mut tenants: HashMap<Tenant, (usize, Limits)> = HashMap::new();
    for (number, text) in (1..).zip(text.lines()) {
        let Some(line) = parse_line(text).map_err(|error| (number, error))? else { continue };
        if let Some(earlier) = keys.insert(line.digest.to_hex(), number) {
            return Err((number, InvalidLine::SameKey(earlier)));
        }
        let (earlier, limits) = tenants.entry(line.tenant.clone()).or_insert((number, line.limits));
        if *limits != line.limits {
            return Err((number, InvalidLine::OtherLimits(*earlier)));
        }
        lines.push(line);
    }
    Ok(lines)
}

/// None for a line that is empty but for a comment.
fn parse_line(text: &str) -> Result<Option<Line>, InvalidLine> {
    let said = text.split_once('#').map_or(text, |(said, _comment)| said);
    let mut words = said.split_whitespace();
    let Some(tenant) = words.next() else { return Ok(None) };
    let tenant = Tenant::try_from(tenant)?;
    let digest = words.next().and_then(|word| Digest::parse(word).ok()).ok_or(InvalidLine::Digest)?;
    let mut limits = Limits::default();
    for word in words {
        limits.add(word)?;
    }
    Ok(Some(Line { tenant, digest, limits }))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn digest(key: &str) -> String {
        Digest::of(key).to_hex()
    }

    #[test]
    fn comments_blank_lines_and_several_keys_of_a_tenant_are_allowed() {
        let (a, b, c) = (digest("a"), digest("b"), digest("c"));
        let text = format!(
            "# who may call\n\n  \t\n team-a\t{a}  rate=10/s timeout=30s # until March\r\nteam-b {b}#\n#team-c {c}\n\
             team-a {c} timeout=30s rate=10/s"
        );
        let lines = parse(&text).unwrap();
        let tenants: Vec<_> = lines.iter().map(|line| line.tenant.as_str()).collect();
        assert_eq!(tenants, ["team-a", "team-b", "team-a"]);
        assert_eq!(lines[0].limits, lines[2].limits);
        assert_eq!(lines[1].limits, Limits::default());
        assert!(parse("").unwrap().is_empty());
    }

    #[test]
    fn a_bad_line_is_told_with_its_number_and_the_one_it_contradicts() {
        let (a, b) = (digest("a"), digest("b"));
        let (same_key, other_limits) =
            ("line 1 has the same key already", "line 1 gives the same tenant other limits: they must be");
        for (text, number, error) in [
            (format!("\n\n-a {a}"), 3, "a tenant's name is 1 to 64 characters"),
            (format!("a {a}\na"), 2, "after the tenant comes the SHA-256 of its key"),
            (format!("a {}", &a[1..]), 1, "after the tenant comes the SHA-256 of its key"),
            (format!("a {a} rate=x"), 1, "the limit rate takes a number"),
            (format!("a {a} {b}"), 1, "after the digest come limits"),
            (format!("a {a}\n\nb {a}"), 3, same_key),
            (format!("a {a}\na {}", a.to_uppercase()), 2, same_key),
            (format!("a {a} rate=1/s\na {b}"), 2, other_limits),
            (format!("a {a} rate=1/s\na {b} rate=2/s"), 2, other_limits),
        ] {
            let (at, what) = parse(&text).unwrap_err();
            assert!(at == number && what.to_string().starts_with(error), "{text}: {at}: {what}");
        }
    }

    proptest! {
        #[test]
        fn whatever_a_line_holds_its_error_quotes_no_word_of_it(words in "[a-z=]{0,3}( [xyz0-9]{5,70}){0,3}") {
            if let Err((_, error)) = parse(&words) {
                let error = error.to_string();
                for word in words.split_whitespace().filter(|word| word.len() >= 5) {
                    prop_assert!(!error.contains(word), "{}: {}", words, error);
                }
            }
        }
    }
}
