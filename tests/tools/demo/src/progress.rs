//! Progress on stderr: bars on a terminal, one line for each step elsewhere.

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use std::io::IsTerminal;

/// All bars of a run.
#[derive(Clone)]
pub struct Progress {
    bars: MultiProgress,
    terminal: bool,
}

impl Progress {
    /// Shows bars if stderr is a terminal.
    pub fn new() -> Self {
        Self { bars: MultiProgress::new(), terminal: std::io::stderr().is_terminal() }
    }

    /// A bar for a step of `length` parts.
    pub fn bar(&self, step: &str, length: usize) -> ProgressBar {
        self.announce(step);
        let bar = self.bars.add(ProgressBar::new(length as u64));
        let template = "{msg:<34} {bar:32} {pos:>6}/{len:<6} {per_sec:>10} {elapsed:>4}";
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style);
        }
        bar.set_message(step.to_owned());
        bar
    }

    /// Names the step that begins, if there are no bars.
    pub fn announce(&self, step: &str) {
        if !self.terminal {
            eprintln!("demo: {step}");
        }
    }

    /// Prints a line above the bars.
    pub fn say(&self, text: &str) {
        self.bars.suspend(|| eprintln!("demo: {text}"));
    }
}
