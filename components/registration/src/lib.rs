//! The domain of registrations: campaigns, who may enter them, and what an entry must look like.
//!
//! Pure: no I/O, no clock, no WIT. A rule asks its caller for facts by name ([`eligibility::Question`]) and takes the
//! time as an argument, so every rule is tested natively. The JSON Schemas in `schemas/domain/` define the documents;
//! the types here follow them and ignore unknown members.

pub mod campaign;
pub mod country;
pub mod eligibility;
pub mod email;
pub mod entry;
pub mod field;
pub mod fields;
pub mod gate;
pub mod market;
pub mod phone;
pub mod postal_code;
pub mod reason;
pub mod selection;
pub mod text;
pub mod user_info;

/// Loads phone metadata, the formats of postal codes and the expressions of the USA, so that the first call is as fast
/// as later ones. Workers call it in `wizer-initialize`, whose memory is frozen into the component.
pub fn warm_up() {
    phone::warm_up();
    postal_code::warm_up();
}
