//! The policy of a queue, by which a topic may send to it (Amazon SNS developer guide, "Subscribing an Amazon SQS queue to an
//! Amazon SNS topic").

use serde_json::{Map, Value, json};

/// What policies call SNS.
const SNS: &str = "sns.amazonaws.com";

/// The statement by which a topic may send to a queue.
fn statement(topic: &str, queue: &str) -> Value {
    json!({
        "Sid": format!("host-adapters-{}", topic.rsplit(':').next().unwrap_or_default()),
        "Effect": "Allow",
        "Principal": {"Service": SNS},
        "Action": "sqs:SendMessage",
        "Resource": queue,
        "Condition": {"ArnEquals": {"aws:SourceArn": topic}},
    })
}

/// Whether a statement of the policy allows the topic to send. One whose condition names the topic is taken for it, and so is
/// one for everybody or for SNS without a condition; what a statement forbids is not examined.
pub(crate) fn allows(policy: Option<&str>, topic: &str) -> bool {
    let policy = policy.and_then(|policy| serde_json::from_str::<Value>(policy).ok()).unwrap_or_default();
    let is_for = |statement: &Value| {
        let is_allow = statement.get("Effect").and_then(Value::as_str) == Some("Allow");
        let is_of_topic = match statement.get("Condition") {
            Some(condition) => condition.to_string().contains(&Value::from(topic).to_string()),
            None => includes_sns(statement.get("Principal")),
        };
        is_allow && sends(statement.get("Action")) && is_of_topic
    };
    statements(&policy).iter().any(is_for)
}

/// Whether the principals include SNS, by its name or as everybody. An account does not, not even the queue's own, for which
/// Amazon's console writes a statement into each new queue.
fn includes_sns(principal: Option<&Value>) -> bool {
    let has = |names: Option<&Value>, name: &str| match names {
        Some(Value::Array(names)) => names.iter().any(|one| one.as_str() == Some(name)),
        Some(one) => one.as_str() == Some(name),
        None => false,
    };
    let of = |kind: &str| principal.and_then(|principal| principal.get(kind));
    has(principal, "*") || has(of("AWS"), "*") || has(of("Service"), SNS)
}

/// Whether the actions include sending.
fn sends(action: Option<&Value>) -> bool {
    let is_send = |action: &Value| {
        let action = action.as_str().unwrap_or_default().to_ascii_lowercase();
        ["sqs:sendmessage", "sqs:*", "*"].contains(&action.as_str())
    };
    match action {
        Some(Value::Array(actions)) => actions.iter().any(is_send),
        Some(action) => is_send(action),
        None => false,
    }
}

/// The statements of a policy: a list of them, or one alone.
fn statements(policy: &Value) -> Vec<Value> {
    match policy.get("Statement") {
        Some(Value::Array(statements)) => statements.clone(),
        Some(statement) => vec![statement.clone()],
        None => Vec::new(),
    }
}

/// The policy with a statement by which the topic may send to the queue. Its other statements stay.
pub(crate) fn with_topic(policy: Option<&str>, topic: &str, queue: &str) -> String {
    let policy = policy.and_then(|policy| serde_json::from_str::<Map<String, Value>>(policy).ok());
    let mut policy = policy.unwrap_or_else(|| Map::from_iter([("Version".to_owned(), json!("2012-10-17"))]));
    let mut statements = statements(&Value::Object(policy.clone()));
    statements.push(statement(topic, queue));
    policy.insert("Statement".to_owned(), Value::Array(statements));
    Value::Object(policy).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOPIC: &str = "arn:aws:sns:us-east-1:1:prd-dataSns";
    const QUEUE: &str = "arn:aws:sqs:us-east-1:1:prd-marketQueue";

    #[test]
    fn a_topic_is_added_to_what_a_policy_has() {
        let first = with_topic(None, TOPIC, QUEUE);
        assert!(!allows(None, TOPIC) && allows(Some(&first), TOPIC));
        let other = format!("{TOPIC}2");
        assert!(!allows(Some(&first), &other), "another topic whose name begins so");
        let both = with_topic(Some(&first), &other, QUEUE);
        assert!(allows(Some(&both), TOPIC) && allows(Some(&both), &other));
        let policy: Value = serde_json::from_str(&both).unwrap_or_default();
        assert_eq!(policy.get("Version"), Some(&json!("2012-10-17")));
        assert_eq!(statements(&policy), [statement(TOPIC, QUEUE), statement(&other, QUEUE)]);
    }

    #[test]
    fn an_operators_own_statement_is_understood() {
        let policy = |statement: Value| json!({ "Statement": statement }).to_string();
        let allowed = json!({"Effect": "Allow", "Principal": "*", "Action": ["SQS:SendMessage", "SQS:GetQueueUrl"]});
        assert!(allows(Some(&policy(allowed.clone())), TOPIC), "one statement, for everybody");
        for (change, value) in [
            ("Effect", json!("Deny")),
            ("Action", json!("sqs:ReceiveMessage")),
            ("Principal", json!({"AWS": "arn:aws:iam::1:root"})),
            ("Principal", json!({"AWS": ["1", "arn:aws:iam::2:role/*"], "Service": ["events.amazonaws.com"]})),
            ("Principal", Value::Null),
            ("Condition", json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:1:other"}})),
        ] {
            let mut other = allowed.clone();
            if let Some(statement) = other.as_object_mut() {
                statement.insert(change.to_owned(), value);
            }
            assert!(!allows(Some(&policy(json!([other]))), TOPIC), "{other}");
        }
        for principal in [
            json!({"AWS": "*"}),
            json!({"AWS": ["1", "*"]}),
            json!({"Service": SNS}),
            json!({"AWS": "1", "Service": ["events.amazonaws.com", SNS]}),
        ] {
            let own = json!({"Effect": "Allow", "Principal": principal, "Action": "SQS:*"});
            assert!(allows(Some(&policy(own.clone())), TOPIC), "{own}");
        }
    }
}
