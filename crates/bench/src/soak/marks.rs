//! Code that leaves marks wherever code can, looks for those of others, and says which container it runs in.

use std::borrow::Cow;

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use crate::client::Reply;

/// Which container: its user, which no other live one has, and when its first process began, in ticks since the boot.
pub(super) type Home = (u32, u64);

/// The files and names that outlive an execution if anything does.
const CODE: &str = r#"
import builtins, os
_files = ["/workspace/mark", "/tmp/mark", "/dev/shm/mark"]
found = [_file for _file in _files if os.path.exists(_file)]
found += [_module.__name__ for _module in (builtins, os) if hasattr(_module, "mark")]
if "mark" in globals():
    found.append("global")
_mark = builtins.mark = os.mark = n
for _file in _files:
    with open(_file, "x") as _open:
        _open.write(str(n))
with open("/proc/1/stat") as _open:
    home = [os.getuid(), int(_open.read().rsplit(")", 1)[1].split()[19])]
echo = n
"#;

/// Some of the calls need what containers are preloaded with: those leave a mark in it too.
const PANDAS: &str = r#"
import pandas
if hasattr(pandas, "mark"):
    found.append("pandas")
pandas.mark = n
"#;

#[derive(Deserialize)]
struct Answer<'a> {
    #[serde(borrow)]
    status: Cow<'a, str>,
    result: Option<Left>,
}

#[derive(Deserialize)]
/// The variables that are left.
struct Left {
    echo: u64,
    found: Vec<String>,
    home: Home,
}

pub(super) fn body(n: u64) -> Bytes {
    let pandas = if n.is_multiple_of(16) { PANDAS } else { "" };
    json!({ "code": format!("{CODE}{pandas}"), "input_data": { "n": n } }).to_string().into()
}

/// Which container answered, if the answer is the right one.
pub(super) fn check(n: u64, reply: &Reply) -> Result<Home, String> {
    if reply.status != 200 {
        return Err(format!("{} {}", reply.status, reply.beginning()));
    }
    let answer: Answer<'_> =
        serde_json::from_slice(&reply.body).map_err(|error| format!("{error}: {}", reply.beginning()))?;
    match answer.result {
        Some(result) if answer.status == "ok" && result.echo == n && result.found.is_empty() => {
            Ok(result.home)
        }
        _ => Err(format!("wrong answer: {}", reply.beginning())),
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    #[test]
    fn another_calls_number_and_another_calls_mark_are_wrong_answers() {
        let right = r#"{"status":"ok","result":{"echo":7,"found":[],"home":[20001,99]},"stdout":""}"#;
        assert_eq!(check(7, &Reply::of(StatusCode::OK, right)), Ok((20_001, 99)));
        assert!(check(8, &Reply::of(StatusCode::OK, right)).is_err());
        let marked = r#"{"status":"ok","result":{"echo":7,"found":["os"],"home":[20001,99]},"stdout":""}"#;
        assert!(check(7, &Reply::of(StatusCode::OK, marked)).is_err());
        let refused = r#"{"detail":"the queue is full"}"#;
        assert!(check(7, &Reply::of(StatusCode::SERVICE_UNAVAILABLE, refused)).is_err());
    }
}
