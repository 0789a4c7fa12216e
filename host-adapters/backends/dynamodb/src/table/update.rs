//! Conditional updates. DynamoDB has no batches of them: each is a request, and several run at once.

use super::write::waves;
use super::{Dynamodb, value};
use aws_sdk_dynamodb::types::AttributeValue;
use backend_aws::{error, side_by_side};
use host_adapters_platform::Result;
use host_adapters_platform::limits::item::{check_key, parse_value};
use host_adapters_platform::limits::path;
use host_adapters_records::table::{Key, Predicate, Update};
use host_adapters_records::{Error, ErrorKind};
use std::collections::HashMap;

impl Dynamodb {
    /// Returns each update's error if it failed. Updates of one item are applied in their order.
    pub(super) async fn update_all(&self, table: &str, updates: Vec<Update>) -> Result<Vec<Option<Error>>> {
        let mut results = vec![None; updates.len()];
        for wave in waves(updates.into_iter().enumerate().collect(), |(_, update)| &update.key) {
            let request = |(place, update)| async move { (place, self.update(table, update).await.err()) };
            for (place, error) in side_by_side(wave.into_iter().map(request)).await {
                if let Some(result) = results.get_mut(place) {
                    *result = error;
                }
            }
        }
        Ok(results)
    }

    async fn update(&self, table: &str, update: Update) -> Result<()> {
        check_key(&update.key)?;
        let expression = Expression::of(&update)?;
        let request = self
            .client
            .update_item()
            .table_name(table)
            .set_key(Some(value::key(update.key.clone())))
            .set_update_expression(expression.update())
            .set_condition_expression(expression.condition())
            .set_expression_attribute_names((!expression.names.is_empty()).then_some(expression.names))
            .set_expression_attribute_values((!expression.values.is_empty()).then_some(expression.values));
        let Key { pk, sk } = &update.key;
        match request.send().await {
            Ok(_) => Ok(()),
            Err(failed) => Err(match error(table, &failed) {
                error if error.kind == ErrorKind::ConditionFailed => {
                    let message = format!("item {pk}/{sk} does not meet the condition: {:?}", update.condition);
                    Error::new(ErrorKind::ConditionFailed, message)
                }
                error => Error { message: format!("item {pk}/{sk}: {}", error.message), ..error },
            }),
        }
    }
}

/// An update as DynamoDB's expressions. All names and values are placeholders, so reserved words are allowed.
#[derive(Debug, Default)]
struct Expression {
    set: Vec<String>,
    remove: Vec<String>,
    conditions: Vec<String>,
    names: HashMap<String, String>,
    values: HashMap<String, AttributeValue>,
}

impl Expression {
    fn of(update: &Update) -> Result<Self> {
        let mut expression = Self::default();
        for (path, value) in &update.set {
            let (path, value) = (expression.path(&path::parse_changeable(path)?), expression.value(path, value)?);
            expression.set.push(format!("{path} = {value}"));
        }
        for path in &update.remove {
            let path = expression.path(&path::parse_changeable(path)?);
            expression.remove.push(path);
        }
        for predicate in &update.condition {
            let condition = match predicate {
                Predicate::Exists(path) => format!("attribute_exists({})", expression.path(&path::parse(path)?)),
                Predicate::NotExists(path) => format!("attribute_not_exists({})", expression.path(&path::parse(path)?)),
                Predicate::Equals((path, value)) => {
                    format!("{} = {}", expression.path(&path::parse(path)?), expression.value(path, value)?)
                }
                Predicate::AbsentOrEquals((path, value)) => {
                    let (name, value) = (expression.path(&path::parse(path)?), expression.value(path, value)?);
                    let null = expression.value(path, "null")?;
                    format!("(attribute_not_exists({name}) OR {name} = {null} OR {name} = {value})")
                }
            };
            expression.conditions.push(condition);
        }
        Ok(expression)
    }

    fn path(&mut self, segments: &[&str]) -> String {
        let name = |segment: &&str| {
            let name = format!("#n{}", self.names.len());
            self.names.insert(name.clone(), (*segment).to_owned());
            name
        };
        segments.iter().map(name).collect::<Vec<_>>().join(".")
    }

    fn value(&mut self, path: &str, text: &str) -> Result<String> {
        let value = parse_value(path, text)?;
        let name = format!(":v{}", self.values.len());
        self.values.insert(name.clone(), value::attribute(value)?);
        Ok(name)
    }

    fn update(&self) -> Option<String> {
        let clause = |word: &str, parts: &[String]| (!parts.is_empty()).then(|| format!("{word} {}", parts.join(", ")));
        let clauses: Vec<_> =
            [clause("SET", &self.set), clause("REMOVE", &self.remove)].into_iter().flatten().collect();
        (!clauses.is_empty()).then(|| clauses.join(" "))
    }

    fn condition(&self) -> Option<String> {
        (!self.conditions.is_empty()).then(|| self.conditions.join(" AND "))
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn names_and_values_are_placeholders() {
        let update = Update {
            key: Key { pk: "p".into(), sk: "s".into() },
            set: vec![("date.updated".into(), "\"v\"".into())],
            remove: vec!["size".into()],
            condition: vec![
                Predicate::Exists("pk".into()),
                Predicate::Equals(("n".into(), "1".into())),
                Predicate::AbsentOrEquals(("a.b".into(), "true".into())),
            ],
        };
        let expression = Expression::of(&update).unwrap();
        assert_eq!(expression.update().unwrap(), "SET #n0.#n1 = :v0 REMOVE #n2");
        assert_eq!(
            expression.condition().unwrap(),
            "attribute_exists(#n3) AND #n4 = :v1 AND (attribute_not_exists(#n5.#n6) OR #n5.#n6 = :v3 OR #n5.#n6 = :v2)"
        );
        assert_eq!(expression.names["#n2"], "size");
        assert_eq!(expression.values[":v1"], AttributeValue::N("1".into()));
    }
}
