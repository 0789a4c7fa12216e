//! The demo and the benchmark, run as programs.

mod bench_output;
mod on_servers;
mod slow;
