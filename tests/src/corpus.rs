//! The fault corpus: attacks and faults as data, one file each, played against the product as it is shipped.
//!
//! tests/corpus/README.md says how a case is written. While a case is played a [`bystander`] uses the service as well; when it
//! is over, the [`aftermath`] has to be as if it had never been.

pub mod aftermath;
pub mod bystander;
pub mod case;
mod contract;
mod expectation;
mod operator;
mod play;
mod raw;
mod seized;
pub mod stage;
