//! The guest library, shared by all workers, without business rules.
//!
//! - [`batch_worker!`] and [`request_worker!`] make a component of a [`BatchWorker`] or [`RequestWorker`].
//! - [`batch`]: what workers share that read records before they handle them.
//! - [`pages`]: lists that come in pages; [`messages`]: many messages for one queue; [`calls`]: calls about many parts.
//! - [`lambda`]: the event JSON of AWS Lambda, both ways. Pure.
//! - [`endpoint`]: the HTTP endpoint at `/workers/<id>`, which uses these events.
//! - [`Call`], [`log`]: logs and spans that carry the call's correlation id.
//! - [`lenient`]: members of bodies that other programs write.
//! - [`platform`], [`services`], [`cache`]: the interfaces that a worker may call; [`campaigns`]: campaigns through the
//!   cache.

pub mod batch;
pub mod bindings;
pub mod cache;
mod call;
pub mod calls;
pub mod campaigns;
pub mod endpoint;
mod export;
pub mod lambda;
pub mod log;
pub mod messages;
pub mod pages;
pub mod platform;
pub mod services;
#[cfg(feature = "testing")]
pub mod testing;
mod turn;
pub mod variables;
#[doc(hidden)]
pub mod worker;

/// A call allocates and frees thousands of small pieces; this allocator takes half of the time of libc's.
#[cfg(target_family = "wasm")]
#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

pub use call::{Call, Span};
pub use host_adapters_json::lenient;
pub use turn::yield_now;
pub use worker::{
    Attribute, AttributeValue, BatchWorker, Disposition, Event, Failure, Payload, Request, RequestWorker, Response,
    Retry,
};

pub use spin_sdk::time::sleep;

#[doc(hidden)]
pub use spin_sdk;
