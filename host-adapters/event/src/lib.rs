//! What a worker is handed and what it answers: the records of `wit/events.wit` and the attributes that they share with
//! the platform's messages, one type each for host and guests.
//!
//! - wit-bindgen's code for guests and wasmtime's for the host are told to use these types (`with`), so neither
//!   generates one of its own and nothing is converted. Fields and cases are WIT's.
//! - The functions of `host-adapters-sources` make events of them, for the host and for the guests' library.
//! - [`endpoint`]: the same over HTTP, which either the guest or the host serves; [`appsync`]: what AppSync's events say of it.
//! - [`source_name`]: names of sources, for code that does not depend on the sources.
//! - [`ServiceStatus`]: what the status of a service's answer means; [`service_error_code`]: what its refusal says itself.
//! - [`json`]: reading payloads, with errors that name the field.

pub mod appsync;
mod attribute;
mod call_error;
mod disposition;
pub mod endpoint;
mod event;
pub mod json;
mod request;
mod service_error;
mod service_status;
pub mod source_name;
mod text;

pub use attribute::{Attribute, AttributeValue};
pub use call_error::CallError;
pub use disposition::{Disposition, Failure, Retry, UNANSWERED, gravest};
pub use event::{Event, Payload};
pub use request::{Request, Response};
pub use service_error::service_error_code;
pub use service_status::ServiceStatus;
pub use text::{can_follow, cut, is_queue_char};
