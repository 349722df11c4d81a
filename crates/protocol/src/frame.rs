//! Frames: one byte kind, four bytes length, payload. See `PROTOCOL.md`.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio_util::codec::{Decoder, Encoder};

const KIB: usize = 1024;
const MIB: usize = 1024 * KIB;
const HEADER: usize = 5;

/// What a frame is; the numbers are the ones on the wire and are never reused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
#[expect(missing_docs, reason = "PROTOCOL.md describes every kind")]
pub enum Kind {
    Preload = 0x01,
    Execute = 0x02,
    Archive = 0x03,
    ArchiveEnd = 0x04,
    Cancel = 0x05,
    Data = 0x06,
    DataChunk = 0x07,
    DataOpened = 0x08,
    Ready = 0x81,
    Preloaded = 0x82,
    Stdout = 0x83,
    Stderr = 0x84,
    Result = 0x85,
    Finished = 0x86,
    Started = 0x87,
    Figure = 0x88,
    File = 0x89,
    Display = 0x8a,
    DataRequest = 0x8b,
    Rehearsed = 0x8c,
}

/// Caps that both sides know before they speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Of [`Kind::Result`], bytes.
    pub result: usize,
    /// Of [`Kind::Figure`] and [`Kind::Display`], bytes.
    pub figures: usize,
}

/// Figures of one execution at most.
pub const MAX_FIGURES: usize = 64;

impl Kind {
    const ALL: [Self; 20] = [
        Self::Preload,
        Self::Execute,
        Self::Archive,
        Self::ArchiveEnd,
        Self::Cancel,
        Self::Data,
        Self::DataChunk,
        Self::DataOpened,
        Self::Ready,
        Self::Preloaded,
        Self::Stdout,
        Self::Stderr,
        Self::Result,
        Self::Finished,
        Self::Started,
        Self::Figure,
        Self::File,
        Self::Display,
        Self::DataRequest,
        Self::Rehearsed,
    ];

    fn from_wire(byte: u8) -> Result<Self, FrameError> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == byte).ok_or(FrameError::UnknownKind(byte))
    }

    /// Largest payload in bytes.
    fn cap(self, caps: Caps) -> usize {
        match self {
            Self::ArchiveEnd | Self::Cancel | Self::Started | Self::Rehearsed => 0,
            Self::Preload | Self::Ready | Self::Preloaded | Self::DataRequest => 4 * KIB,
            Self::Execute | Self::Stdout | Self::Stderr => 64 * KIB,
            Self::Archive | Self::Data | Self::DataChunk | Self::DataOpened | Self::Finished | Self::File => {
                MIB
            }
            Self::Result => caps.result,
            Self::Figure | Self::Display => caps.figures,
        }
    }
}

/// One frame, its payload not yet interpreted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What the payload is.
    pub kind: Kind,
    /// At most the kind's cap.
    pub payload: Bytes,
}

/// Why a byte stream is not a sequence of frames.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// The kind byte is none of ours.
    #[error("unknown frame kind {0:#04x}")]
    UnknownKind(u8),
    /// The announced or given payload is over the kind's cap.
    #[error("{kind:?} frame of {length} bytes is over its cap of {cap}")]
    TooLong {
        /// Kind of the frame.
        kind: Kind,
        /// Announced length.
        length: usize,
        /// What the kind may have.
        cap: usize,
    },
    /// Reading or writing failed.
    #[error("the pipe failed")]
    Io(#[from] std::io::Error),
}

/// Cuts a byte stream into frames and back.
///
/// Memory: never more than one frame beyond what was actually received; the announced length allocates nothing.
#[derive(Clone, Debug)]
pub struct FrameCodec {
    caps: Caps,
}

impl FrameCodec {
    /// A codec with these caps.
    pub fn new(caps: Caps) -> Self {
        Self { caps }
    }

    fn check(&self, kind: Kind, length: usize) -> Result<(), FrameError> {
        let cap = kind.cap(self.caps);
        if length > cap { Err(FrameError::TooLong { kind, length, cap }) } else { Ok(()) }
    }
}

impl Decoder for FrameCodec {
    type Item = Frame;
    type Error = FrameError;

