//! host-adapters-runtime
