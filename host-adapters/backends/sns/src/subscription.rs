//! The settings of a subscription as SNS names and writes them, and how those of an existing one differ from spin.toml.

use host_adapters_platform::{Difference, FilterScope, SubscriptionSpec};
use serde_json::Value;
use std::collections::HashMap;

const POLICY: &str = "FilterPolicy";
const SCOPE: &str = "FilterPolicyScope";
const RAW: &str = "RawMessageDelivery";

/// The settings of a declared subscription. Without a policy there is no scope, because SNS refuses one alone.
pub(crate) fn wanted(spec: &SubscriptionSpec) -> HashMap<String, String> {
    let scope = match spec.scope {
        FilterScope::Attributes => "MessageAttributes",
        FilterScope::Body => "MessageBody",
    };
    let mut attributes = HashMap::from([(RAW.to_owned(), spec.raw.to_string())]);
    if let Some(filter) = spec.filter.text() {
        attributes.insert(POLICY.to_owned(), filter.to_owned());
        attributes.insert(SCOPE.to_owned(), scope.to_owned());
    }
    attributes
}

/// How an existing subscription differs from its declaration: all of it decides which messages a queue gets, and in which
/// form.
pub(crate) fn difference(arn: &str, has: &HashMap<String, String>, spec: &SubscriptionSpec) -> Option<Difference> {
    let wanted = wanted(spec);
    let (mut differences, mut changes) = (Vec::new(), Vec::new());
    for (name, default) in [(POLICY, "{}"), (SCOPE, "MessageAttributes"), (RAW, "false")] {
        let of = |attributes: &HashMap<String, String>| {
            let value = attributes.get(name).filter(|value| !value.is_empty());
            value.map_or_else(|| default.to_owned(), Clone::clone)
        };
        let (has, wanted) = (of(has), of(&wanted));
        if normal(&has) != normal(&wanted) {
            differences.push(format!("{name} is {has}, not {wanted}"));
            changes.push(format!(
                "aws sns set-subscription-attributes --subscription-arn {arn} --attribute-name {name} \
                 --attribute-value '{wanted}'"
            ));
        }
    }
    let message = format!(
        "the subscription of the queue {} exists with settings that differ from spin.toml's: {}. Write the subscription's \
         into spin.toml, or change the subscription: {}",
        spec.queue,
        differences.join("; "),
        changes.join("; ")
    );
    (!differences.is_empty()).then_some(Difference { message, is_harmful: true })
}

/// A setting that can be compared: policies are JSON.
fn normal(value: &str) -> Value {
    serde_json::from_str(value).unwrap_or_else(|_| Value::from(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(of: &[(&str, &str)]) -> HashMap<String, String> {
        of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn differs(has: &[(&str, &str)], spec: &SubscriptionSpec) -> Option<String> {
        difference("arn", &attributes(has), spec).map(|difference| difference.message)
    }

    #[test]
    fn another_notation_of_a_server_is_not_a_difference() {
        let filter = r#"{"type":["A"],"n":[1]}"#.to_owned().into();
        let spec = SubscriptionSpec { filter, ..SubscriptionSpec::of_all("q") };
        let policy = (POLICY, r#"{"n": [1], "type": ["A"]}"#);
        assert_eq!(differs(&[policy, (RAW, "true"), ("Owner", "1")], &spec), None, "a scope that is not told");
        assert_eq!(differs(&[policy, (RAW, "true"), (SCOPE, "MessageAttributes")], &spec), None);
        assert_eq!(differs(&[(RAW, "true"), (POLICY, "{}")], &SubscriptionSpec::of_all("q")), None);
        assert_eq!(differs(&[], &SubscriptionSpec { raw: false, ..SubscriptionSpec::of_all("q") }), None);
    }

    #[test]
    fn another_filter_scope_or_form_is_harmful_and_told_with_its_remedy() {
        let spec = SubscriptionSpec { filter: r#"{"type":["A"]}"#.to_owned().into(), ..SubscriptionSpec::of_all("q") };
        let has = [(POLICY, r#"{"type":["B"]}"#), (SCOPE, "MessageBody"), (RAW, "false")];
        let told = difference("arn", &attributes(&has), &spec);
        assert!(told.as_ref().is_some_and(|told| told.is_harmful));
        let message = told.map(|told| told.message).unwrap_or_default();
        for part in [
            r#"FilterPolicy is {"type":["B"]}, not {"type":["A"]}; "#,
            "FilterPolicyScope is MessageBody, not MessageAttributes; ",
            "RawMessageDelivery is false, not true. ",
            "--subscription-arn arn --attribute-name RawMessageDelivery --attribute-value 'true'",
        ] {
            assert!(message.contains(part), "{part} in {message}");
        }
    }
}
