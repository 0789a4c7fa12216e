//! The host's binary: the command line, on a multi-threaded runtime.

use mimalloc::MiMalloc;
use std::process::ExitCode;
use std::time::Duration;

/// A message costs hundreds of small allocations: with libc's allocator, a fifth of the CPU time (docs/performance.md).
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

/// How long work on other threads, such as compiling a component, may delay the end of the process.
const END_LIMIT: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("host-adapters: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(host_adapters::cli::run());
    runtime.shutdown_timeout(END_LIMIT);
    code
}
