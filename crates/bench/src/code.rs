//! The code that is measured, and what must come back.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::{Value, json, value::RawValue};

use crate::{
    Result,
    client::{Reply, Target},
};

/// Rows of the large DataFrame: its records are a little over 10 MB of JSON.
const ROWS: u64 = 230_000;
/// Numbers in the large input: a little over 1 MB of JSON.
const NUMBERS: u64 = 150_000;
/// Bytes of the large output, newline included.
pub(crate) const FLOOD: usize = 64 << 20;

const CANONICAL: &str = "import pandas as pd\ndf = pd.DataFrame({\"a\": [1, 2, 3], \"b\": [4, 5, 6]})\n\
                         df[\"c\"] = df[\"a\"] + df[\"b\"]\nprint(df)";

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Code {
    /// `print(1)`.
    Print,
    /// The README's example.
    Canonical,
    /// A DataFrame whose records are 10 MB.
    Frame,
    /// 1 MB of input, summed.
    Input,
    /// 64 MiB of output.
    Flood,
    /// Hardly anything, and a number of its own.
    Plain(u64),
    /// The same after `import pandas`.
    Pandas(u64),
}

#[derive(Deserialize)]
struct Answer<'a> {
    status: Cow<'a, str>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    stdout: Cow<'a, str>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow)]
    df: Vec<Row<'a>>,
}

#[derive(Deserialize)]
struct Row<'a> {
    id: u64,
    x: f64,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

impl Code {
    /// The request's body.
    pub(crate) fn body(self) -> Bytes {
        let code = match self {
            Self::Print => "print(1)".to_owned(),
            Self::Canonical => CANONICAL.to_owned(),
            Self::Frame => format!(
                "import pandas as pd\n_rows = range({ROWS})\n\
                 df = pd.DataFrame({{\"id\": _rows, \"x\": [i * 0.5 for i in _rows], \"name\": [f\"row {{i}}\" for i in _rows]}})"
            ),
            Self::Input => "total = sum(values)".to_owned(),
            Self::Flood => format!("print(\"x\" * {})", FLOOD - 1),
            Self::Plain(n) => format!("n = {n}"),
            Self::Pandas(n) => format!("import pandas\nn = {n}"),
        };
        let input = match self {
            Self::Input => json!({ "values": Self::numbers().collect::<Vec<_>>() }),
            _ => json!({}),
        };
        json!({ "code": code, "input_data": input }).to_string().into()
    }

    /// Has it run, and takes nothing but the right answer.
    pub(crate) async fn run(self, target: &Target) -> Result<Reply> {
        let reply = target.execute(self.body()).await?;
        self.check(&reply)?;
        Ok(reply)
    }

    /// Whether this is the right answer.
    pub(crate) fn check(self, reply: &Reply) -> Result<()> {
        self.right(reply).map_err(|what| {
            format!("wrong answer to {self:?}: {what}; {} {}", reply.status, reply.beginning()).into()
        })
    }

    fn right(self, reply: &Reply) -> Result<(), String> {
        if reply.status != 200 {
            return Err("not served".to_owned());
        }
        let answer: Answer<'_> = serde_json::from_slice(&reply.body).map_err(|error| error.to_string())?;
        if answer.status != "ok" {
            return Err(format!("the code did not end well: {:?}", answer.error));
        }
        let result = answer.result.map_or("null", RawValue::get);
        match self {
            Self::Print => equal(result, &json!({}))?,
            Self::Canonical => equal(
                result,
                &json!({"df": [{"a": 1, "b": 4, "c": 5}, {"a": 2, "b": 5, "c": 7}, {"a": 3, "b": 6, "c": 9}]}),
            )?,
            Self::Frame => frame(result)?,
            Self::Input => equal(result, &json!({ "total": Self::numbers().sum::<u64>() }))?,
            Self::Flood => equal(result, &json!({}))?,
            Self::Plain(n) | Self::Pandas(n) => equal(result, &json!({ "n": n }))?,
        }
        let stdout = match self {
            Self::Print => answer.stdout == "1\n",
            Self::Canonical => answer.stdout == "   a  b  c\n0  1  4  5\n1  2  5  7\n2  3  6  9\n",
            Self::Flood => {
                let bytes = answer.stdout.as_bytes();
                bytes.len() == FLOOD && bytes[..FLOOD - 1].iter().all(|byte| *byte == b'x')
            }
            _ => answer.stdout.is_empty(),
        };
        if stdout { Ok(()) } else { Err("another stdout".to_owned()) }
    }

    fn numbers() -> impl Iterator<Item = u64> {
        100_000..100_000 + NUMBERS
    }
}

fn equal(result: &str, expected: &Value) -> Result<(), String> {
    match serde_json::from_str::<Value>(result) {
        Ok(value) if value == *expected => Ok(()),
        _ => Err("another result".to_owned()),
    }
}

fn frame(result: &str) -> Result<(), String> {
    let frame: Frame<'_> = serde_json::from_str(result).map_err(|error| error.to_string())?;
    if result.len() < 10_000_000 {
        return Err(format!("only {} bytes", result.len()));
    }
    let right = (0..).zip(&frame.df).all(|(id, row): (u64, _)| {
        row.id == id && (row.x - id as f64 * 0.5).abs() < 1e-9 && row.name == format!("row {id}")
    });
    if right && frame.df.len() as u64 == ROWS { Ok(()) } else { Err("other rows".to_owned()) }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    fn reply(body: impl Into<Bytes>) -> Reply {
        Reply::of(StatusCode::OK, body)
    }

    #[test]
    fn only_the_own_number_is_the_right_answer() {
        let answer = reply(r#"{"status":"ok","result":{"n":7},"stdout":"","error":null}"#);
        assert!(Code::Plain(7).check(&answer).is_ok());
        assert!(Code::Pandas(7).check(&answer).is_ok());
        assert!(Code::Plain(8).check(&answer).is_err());
        let failed = reply(r#"{"status":"error","result":null,"stdout":"","error":"E"}"#);
        assert!(Code::Plain(7).check(&failed).is_err());
    }

    #[test]
    fn output_is_part_of_the_answer() {
        assert!(Code::Print.check(&reply(r#"{"status":"ok","result":{},"stdout":"1\n"}"#)).is_ok());
        assert!(Code::Print.check(&reply(r#"{"status":"ok","result":{},"stdout":""}"#)).is_err());
    }

    #[test]
    fn every_row_of_the_frame_is_looked_at() {
        let rows = |wrong: Option<u64>| {
            let row = |i: u64| {
                let x = if Some(i) == wrong { 0.25 } else { i as f64 * 0.5 };
                format!(r#"{{"id":{i},"x":{x:?},"name":"row {i}"}}"#)
            };
            let rows: Vec<_> = (0..ROWS).map(row).collect();
            reply(format!(r#"{{"status":"ok","result":{{"df":[{}]}},"stdout":""}}"#, rows.join(",")))
        };
        assert!(Code::Frame.check(&rows(None)).is_ok());
        assert!(Code::Frame.check(&rows(Some(ROWS - 1))).is_err());
    }

    #[test]
    fn the_input_has_a_megabyte() {
        assert!((1_000_000..1_200_000).contains(&Code::Input.body().len()));
    }
}
