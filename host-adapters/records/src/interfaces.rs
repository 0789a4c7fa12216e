//! The interfaces of the platform: the list of all functions, then the records of each interface; meanings as in
//! `platform.wit`.

/// Passes all functions of the platform to a macro:
///
/// - for each interface: its name, and its name in WIT, where words are joined by hyphens;
/// - for each function: the method of [`Platform`], its name in WIT, the type of its arguments, and these. `of` names
///   the argument that names the resource.
#[macro_export]
macro_rules! platform_functions {
    ($consumer:ident) => {
        $consumer! {
            table "table" {
                table_batch_get "batch-get" BatchGet(
                    table: String, keys: Vec<$crate::table::Key>
                ) of table -> Vec<Option<String>>;
                table_batch_write "batch-write" BatchWrite(
                    table: String, puts: Vec<String>, deletes: Vec<$crate::table::Key>
                ) of table -> Vec<Option<$crate::Error>>;
                table_batch_update "batch-update" BatchUpdate(
                    table: String, updates: Vec<$crate::table::Update>
                ) of table -> Vec<Option<$crate::Error>>;
                table_query "query" Query(
                    table: String, pk: String, prefix: String, after: Option<String>, limit: u32
                ) of table -> $crate::table::Page;
            }
            queue "queue" {
                queue_send_batch "send-batch" SendBatch(
                    queue: String, messages: Vec<$crate::queue::Message>
                ) of queue -> Vec<Result<String, $crate::Error>>;
            }
            documents "documents" {
                documents_find_one "find-one" FindOne(
                    collection: String, filter: String
                ) of collection -> Option<String>;
                documents_find "find" Find(
                    collection: String, query: $crate::documents::FindQuery
                ) of collection -> $crate::documents::DocumentPage;
                documents_replace_one "replace-one" ReplaceOne(
                    collection: String, filter: String, document: String
                ) of collection -> ();
                documents_update_one "update-one" UpdateOne(
                    collection: String, filter: String, update: String
                ) of collection -> $crate::documents::UpdateResult;
            }
            objects "objects" {
                objects_head "head" Head(bucket: String, key: String) of bucket -> $crate::objects::ObjectInfo;
                objects_get_range "get-range" GetRange(
                    bucket: String, key: String, etag: String, range: $crate::objects::ByteRange
                ) of bucket -> Vec<u8>;
                objects_put "put" Put(bucket: String, key: String, content: Vec<u8>) of bucket -> String;
                objects_list "list" List(
                    bucket: String, prefix: String, after: Option<String>, limit: u32
                ) of bucket -> $crate::objects::ObjectPage;
            }
            data_streams "data-streams" {
                data_streams_put_records "put-records" PutRecords(
                    stream: String, records: Vec<$crate::data_streams::DataRecord>
                ) of stream -> Vec<Result<String, $crate::Error>>;
            }
            topic "topic" {
                topic_publish_batch "publish-batch" PublishBatch(
                    topic: String, messages: Vec<$crate::topic::TopicMessage>
                ) of topic -> Vec<Result<String, $crate::Error>>;
            }
            identity "identity" {
                identity_verify "verify" Verify(token: String) -> $crate::identity::Claims;
            }
            service "service" {
                service_call "call" CallService(
                    service: String, request: $crate::service::ServiceRequest
                ) of service -> $crate::service::ServiceResponse;
            }
            event_log "event-log" {
                event_log_produce "produce" Produce(
                    topic: String, records: Vec<$crate::event_log::LogRecord>
                ) of topic -> Vec<Result<(), $crate::Error>>;
            }
        }
    };
}

/// Records of `table`.
pub mod table {
    record! {
        /// The key of an item.
        #[derive(Hash, Ord, PartialOrd)]
        Key {
            /// Partition key.
            pk: String,
            /// Sort key.
            sk: String,
        }
    }

    variant! {
        /// One predicate of a condition. Paths are dotted (`date.updated`), values JSON text.
        Predicate {
            /// The item has the attribute.
            Exists = "exists": String,
            /// The item, if there is one, does not have the attribute.
            NotExists = "not-exists": String,
            /// The attribute has this value.
            Equals = "equals": (String, String),
            /// There is no such attribute (or no item), or it is null, or it has this value.
            AbsentOrEquals = "absent-or-equals": (String, String),
            /// There is no such attribute (or no item), or it is null, or a text or number less than this one.
            AbsentOrLessThan = "absent-or-less-than": (String, String),
        }
    }

    record! {
        /// A conditional update of one item; it makes the item if there is none, unless the condition forbids.
        Update {
            /// Which item.
            key: Key,
            /// Dotted path and new value as JSON text.
            #[serde(default)]
            set: Vec<(String, String)>,
            /// Dotted path and what is added to the number there; an absent one counts as 0. It needs a condition that the
            /// update itself makes false, since an update whose response is lost is sent again.
            #[serde(default)]
            increment: Vec<(String, i64)>,
            /// Dotted paths to remove.
            #[serde(default)]
            remove: Vec<String>,
            /// All must hold, else [`crate::ErrorKind::ConditionFailed`].
            #[serde(default)]
            condition: Vec<Predicate>,
        }
    }

