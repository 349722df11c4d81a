//! Both sides decode the files in `golden/`: these tests are the Rust side's half, `runner-image/tests/test_frames.py`
//! the Python side's.

use std::{collections::BTreeSet, fs, path::Path};

use bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use crate::{
    frame::{Caps, Frame, FrameCodec, Kind},
    message::*,
};

const CAPS: Caps = Caps { result: 1 << 20, figures: 1 << 20 };

fn golden(name: &str) -> BytesMut {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name).with_extension("bin");
    BytesMut::from(&fs::read(path).unwrap()[..])
}

fn to_runner() -> Vec<(&'static str, ToRunner)> {
    let execute =
        Execute { timeout_ms: 30_000, output_limit: 1 << 20, max_output_files: 64, files_limit: 16 << 20 };
    let known = Known { content_type: "text/csv".into(), size: 12 };
    vec![
        ("preload", ToRunner::Preload(Preload { module: "numpy".into() })),
        ("execute", ToRunner::Execute(execute)),
        ("archive", ToRunner::Archive((0..=255).collect::<Vec<u8>>().into())),
        ("archive-end", ToRunner::ArchiveEnd),
        ("cancel", ToRunner::Cancel),
        ("data-value", ToRunner::Data(Data::Value(known.clone()))),
        ("data-missing", ToRunner::Data(Data::Missing)),
        ("data-keys", ToRunner::Data(Data::Keys { keys: vec!["a".into(), "b.csv".into()], more: true })),
        ("data-unreadable", ToRunner::Data(Data::Unreadable)),
        ("data-opened", ToRunner::DataOpened(Opened { known, start: Bytes::from_static(b"n\n1\n\xff\0") })),
        ("data-chunk", ToRunner::DataChunk((0..=255).collect::<Vec<u8>>().into())),
    ]
}

fn from_runner() -> Vec<(&'static str, FromRunner)> {
    let usage = Usage { wall_time: 0.02, cpu_time: 0.01, peak_memory: 12 << 20 };
    let finished = Finished {
        status: Status::Ok,
        exit_code: Some(0),
        signal: None,
        error: None,
        execution_time: 0.0125,
        usage,
        truncated: Truncated::default(),
        omitted: vec![Omitted { name: "f".into(), reason: "nested deeper than 100 levels".into() }],
    };
    let crashed = Finished {
        status: Status::Crashed,
        exit_code: None,
        signal: Some("SIGSEGV".into()),
        execution_time: 0.5,
        usage: Usage { wall_time: 0.5, cpu_time: 0.25, ..usage },
        truncated: Truncated { stdout: true, stderr: false },
        omitted: vec![],
        ..finished.clone()
    };
    let failed = Preloaded {
        module: "nonesuch".into(),
        error: Some("ModuleNotFoundError: No module named 'nonesuch'".into()),
    };
    let display = Display {
        text: "   a\n0  1".into(),
        html: Some("<b>zw\u{f6}lf</b>".into()),
        png: Some("iVBORw0KGgo=".into()),
    };
    vec![
        ("ready", FromRunner::Ready(Ready { protocol: 5, python: "3.13.5".into() })),
        ("preloaded", FromRunner::Preloaded(Preloaded { module: "numpy".into(), error: None })),
        ("preloaded-failed", FromRunner::Preloaded(failed)),
        ("started", FromRunner::Started),
        ("rehearsed", FromRunner::Rehearsed),
        ("stdout", FromRunner::Stdout(Bytes::from_static(b"zw\xc3\xb6lf 12\n\xff\x00"))),
        ("stderr", FromRunner::Stderr(Bytes::from_static(b"warning\n"))),
        ("result", FromRunner::Result(Bytes::from_static(br#"{"total": 6, "name2": "ADA"}"#))),
        ("display", FromRunner::Display(display)),
        (
            "figure",
            FromRunner::Figure(Figure { png: golden("figure").split_off(5).into(), width: 2, height: 1 }),
        ),
        (
            "file",
            FromRunner::File(FilePiece {
                path: "out/zwölf.bin".into(),
                content: Bytes::from_static(b"\xff\0\n"),
            }),
        ),
        ("data-request-find", FromRunner::DataRequest(DataRequest::Find { key: "sales".into() })),
        ("data-request-open", FromRunner::DataRequest(DataRequest::Open { key: "sales".into() })),
        ("data-request-read", FromRunner::DataRequest(DataRequest::Read)),
        ("data-request-list", FromRunner::DataRequest(DataRequest::List { after: Some("a".into()) })),
        ("finished-ok", FromRunner::Finished(finished)),
        ("finished-crashed", FromRunner::Finished(crashed)),
    ]
}

#[test]
fn every_message_to_the_runner_is_written_as_in_its_golden_file() {
    for (name, message) in to_runner() {
        let mut bytes = BytesMut::new();
        FrameCodec::new(CAPS).encode(message.into(), &mut bytes).unwrap();
        assert_eq!(bytes, golden(name), "{name}");
    }
}

#[test]
fn every_message_from_the_runner_is_read_from_its_golden_file() {
    for (name, message) in from_runner() {
        let frame: Frame = FrameCodec::new(CAPS).decode_eof(&mut golden(name)).unwrap().unwrap();
        assert_eq!(FromRunner::try_from(frame).unwrap(), message, "{name}");
    }
}

#[test]
fn every_golden_file_is_tested() {
    let tested: BTreeSet<String> = to_runner()
        .iter()
        .map(|(name, _)| *name)
        .chain(from_runner().iter().map(|(name, _)| *name))
        .map(|name| format!("{name}.bin"))
        .collect();
    let files = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("golden")).unwrap();
    let files: BTreeSet<String> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(files, tested);
}

#[test]
fn a_message_of_the_wrong_direction_or_shape_is_refused() {
    for (_, message) in to_runner() {
        let error = FromRunner::try_from(Frame::from(message)).unwrap_err();
        assert!(error.to_string().ends_with("travels the other way"));
    }
    for payload in ["", "[]", "{}", r#"{"protocol":"1","python":"3"}"#, "\u{0}"] {
        let frame = Frame { kind: Kind::Ready, payload: payload.into() };
        assert!(FromRunner::try_from(frame).is_err(), "{payload:?}");
    }
    let png_without_a_size = &golden("figure")[5..28];
    for (kind, payload, what) in [
        (Kind::Figure, &b""[..], "not a PNG"),
        (Kind::Figure, b"GIF89a..................................", "not a PNG"),
        (Kind::Figure, png_without_a_size, "not a PNG"),
        (Kind::File, b"\0", "no path"),
        (Kind::File, b"\0\x05abcd", "no path"),
        (Kind::File, b"\0\x01\xff", "a path that is not UTF-8"),
        (Kind::Display, br#"{"text/plain": "", "image/png": "\""}"#, "not base64"),
        (Kind::Display, br#"{"text/html": ""}"#, ""),
    ] {
        let frame = Frame { kind, payload: Bytes::copy_from_slice(payload) };
        let error = FromRunner::try_from(frame).unwrap_err().to_string();
        assert!(error.ends_with(what), "{kind:?} {payload:?}: {error}");
    }
}
