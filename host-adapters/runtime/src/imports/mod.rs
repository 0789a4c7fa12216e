//! The host functions that a guest may call, one file per interface.

pub(crate) mod http;
pub(crate) mod platform;
pub mod redis;
mod variables;
