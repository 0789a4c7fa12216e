//! The cache: Redis through Spin. A broken cache never fails a call: it is a miss with a warning. The rest of the call
//! goes without it, so that it waits for a cache that hangs once and not for each command.

use crate::{Call, variables};
use serde_json::json;
use spin_sdk::redis::{Connection, Error, RedisParameter};
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The variable that holds the cache's address.
const ADDRESS: &str = "redis_url";

thread_local! {
    /// The connection, kept for later calls of this instance until one fails.
    static KEPT: RefCell<Option<Rc<Connection>>> = const { RefCell::new(None) };
}

/// The cache, for one call.
#[derive(Debug)]
pub struct Cache<'a> {
    call: &'a Call,
    broken: Cell<bool>,
}

impl<'a> Cache<'a> {
    /// The cache at the address in the variable `redis_url`. It connects at first use.
    pub fn new(call: &'a Call) -> Self {
        Self { call, broken: Cell::new(false) }
    }

    /// The value of a key; `None` if there is none or the cache fails.
    pub async fn get(&self, key: &str) -> Option<Vec<u8>> {
        if self.broken.get() {
            return None;
        }
        let read = async { connect().await?.get(key).await.map_err(failed) };
        match read.await {
            Ok(value) => value,
            Err(problem) => self.warn("Cache read failed, taken as a miss", key, &problem),
        }
    }

    /// Sets a key for this many seconds.
    pub async fn set(&self, key: &str, value: &[u8], seconds: u32) {
        if self.broken.get() {
            return;
        }
        let arguments = [
            RedisParameter::Binary(key.as_bytes().to_vec()),
            RedisParameter::Binary(value.to_vec()),
            RedisParameter::Binary(b"EX".to_vec()),
            RedisParameter::Int64(seconds.into()),
        ];
        let write = async { connect().await?.execute("SET", arguments).await.map_err(failed) };
        if let Err(problem) = write.await {
            self.warn::<()>("Cache write failed, left out", key, &problem);
        }
    }

    fn warn<T>(&self, message: &str, key: &str, problem: &str) -> Option<T> {
        // Of commands that fail together only the first warns.
        if !self.broken.replace(true) {
            self.call.warn(message, json!({"key": key, "problem": problem}));
        }
        None
    }
}

async fn connect() -> Result<Rc<Connection>, String> {
    if let Some(kept) = KEPT.with_borrow(Clone::clone) {
        return Ok(kept);
    }
    let address = variables::required(ADDRESS).await?;
    let opened = Rc::new(Connection::open(address).await.map_err(failed)?);
    KEPT.set(Some(opened.clone()));
    Ok(opened)
}

/// The error, for the log. The connection is dropped, because only a new one may work.
fn failed(error: Error) -> String {
    KEPT.set(None);
    format!("{error:?}")
}
