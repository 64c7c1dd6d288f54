//! The form in which values cross to and from Python: MessagePack with extension types.
//!
//! Containers and integers that MessagePack lacks are extension types whose content is again
//! MessagePack or, for integers, their bytes.

mod read;
mod steps;
mod write;

pub use read::encode;
pub use steps::read_steps;
pub use write::{decode, extract, pluck};

pub(crate) const TUPLE: u8 = 1;
pub(crate) const BIG_INTEGER: u8 = 2;
pub(crate) const SET: u8 = 9;
pub(crate) const FROZEN_SET: u8 = 10;
pub(crate) const PAIRS: u8 = 12;
