//! The host's binary: the command line, on a multi-threaded runtime.

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// A message costs hundreds of small allocations: with libc's allocator, a fifth of the CPU time (docs/performance.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    host_adapters::cli::run().await
}
