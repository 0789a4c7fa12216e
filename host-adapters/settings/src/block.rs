//! What documents say of settings: JSON Schema and tables in Markdown.

use crate::{Setting, Settings};
use serde_json::{Map, Value as Json, json};

/// A key as documents describe it.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key.
    pub name: &'static str,
    /// Whether it must be there.
    pub required: bool,
    /// Its JSON Schema, the meaning included.
    pub schema: Json,
    /// The blocks that it refers to.
    pub blocks: Vec<Block>,
}

impl Key {
    /// A key of type `S`.
    pub fn new<S: Setting>(name: &'static str, meaning: &str, default: S, rule: &S::Rule) -> Self {
        let mut schema = S::schema(default, rule);
        if let Some(schema) = schema.as_object_mut() {
            schema.insert("description".to_owned(), meaning.trim().into());
        }
        Self { name, required: S::REQUIRED, schema, blocks: S::blocks(rule) }
    }

    fn row(&self, page: &str) -> String {
        let text = |key: &str| self.schema.get(key).and_then(Json::as_str).unwrap_or_default();
        let default = match self.schema.get("default") {
            Some(default) => format!("`{default}`"),
            None if self.required => "required".to_owned(),
            None => String::new(),
        };
        format!("| `{}` | {} | {} | {default} |\n", self.name, text("description"), values(&self.schema, page))
    }
}

/// The keys of one table, with its name in the documents.
#[derive(Clone, Debug)]
pub struct Block {
    /// The name.
    pub name: &'static str,
    /// What the settings are of.
    pub about: &'static str,
    /// The keys.
    pub keys: Vec<Key>,
    /// Further keywords of JSON Schema, for rules over several keys.
    pub rules: Map<String, Json>,
}

impl Block {
    /// All settings of `S`.
    pub fn of<S: Settings>(name: &'static str) -> Self {
        Self { name, about: S::ABOUT.trim(), keys: S::keys(), rules: Map::new() }
    }

    /// All settings of `S`, which stand beside `type = "<name>"`.
    pub fn of_kind<S: Settings>(name: &'static str) -> Self {
        let mut block = Self::of::<S>(name);
        block
            .keys
            .insert(0, Key { name: "type", required: true, schema: json!({ "const": name }), blocks: Vec::new() });
        block
    }

    /// These, then all that they refer to, each once.
    pub fn with_all_within(blocks: impl IntoIterator<Item = Self>) -> Vec<Self> {
        let (mut all, mut next) = (Vec::<Self>::new(), blocks.into_iter().collect::<Vec<_>>());
        while !next.is_empty() {
            for block in std::mem::take(&mut next) {
                if all.iter().all(|other| other.name != block.name) {
                    next.extend(block.keys.iter().flat_map(|key| key.blocks.clone()));
                    all.push(block);
                }
            }
        }
        all
    }

    /// The JSON Schema of the table.
    pub fn schema(&self) -> Json {
        let properties: Map<_, _> = self.keys.iter().map(|key| (key.name.to_owned(), key.schema.clone())).collect();
        let required: Vec<_> = self.keys.iter().filter(|key| key.required).map(|key| key.name).collect();
        let mut schema = self.rules.clone();
        schema.insert("type".to_owned(), "object".into());
        schema.insert("description".to_owned(), self.about.into());
        schema.insert("properties".to_owned(), properties.into());
        schema.insert("additionalProperties".to_owned(), false.into());
        if !required.is_empty() {
            schema.insert("required".to_owned(), required.into());
        }
        schema.into()
    }

    /// The same as a table in Markdown, with links to the blocks on `page`. The word of `type` is left to the heading.
    pub fn markdown(&self, page: &str) -> String {
        let rows = self.keys.iter().filter(|key| key.schema.get("const").is_none()).map(|key| key.row(page));
        rows.fold("| key | what it means | values | default |\n|---|---|---|---|\n".to_owned(), |table, row| {
            table + &row
        })
    }

    /// How one JSON Schema of a document refers to a block of the same document.
    pub fn reference(name: &str) -> Json {
        json!({ "$ref": format!("{DEFINITIONS}{name}") })
    }
}

/// Where a schema has its blocks.
const DEFINITIONS: &str = "#/$defs/";

/// What may be written, in words.
fn values(schema: &Json, page: &str) -> String {
    let text = |key: &str| schema.get(key).and_then(Json::as_str);
    let number = |key: &str| schema.get(key).and_then(Json::as_i64).unwrap_or_default();
    if let Some(block) = text("$ref").and_then(|reference| reference.strip_prefix(DEFINITIONS)) {
        return format!("[{block}]({page}#{block})");
    }
    if let Some(words) = schema.get("enum").and_then(Json::as_array) {
        return words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ");
    }
    if schema.get("type").is_some_and(Json::is_array) {
        return "a table, or JSON in a text".to_owned();
    }
    match (text("type"), schema.get("additionalProperties"), schema.get("items")) {
        (Some("integer"), ..) => format!("{} to {}", number("minimum"), number("maximum")),
        (Some("boolean"), ..) => "`true`, `false`".to_owned(),
        (_, Some(each), _) => format!("by name: {}", values(each, page)),
        (_, _, Some(each)) => format!("a list: {}", values(each, page)),
        _ => "text".to_owned(),
    }
}
