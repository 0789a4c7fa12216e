//! The demo and the benchmark on real servers.

mod bench;
mod demo;
