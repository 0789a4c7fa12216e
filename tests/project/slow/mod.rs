//! What takes long: builds of a changed project.

mod additions;
mod blocks;
