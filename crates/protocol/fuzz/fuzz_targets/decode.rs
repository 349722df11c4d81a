//! Any bytes a runner could send, cut anywhere: no panic, no memory beyond what was received.
//!
//! `cargo +nightly fuzz run decode` in `crates/protocol`.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use protocol::{frame::{Caps, FrameCodec}, message::FromRunner};
use tokio_util::codec::Decoder;

fuzz_target!(|input: (u8, &[u8])| {
    let (piece, bytes) = input;
    let mut codec = FrameCodec::new(Caps { result: 1 << 20, figures: 1 << 20 });
    let mut buffer = BytesMut::new();
    for piece in bytes.chunks(usize::from(piece).max(1)) {
        buffer.extend_from_slice(piece);
        loop {
            match codec.decode(&mut buffer) {
                Ok(Some(frame)) => {
                    assert!(frame.payload.len() <= bytes.len());
                    let _ = FromRunner::try_from(frame);
                }
                Ok(None) => break,
                Err(_) => return,
            }
        }
        assert!(buffer.len() <= bytes.len());
    }
});
