//! The platform's records and functions, once for the whole host. `wit/deps/registration-platform/platform.wit`
//! defines them; this crate says the same in Rust.
//!
//! - [`platform_functions!`]: the list of all functions. Everything that goes through all of them is made from it:
//!   the trait [`Platform`], the arguments, the imports of the sandbox, the gateway's routes, the stubs of
//!   pre-initialisation.
//! - One module per WIT interface: its records, and the arguments of its functions.
//!
//! # The gateway's JSON
//! `POST /platform/<interface>/<function>` with WIT's names in the path. The body is an object of the arguments, the
//! answer `{"Ok": <output>}` or `{"Err": <error>}` with status 200. Inside, names are Rust's: members of records are
//! in snake case (`retry_after_ms`), cases of enums and variants in camel case (`"NotFound"`, `{"Exists": "a.b"}`),
//! tuples are arrays, an absent option is `null` or left out. It is the serde form both of these types and of those
//! that wit-bindgen generates for guests; the test `wire` of `tests/` compares the two.

#[macro_use]
mod record;
pub mod cache;
mod error;
#[macro_use]
mod interfaces;
mod functions;
mod weight;

pub use error::{Error, ErrorKind};
pub use functions::*;
pub use host_adapters_event::{Attribute, AttributeValue, is_queue_char, source_name};
pub use weight::Weight;

/// One function of the platform: its arguments are the type that implements this.
pub trait Function: serde::Serialize + serde::de::DeserializeOwned + Weight + Send {
    /// `<interface>/<function>`, as in the path of the gateway.
    const PATH: &'static str;
    /// Its output.
    type Output: serde::Serialize + serde::de::DeserializeOwned;

    /// What the call is about, as notes of outages have it: `table:demand-table`, or the interface's name alone.
    fn resource(&self) -> String;
}
