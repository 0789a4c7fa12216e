//! What operators see of a host and rely on: metrics, alerts, logs; and a cache that fails.

mod calls;
mod documents;
mod first;
mod late;
mod logs;
mod metrics;
mod queries;
mod redis;
mod redis_server;

use host_adapters::backends::KINDS;
use host_adapters::manifest::runtime_config::RuntimeConfig;
use host_adapters_platform::Declared;
use std::path::Path;

/// The runtime configuration whose cache is this Redis.
fn cached_in(url: &str) -> RuntimeConfig {
    let text = format!("[cache]\ntype = \"redis\"\nurl = \"{url}\"\n");
    RuntimeConfig::parse(Path::new("runtime-config.toml"), &text, KINDS, &Declared::default(), &|_| None).unwrap()
}
