//! Slow tests: builds of a changed project.

mod additions;
mod blocks;
