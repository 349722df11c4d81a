//! What was checked, a line each as it becomes known: `ok` or `FAILED`, what, and how it is.

use std::{fmt::Display, io::Write};

/// Writes the lines and counts them.
pub(super) struct Table<W> {
    out: W,
    ok: usize,
    failed: usize,
}

impl<W: Write> Table<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, ok: 0, failed: 0 }
    }

    /// Adds a good line.
    pub(super) fn ok(&mut self, what: &str, detail: impl Display) {
        self.row(what, Ok::<_, &str>(detail));
    }

    /// Adds a bad line; false.
    pub(super) fn failed(&mut self, what: &str, reason: impl Display) -> bool {
        self.row(what, Err::<&str, _>(reason))
    }

    /// Adds a line; whether it is a good one.
    pub(super) fn row(&mut self, what: &str, verdict: Result<impl Display, impl Display>) -> bool {
        let (word, detail) = match &verdict {
            Ok(detail) => ("ok", detail.to_string()),
            Err(reason) => ("FAILED", reason.to_string()),
        };
        let counted = if verdict.is_ok() { &mut self.ok } else { &mut self.failed };
        *counted += 1;
        let detail: Vec<_> = detail.split_whitespace().collect();
        // A closed stdout changes nothing about the verdict.
        let _ = writeln!(self.out, "{word:7} {what:18} {}", detail.join(" "));
        verdict.is_ok()
    }

    /// Adds the last line; whether all is well. `complete`: nothing was left untried.
    pub(super) fn end(mut self, complete: bool) -> bool {
        let (failed, all) = (self.failed, self.ok + self.failed);
        let untried = if complete { "" } else { "; the rest was not tried" };
        let _ = match failed {
            0 if complete => writeln!(self.out, "all {all} are ok"),
            _ => writeln!(self.out, "{failed} of {all} FAILED{untried}"),
        };
        failed == 0 && complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, Result<&str, &str>)], complete: bool) -> (bool, String) {
        let mut text = Vec::new();
        let mut table = Table::new(&mut text);
        for (what, verdict) in rows {
            assert_eq!(table.row(what, *verdict), verdict.is_ok());
        }
        let ok = table.end(complete);
        (ok, String::from_utf8(text).unwrap())
    }

    #[test]
    fn one_failure_among_many_is_a_failure_and_every_line_is_one_line() {
        let (ok, text) = table(
            &[("engine", Ok("Docker 29")), ("memory limit", Err("ended as 'ok'\n  not as it must"))],
            true,
        );
        assert!(!ok);
        let lines = [
            "ok      engine             Docker 29",
            "FAILED  memory limit       ended as 'ok' not as it must",
            "1 of 2 FAILED",
        ];
        assert_eq!(text.lines().collect::<Vec<_>>(), lines);
    }

    #[test]
    fn what_could_not_be_tried_is_no_success() {
        assert_eq!(
            table(&[("image", Ok("there"))], true),
            (true, "ok      image              there\nall 1 are ok\n".to_owned())
        );
        assert!(!table(&[("image", Ok("there"))], false).0);
    }
}
