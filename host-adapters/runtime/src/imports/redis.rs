//! `spin:redis` over the cache that the host opens.

use crate::bindings::spin::redis::redis::{
    Error, Host, HostConnection, HostConnectionWithStore, Payload, RedisParameter, RedisResult,
};
use crate::budget::{self, Permit};
use crate::state::State;
use host_adapters_records::Weight;
use host_adapters_records::cache::{CacheArgument, CacheBackend, CacheError, CacheReply};
use std::sync::Arc;
use wasmtime::component::{Accessor, HasSelf, Resource};

/// An open connection of a guest.
pub struct Connection(Arc<dyn CacheBackend>);

impl Host for State {}
impl HostConnection for State {
    async fn drop(&mut self, connection: Resource<Connection>) -> wasmtime::Result<()> {
        self.table.delete(connection)?;
        Ok(())
    }
}

/// The cache of a connection, and a permit for a call with this many bytes of arguments.
fn cache<T>(
    store: &Accessor<T, HasSelf<State>>,
    connection: &Resource<Connection>,
    weight: usize,
) -> Result<(Arc<dyn CacheBackend>, Permit), Error> {
    store.with(|mut access| {
        let state = access.get();
        let connection = state.table.get(connection).map_err(|error| Error::Other(error.to_string()))?;
        let permit = state.budget.call(weight).ok_or_else(|| Error::Other(budget::refusal()))?;
        Ok((connection.0.clone(), permit))
    })
}

impl<T: Send> HostConnectionWithStore<T> for HasSelf<State> {
    async fn open(store: &Accessor<T, Self>, address: String) -> Result<Resource<Connection>, Error> {
        let (host, component, digest) = store.with(|mut access| {
            let state = access.get();
            (state.host.clone(), state.component.clone(), state.digest.clone())
        });
        let cache = host.open_cache(&component, &digest, &address).await.ok_or(Error::InvalidAddress)?;
        store.with(|mut access| access.get().table.push(Connection(cache)).map_err(|_| Error::TooManyConnections))
    }

    async fn publish(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        channel: String,
        payload: Payload,
    ) -> Result<(), Error> {
        let (cache, _permit) = cache(store, &connection, channel.weight() + payload.len())?;
        Ok(cache.publish(&channel, &payload).await?)
    }

    async fn get(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Result<Option<Payload>, Error> {
        let (cache, _permit) = cache(store, &connection, key.weight())?;
        Ok(cache.get(&key).await?)
    }

    async fn set(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        value: Payload,
    ) -> Result<(), Error> {
        let (cache, _permit) = cache(store, &connection, key.weight() + value.len())?;
        Ok(cache.set(&key, &value).await?)
    }

    async fn incr(store: &Accessor<T, Self>, connection: Resource<Connection>, key: String) -> Result<i64, Error> {
        let (cache, _permit) = cache(store, &connection, key.weight())?;
        Ok(cache.incr(&key).await?)
    }

    async fn del(store: &Accessor<T, Self>, connection: Resource<Connection>, keys: Vec<String>) -> Result<u32, Error> {
        let (cache, _permit) = cache(store, &connection, keys.weight())?;
        Ok(cache.del(&keys).await?)
    }

    async fn sadd(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Error> {
        let (cache, _permit) = cache(store, &connection, key.weight() + values.weight())?;
        Ok(cache.sadd(&key, &values).await?)
    }

    async fn smembers(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
    ) -> Result<Vec<String>, Error> {
        let (cache, _permit) = cache(store, &connection, key.weight())?;
        Ok(cache.smembers(&key).await?)
    }

    async fn srem(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        key: String,
        values: Vec<String>,
    ) -> Result<u32, Error> {
        let (cache, _permit) = cache(store, &connection, key.weight() + values.weight())?;
        Ok(cache.srem(&key, &values).await?)
    }

    async fn execute(
        store: &Accessor<T, Self>,
        connection: Resource<Connection>,
        command: String,
        arguments: Vec<RedisParameter>,
    ) -> Result<Vec<RedisResult>, Error> {
        let (cache, _permit) = cache(store, &connection, command.weight() + arguments.weight())?;
        let arguments: Vec<_> = arguments.into_iter().map(CacheArgument::from).collect();
        let results = cache.execute(&command, &arguments).await?;
        Ok(results.into_iter().map(RedisResult::from).collect())
    }
}

impl From<CacheError> for Error {
    fn from(error: CacheError) -> Self {
        match error {
            CacheError::WrongType => Self::TypeError,
            CacheError::Invalid(message) | CacheError::Unavailable(message) => Self::Other(message),
        }
    }
}

impl From<RedisParameter> for CacheArgument {
    fn from(parameter: RedisParameter) -> Self {
        match parameter {
            RedisParameter::Int64(value) => Self::Int(value),
            RedisParameter::Binary(value) => Self::Bytes(value),
        }
    }
}

impl From<CacheReply> for RedisResult {
    fn from(reply: CacheReply) -> Self {
        match reply {
            CacheReply::Nil => Self::Nil,
            CacheReply::Status(status) => Self::Status(status),
            CacheReply::Int(value) => Self::Int64(value),
            CacheReply::Bytes(value) => Self::Binary(value),
        }
    }
}

impl Weight for RedisParameter {
    fn weight(&self) -> usize {
        size_of::<Self>()
            + match self {
                Self::Int64(_) => 0,
                Self::Binary(value) => value.len(),
            }
    }
}
