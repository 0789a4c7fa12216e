//! Checks the subscriptions of topics: their queues and their filters.

use super::grants::refuse_undeclared;
use host_adapters_platform::{DeclaredSettings, SubscriptionSpec, TopicSpec};
use host_adapters_settings::{Report, Spanned};
use std::collections::BTreeSet;

/// Reports what is wrong with the subscriptions of all topics.
pub(super) fn check(report: &Report<'_>, declared: &DeclaredSettings) {
    let queues: Vec<&String> = declared.queues.0.0.iter().map(|(name, _)| name).collect();
    for (name, topic) in &declared.topics.0.0 {
        check_topic(report, name, &topic.value, &queues);
    }
}

fn check_topic(report: &Report<'_>, name: &str, topic: &TopicSpec, queues: &[&String]) {
    let mut subscribed = BTreeSet::new();
    // Of a queue that is not named, that has been reported already.
    for subscription in topic.subscriptions.0.iter().filter(|it| !it.value.queue.is_empty()) {
        let queue = subscription.value.queue.as_str();
        check_subscription(report, subscription, queues);
        // SNS has one subscription of a queue.
        if !subscribed.insert(queue) {
            let message =
                format!("\"{queue}\" subscribes to \"{name}\" already; put both filters into one, with \"$or\"");
            report.diagnostic(&subscription.span, message);
        }
    }
}

fn check_subscription(report: &Report<'_>, subscription: &Spanned<SubscriptionSpec>, queues: &[&String]) {
    let Spanned { value: spec, span: at } = subscription;
    match spec.queue_fault() {
        Some(fault) => report.diagnostic(at, fault),
        None => {
            let queue = Spanned { value: spec.queue.clone(), span: at.clone() };
            refuse_undeclared(report, "queue", &queue, queues.iter().copied());
        }
    }
    if let Err(fault) = spec.compile() {
        let of_filter = spec.filter.0.as_ref().map_or(at, |filter| &filter.span);
        report.diagnostic(of_filter, fault);
    }
}
