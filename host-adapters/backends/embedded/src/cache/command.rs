//! The commands of `execute`: `SET` with `EX`, `PX` and `NX`, `EXPIRE`, `TTL`, `PUBLISH`. Other commands are refused;
//! the error names the command.

use super::entries::{Entries, Value};
use host_adapters_records::cache::{CacheArgument, CacheError, CacheReply};

pub(super) fn execute(
    entries: &mut Entries,
    command: &str,
    arguments: &[CacheArgument],
) -> Result<CacheReply, CacheError> {
    match (command.to_ascii_uppercase().as_str(), arguments) {
        ("SET", [key, value, options @ ..]) => set(entries, &text(key)?, bytes(value), options),
        ("EXPIRE", [key, seconds]) => expire(entries, &text(key)?, number(seconds)?),
        ("TTL", [key]) => Ok(ttl(entries, &text(key)?)),
        // The number of listeners: the embedded cache has none.
        ("PUBLISH", [_, _]) => Ok(CacheReply::Int(0)),
        (known @ ("SET" | "EXPIRE" | "TTL" | "PUBLISH"), _) => {
            Err(invalid(format!("ERR wrong number of arguments for `{known}`")))
        }
        _ => Err(invalid(format!(
            "ERR the embedded cache does not know the command `{command}`; it knows GET, SET, DEL, INCR, SADD, SREM, \
             SMEMBERS by their functions, and SET, EXPIRE, TTL, PUBLISH through execute"
        ))),
    }
}

#[derive(Default)]
struct SetOptions {
    lifetime_ms: Option<i64>,
    only_new: bool,
}

impl SetOptions {
    fn parse(mut rest: &[CacheArgument]) -> Result<Self, CacheError> {
        let mut options = Self::default();
        while let [name, after @ ..] = rest {
            let name = text(name)?;
            rest = match (name.to_ascii_uppercase().as_str(), after) {
                ("NX", after) => {
                    options.only_new = true;
                    after
                }
                (unit @ ("EX" | "PX"), [count, after @ ..]) if options.lifetime_ms.is_none() => {
                    options.lifetime_ms = Some(lifetime(count, if unit == "EX" { 1000 } else { 1 })?);
                    after
                }
                _ => return Err(invalid(format!("ERR syntax error at `{name}`; SET takes EX, PX and NX here"))),
            };
        }
        Ok(options)
    }
}

fn set(entries: &mut Entries, key: &str, value: Vec<u8>, options: &[CacheArgument]) -> Result<CacheReply, CacheError> {
    let options = SetOptions::parse(options)?;
    if options.only_new && entries.get(key).is_some() {
        return Ok(CacheReply::Nil);
    }
    let until_ms = options.lifetime_ms.map(|lifetime| entries.now_ms().saturating_add(lifetime));
    entries.insert(key, Value::Bytes(value), until_ms)?;
    Ok(CacheReply::Status("OK".to_owned()))
}

fn expire(entries: &mut Entries, key: &str, seconds: i64) -> Result<CacheReply, CacheError> {
    let until_ms = entries.now_ms().saturating_add(seconds.saturating_mul(1000));
    // A lifetime that has ended deletes the key, as in Redis.
    let found = if seconds > 0 { entries.expire(key, until_ms) } else { entries.remove(key) };
    Ok(CacheReply::Int(found.into()))
}

/// The seconds left; -1 if the lifetime does not end, -2 if there is no such key.
fn ttl(entries: &Entries, key: &str) -> CacheReply {
    CacheReply::Int(match entries.lifetime(key) {
        None => -2,
        Some(None) => -1,
        Some(Some(until_ms)) => (until_ms - entries.now_ms() + 500) / 1000,
    })
}

fn lifetime(count: &CacheArgument, unit_ms: i64) -> Result<i64, CacheError> {
    match number(count)? {
        count if count > 0 => Ok(count.saturating_mul(unit_ms)),
        _ => Err(invalid("ERR invalid expire time in `SET`".to_owned())),
    }
}

fn bytes(argument: &CacheArgument) -> Vec<u8> {
    match argument {
        CacheArgument::Int(number) => number.to_string().into_bytes(),
        CacheArgument::Bytes(bytes) => bytes.clone(),
    }
}

fn text(argument: &CacheArgument) -> Result<String, CacheError> {
    String::from_utf8(bytes(argument)).map_err(|_| invalid("ERR a key is UTF-8 here".to_owned()))
}

fn number(argument: &CacheArgument) -> Result<i64, CacheError> {
    let text = text(argument)?;
    text.parse().map_err(|_| invalid(format!("ERR `{text}` is not an integer or out of range")))
}

fn invalid(message: String) -> CacheError {
    CacheError::Invalid(message)
}