    record! {
        /// A page of a query.
        Page {
            /// JSON objects as text.
            items: Vec<String>,
            /// Pass it as `after` for the next page; `None` at the end.
            next: Option<String>,
        }
    }
}

/// Records of `queue`.
pub mod queue {
    use crate::Attribute;

    record! {
        /// A message to send.
        #[derive(Default)]
        Message {
            /// The body, at most 1 MiB with its attributes.
            body: String,
            /// At most ten.
            #[serde(default)]
            attributes: Vec<Attribute>,
            /// Seconds until it can be received, 0 to 900; 0 in a FIFO queue.
            #[serde(default)]
            delay_secs = "delay-secs": u32,
            /// The message group, which a FIFO queue needs.
            #[serde(default)]
            group_id = "group-id": Option<String>,
            /// A FIFO queue stores only one message with this id within five minutes; by default the SHA-256 of the
            /// body.
            #[serde(default)]
            deduplication_id = "deduplication-id": Option<String>,
        }
    }

    impl Message {
        /// A message without attributes, for at once.
        pub fn new(body: impl Into<String>) -> Self {
            Self { body: body.into(), ..Self::default() }
        }
    }
}

/// Records of `documents`.
pub mod documents {
    record! {
        /// A query.
        FindQuery {
            /// A MongoDB filter as JSON text.
            filter: String,
            /// Dotted paths to sort by, the first before the others.
            sort: Vec<SortPath>,
            /// Dotted paths to keep; all if the list is empty.
            projection: Vec<String>,
            /// At most this many documents, 1 to 1,000.
            limit: u32,
            /// `next` of the page before.
            after: Option<String>,
        }
    }

    record! {
        /// One path of a sort.
        SortPath {
            /// The dotted path.
            path: String,
            /// Whether the greatest comes first.
            descending: bool,
        }
    }

    record! {
        /// A page of documents.
        DocumentPage {
            /// JSON objects as text.
            items: Vec<String>,
            /// Pass it as `after` for the next page; `None` at the end.
            next: Option<String>,
        }
    }

    record! {
        /// Result of an update.
        UpdateResult {
            /// How many documents the filter found, 0 or 1.
            matched: u64,
            /// How many of them are different after the update, 0 or 1.
            modified: u64,
        }
    }
}

/// Records of `objects`.
pub mod objects {
    use crate::Weight;

    /// The most bytes that one call reads, ours.
    pub const MAX_RANGE_BYTES: u32 = 4 << 20;

    record! {
        /// The metadata of an object.
        ObjectInfo {
            /// The key.
            key: String,
            /// Bytes.
            size: u64,
            /// Names this version of the object.
            etag: String,
            /// When it was written, milliseconds since 1970 (UTC).
            modified_ms = "modified-ms": u64,
        }
    }

    record! {
        /// A page of a list.
        ObjectPage {
            /// In the order of their keys' bytes.
            items: Vec<ObjectInfo>,
            /// Pass it as `after` for the next page; `None` at the end.
            next: Option<String>,
        }
    }

    unweighed! {
        /// A part of an object.
        #[derive(Copy)]
        ByteRange {
            /// Where it begins.
            offset: u64,
            /// Bytes, at most [`MAX_RANGE_BYTES`].
            length: u32,
        }
    }

    /// The memory of the response, which the host holds until the guest has it. A longer range is refused, and takes
    /// none.
    impl Weight for ByteRange {
        fn weight(&self) -> usize {
            let answer = if self.length > MAX_RANGE_BYTES { 0 } else { self.length };
            size_of::<Self>() + answer as usize
        }
    }
}

/// Records of `data-streams`.
pub mod data_streams {
    record! {
        /// A record to put.
        DataRecord {
            /// Records of one key are in one shard, in order; 1 to 256 characters.
            partition_key = "partition-key": String,
            /// At most 1 MiB together with the key.
            data: Vec<u8>,
        }
    }
}

/// Records of `topic`.
pub mod topic {
    use crate::Attribute;

    record! {
        /// A message to publish.
        #[derive(Default)]
        TopicMessage {
            /// The body, not empty; at most 256 KiB with its attributes.
            body: String,
            /// Their names differ. `String.Array` is a list, as JSON.
            #[serde(default)]
            attributes: Vec<Attribute>,
        }
    }
}

/// Records of `service`.
pub mod service {
    use host_adapters_event::service_error_code;
    use serde::de::IgnoredAny;
    use std::collections::BTreeMap;

    record! {
        /// A request to a service.
        ServiceRequest {
            /// The HTTP method.
            method: String,
            /// Begins with `/`; the query, if there is one, follows a `?`.
            path: String,
            /// The path as a template; without one it is its own.
            #[serde(default)]
            route: Option<String>,
            /// Members of which an answer with status 2xx has at least one; `[]` stands for a list, an empty name for no
            /// body, a name that begins with `=` for the text behind it; where there are none, any answer will do.
            #[serde(default)]
            expects: Vec<String>,
            /// Without those that the host sets.
            #[serde(default)]
            headers: Vec<(String, String)>,
            /// Empty where there is none.
            #[serde(default)]
            body: String,
        }
    }

