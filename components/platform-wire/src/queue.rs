//! `registration:platform/queue`: queues with at-least-once delivery.

use crate::{Answer, Function};
use serde::{Deserialize, Serialize};

/// A message to send.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Message {
    /// The body, at most 256 KiB with its attributes.
    pub body: String,
    /// String attributes, at most ten.
    #[serde(default)]
    pub attributes: Vec<(String, String)>,
    /// Seconds until it can be received, 0 to 900.
    #[serde(default)]
    pub delay_secs: u32,
}

/// Sends any number of messages; the output holds for each its id or its error.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct SendBatch {
    /// Which queue.
    pub queue: String,
    /// The messages, in order.
    pub messages: Vec<Message>,
}

impl Function for SendBatch {
    const PATH: &'static str = "queue/send-batch";
    type Output = Vec<Answer<String>>;
}
