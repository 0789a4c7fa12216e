//! The certificates: as they are in their files now, and what is wrong with them, in one sentence.

mod handshake;
mod material;

pub(crate) use handshake::fault_of_connection;
pub(crate) use material::Material;