    fn decode(&mut self, source: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        let Some(header) = source.first_chunk::<HEADER>() else { return Ok(None) };
        let [kind, length @ ..] = *header;
        let kind = Kind::from_wire(kind)?;
        let length = u32::from_be_bytes(length) as usize;
        self.check(kind, length)?;
        if source.len() < HEADER + length {
            return Ok(None);
        }
        source.advance(HEADER);
        Ok(Some(Frame { kind, payload: source.split_to(length).freeze() }))
    }
}

impl Encoder<Frame> for FrameCodec {
    type Error = FrameError;

    fn encode(&mut self, frame: Frame, destination: &mut BytesMut) -> Result<(), FrameError> {
        let length = frame.payload.len();
        self.check(frame.kind, length)?;
        destination.reserve(HEADER + length);
        destination.put_u8(frame.kind as u8);
        destination.put_u32(u32::try_from(length).map_err(|_| FrameError::TooLong {
            kind: frame.kind,
            length,
            cap: u32::MAX as usize,
        })?);
        destination.extend_from_slice(&frame.payload);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CAPS: Caps = Caps { result: 200, figures: 100 };
    const NONE: Caps = Caps { result: 0, figures: 0 };

    fn decode_all(codec: &mut FrameCodec, pieces: &[&[u8]]) -> Result<Vec<Frame>, FrameError> {
        let mut buffer = BytesMut::new();
        let mut frames = Vec::new();
        for piece in pieces {
            buffer.extend_from_slice(piece);
            while let Some(frame) = codec.decode(&mut buffer)? {
                frames.push(frame);
            }
        }
        while let Some(frame) = codec.decode_eof(&mut buffer)? {
            frames.push(frame);
        }
        Ok(frames)
    }

    fn any_frame() -> impl Strategy<Value = Frame> {
        (proptest::sample::select(Kind::ALL.to_vec()), proptest::collection::vec(any::<u8>(), 0..300))
            .prop_map(|(kind, mut payload)| {
                payload.truncate(kind.cap(CAPS));
                Frame { kind, payload: payload.into() }
            })
    }

    proptest! {
        #[test]
        fn frames_come_back_whole_however_the_stream_is_split(
            frames in proptest::collection::vec(any_frame(), 0..8),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        ) {
            let mut codec = FrameCodec::new(CAPS);
            let mut bytes = BytesMut::new();
            for frame in &frames {
                codec.encode(frame.clone(), &mut bytes).unwrap();
            }
            let mut at: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            at.extend([0, bytes.len()]);
            at.sort_unstable();
            let pieces: Vec<&[u8]> = at.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
            prop_assert_eq!(decode_all(&mut codec, &pieces).unwrap(), frames);
        }

        #[test]
        fn any_bytes_decode_or_fail_without_panic_or_growth(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let mut buffer = BytesMut::from(&bytes[..]);
            let before = buffer.capacity();
            let mut codec = FrameCodec::new(CAPS);
            while let Ok(Some(frame)) = codec.decode(&mut buffer) {
                prop_assert!(frame.payload.len() <= bytes.len());
            }
            prop_assert!(buffer.capacity() <= before);
        }
    }

    #[test]
    fn a_claimed_length_above_the_cap_is_refused_before_its_payload_arrives() {
        let mut buffer = BytesMut::from(&[Kind::Result as u8, 0xff, 0xff, 0xff, 0xff][..]);
        let error = FrameCodec::new(CAPS).decode(&mut buffer).unwrap_err();
        assert_eq!(error.to_string(), "Result frame of 4294967295 bytes is over its cap of 200");
    }

    #[test]
    fn a_large_allowed_length_allocates_nothing_until_bytes_arrive() {
        let mut buffer = BytesMut::from(&[Kind::Result as u8, 0x40, 0, 0, 0][..]);
        assert!(
            FrameCodec::new(Caps { result: usize::MAX, figures: 0 }).decode(&mut buffer).unwrap().is_none()
        );
        assert!(buffer.capacity() < 1000);
    }

    #[test]
    fn an_unknown_kind_is_refused_by_its_first_byte() {
        let error = decode_all(&mut FrameCodec::new(NONE), &[&[0x7f, 0, 0, 0, 0]]).unwrap_err();
        assert_eq!(error.to_string(), "unknown frame kind 0x7f");
    }

    #[test]
    fn a_stream_that_ends_inside_a_frame_is_an_error() {
        let error =
            decode_all(&mut FrameCodec::new(NONE), &[&[Kind::Stdout as u8, 0, 0, 0, 2, b'x']]).unwrap_err();
        assert!(matches!(error, FrameError::Io(_)));
    }
}
