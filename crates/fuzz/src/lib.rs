//! A target for each place that reads what others wrote. Each takes any bytes and panics where something does not hold.
//!
//! `cargo test -p fuzz` runs every target on random and mutated inputs for a few seconds; `make fuzz` lets libFuzzer look for new
//! ones for as long as you like. What it finds goes into `seeds/TARGET/`, from which both start. What is read in Python, archives in the
//! runner first of all, libFuzzer does not see: `runner-image/tests` have properties of it, for seconds or for longer in the same way.

#![forbid(unsafe_code)]
#![expect(clippy::missing_panics_doc, reason = "to panic is what they are for")]

use std::{collections::HashSet, io::Read as _, path::Component};

use bytes::BytesMut;
use engine::{
    FilePath, InputFile, InputFiles,
    json::{Rules, StreamCheck},
};
use protocol::{
    frame::{Caps, Frame, FrameCodec, FrameError},
    message::FromRunner,
};
use serde_json::Value;
use tokio_util::codec::{Decoder, Encoder};

const CAPS: Caps = Caps { result: 1 << 20, figures: 1 << 20 };

/// Any bytes a runner could send, cut anywhere: the frames are the same, they say again what was sent, and no more is held than
/// was received.
pub fn decode(bytes: &[u8]) {
    let (piece, bytes) = first(bytes);
    let (frames, left) = frames(bytes, usize::from(piece).max(1));
    let (whole, whole_left) = self::frames(bytes, bytes.len().max(1));
    assert_eq!((&frames, &left), (&whole, &whole_left));
    let mut again = BytesMut::new();
    for frame in frames {
        FrameCodec::new(CAPS).encode(frame.clone(), &mut again).expect("what was read can be written");
        let _ = FromRunner::try_from(frame);
    }
    assert_eq!(again, bytes[..again.len()]);
}

/// All frames, and whether what follows them could become one.
fn frames(bytes: &[u8], piece: usize) -> (Vec<Frame>, bool) {
    let (mut codec, mut buffer, mut frames) = (FrameCodec::new(CAPS), BytesMut::new(), Vec::new());
    for piece in bytes.chunks(piece) {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(frame)) => frames.push(frame),
                Ok(None) => break,
                Err(FrameError::Io(error)) => panic!("{error}"),
                Err(_) => return (frames, false),
            }
        }
        // It grows with what has come, and never by what a header announces: up to 1 MiB.
        assert!(buffer.capacity() <= 4 * bytes.len() + 64, "{}", buffer.capacity());
    }
    (frames, true)
}

/// Texts as keys of data, as tenants and as paths of files: what is taken names one thing in one folder and leads nowhere else.
pub fn names(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(key) = store::Key::try_from(text.clone().into_owned()) {
        assert_eq!(key.as_str(), text);
        assert!(is_one_name(&text) && text.is_ascii(), "{text:?}");
    }
    if let Ok(tenant) = engine::Tenant::try_from(&*text) {
        assert!(is_one_name(tenant.as_str()));
        assert!(store::SpaceName::try_from(tenant.as_str()).is_ok(), "a tenant without a space: {text:?}");
    }
    // Lines as the files of one request.
    let paths: Vec<_> = text.split('\n').filter_map(|line| FilePath::new(line.to_owned()).ok()).collect();
    for path in &paths {
        let parts: Vec<_> = std::path::Path::new(path.as_str()).components().collect();
        assert!(
            parts.iter().all(|part| matches!(part, Component::Normal(name) if name.len() <= 255)),
            "{path:?}"
        );
        assert_eq!(parts.len(), path.as_str().split('/').count());
        assert!(!path.as_str().contains('\0'));
    }
    let files = paths.iter().map(|path| InputFile { path: path.clone(), content: Vec::new() }).collect();
    if InputFiles::new(files).is_ok() {
        let mut there = HashSet::from(["main.py"]);
        assert!(paths.iter().all(|path| there.insert(path.as_str())), "two files at one path: {paths:?}");
        let in_a_file = |path: &FilePath| {
            path.as_str().match_indices('/').any(|(at, _)| there.contains(&path.as_str()[..at]))
        };
        assert!(!paths.iter().any(in_a_file), "a file in a file: {paths:?}");
    }
}

fn is_one_name(text: &str) -> bool {
    let mut parts = std::path::Path::new(text).components();
    matches!((parts.next(), parts.next()), (Some(Component::Normal(name)), None) if name == text)
}

/// A keys file: it is taken or a line of it is told, without a word of what is in it.
pub fn keys_file(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Err((line, what)) = keys::Keyring::parse(&text) {
        let broken = text.lines().nth(line - 1).expect("a line of the file");
        // A digest is secret enough: none has fewer digits.
        let told = what.to_string();
        let long = |word: &&str| word.len() >= 32;
        assert!(!broken.split_whitespace().filter(long).any(|word| told.contains(word)), "{told}");
    }
}

