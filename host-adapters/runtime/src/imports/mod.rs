//! The host functions that a guest may call, one file per interface.

pub(crate) mod http;
mod platform;
pub mod redis;
mod variables;
