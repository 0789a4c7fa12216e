//! Settings of a source of objects, as in `spin.toml`.

use super::dispatch::{Filter, ObjectDispatch};
use crate::sqs::{SqsConfig, SqsSource};
use crate::{Resource, Source, SourceContext, SourceSettings};
use host_adapters_platform::objects::Notification;
use host_adapters_platform::{Declared, fifo};
use host_adapters_settings::{Fields, settings, suggestion};
use serde_json::{Map, Value as Json};
use std::sync::Arc;

settings! {
    /// The objects that are created in one bucket, each an event of one worker. The bucket's notifications come through the
    /// queue, of which no other source reads.
    pub struct S3Config {
        /// The queue that is notified.
        pub messages: SqsConfig;
        /// The bucket.
        pub bucket: String = String::new(), "the name of a bucket under [application.tool.host-adapters]";
        /// What the keys begin with; any if it is not given.
        pub prefix: Option<String> = None, ();
        /// What the keys end with; any if it is not given.
        pub suffix: Option<String> = None, ();
    }
}

impl S3Config {
    /// The default settings for the objects of `bucket`, of which `queue` tells.
    pub fn new(bucket: &str, queue: &str) -> Self {
        Self { bucket: bucket.to_owned(), messages: SqsConfig::new(queue), ..Self::default() }
    }

    fn wanted(&self) -> Notification {
        let text = |text: &Option<String>| text.clone().unwrap_or_default();
        let (bucket, queue) = (self.bucket.clone(), self.messages.queue.clone());
        Notification { bucket, prefix: text(&self.prefix), suffix: text(&self.suffix), queue }
    }
}

impl SourceSettings for S3Config {
    fn check(&self, fields: &mut Fields<'_, '_>) {
        let queue = &self.messages.queue;
        if fifo::is_fifo(queue) {
            if let Some((_, span)) = fields.item("queue") {
                fields.diagnostic(
                    &span,
                    format!("S3 sends nothing to \"{queue}\", which is a FIFO queue; write another"),
                );
            }
            return;
        }
        self.messages.check(fields);
    }

    fn rules() -> Map<String, Json> {
        SqsConfig::rules()
    }

    fn name(&self) -> String {
        format!("s3:{}", self.bucket)
    }

    fn reads(&self) -> Option<Resource> {
        self.messages.reads()
    }

    fn notified(&self) -> Option<Notification> {
        Some(self.wanted())
    }

    fn complete(&mut self, declared: &Declared, has: &dyn Fn(&str) -> bool) {
        self.messages.complete(declared, has);
    }

    fn faults(&self, declared: &Declared) -> Vec<(&'static str, String)> {
        let mut faults = self.messages.faults(declared);
        if !declared.buckets.contains(&self.bucket) {
            let instead = suggestion(&self.bucket, declared.buckets.iter().map(String::as_str));
            let declare = "or declare it under [application.tool.host-adapters]";
            faults.push(("bucket", format!("unknown bucket \"{}\"{instead}, {declare}", self.bucket)));
        }
        faults
    }

    fn dead_letter_queue(&self, worker: &str) -> Option<String> {
        self.messages.dead_letter_queue(worker)
    }

    fn source(&self, context: &SourceContext) -> Arc<dyn Source> {
        let real = context.buckets.get(&self.bucket).unwrap_or(&self.bucket).clone();
        let filter = Filter { wanted: self.wanted(), real };
        let dispatch = Arc::new(ObjectDispatch { worker: context.dispatch.clone(), filter });
        let context = SourceContext { dispatch, ..context.clone() };
        Arc::new(SqsSource::named(self.name(), self.messages.clone(), &context))
    }
}