    record! {
        /// A service's response.
        ServiceResponse {
            /// The HTTP status.
            status: u16,
            /// Names are in lower case.
            headers: Vec<(String, String)>,
            /// The body.
            body: String,
        }
    }

    impl ServiceRequest {
        /// The route: the method, and the path as a template.
        pub fn route(&self) -> String {
            let path = self.path.split('?').next().unwrap_or_default();
            format!("{} {}", self.method, self.route.as_deref().unwrap_or(path))
        }
    }

    impl ServiceResponse {
        /// Whether the body is a JSON object with one of these members, or they allow for a list, a text or no body and it is
        /// that, or there are none: otherwise it is not the service's own answer, but that of a proxy or of another service.
        pub fn has_one_of(&self, expects: &[String]) -> bool {
            let allow = |name: &str| expects.iter().any(|expected| expected == name);
            let is_text = |body: &str| expects.iter().any(|it| it.strip_prefix('=') == Some(body));
            let body = self.body.trim();
            match body.chars().next() {
                _ if expects.is_empty() => true,
                Some(_) if is_text(body) => true,
                None => allow(""),
                Some('[') => allow("[]") && serde_json::from_str::<Vec<IgnoredAny>>(body).is_ok(),
                Some(_) => serde_json::from_str::<BTreeMap<String, IgnoredAny>>(body)
                    .is_ok_and(|members| members.keys().any(|name| allow(name))),
            }
        }

        /// Whether the service says in its own words that there is no such thing: 404 with a [`service_error_code`], in
        /// response to a request that expects an `error`.
        pub fn is_not_found(&self, expects: &[String]) -> bool {
            let is_expected = expects.iter().any(|expected| expected == "error");
            self.status == 404 && is_expected && service_error_code(&self.body).is_some()
        }
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        #[test]
        fn point_16_a_services_own_answer_is_known_by_its_members() {
            let has = |body: &str, expects: &[&str]| {
                let response = ServiceResponse { status: 200, headers: Vec::new(), body: body.to_owned() };
                response.has_one_of(&expects.iter().map(ToString::to_string).collect::<Vec<_>>())
            };
            let own = ["results", "success"];
            for body in [r#"{"results":[]}"#, r#"{"more":{},"success":false}"#, r#" { "results" : null } "#] {
                assert!(has(body, &own), "{body}");
            }
            for body in
                ["<html>", "", "null", "[]", "{}", r#"{"status":"UP"}"#, r#"{"a":{"results":[]}}"#, r#"{"results":["#]
            {
                assert!(!has(body, &own), "{body}");
            }
            assert!(has("<html>", &[]));
            assert!(has(r#" ["CODE-1"]"#, &["codes", "[]"]) && has("[]", &["[]"]) && has(" ", &["success", ""]));
            assert!(has("ok\n", &["=ok"]) && !has("okay", &["=ok"]) && !has("=ok", &["=ok"]) && !has("", &["=ok"]));
            for body in ["<html>", "[<html>", "[1", "null", r#"{"status":"UP"}"#] {
                assert!(!has(body, &["codes", "[]", ""]), "{body}");
            }
        }

        #[test]
        fn point_16_only_the_service_itself_says_that_there_is_no_such_thing() {
            let is_not_found = |status, body: &str, expects: &[&str]| {
                let response = ServiceResponse { status, headers: Vec::new(), body: body.to_owned() };
                response.is_not_found(&expects.iter().map(ToString::to_string).collect::<Vec<_>>())
            };
            let own = r#"{"error":{"code":"NOT_FOUND","message":"no such campaign"}}"#;
            assert!(is_not_found(404, own, &["slug", "error"]));
            assert!(!is_not_found(404, own, &["results"]) && !is_not_found(404, own, &[]), "it is not expected");
            assert!(!is_not_found(200, own, &["error"]) && !is_not_found(500, own, &["error"]));
            for page in ["<html>", "", r#"{"status":404,"error":"Not Found"}"#, r#"{"error":{"code":404}}"#] {
                assert!(!is_not_found(404, page, &["slug", "error"]), "{page}");
            }
        }
    }
}

/// Records of `identity`.
pub mod identity {
    record! {
        /// What a verified token says.
        Claims {
            /// `sub`: the fan's globalUserId.
            subject: String,
            /// `email`.
            email: Option<String>,
            /// `memberId`.
            member_id = "member-id": Option<String>,
            /// `idv`: identity verification done, where the token says so.
            idv: Option<bool>,
        }
    }
}

/// Records of `event-log`.
pub mod event_log {
    record! {
        /// A record to produce.
        LogRecord {
            /// Records of one key are in one partition, in order; not empty.
            key: String,
            /// At most 1 MiB together with key and headers.
            value: String,
            /// At most 100, each with a name; a name may repeat.
            #[serde(default)]
            headers: Vec<(String, String)>,
        }
    }
}
