//! Checks JSON while it passes by, a chunk at a time: memory for the nesting, none for what it says.
//!
//! serde_json's reader collects each string or name whole when it checks it, and one string may be a value of
//! `--max-value-size`. The tests compare this with serde_json.

/// Which JSON passes.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Levels of arrays and objects.
    pub depth: usize,
    /// Refuses what RFC 8259 allows but parsers stumble over: halves of surrogate pairs as `\\u` escapes, numbers of more than
    /// 4,300 characters (Python's own limit) and numbers with a point or an exponent that no double is as large as.
    pub portable: bool,
}

/// Longest number under [`Rules::portable`], characters: Python's limit, and a sign.
const LONGEST_NUMBER: usize = 4_301;

/// What the next byte may be.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Expect {
    /// A value; in an array that has just begun, also its end.
    Value {
        or_end: bool,
    },
    /// A name; in an object that has just begun, also its end.
    Name {
        or_end: bool,
    },
    Colon,
    /// A comma or the end of what encloses it; at the top nothing but space.
    Next,
    /// More of a string, which is a name or a value.
    Text {
        name: bool,
    },
    Escape {
        name: bool,
    },
    /// So many more hexadecimal digits.
    Unicode {
        name: bool,
        left: u8,
    },
    /// The rest of `true`, `false` or `null`.
    Literal(&'static [u8]),
    Number(Number),
}

/// How far a number has got.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Number {
    Minus,
    Zero,
    Integer,
    Point,
    Fraction,
    Exponent,
    ExponentSign,
    ExponentDigits,
}

/// The check of one stream.
#[derive(Debug)]
pub struct StreamCheck {
    rules: Rules,
    expect: Expect,
    /// The number that is being read, under [`Rules::portable`].
    number: Vec<u8>,
    /// The first two digits of a `\\u` escape.
    escape: [u8; 2],
    /// For every open bracket whether it is an object's.
    open: Vec<bool>,
    /// Bytes of a character that a chunk's end has cut, at most three.
    cut: Vec<u8>,
    read: u64,
}

