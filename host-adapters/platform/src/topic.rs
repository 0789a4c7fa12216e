//! `registration:platform/topic`: what spin.toml declares, the limits, and the function: the grant, then the backend.

use crate::grants::Need;
use crate::limits::message::{check_attribute_list, check_text};
use crate::limits::{invalid, too_large};
use crate::names::{fault, is_letter};
use crate::outage::whole_if_none;
use crate::{PlatformService, Result, fifo, took_effect};
use host_adapters_filter::{Scope, SubscriptionFilter};
use host_adapters_records::topic::{PublishBatch, TopicMessage};
use host_adapters_records::{Attribute, Caller};
use host_adapters_settings::{JsonText, Tables, Words, settings};
use serde_json::value::RawValue;

settings! {
    /// A topic, whose messages are delivered to the queues that subscribe to it.
    pub struct TopicSpec {
        /// The queues, each once.
        pub subscriptions: Tables<SubscriptionSpec> = Tables::default(), "subscription";
    }
}

settings! {
    /// A queue that subscribes to a topic.
    pub struct SubscriptionSpec {
        /// The queue. It is not a FIFO queue.
        pub queue: String = String::new(), "the name of a queue under [application.tool.host-adapters.queues]";
        /// The filter policy, with the operators of Amazon SNS: messages that do not match it are not delivered to the
        /// queue. Without one, all are.
        pub filter: JsonText = JsonText(None), ();
        /// Whether the filter is compared with the message's attributes or with its body, which then is a JSON object.
        pub scope: FilterScope = FilterScope::Attributes, ();
        /// Whether the queue's message is the topic's, body and attributes; otherwise its body is a JSON object that has
        /// them, as Amazon SNS writes it.
        pub raw: bool = false, ();
    }
}

/// What a filter is compared with.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum FilterScope {
    /// The message's attributes.
    #[default]
    Attributes,
    /// The message's body.
    Body,
}

impl Words for FilterScope {
    const WORDS: &'static [(&'static str, Self)] = &[("attributes", Self::Attributes), ("body", Self::Body)];
}

impl SubscriptionSpec {
    /// All messages of a topic, raw.
    pub fn of_all(queue: &str) -> Self {
        Self { queue: queue.to_owned(), raw: true, ..Self::default() }
    }

    /// Compiles the filter, if there is one.
    ///
    /// # Errors
    /// The fault of the filter.
    pub fn compile(&self) -> std::result::Result<Option<SubscriptionFilter>, String> {
        let scope = match self.scope {
            FilterScope::Attributes => Scope::MessageAttributes,
            FilterScope::Body => Scope::MessageBody,
        };
        let compile = |filter| SubscriptionFilter::compile(filter, scope).map_err(|error| error.to_string());
        self.filter.text().map(compile).transpose()
    }

    /// The fault of a queue that no topic can deliver to. An SNS topic delivers to a FIFO queue only if it is a FIFO topic
    /// itself, of which there are none here.
    pub fn queue_fault(&self) -> Option<String> {
        let queue = &self.queue;
        fifo::is_fifo(queue).then(|| format!("\"{queue}\" is a FIFO queue, to which no topic delivers; name another"))
    }
}

/// What is wrong with the name of a topic. SNS takes 1 to 256 letters, digits, `_` and `-` (`Name` on the page of its action
/// `CreateTopic`); the suffix `.fifo` would make a FIFO topic, of which there are none here.
pub fn name_fault(name: &str) -> Option<String> {
    let is_fit = (1..=256).contains(&name.len()) && name.bytes().all(|it| is_letter(it) || b"_-".contains(&it));
    (!is_fit).then(|| fault(name, "a topic in SNS", "1 to 256 letters, digits, _ and -"))
}

/// Topics, as the platform interface `topic` needs them.
#[async_trait::async_trait]
pub trait TopicBackend: Send + Sync + 'static {
    /// Publishes any number of messages; the answer holds for each its id or its error. Each is checked with
    /// [`check_message`]. A message with an id is in every queue whose subscription matches it, or will be.
    async fn publish_batch(&self, topic: &str, messages: Vec<TopicMessage>) -> Result<Vec<Result<String>>>;
}

/// The largest message, body and attributes together, and the largest batch of a call to SNS, in bytes (`PublishBatch` of its
/// API reference).
pub const MAX_MESSAGE_BYTES: usize = 256 * 1024;
/// The type of an attribute that is a list.
pub const STRING_ARRAY: &str = "String.Array";
/// The type of a number.
pub const NUMBER: &str = "Number";

/// Checks a message before it is published. More than ten attributes are refused, because SNS drops such a message, and
/// tells nobody, where it is delivered raw: a queue's message has at most ten (Amazon SNS developer guide, "Raw message
/// delivery").
pub fn check_message(message: &TopicMessage) -> Result<()> {
    if message.body.is_empty() {
        return Err(invalid("a message's body is not empty"));
    }
    let bytes = bytes(message);
    if bytes > MAX_MESSAGE_BYTES {
        return Err(too_large(format!("a message of {bytes} bytes; the most is {MAX_MESSAGE_BYTES}")));
    }
    check_text("body", &message.body)?;
    check_attribute_list(&message.attributes)?;
    message.attributes.iter().try_for_each(check_type)
}

