//! Both sides decode the files in `golden/`: these tests are the Rust side's half, `runner-image/tests/test_frames.py`
//! the Python side's.

use std::{collections::BTreeSet, fs, path::Path};

use bytes::{Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

use crate::{
    frame::{Frame, FrameCodec},
    message::*,
};

fn golden(name: &str) -> BytesMut {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("golden").join(name).with_extension("bin");
    BytesMut::from(&fs::read(path).unwrap()[..])
}

fn to_runner() -> Vec<(&'static str, ToRunner)> {
    let execute = Execute { timeout_ms: 30_000, output_limit: 1 << 20 };
    vec![
        ("preload", ToRunner::Preload(Preload { module: "numpy".into() })),
        ("execute", ToRunner::Execute(execute)),
        ("archive", ToRunner::Archive((0..=255).collect::<Vec<u8>>().into())),
        ("archive-end", ToRunner::ArchiveEnd),
        ("cancel", ToRunner::Cancel),
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
    vec![
        ("ready", FromRunner::Ready(Ready { protocol: 2, python: "3.13.5".into() })),
        ("preloaded", FromRunner::Preloaded(Preloaded { module: "numpy".into(), error: None })),
        ("preloaded-failed", FromRunner::Preloaded(failed)),
        ("started", FromRunner::Started),
        ("stdout", FromRunner::Stdout(Bytes::from_static(b"zw\xc3\xb6lf 12\n\xff\x00"))),
        ("stderr", FromRunner::Stderr(Bytes::from_static(b"warning\n"))),
        ("result", FromRunner::Result(Bytes::from_static(br#"{"total": 6, "name2": "ADA"}"#))),
        ("finished-ok", FromRunner::Finished(finished)),
        ("finished-crashed", FromRunner::Finished(crashed)),
    ]
}

#[test]
fn every_message_to_the_runner_is_written_as_in_its_golden_file() {
    for (name, message) in to_runner() {
        let mut bytes = BytesMut::new();
        FrameCodec::new(0).encode(message.into(), &mut bytes).unwrap();
        assert_eq!(bytes, golden(name), "{name}");
    }
}

#[test]
fn every_message_from_the_runner_is_read_from_its_golden_file() {
    for (name, message) in from_runner() {
        let frame: Frame = FrameCodec::new(1 << 20).decode_eof(&mut golden(name)).unwrap().unwrap();
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
        let frame = Frame { kind: crate::frame::Kind::Ready, payload: payload.into() };
        assert!(FromRunner::try_from(frame).is_err(), "{payload:?}");
    }
}
