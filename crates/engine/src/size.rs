//! Byte counts as people read them.

use std::fmt;

/// A number of bytes, shown in the largest binary unit that keeps it exact: `256 MiB`, `1500 B`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["B", "KiB", "MiB", "GiB", "TiB"];
        let mut amount = self.0;
        let mut unit = 0;
        while amount >= 1024 && amount.is_multiple_of(1024) && unit + 1 < UNITS.len() {
            amount /= 1024;
            unit += 1;
        }
        write!(f, "{amount} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::ByteSize;

    #[test]
    fn the_largest_exact_unit_is_shown() {
        let shown =
            [0, 1500, 1024, 256 << 20, 3 << 30, 1536 << 20, u64::MAX].map(|n| ByteSize(n).to_string());
        assert_eq!(
            shown,
            ["0 B", "1500 B", "1 KiB", "256 MiB", "3 GiB", "1536 MiB", "18446744073709551615 B"]
        );
    }
}
