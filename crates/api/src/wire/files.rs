//! The files of a request; the files and figures of a response.

use std::fmt;

use base64::{Engine as _, display::Base64Display, prelude::BASE64_STANDARD};
use engine::{FilePath, InputFile, InputFiles};
use serde::{Deserialize, Serialize, Serializer};
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::{
    Field, JsonObject, Mismatch,
    list::{MOST_ERRORS, each, items},
};

/// How a file's content is written in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(examples("utf-8"))]
pub(crate) enum Encoding {
    #[default]
    #[serde(rename = "utf-8")]
    Utf8,
    #[serde(rename = "base64")]
    Base64,
}

impl Field for Encoding {
    fn parse(raw: &RawValue) -> Result<Self, Vec<Mismatch>> {
        serde_json::from_str(raw.get())
            .map_err(|_| vec![Mismatch::new("literal_error", "Input should be 'utf-8' or 'base64'", raw)])
    }
}

impl Field for FilePath {
    fn parse(raw: &RawValue) -> Result<Self, Vec<Mismatch>> {
        Self::new(String::parse(raw)?).map_err(|error| vec![value_error(&error, raw)])
    }
}

impl Field for InputFiles {
    fn parse(raw: &RawValue) -> Result<Self, Vec<Mismatch>> {
        let items = items(raw, Self::MOST).map_err(|mismatch| vec![mismatch])?;
        Self::new(each(&items, input_file)?).map_err(|mut clashes| {
            clashes.truncate(MOST_ERRORS);
            let told = |(at, clash): (usize, _)| value_error(&clash, items[at]).within("path").within(at);
            clashes.into_iter().map(told).collect()
        })
    }
}

fn input_file(raw: &RawValue) -> Result<InputFile, Vec<Mismatch>> {
    let mut fields = JsonObject::nested(raw).map_err(|mismatch| vec![mismatch])?;
    let path: Option<FilePath> = fields.required("path");
    let content: Option<String> = fields.required("content");
    let encoding = fields.optional("encoding").unwrap_or_default();
    fields.finish_nested()?;
    let missing = || vec![Mismatch::new("missing", "Field required", raw)];
    let (path, content) = (path.ok_or_else(missing)?, content.ok_or_else(missing)?);
    let content = match encoding {
        Encoding::Utf8 => content.into_bytes(),
        Encoding::Base64 => BASE64_STANDARD.decode(content).map_err(|error| {
            let msg = format!("Base64 decoding error: {error}");
            vec![Mismatch::new("base64_decode", msg, raw).within("content")]
        })?,
    };
    Ok(InputFile { path, content })
}

fn value_error(error: &impl fmt::Display, raw: &RawValue) -> Mismatch {
    Mismatch::new("value_error", format!("Value error, {error}"), raw)
}

/// A file that is there before the code runs.
#[derive(ToSchema)]
#[schema(as = InputFile)]
#[expect(dead_code, reason = "says what `input_file` reads")]
#[serde(deny_unknown_fields)]
pub(super) struct FileToWrite {
    /// Where, relative to the current directory and below it: no part is empty, `.`, `..` or longer than 255 bytes, and all
    /// of it has at most 1024. `main.py` is the code itself, `.uploaded` where uploaded data goes; no two files have the same path, and none that of another's
    /// folder.
    #[schema(
        pattern = r"^(?!(main\.py|\.uploaded)(?![^/]))(?!([^\x00]*/)?\.{0,2}(?![^/]))[^\x00/]{1,255}(/[^\x00/]{1,255})*$",
        max_length = 1024,
        examples("data/sales.csv")
    )]
    path: String,
    /// What is in it, as `encoding` says.
    #[schema(examples("month,sales\n1,3\n2,5\n"))]
    content: String,
    /// How `content` is written: `base64` (RFC 4648, padded) for what is no text.
    #[schema(required = false, default = "utf-8")]
    encoding: Encoding,
}

/// A figure of a response.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Figure {
    /// Always `png`.
    #[schema(value_type = String, examples("png"))]
    format: &'static str,
    /// The file, base64.
    #[serde(serialize_with = "as_base64")]
    #[schema(value_type = String, content_encoding = "base64", content_media_type = "image/png", examples("iVBORw0KGgo="))]
    data: bytes::Bytes,
    /// Pixels.
    #[schema(examples(640))]
    width: u32,
    /// Pixels.
    #[schema(examples(480))]
    height: u32,
}

impl From<engine::Figure> for Figure {
    fn from(figure: engine::Figure) -> Self {
        Self { format: "png", data: figure.png, width: figure.width, height: figure.height }
    }
}

