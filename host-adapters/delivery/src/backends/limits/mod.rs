//! What every backend accepts, checked before a backend is asked: a wrong item or message fails alone, not its batch.

pub(in crate::backends) mod document;
pub(in crate::backends) mod item;
pub(in crate::backends) mod message;
pub(in crate::backends) mod path;

use platform_wire::{Error, ErrorKind};

/// An error of a call that is wrong in itself.
pub(in crate::backends) fn invalid(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Invalid, message)
}
