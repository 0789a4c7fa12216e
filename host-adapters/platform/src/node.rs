//! A document or an item that is changed at a few paths. Everything else keeps its text, including numbers.

use crate::Result;
use crate::limits::invalid;
use serde::{Serialize, Serializer};
use serde_json::Value;
use serde_json::value::RawValue;
use std::collections::BTreeMap;

/// A part of it.
pub enum Node<'a> {
    /// As it is stored.
    Stored(&'a RawValue),
    /// A number that the update has made, digit for digit.
    Number(Box<RawValue>),
    /// As the update has it.
    New(Value),
    /// An object that a path leads into.
    Object(BTreeMap<String, Node<'a>>),
    /// A list that a path leads into.
    List(Vec<Node<'a>>),
}

impl<'a> Node<'a> {
    /// Reads the stored value.
    ///
    /// # Errors
    /// When it is not JSON.
    pub fn parse(text: &'a str) -> Result<Self> {
        read(text).map(Self::Stored)
    }

    /// Takes a stored object or list apart, by one level.
    ///
    /// # Errors
    /// When a name in it is not Unicode.
    pub fn open(&mut self) -> Result<()> {
        let Self::Stored(stored) = *self else { return Ok(()) };
        match stored.get().as_bytes().first() {
            Some(b'{') => {
                let fields: BTreeMap<String, &'a RawValue> = read(stored.get())?;
                *self = Self::Object(fields.into_iter().map(|(name, value)| (name, Self::Stored(value))).collect());
            }
            Some(b'[') => {
                let elements: Vec<&'a RawValue> = read(stored.get())?;
                *self = Self::List(elements.into_iter().map(Self::Stored).collect());
            }
            _ => {}
        }
        Ok(())
    }

    /// Its value. Not for items, whose numbers it would round.
    ///
    /// # Errors
    /// When it is nested too deeply, or a number is out of range.
    pub fn value(&self) -> Result<Value> {
        match self {
            Self::Stored(stored) => read(stored.get()),
            Self::Number(number) => read(number.get()),
            Self::New(value) => Ok(value.clone()),
            Self::Object(_) | Self::List(_) => serde_json::to_value(self).map_err(unreadable),
        }
    }

    /// Its text.
    ///
    /// # Errors
    /// When a new part of it cannot be written.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(unreadable)
    }
}

impl Serialize for Node<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        match self {
            Self::Stored(stored) => stored.serialize(serializer),
            Self::Number(number) => number.serialize(serializer),
            Self::New(value) => value.serialize(serializer),
            Self::Object(fields) => serializer.collect_map(fields),
            Self::List(elements) => serializer.collect_seq(elements),
        }
    }
}

fn read<'a, T: serde::Deserialize<'a>>(text: &'a str) -> Result<T> {
    serde_json::from_str(text).map_err(unreadable)
}

fn unreadable(error: serde_json::Error) -> host_adapters_records::Error {
    invalid(format!("what is stored cannot be updated: {error}"))
}
