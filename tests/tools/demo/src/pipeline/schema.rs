//! Checks values by JSON Schemas, and says what of an entity is published by them. It knows the keywords that the project's
//! schemas use, and refuses any other.

use super::due::Kind;
use anyhow::{Context, Result, bail};
use chrono::{DateTime, SecondsFormat, Timelike};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// Keywords that say nothing about a value.
const SILENT: [&str; 7] = ["$schema", "$id", "$defs", "title", "description", "default", "examples"];

/// The schemas of all types.
#[derive(Debug)]
pub struct Schemas(BTreeMap<Kind, Value>);

impl Schemas {
    /// Reads them.
    ///
    /// # Errors
    /// When one is not JSON.
    pub fn read() -> Result<Self> {
        let read = |kind: Kind| {
            let schema = serde_json::from_str(kind.schema());
            Ok((kind, schema.with_context(|| format!("the schema of {}", kind.name()))?))
        };
        Ok(Self(Kind::ALL.into_iter().map(read).collect::<Result<_>>()?))
    }

    /// What is published of an entity: in it and in the objects within it the members that the schema has, without those
    /// that are null; times in UTC.
    ///
    /// # Errors
    /// When the schema cannot be understood.
    pub fn published(&self, kind: Kind, entity: &Map<String, Value>) -> Result<Map<String, Value>> {
        let root = self.0.get(&kind).context("there is no such schema")?;
        Ok(parts(members(root.get("properties").context("properties")?, "properties")?, entity))
    }

    /// The faults of a value, each with its path.
    ///
    /// # Errors
    /// When the schema cannot be understood.
    pub fn faults(&self, kind: Kind, value: &Value) -> Result<Vec<String>> {
        let root = self.0.get(&kind).context("there is no such schema")?;
        let mut check = Check { root, faults: Vec::new() };
        check.value(root, value, "")?;
        Ok(check.faults)
    }
}

/// The check of one value.
struct Check<'s> {
    root: &'s Value,
    faults: Vec<String>,
}

