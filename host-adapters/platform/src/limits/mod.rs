//! What every backend accepts, checked before a backend is asked: an invalid item or message fails alone, not its
//! batch.

pub mod document;
pub mod item;
pub mod message;
pub mod number;
pub mod object;
pub mod path;
mod size;

use host_adapters_records::{Error, ErrorKind};

/// Error of a call over the byte limit.
pub fn too_large(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::TooLarge, message)
}

/// The error of a call that can never succeed.
pub fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}
