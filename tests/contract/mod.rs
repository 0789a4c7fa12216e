//! What the embedded backends promise: the contract of all backends, and what is theirs alone.

mod crash;
mod embedded;
mod grants;
mod identity;
mod redrive;
mod scripted;
mod signer;

crate::suites::contract!(on_embedded, crate::contract::embedded::open);
