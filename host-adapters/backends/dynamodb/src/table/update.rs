//! Conditional updates. DynamoDB has no batches of them: each is a request, and several run at once.

use super::write::waves;
use super::{Dynamodb, value};
use aws_sdk_dynamodb::types::AttributeValue;
use backend_aws::{error, side_by_side};
use host_adapters_platform::Result;
use host_adapters_platform::limits::item::{check_key, parse_ordered, parse_value};
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
        let mut paths = path::Changeable::default();
        for (path, value) in &update.set {
            let (path, value) = (expression.path(&paths.parse(path)?), expression.value(path, value)?);
            expression.set.push(format!("{path} = {value}"));
        }
        // ADD would not take a path into an object.
        for (path, by) in &update.increment {
            let name = expression.path(&paths.parse(path)?);
            let (zero, by) = (expression.value(path, "0")?, expression.value(path, &by.to_string())?);
            expression.set.push(format!("{name} = if_not_exists({name}, {zero}) + {by}"));
        }
        for path in &update.remove {
            let path = expression.path(&paths.parse(path)?);
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
                Predicate::AbsentOrLessThan((path, value)) => {
                    parse_ordered(path, value)?;
                    let (name, value) = (expression.path(&path::parse(path)?), expression.value(path, value)?);
                    let null = expression.value(path, "null")?;
                    format!("(attribute_not_exists({name}) OR {name} = {null} OR {name} < {value})")
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
            increment: vec![("a.count".into(), -2)],
            remove: vec!["size".into()],
            condition: vec![
                Predicate::Exists("pk".into()),
                Predicate::Equals(("n".into(), "1".into())),
                Predicate::AbsentOrEquals(("a.b".into(), "true".into())),
                Predicate::AbsentOrLessThan(("p".into(), "\"7\"".into())),
            ],
        };
        let expression = Expression::of(&update).unwrap();
        assert_eq!(
            expression.update().unwrap(),
            "SET #n0.#n1 = :v0, #n2.#n3 = if_not_exists(#n2.#n3, :v1) + :v2 REMOVE #n4"
        );
        assert_eq!(
            expression.condition().unwrap(),
            "attribute_exists(#n5) AND #n6 = :v3 \
                AND (attribute_not_exists(#n7.#n8) OR #n7.#n8 = :v5 OR #n7.#n8 = :v4) \
                AND (attribute_not_exists(#n9) OR #n9 = :v7 OR #n9 < :v6)"
        );
        assert_eq!(expression.names["#n4"], "size");
        let number = |text: &str| AttributeValue::N(text.to_owned());
        assert_eq!([":v1", ":v2", ":v3"].map(|it| &expression.values[it]), [&number("0"), &number("-2"), &number("1")]);
    }
}