impl Check<'_> {
    fn fault(&mut self, path: &str, fault: impl std::fmt::Display) {
        self.faults.push(format!("{path} {fault}"));
    }

    fn value(&mut self, schema: &Value, value: &Value, path: &str) -> Result<()> {
        let schema = schema.as_object().with_context(|| format!("the schema of {path} is not an object"))?;
        for (keyword, rule) in schema {
            match keyword.as_str() {
                "type" => self.of_type(rule, value, path)?,
                "properties" => self.properties(rule, value, path)?,
                "items" => self.items(rule, value, path)?,
                "oneOf" => self.one_of(rule, value, path)?,
                "additionalProperties" => self.additional(schema, rule, value, path)?,
                "required" => self.required(rule, value, path)?,
                "$ref" => self.reference(rule, value, path)?,
                "enum" if !rule.as_array().context("enum")?.contains(value) => self.fault(path, "is another value"),
                "enum" => {}
                "format" => self.format(rule, value, path)?,
                "minLength" | "minimum" | "maximum" | "exclusiveMinimum" => self.limit(keyword, rule, value, path)?,
                _ if SILENT.contains(&keyword.as_str()) => {}
                _ => bail!("the demo does not know the keyword {keyword} at {path}"),
            }
        }
        Ok(())
    }

    fn of_type(&mut self, rule: &Value, value: &Value, path: &str) -> Result<()> {
        let is_whole = || value.is_u64() || value.is_i64() || value.as_f64().is_some_and(|it| it.fract() == 0.0);
        let fits = match rule.as_str().context("type")? {
            "object" => value.is_object(),
            "array" => value.is_array(),
            "string" => value.is_string(),
            "boolean" => value.is_boolean(),
            "number" => value.is_number(),
            "integer" => is_whole(),
            other => bail!("the demo does not know the type {other}"),
        };
        if !fits {
            self.fault(path, format_args!("is not of the type {rule}"));
        }
        Ok(())
    }

    fn properties(&mut self, rule: &Value, value: &Value, path: &str) -> Result<()> {
        for (name, schema) in members(rule, "properties")? {
            if let Some(value) = value.get(name) {
                self.value(schema, value, &format!("{path}/{name}"))?;
            }
        }
        Ok(())
    }

    fn items(&mut self, rule: &Value, value: &Value, path: &str) -> Result<()> {
        for (index, value) in value.as_array().into_iter().flatten().enumerate() {
            self.value(rule, value, &format!("{path}/{index}"))?;
        }
        Ok(())
    }

    /// That exactly one of several schemas fits.
    fn one_of(&mut self, rule: &Value, value: &Value, path: &str) -> Result<()> {
        let mut fitting = 0;
        for schema in rule.as_array().context("oneOf")? {
            let mut alone = Check { root: self.root, faults: Vec::new() };
            alone.value(schema, value, path)?;
            fitting += usize::from(alone.faults.is_empty());
        }
        if fitting != 1 {
            self.fault(path, format_args!("fits {fitting} of the schemas of oneOf"));
        }
        Ok(())
    }

    fn additional(&mut self, schema: &Map<String, Value>, rule: &Value, value: &Value, path: &str) -> Result<()> {
        if rule != &Value::Bool(false) {
            bail!("the demo knows only additionalProperties: false, at {path}");
        }
        let known = members(schema.get("properties").context("properties")?, "properties")?;
        for name in value.as_object().into_iter().flat_map(Map::keys).filter(|name| !known.contains_key(*name)) {
            self.fault(path, format_args!("has the member {name}"));
        }
        Ok(())
    }

    fn required(&mut self, rule: &Value, value: &Value, path: &str) -> Result<()> {
        for name in rule.as_array().context("required")? {
            let name = name.as_str().context("required")?;
            if value.is_object() && value.get(name).is_none() {
                self.fault(path, format_args!("has no member {name}"));
            }
        }
        Ok(())
    }

    fn reference(&mut self, rule: &Value, value: &Value, path: &str) -> Result<()> {
        let pointer = rule.as_str().and_then(|rule| rule.strip_prefix('#')).context("$ref")?;
        let schema = self.root.pointer(pointer).with_context(|| format!("$ref to {pointer}"))?;
        self.value(schema, value, path)
    }

    fn format(&mut self, rule: &Value, value: &Value, path: &str) -> Result<()> {
        if rule != "date-time" {
            bail!("the demo does not know the format {rule}");
        }
        // A leap second is a time of RFC 3339, too; nothing here makes one.
        if value.as_str().is_some_and(|text| DateTime::parse_from_rfc3339(text).is_err()) {
            self.fault(path, "is not a time");
        }
        Ok(())
    }

    fn limit(&mut self, keyword: &str, rule: &Value, value: &Value, path: &str) -> Result<()> {
        let limit = rule.as_f64().with_context(|| keyword.to_owned())?;
        let measured = match keyword {
            "minLength" => value.as_str().map(|text| text.chars().count() as f64),
            _ => value.as_f64(),
        };
        let fits = measured.is_none_or(|measured| match keyword {
            "maximum" => measured <= limit,
            "exclusiveMinimum" => measured > limit,
            _ => measured >= limit,
        });
        if !fits {
            self.fault(path, format_args!("breaks {keyword} {rule}"));
        }
        Ok(())
    }
}

fn parts(described: &Map<String, Value>, object: &Map<String, Value>) -> Map<String, Value> {
    let members = object.iter().filter(|(_, value)| !value.is_null());
    members.filter_map(|(name, value)| Some((name.clone(), part(described.get(name)?, value)))).collect()
}

/// What is published of a value. An object whose members the schema does not describe stays as it is.
fn part(schema: &Value, value: &Value) -> Value {
    let described = schema.get("properties").and_then(Value::as_object);
    match (value, described, schema.get("items")) {
        (Value::Object(object), Some(described), _) => parts(described, object).into(),
        (Value::Array(list), _, Some(items)) => list.iter().map(|value| part(items, value)).collect(),
        (Value::String(text), ..) if schema.get("format").is_some() => {
            utc(text).map_or_else(|| value.clone(), Value::from)
        }
        _ => value.clone(),
    }
}

/// A time in UTC, with milliseconds or what is below them.
fn utc(text: &str) -> Option<String> {
    let time = DateTime::parse_from_rfc3339(text).ok()?.to_utc();
    let is_whole = time.nanosecond().is_multiple_of(1_000_000);
    Some(time.to_rfc3339_opts(if is_whole { SecondsFormat::Millis } else { SecondsFormat::AutoSi }, true))
}

fn members<'v>(rule: &'v Value, keyword: &'static str) -> Result<&'v Map<String, Value>> {
    rule.as_object().context(keyword)
}