/// The scan for imports: every code has a level, and a line that asks for the last module asks for all.
pub fn imports(bytes: &[u8]) {
    let preloads = ["numpy", "pandas", "matplotlib.pyplot"].map(str::to_owned);
    let code = String::from_utf8_lossy(bytes);
    assert!(engine::fuzzing::wanted_level(&code, &preloads) <= preloads.len());
    let asking = format!("import matplotlib.pyplot\n{code}");
    assert_eq!(engine::fuzzing::wanted_level(&asking, &preloads), preloads.len());
    assert_eq!(engine::fuzzing::wanted_level(&code, &[]), 0);
}

/// The check of JSON as it passes by says what `serde_json` says, however it is cut; what it takes as portable is taken without too.
pub fn json(bytes: &[u8]) {
    let (piece, bytes) = first(bytes);
    let check = |rules, piece: usize| {
        let mut check = StreamCheck::new(rules);
        bytes.chunks(piece.max(1)).try_for_each(|piece| check.feed(piece)).and_then(|()| check.finish())
    };
    // As deep as serde_json goes: it counts one level less than it enters.
    let lenient = Rules { depth: 127, portable: false };
    let passed = check(lenient, usize::from(piece));
    // Which of two mistakes is told first may depend on the pieces: UTF-8 is looked at a piece at a time.
    assert_eq!(passed.is_ok(), check(lenient, bytes.len()).is_ok(), "the pieces matter");
    let text = std::str::from_utf8(bytes);
    let ignored = text.is_ok_and(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    assert_eq!(passed.is_ok(), ignored && text.is_ok_and(|text| depth(text) <= 127), "{passed:?}");
    if check(Rules { depth: 127, portable: true }, usize::from(piece)).is_ok() {
        let text = text.expect("it is UTF-8");
        // Whole numbers may be longer than serde_json's.
        let told =
            serde_json::from_str::<Value>(text).map_or_else(|error| error.to_string(), |_| String::new());
        let long = text.bytes().filter(u8::is_ascii_digit).count() > 300;
        assert!(
            passed.is_ok() && (told.is_empty() || long && told.starts_with("number out of range")),
            "{told}"
        );
    }
}

/// Levels of brackets outside of strings.
fn depth(text: &str) -> usize {
    let (mut depth, mut deepest, mut quoted, mut escaped) = (0_usize, 0, false, false);
    for byte in text.bytes() {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b'[' | b'{' if !quoted => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b']' | b'}' if !quoted => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// A body of `/execute_code`: it is refused as the caller's mistake, or it is JSON without a name twice, and the archive that goes
/// to the runner holds exactly what it brought.
pub fn request(bytes: &[u8]) {
    let request = match api::fuzzing::request(bytes) {
        Ok(request) => request,
        Err(status) => {
            assert!([400, 413, 422].contains(&status), "{status}");
            return;
        }
    };
    assert!(serde_json::from_slice::<Value>(bytes).is_ok_and(|body| body.is_object()));
    assert!(serde_json::from_str::<Value>(request.input_data.get()).is_ok_and(|input| input.is_object()));
    let packed = engine::fuzzing::pack(&request).expect("a request fits into an archive");
    let mut expected: Vec<(String, Vec<u8>)> = request
        .files
        .iter()
        .map(|file| (format!("files/{}", file.path.as_str()), file.content.clone()))
        .collect();
    expected.insert(0, ("main.py".to_owned(), request.code.clone().into_bytes()));
    let mut found: Vec<(String, Vec<u8>)> = Vec::new();
    for entry in tar::Archive::new(packed.as_slice()).entries().expect("an archive") {
        let mut entry = entry.expect("an entry");
        assert_eq!(entry.header().entry_type(), tar::EntryType::Regular);
        let mut content = Vec::new();
        entry.read_to_end(&mut content).expect("its content");
        let path = String::from_utf8(entry.path_bytes().into_owned()).expect("a path in UTF-8");
        match path.as_str() {
            "input.json" => assert_eq!(content, request.input_data.get().as_bytes()),
            "args.json" => assert_eq!(content, serde_json::to_vec(&request.args).expect("texts")),
            "stdin" => assert_eq!(content, request.stdin.as_bytes()),
            _ => found.push((path, content)),
        }
    }
    assert_eq!(found, expected);
}

fn first(bytes: &[u8]) -> (u8, &[u8]) {
    bytes.split_first().map_or((0, bytes), |(first, rest)| (*first, rest))
}

#[cfg(test)]
mod tests;
