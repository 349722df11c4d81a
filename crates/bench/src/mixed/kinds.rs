//! What is called, and what the answer must be.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::client::Reply;

/// Code that does what a user means it to.
const GOOD: [(&str, &str); 5] = [
    ("plain", "print(n)"),
    ("pandas", "import pandas as pd\ndf = pd.DataFrame({'a': [n]})\nprint(df['a'][0])"),
    ("file", "open('out', 'w').write(str(n))\nprint(n)"),
    ("processes", "import subprocess\nsubprocess.run(['/bin/true'], check=True)\nprint(n)"),
    ("stored data", "print(n if open(data['steady']).read() == 'abc' else 'another value')"),
];

/// Code that does not: its name, itself, its time limit in seconds, and how it must end.
const HOSTILE: [(&str, &str, f64, &str); 13] = [
    ("spins", "while True: pass", 0.5, "timeout"),
    (
        "ignores every end",
        "import signal\nfor s in range(1, 32):\n  try: signal.signal(s, signal.SIG_IGN)\n  except (OSError, ValueError): pass\nwhile True:\n  try:\n    while True: pass\n  except BaseException: pass",
        0.5,
        "timeout",
    ),
    ("fork bomb", "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass", 1.0, "timeout"),
    ("memory hog", "b = bytearray()\nwhile True: b += bytes(32 << 20)", 20.0, "memory_limit"),
    ("flood", "while True: print('x' * 1000)", 20.0, "output_limit"),
    ("leaves", "import os; os._exit(7)", 20.0, "crashed"),
    ("segfault", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)", 20.0, "crashed"),
    ("exit status", "import sys; sys.exit(3)", 20.0, "error"),
    ("fills the disk", "open('big', 'wb').write(bytes(1 << 30))", 20.0, "error"),
    ("huge result", "huge = 'x' * (64 << 20)\nprint(n)", 20.0, "ok"),
    (
        "daemons",
        "import os, time\nfor _ in range(20):\n  if not os.fork(): os.setsid(); time.sleep(1000)\nprint(n)",
        20.0,
        "ok",
    ),
    ("many files", "for i in range(500): open(str(i), 'w').write('x')\nprint(n)", 20.0, "ok"),
    ("forged frame", "import os\nos.write(1, b'\\x86\\0\\0\\0\\x02{}')\nprint(n)", 20.0, "ok"),
];

/// Every so many calls one is hostile.
const HOSTILE_EVERY: u64 = 5;

/// What one call runs.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    name: &'static str,
    code: &'static str,
    timeout: f64,
    status: &'static str,
}

/// What an answer is to be taken for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Right,
    /// By a fault, and told so.
    Lost,
    Wrong(String),
}

impl Kind {
    pub(super) fn of(n: u64) -> Self {
        let turn = |n: u64, count: usize| usize::try_from(n % count as u64).unwrap_or_default();
        if n.is_multiple_of(HOSTILE_EVERY) {
            let (name, code, timeout, status) = HOSTILE[turn(n / HOSTILE_EVERY, HOSTILE.len())];
            Self { name, code, timeout, status }
        } else {
            let (name, code) = GOOD[turn(n / HOSTILE_EVERY + n % HOSTILE_EVERY, GOOD.len())];
            Self { name, code, timeout: 30.0, status: "ok" }
        }
    }

    pub(super) fn name(self) -> &'static str {
        self.name
    }

    pub(super) fn body(self, n: u64) -> Bytes {
        // What is killed is known by this mark.
        let code = format!("open('mark', 'w').write(str(n))\n{}\necho = n * 2", self.code);
        json!({ "code": code, "timeout": self.timeout, "input_data": { "n": n } }).to_string().into()
    }

    /// Faults aside.
    pub(super) fn judge(self, n: u64, reply: &Reply) -> Verdict {
        let answer: Value = serde_json::from_slice(&reply.body).unwrap_or_default();
        let own_number = answer["result"]["echo"] == n * 2
            && answer["stdout"].as_str().is_some_and(|text| text.ends_with(&format!("{n}\n")));
        let right = reply.status == 200
            && answer["status"] == self.status
            && match self.name {
                "leaves" => answer["exit_code"] == 7,
                "segfault" => answer["signal"] == "SIGSEGV",
                "exit status" => answer["exit_code"] == 3,
                "huge result" => own_number && answer["omitted"][0]["name"] == "huge",
                "file" => own_number && answer["files"][1]["content"] == n.to_string().as_str(),
                _ => self.status != "ok" || own_number,
            };
        if right {
            return Verdict::Right;
        }
        Verdict::Wrong(format!("not '{}': {} {}", self.status, reply.status, reply.beginning()))
    }
}

#[cfg(test)]
mod tests {
    use reqwest::StatusCode;

    use super::*;

    fn reply(body: &Value) -> Reply {
        Reply::of(StatusCode::OK, body.to_string())
    }

    #[test]
    fn a_fifth_is_hostile_and_every_kind_has_its_turn() {
        let all: Vec<_> = (0..1000).map(|n| Kind::of(n).name()).collect();
        let hostile = all.iter().filter(|name| HOSTILE.iter().any(|kind| kind.0 == **name)).count();
        assert_eq!(hostile, 200);
        assert!(HOSTILE.iter().all(|kind| all.contains(&kind.0)));
        assert!(GOOD.iter().all(|kind| all.contains(&kind.0)));
    }

    #[test]
    fn the_verdict_and_the_own_number_make_an_answer_right() {
        let kind = Kind { name: "plain", code: "print(n)", timeout: 30.0, status: "ok" };
        let n = 6;
        let right = json!({ "status": "ok", "result": { "echo": 12 }, "stdout": "6\n" });
        assert_eq!(kind.judge(n, &reply(&right)), Verdict::Right);
        let others = json!({ "status": "ok", "result": { "echo": 14 }, "stdout": "7\n" });
        assert!(matches!(kind.judge(n, &reply(&others)), Verdict::Wrong(_)));
    }
}
