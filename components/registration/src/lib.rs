//! registration
pub mod entry;
