//! The project itself: its documents, its invariants, its fuzz corpora.

mod contract;
mod fuzz;
mod readme;
mod settings;
mod tidy;
mod wire;
