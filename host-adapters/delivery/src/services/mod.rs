//! Outbound HTTP policy: which hosts a component may call, and what stands behind the virtual hosts of the services.

mod allowed_hosts;
mod config;

pub use allowed_hosts::{AllowedHosts, InvalidHost};
pub use config::{LimitBy, RateLimit, ServiceConfig};