impl StreamCheck {
    /// Begins at the first byte.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            expect: Expect::Value { or_end: false },
            number: Vec::new(),
            escape: [0; 2],
            open: Vec::new(),
            cut: Vec::new(),
            read: 0,
        }
    }

    /// Takes the next bytes. After an error there is nothing more to ask.
    pub fn feed(&mut self, bytes: &[u8]) -> Result<(), String> {
        self.check_utf8(bytes)?;
        for byte in bytes {
            self.read += 1;
            self.expect = self.step(*byte).map_err(|reason| format!("{reason} at byte {}", self.read))?;
        }
        Ok(())
    }

    /// Whether everything fed is one whole value.
    pub fn finish(&self) -> Result<(), String> {
        let number_ends = matches!(self.expect, Expect::Number(number) if number.may_end());
        if number_ends {
            self.check_number().map_err(|reason| format!("{reason} at byte {}", self.read))?;
        }
        if self.open.is_empty() && (self.expect == Expect::Next || number_ends) {
            Ok(())
        } else {
            Err(format!("it ends early, after {} bytes", self.read))
        }
    }

    fn check_utf8(&mut self, bytes: &[u8]) -> Result<(), String> {
        let error = || Err(format!("it is not UTF-8, at byte {} or after", self.read + 1));
        let mut rest = bytes;
        while !self.cut.is_empty() && !rest.is_empty() {
            self.cut.push(rest[0]);
            rest = &rest[1..];
            match std::str::from_utf8(&self.cut) {
                Ok(_) => self.cut.clear(),
                Err(invalid) if invalid.error_len().is_some() => return error(),
                Err(_) => {}
            }
        }
        match std::str::from_utf8(rest) {
            Ok(_) => Ok(()),
            Err(invalid) if invalid.error_len().is_some() => error(),
            Err(invalid) => {
                self.cut.extend_from_slice(&rest[invalid.valid_up_to()..]);
                Ok(())
            }
        }
    }

    fn step(&mut self, byte: u8) -> Result<Expect, &'static str> {
        let space = matches!(byte, b' ' | b'\t' | b'\n' | b'\r');
        match self.expect {
            Expect::Text { name } => match byte {
                b'"' if name => Ok(Expect::Colon),
                b'"' => Ok(Expect::Next),
                b'\\' => Ok(Expect::Escape { name }),
                0..0x20 => Err("control character in a string"),
                _ => Ok(Expect::Text { name }),
            },
            Expect::Escape { name } => match byte {
                b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Ok(Expect::Text { name }),
                b'u' => Ok(Expect::Unicode { name, left: 4 }),
                _ => Err("invalid escape"),
            },
            Expect::Unicode { name, left } if byte.is_ascii_hexdigit() => {
                self.check_surrogate(left, byte)?;
                Ok(if left == 1 { Expect::Text { name } } else { Expect::Unicode { name, left: left - 1 } })
            }
            Expect::Unicode { .. } => Err("invalid escape"),
            Expect::Literal(rest) => match rest {
                [expected] if *expected == byte => Ok(Expect::Next),
                [expected, rest @ ..] if *expected == byte => Ok(Expect::Literal(rest)),
                _ => Err("expected a value"),
            },
            Expect::Number(number) => match number.step(byte) {
                Some(number) => {
                    self.note(byte)?;
                    Ok(Expect::Number(number))
                }
                None if number.may_end() => {
                    self.check_number()?;
                    self.expect = Expect::Next;
                    self.step(byte)
                }
                None => Err("invalid number"),
            },
            _ if space => Ok(self.expect),
            Expect::Value { or_end: true } if byte == b']' => self.close(false),
            Expect::Value { .. } => self.value(byte),
            Expect::Name { or_end: true } if byte == b'}' => self.close(true),
            Expect::Name { .. } if byte == b'"' => Ok(Expect::Text { name: true }),
            Expect::Name { .. } => Err("expected a name"),
            Expect::Colon if byte == b':' => Ok(Expect::Value { or_end: false }),
            Expect::Colon => Err("expected ':'"),
            Expect::Next => match (byte, self.open.last()) {
                (b',', Some(true)) => Ok(Expect::Name { or_end: false }),
                (b',', Some(false)) => Ok(Expect::Value { or_end: false }),
                (b'}', _) => self.close(true),
                (b']', _) => self.close(false),
                (_, None) => Err("something follows the value"),
                _ => Err("expected ',' or the end"),
            },
        }
    }

    fn value(&mut self, byte: u8) -> Result<Expect, &'static str> {
        match byte {
            b'{' | b'[' if self.open.len() == self.rules.depth => Err("nested too deep"),
            b'{' => {
                self.open.push(true);
                Ok(Expect::Name { or_end: true })
            }
            b'[' => {
                self.open.push(false);
                Ok(Expect::Value { or_end: true })
            }
            b'"' => Ok(Expect::Text { name: false }),
            b't' => Ok(Expect::Literal(b"rue")),
            b'f' => Ok(Expect::Literal(b"alse")),
            b'n' => Ok(Expect::Literal(b"ull")),
            b'-' | b'0'..=b'9' => {
                self.number.clear();
                self.note(byte)?;
                Ok(Expect::Number(match byte {
                    b'-' => Number::Minus,
                    b'0' => Number::Zero,
                    _ => Number::Integer,
                }))
            }
            _ => Err("expected a value"),
        }
    }

    fn note(&mut self, byte: u8) -> Result<(), &'static str> {
        if self.rules.portable {
            if self.number.len() == LONGEST_NUMBER {
                return Err("a number that is too long");
            }
            self.number.push(byte);
        }
        Ok(())
    }

    /// A whole number may be as large as it is long; a float may not be infinite.
    fn check_number(&self) -> Result<(), &'static str> {
        let float = self.number.iter().any(|byte| matches!(byte, b'.' | b'e' | b'E'));
        let value = || str::from_utf8(&self.number).ok()?.parse::<f64>().ok();
        if float && value().is_some_and(f64::is_infinite) {
            Err("a number that is too large")
        } else {
            Ok(())
        }
    }

    /// A half of a pair is `\\uD800` to `\\uDFFF`: told by its first two digits.
    fn check_surrogate(&mut self, left: u8, digit: u8) -> Result<(), &'static str> {
        match left {
            4 => self.escape[0] = digit.to_ascii_lowercase(),
            3 => self.escape[1] = digit.to_ascii_lowercase(),
            _ => {}
        }
        let half = left == 3 && self.escape[0] == b'd' && matches!(self.escape[1], b'8'..=b'9' | b'a'..=b'f');
        if half && self.rules.portable { Err("half of a surrogate pair") } else { Ok(()) }
    }

    fn close(&mut self, object: bool) -> Result<Expect, &'static str> {
        if self.open.pop() == Some(object) { Ok(Expect::Next) } else { Err("a bracket that was not opened") }
    }
}

impl Number {
    fn may_end(self) -> bool {
        matches!(self, Self::Zero | Self::Integer | Self::Fraction | Self::ExponentDigits)
    }

