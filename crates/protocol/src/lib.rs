//! The bytes on the pipe between the control plane and a runner; no I/O.
//!
//! The contract is `PROTOCOL.md` beside this crate. [`frame`] cuts a byte stream into frames, [`message`] gives them
//! meaning. Everything a runner sends is untrusted: a length is checked against its cap before a byte is allocated for
//! it, and a message that does not decode ends the conversation.

pub mod frame;
pub mod message;

/// Version of the protocol spoken by this build; a runner that answers with another one is refused.
pub const VERSION: u32 = 5;

#[cfg(test)]
mod golden;