/// The size that SNS counts: the body, and for each attribute its name, its type and its value.
pub fn bytes(message: &TopicMessage) -> usize {
    let attribute = |it: &Attribute| it.name.len() + it.data_type.len() + it.value.len();
    message.body.len() + message.attributes.iter().map(attribute).sum::<usize>()
}

/// Unlike SQS, SNS has no labels behind its types.
fn check_type(attribute: &Attribute) -> Result<()> {
    let Attribute { name, data_type, .. } = attribute;
    match data_type.as_str() {
        Attribute::STRING | NUMBER | Attribute::BINARY => Ok(()),
        STRING_ARRAY if attribute.as_text().is_some_and(is_list) => Ok(()),
        STRING_ARRAY => Err(invalid(format!(
            "the attribute `{name}` is not a list of texts, numbers, `true`, `false` and `null`, in JSON"
        ))),
        _ => Err(invalid(format!(
            "the attribute `{name}` has the type `{data_type}`; there is `String`, `String.Array`, `Number` and `Binary`"
        ))),
    }
}

/// Whether a text is a JSON list without lists and objects in it.
fn is_list(text: &str) -> bool {
    let is_plain = |element: &RawValue| !element.get().starts_with(['[', '{']);
    serde_json::from_str::<Vec<&RawValue>>(text).is_ok_and(|list| list.into_iter().all(is_plain))
}

pub(crate) async fn topic_publish_batch(
    platform: &PlatformService,
    caller: Caller<'_>,
    args: PublishBatch,
) -> Result<Vec<Result<String>>> {
    platform.check(caller, Need::Publish(&args.topic))?;
    let published = platform.topics.publish_batch(&args.topic, args.messages).await?;
    took_effect(caller, whole_if_none(published, |published| published.as_ref().err()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use host_adapters_records::{AttributeValue, ErrorKind};

    fn refused(body: &str, attributes: Vec<Attribute>) -> Option<ErrorKind> {
        check_message(&TopicMessage { body: body.to_owned(), attributes }).err().map(|error| error.kind)
    }

    fn typed(data_type: &str, value: &str) -> Vec<Attribute> {
        vec![Attribute::typed("a", data_type, AttributeValue::Text(value.to_owned()))]
    }

    #[test]
    fn messages_are_checked_against_sns_limits() {
        let (largest, invalid) = ("x".repeat(MAX_MESSAGE_BYTES), Some(ErrorKind::Invalid));
        assert_eq!(refused(&largest, vec![]), None);
        assert_eq!(refused(&format!("{largest}x"), vec![]), Some(ErrorKind::TooLarge));
        assert_eq!(refused(&largest, typed("String", "x")), Some(ErrorKind::TooLarge), "attributes count");
        assert_eq!(refused("", vec![]), invalid);
        assert_eq!(refused("\u{1}", vec![]), invalid);
        let many = |count| (0..count).map(|n| Attribute::text(format!("a{n}"), "x")).collect::<Vec<_>>();
        assert_eq!((refused("x", many(10)), refused("x", many(11))), (None, invalid));
        assert_eq!(refused("x", [typed("String", "x"), typed("String", "y")].concat()), invalid, "twice");
    }

    #[test]
    fn attributes_have_the_types_of_sns() {
        let invalid = Some(ErrorKind::Invalid);
        for (data_type, value, expected) in [
            ("String", "x", None),
            ("Number", "-1.5e3", None),
            ("Number", "x", invalid),
            ("String.Array", r#"["a", 1, true, null]"#, None),
            ("String.Array", "[]", None),
            ("String.Array", "a", invalid),
            ("String.Array", r#"{"a": 1}"#, invalid),
            ("String.Array", r#"[["a"]]"#, invalid),
            ("String.Array", "[1] 2", invalid),
            ("Number.float", "1", invalid),
            ("String.id", "x", invalid),
            ("Binary", "x", invalid),
            ("", "x", invalid),
        ] {
            assert_eq!(refused("x", typed(data_type, value)), expected, "{data_type} {value}");
        }
        let bytes = vec![Attribute::typed("b", "Binary", AttributeValue::Bytes(vec![0, 255]))];
        assert_eq!(refused("x", bytes), None);
    }

    #[test]
    fn names_that_sns_cannot_have_are_faults() {
        let longest = "t".repeat(256);
        for name in ["t", "dataSns", "a_b-9", &longest] {
            assert_eq!(name_fault(name), None, "{name}");
        }
        let long = format!("{longest}t");
        for name in ["", "a topic", "a.b", "orders.fifo", "töpic", &long] {
            assert!(name_fault(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_subscription_has_a_filter_of_its_scope() {
        let nested = r#"{"a": {"b": ["x"]}}"#.to_owned().into();
        let on_body = SubscriptionSpec { filter: nested, scope: FilterScope::Body, ..SubscriptionSpec::of_all("q") };
        assert!(on_body.compile().is_ok_and(|filter| filter.is_some()));
        let on_attributes = SubscriptionSpec { scope: FilterScope::Attributes, ..on_body };
        assert!(on_attributes.compile().is_err_and(|fault| fault.contains("an attribute has no fields")));
        assert!(SubscriptionSpec::of_all("q").compile().is_ok_and(|filter| filter.is_none()));
        assert!(SubscriptionSpec::of_all("q.fifo").queue_fault().is_some());
        assert_eq!(SubscriptionSpec::of_all("q").queue_fault(), None);
    }
}
