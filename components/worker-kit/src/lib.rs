//! worker-kit