    fn step(self, byte: u8) -> Option<Self> {
        match (self, byte) {
            (Self::Minus, b'0') => Some(Self::Zero),
            (Self::Minus, b'1'..=b'9') | (Self::Integer, b'0'..=b'9') => Some(Self::Integer),
            (Self::Zero | Self::Integer, b'.') => Some(Self::Point),
            (Self::Point | Self::Fraction, b'0'..=b'9') => Some(Self::Fraction),
            (Self::Zero | Self::Integer | Self::Fraction, b'e' | b'E') => Some(Self::Exponent),
            (Self::Exponent, b'+' | b'-') => Some(Self::ExponentSign),
            (Self::Exponent | Self::ExponentSign | Self::ExponentDigits, b'0'..=b'9') => {
                Some(Self::ExponentDigits)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde::de::IgnoredAny;

    use super::*;

    const ANY: Rules = Rules { depth: 512, portable: false };

    fn check(bytes: &[u8], chunk: usize) -> Result<(), String> {
        let mut check = StreamCheck::new(ANY);
        for chunk in bytes.chunks(chunk) {
            check.feed(chunk)?;
        }
        check.finish()
    }

    /// serde_json's own opinion, and the library's own on UTF-8, which it does not look at when it ignores.
    fn expected(bytes: &[u8]) -> bool {
        std::str::from_utf8(bytes).is_ok_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok())
    }

    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i64>().prop_map(Into::into),
            any::<f64>().prop_map(Into::into),
            ".{0,8}".prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 24, 4, |inner| {
            prop_oneof![
                proptest::collection::vec(inner.clone(), 0..4).prop_map(Into::into),
                proptest::collection::hash_map(".{0,4}", inner, 0..4)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn every_json_passes_however_it_is_cut(value in any_json(), pretty in any::<bool>(), chunk in 1..9_usize) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            prop_assert_eq!(check(text.as_bytes(), chunk), Ok(()));
        }

        #[test]
        fn json_with_one_byte_changed_is_judged_as_by_serde_json(
            value in any_json(), at in any::<prop::sample::Index>(), byte in any::<u8>(), chunk in 1..9_usize,
        ) {
            let mut bytes = serde_json::to_vec(&value).unwrap();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            prop_assert_eq!(check(&bytes, chunk).is_ok(), expected(&bytes), "{}", String::from_utf8_lossy(&bytes));
        }

        #[test]
        fn snippets_of_json_are_judged_as_by_serde_json(
            parts in proptest::collection::vec(
                proptest::sample::select(vec!["{", "}", "[", "]", ",", ":", "\"a\"", "\"\\u00e4\"", "\"\\x\"", "0", "-", "1.5",
                    "1e+9", "01", ".5", "1.", "true", "nul", " ", "\n", "\u{e4}", "\"\t\""]), 0..8),
        ) {
            let text = parts.concat();
            prop_assert_eq!(check(text.as_bytes(), 3).is_ok(), expected(text.as_bytes()), "{}", text);
        }
    }

    #[test]
    fn an_error_says_what_is_wrong_and_where() {
        for (bytes, error) in [
            (&b""[..], "it ends early, after 0 bytes"),
            (b"{\"a\": ", "it ends early, after 6 bytes"),
            (b"[1, x]", "expected a value at byte 5"),
            (b"{\"a\": 1} 2", "something follows the value at byte 10"),
            (b"\"\xff\"", "it is not UTF-8, at byte 1 or after"),
        ] {
            assert_eq!(check(bytes, 100).unwrap_err(), error);
        }
        assert!(check(&b"[".repeat(1 << 20), 4096).unwrap_err().starts_with("nested too deep at byte 513"));
    }

    #[test]
    fn portable_json_holds_nothing_that_parsers_stumble_over() {
        let portable = |text: &str| {
            let mut check = StreamCheck::new(Rules { depth: 3, portable: true });
            check.feed(text.as_bytes()).and_then(|()| check.finish()).is_ok()
        };
        for good in [
            "[[[]]]",
            r#""\u00e4\uD7FF\ue000""#,
            "-1.5e-300",
            "1e308",
            "-1.7976931348623157E+308",
            "0.0001e310",
            "1e-99999",
            &"9".repeat(4_300),
            &format!("-{}", "9".repeat(4_300)),
        ] {
            assert!(portable(good), "{good}");
        }
        for bad in [
            "[[[[]]]]",
            r#""\ud800""#,
            r#""\uDFFF""#,
            "1e9999",
            "1e309",
            "-2.5e+920",
            "[1e309]",
            "17976931348623159e292",
            "1e+0400",
            &"9".repeat(4_302),
            &format!("0.{}", "9".repeat(4_300)),
        ] {
            assert!(!portable(bad), "{bad}");
        }
    }
}
