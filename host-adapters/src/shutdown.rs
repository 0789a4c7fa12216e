//! The signals that stop the host.

use tokio::signal::unix::{Signal, SignalKind, signal as listen};

/// The exit code of a process that SIGINT ended: 128 and the signal's number.
pub(crate) const INTERRUPTED: u8 = 130;

/// SIGTERM and SIGINT.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// From now on the signals do not end the process by themselves.
    ///
    /// # Errors
    /// When the process may not listen for signals.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: listen(SignalKind::terminate())?, interrupt: listen(SignalKind::interrupt())? })
    }

    /// Waits for either signal and names it.
    pub async fn first(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }

    /// Ends the process at the next SIGINT, whatever it is doing. That is what a crash does: work in flight is delivered
    /// again.
    pub async fn end_at_interrupt(mut self) {
        self.interrupt.recv().await;
        eprintln!("host-adapters: ended at once; work in flight is delivered again");
        std::process::exit(INTERRUPTED.into());
    }
}
