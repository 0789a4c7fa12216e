//! On real servers.

mod bench;
mod demo;