fn as_base64<S: Serializer>(bytes: impl AsRef<[u8]>, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&Base64Display::new(bytes.as_ref(), &BASE64_STANDARD))
}

/// A file of a response.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct OutputFile {
    /// Where it was, relative to the current directory.
    #[schema(examples("out.csv"))]
    path: String,
    /// Bytes, before the encoding.
    #[schema(examples(22))]
    size: usize,
    /// What is in it, as `encoding` says.
    #[schema(value_type = String, examples("month,sales\n1,3\n2,5\n"))]
    content: Content,
    /// How `content` is written: `utf-8` if it is text, else `base64`.
    encoding: Encoding,
}

#[derive(Debug)]
enum Content {
    Text(String),
    Binary(Vec<u8>),
}

impl Serialize for Content {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Binary(bytes) => as_base64(bytes, serializer),
        }
    }
}

impl From<engine::OutputFile> for OutputFile {
    fn from(file: engine::OutputFile) -> Self {
        let path = file.path.as_str().to_owned();
        let bytes = file.content.into_vec();
        let size = bytes.len();
        let (content, encoding) = match String::from_utf8(bytes) {
            Ok(text) if !text.bytes().any(is_no_text) => (Content::Text(text), Encoding::Utf8),
            Ok(text) => (Content::Binary(text.into_bytes()), Encoding::Base64),
            Err(error) => (Content::Binary(error.into_bytes()), Encoding::Base64),
        };
        Self { path, size, content, encoding }
    }
}

/// Control characters but tab, line feed, form feed and carriage return: no text has them, and JSON takes six bytes for each.
fn is_no_text(byte: u8) -> bool {
    byte < b' ' && !b"\t\n\x0c\r".contains(&byte)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn parse(files: &str) -> Result<Vec<(String, Vec<u8>)>, usize> {
        let raw: &RawValue = serde_json::from_str(files).unwrap();
        let files = InputFiles::parse(raw).map_err(|mismatches| mismatches.len())?;
        Ok(files.iter().map(|file| (file.path.as_str().to_owned(), file.content.clone())).collect())
    }

    #[test]
    fn files_are_taken_as_text_or_base64() {
        let files = r#"[{"path": "a", "content": "ä\u0000"}, {"content": "/wA=", "encoding": "base64", "path": "b/c"},
                        {"path": "d", "content": "", "encoding": "utf-8"}]"#;
        let expected = [("a", "ä\0".as_bytes()), ("b/c", b"\xff\0"), ("d", b"")];
        assert_eq!(
            parse(files).unwrap(),
            expected.map(|(path, content)| (path.to_owned(), content.to_vec()))
        );
        assert_eq!(parse("[]").unwrap(), []);
    }

    #[test]
    fn there_is_a_limit_to_files_and_to_what_is_told_of_them() {
        let list = |count: usize, item: &dyn Fn(usize) -> String| {
            format!("[{}]", (0..count).map(item).collect::<Vec<_>>().join(","))
        };
        let file = |n: usize| format!(r#"{{"path": "{n}", "content": ""}}"#);
        assert_eq!(parse(&list(1_000, &file)).unwrap().len(), 1_000);
        assert_eq!(parse(&list(1_001, &file)), Err(1));
        assert_eq!(parse(&list(100_000, &|_| "0".to_owned())), Err(1));
        assert_eq!(parse(&list(1_000, &|_| "0".to_owned())), Err(100));
        assert_eq!(parse(&list(1_000, &|_| file(0))), Err(100));
    }

    #[test]
    fn a_files_content_is_text_if_it_is_one_and_base64_else() {
        for (bytes, content, encoding) in [
            (&b"a\tb\r\n\x0c\xc3\xa4\x7f"[..], "a\tb\r\n\u{c}ä\u{7f}", "utf-8"),
            (b"", "", "utf-8"),
            (b"\xff", "/w==", "base64"),
            (b"a\0", "YQA=", "base64"),
            (b"\x1b[0m", "G1swbQ==", "base64"),
        ] {
            let mut pieces = engine::FileContent::default();
            bytes.chunks(2).for_each(|piece| pieces.push(bytes::Bytes::copy_from_slice(piece)));
            let path = FilePath::new("p".to_owned()).unwrap();
            let file = OutputFile::from(engine::OutputFile { path, content: pieces });
            let expected =
                json!({ "path": "p", "size": bytes.len(), "content": content, "encoding": encoding });
            assert_eq!(serde_json::to_value(file).unwrap(), expected);
        }
    }
}
