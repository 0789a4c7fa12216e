//! Checks requests and responses against the OpenAPI files, which are compiled once at the start.

use jsonschema::{ValidationError, Validator};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// The contract of the Entry Service.
pub const ENTRY: &str = include_str!("../../../schemas/services/entry.json");
/// The contract of the User Service.
pub const USER: &str = include_str!("../../../schemas/services/user.json");
/// The contract of the Campaign Service.
pub const CAMPAIGN: &str = include_str!("../../../schemas/services/campaign.json");
/// The contract of the Code Service.
pub const CODE: &str = include_str!("../../../schemas/services/code.json");

/// The contract of Slack.
pub const SLACK: &str = include_str!("../../../schemas/services/slack.json");

/// The compiled contract of one service.
pub struct Contract {
    operations: HashMap<String, Operation>,
}

/// One operation: the schemas of its request and its response.
struct Operation {
    request: Option<Validator>,
    answer: Validator,
}

/// Why a contract cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContractError {
    /// The file is not JSON.
    #[error("the OpenAPI file is not JSON: {0}")]
    Syntax(#[from] serde_json::Error),
    /// A schema of an operation does not compile.
    #[error("operation {operation}: {message}")]
    Schema {
        /// Its `operationId`.
        operation: String,
        /// What is wrong.
        message: String,
    },
}

/// A fault in the body of a request.
#[derive(Debug, Eq, PartialEq)]
pub enum Fault {
    /// A fault of the request as a whole.
    Request(String),
    /// Faults of some records of its list, by position; the other records are valid.
    Records(BTreeMap<usize, String>),
}

impl Contract {
    /// Compiles the schemas of every operation of an OpenAPI document.
    pub fn parse(document: &str) -> Result<Self, ContractError> {
        let document: Value = serde_json::from_str(document)?;
        let paths = document.get("paths").and_then(Value::as_object);
        let mut operations = HashMap::new();
        for operation in
            paths.into_iter().flatten().filter_map(|(_, path)| path.as_object()).flat_map(|path| path.values())
        {
            if let Some(id) = operation.get("operationId").and_then(Value::as_str) {
                operations.insert(id.to_owned(), Operation::compile(id, operation, &document)?);
            }
        }
        Ok(Self { operations })
    }

    /// The ids of all operations.
    pub fn operations(&self) -> impl Iterator<Item = &str> {
        self.operations.keys().map(String::as_str)
    }

    /// Whether the operation takes a body.
    pub fn takes_body(&self, operation: &str) -> bool {
        self.operations.get(operation).is_some_and(|o| o.request.is_some())
    }

    /// Checks the body of a request. Records of a list are checked one by one if each invalid record has a name: a
    /// globalUserId, or of a score any name.
    pub fn check_request(&self, operation: &str, body: &Value) -> Result<(), Fault> {
        match self.operations.get(operation).and_then(|o| o.request.as_ref()) {
            Some(schema) if !schema.is_valid(body) => Err(sort_faults(schema.iter_errors(body), body)),
            _ => Ok(()),
        }
    }

    /// Checks the body of a successful response; one that is a text is a JSON string here.
    pub fn check_answer(&self, operation: &str, body: &Value) -> Result<(), String> {
        match self.operations.get(operation) {
            Some(known) => known.answer.validate(body).map_err(|e| describe(&e)),
            None => Err(format!("the contract has no operation {operation}")),
        }
    }
}

impl Operation {
    fn compile(id: &str, operation: &Value, document: &Value) -> Result<Self, ContractError> {
        let schema = |pointer: &str| operation.pointer(pointer).map(|schema| compile(id, schema, document)).transpose();
        let answer = |kind| schema(&format!("/responses/200/content/{kind}/schema"));
        let json = answer("application~1json")?;
        let answer = if json.is_some() { json } else { answer("text~1plain")? };
        Ok(Self {
            request: schema("/requestBody/content/application~1json/schema")?,
            answer: answer.ok_or_else(|| schema_error(id, "it has no answer 200 with a schema"))?,
        })
    }
}

/// A schema of the document, compiled with the document's components for its references.
fn compile(operation: &str, schema: &Value, document: &Value) -> Result<Validator, ContractError> {
    let components = document.get("components").cloned().unwrap_or_default();
    let root = json!({ "allOf": [schema], "components": components });
    jsonschema::draft202012::new(&root).map_err(|e| schema_error(operation, &e.to_string()))
}

