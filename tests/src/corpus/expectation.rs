//! What an answer must be: JSON that names the fields of interest.
//!
//! Objects match by the fields they name. A text is itself, or `"null"`, or `"/regular expression/"`, found in a text or in the
//! JSON of anything else, or `"<= 5"`, `">= 5"`, `"< 5"`, `"> 5"` for a number or for the length of a text or a list.

use std::{
    collections::HashMap,
    sync::{LazyLock, Mutex},
};

use regex::Regex;
use serde_json::Value;

/// Compiled once: of a thousand answers each would cost the processors milliseconds that the service needs.
static EXPRESSIONS: LazyLock<Mutex<HashMap<String, Regex>>> = LazyLock::new(Mutex::default);

/// What differs, in a line; none if nothing does.
pub(super) fn mismatch(place: &str, expected: &Value, actual: &Value) -> Option<String> {
    let holds = match expected {
        Value::Object(fields) => {
            let mut fields = fields.iter();
            return fields
                .find_map(|(name, expected)| mismatch(&format!("{place}.{name}"), expected, &actual[name]));
        }
        Value::Array(items) if actual.as_array().is_some_and(|actual| actual.len() == items.len()) => {
            let mut items = items.iter().enumerate();
            return items.find_map(|(n, expected)| mismatch(&format!("{place}[{n}]"), expected, &actual[n]));
        }
        Value::String(text) => text_matches(text, actual),
        Value::Number(number) => actual.as_f64().is_some_and(|actual| number.as_f64() == Some(actual)),
        other => other == actual,
    };
    let shown = || actual.to_string().chars().take(600).collect::<String>();
    (!holds).then(|| format!("{place} is {}, not {expected}", shown()))
}

fn text_matches(pattern: &str, actual: &Value) -> bool {
    if pattern == "null" {
        return actual.is_null();
    }
    if let Some(expression) = pattern.strip_prefix('/').and_then(|rest| rest.strip_suffix('/')) {
        let expression = compiled(expression);
        return match actual {
            Value::String(text) => expression.is_match(text),
            other => expression.is_match(&other.to_string()),
        };
    }
    let Some((relation, limit)) =
        pattern.split_once(' ').and_then(|(relation, limit)| Some((relation, limit.parse::<f64>().ok()?)))
    else {
        return actual == pattern;
    };
    let size = match actual {
        Value::String(text) => Some(text.len() as f64),
        Value::Array(items) => Some(items.len() as f64),
        other => other.as_f64(),
    };
    match (relation, size) {
        ("<=", Some(size)) => size <= limit,
        (">=", Some(size)) => size >= limit,
        ("<", Some(size)) => size < limit,
        (">", Some(size)) => size > limit,
        _ => actual == pattern,
    }
}

fn compiled(expression: &str) -> Regex {
    let mut expressions = EXPRESSIONS.lock().unwrap();
    let compile = || Regex::new(&format!("(?s){expression}")).unwrap();
    expressions.entry(expression.to_owned()).or_insert_with(compile).clone()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_expectation_says_what_differs_and_where() {
        let answer = json!({ "status": "ok", "result": { "n": 3, "list": [1, "b"] }, "error": null, "stdout": "a\nb" });
        for fits in [
            json!({}),
            json!({ "status": "ok", "error": "null", "result": { "n": 3.0 } }),
            json!({ "status": "/ok|error/", "stdout": "/^a.b$/", "result": { "list": [1, "/b/"] } }),
            json!({ "stdout": "<= 3", "result": { "n": "> 2", "list": ">= 2" } }),
            json!({ "result": "/\"n\":3/" }),
        ] {
            assert_eq!(mismatch("answer", &fits, &answer), None);
        }
        for (wrong, told) in [
            (json!({ "status": "error" }), r#"answer.status is "ok", not "error""#),
            (json!({ "result": { "n": "< 3" } }), r#"answer.result.n is 3, not "< 3""#),
            (json!({ "result": { "list": [1] } }), r#"answer.result.list is [1,"b"], not [1]"#),
            (json!({ "result": { "list": [1, "c"] } }), r#"answer.result.list[1] is "b", not "c""#),
            (json!({ "missing": 1 }), "answer.missing is null, not 1"),
            (json!({ "error": "/x/" }), r#"answer.error is null, not "/x/""#),
        ] {
            assert_eq!(mismatch("answer", &wrong, &answer).as_deref(), Some(told));
        }
    }
}
