//! AWS Lambda's records of a data stream.

use super::event::{Made, Origin, PARTITION_KEY, Record, events};
use crate::lambda::{Context, Notes, Optional, Scalar, source};
use base64::{Engine, engine::general_purpose::STANDARD};
use host_adapters_event::{Attribute, Event, Payload, json};
use serde::Deserialize;
use serde_json::Value;
