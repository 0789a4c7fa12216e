//! The binary: the command line, on a multi-threaded runtime.

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    host_adapters::cli::run().await
}
