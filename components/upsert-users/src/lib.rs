//! upsert-users