fn schema_error(operation: &str, message: &str) -> ContractError {
    ContractError::Schema { operation: operation.to_owned(), message: message.to_owned() }
}

fn sort_faults<'a>(errors: impl Iterator<Item = ValidationError<'a>>, body: &Value) -> Fault {
    let mut records = BTreeMap::new();
    for error in errors {
        match record_of(error.instance_path().as_str(), body) {
            Some(position) => drop(records.entry(position).or_insert_with(|| describe(&error))),
            None => return Fault::Request(describe(&error)),
        }
    }
    Fault::Records(records)
}

/// The position of the record that a pointer such as `/entries/3/version` points into, if the record can be named.
fn record_of(pointer: &str, body: &Value) -> Option<usize> {
    let mut parts = pointer.trim_start_matches('/').split('/');
    let (list, position) = (parts.next()?, parts.next()?.parse().ok()?);
    let record = body.get(list)?.get(position)?;
    let names: &[&str] = if list == "scores" { &["memberId", "globalUserId", "email"] } else { &["globalUserId"] };
    let has = |name: &&str| record.get(name).and_then(Value::as_str).is_some_and(|id| !id.is_empty());
    names.iter().any(has).then_some(position)
}

/// Where the fault is and why. The value is left out, because it may be a fan's.
fn describe(error: &ValidationError<'_>) -> String {
    format!("{}: {}", error.instance_path(), error.masked())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    fn entry(version: &str) -> Value {
        json!({ "globalUserId": "u1", "campaignId": "c1", "fields": {}, "version": version,
                "date": { "created": version, "updated": version, "fanModified": version } })
    }

    #[test]
    fn every_contract_compiles_and_every_operation_has_an_answer() {
        let ids = |text| {
            let mut ids: Vec<_> = Contract::parse(text).unwrap().operations().map(str::to_owned).collect();
            ids.sort();
            ids
        };
        let entry = [
            "assignCodes",
            "checkInvite",
            "countEligible",
            "deleteEntries",
            "getEntry",
            "listEntries",
            "listScoringRecords",
            "putStats",
            "refreshScores",
            "upsertEntries",
            "upsertScores",
        ];
        assert_eq!(ids(ENTRY), entry);
        assert_eq!(ids(CODE), ["listCodes", "markAssigned", "reserveCodes"]);
        assert_eq!(ids(USER), ["getUser", "getVerification", "listUsers", "upsertUsers"]);
        assert_eq!(ids(CAMPAIGN), ["findCampaigns", "getCampaign", "getMarket"]);
        assert_eq!(ids(SLACK), ["postMessage"]);
    }

    #[test]
    fn more_than_25_entries_are_a_fault_of_the_request() {
        let contract = Contract::parse(ENTRY).unwrap();
        let of = |n| json!({ "entries": vec![entry("2026-01-01T00:00:00.000Z"); n] });
        assert_eq!(contract.check_request("upsertEntries", &of(25)), Ok(()));
        assert!(matches!(contract.check_request("upsertEntries", &of(26)), Err(Fault::Request(_))));
        assert!(matches!(contract.check_request("upsertEntries", &of(0)), Err(Fault::Request(_))));
    }

    #[test]
    fn a_bad_entry_is_found_by_its_position_without_its_value() {
        let contract = Contract::parse(ENTRY).unwrap();
        let body = json!({ "entries": [entry("2026-01-01T00:00:00.000Z"), entry("yesterday")] });
        let Err(Fault::Records(bad)) = contract.check_request("upsertEntries", &body) else { panic!("{body}") };
        assert_eq!(bad.keys().collect::<Vec<_>>(), [&1]);
        assert!(bad[&1].starts_with("/entries/1/version: ") && !bad[&1].contains("yesterday"), "{bad:?}");
    }

    #[test]
    fn an_entry_without_a_name_is_a_fault_of_the_request() {
        let contract = Contract::parse(ENTRY).unwrap();
        let body = json!({ "entries": [{ "campaignId": "c1" }] });
        assert!(matches!(contract.check_request("upsertEntries", &body), Err(Fault::Request(_))));
    }
}
