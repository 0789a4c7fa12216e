//! Each diagnostic is reported at its place, with what to write instead, and all of them at once.

use super::*;
use expect_test::expect;

/// The five diagnostics of the issue's list, in one manifest.
#[test]
fn five_faults_are_reported_at_once() {
    let text = r#"spin_manifest_version = 2

[application]
name = "five-diagnostics"

[application.tool.host-adapters.queues]
saveEntriesQueue = { visibility_timeout_secs = 30 }

[variables]
gateway_url = { default = "http://127.0.0.1:3100" }

[component.save-entries]
source = "target/components/save-entries.wasm"
allowed_outbound_hosts = ["{{ gatway_url }}"]

[component.save-entries.tool.host-adapters]
max_instance = 4
grants = { queues = { retryScoreQueue = "send" } }

[[component.save-entries.tool.host-adapters.source]]
type = "sqs"
queue = "saveEntriesQueue"
batch_size = 25

[[component.save-entries.tool.host-adapters.source]]
type = "kinesys"
stream = "scoresStream"
"#;
    let errors = parse_with(text).unwrap_err();
    assert_eq!(errors.diagnostics.len(), 5);
    expect![[r#"
        spin.toml:14:27: undeclared variable "gatway_url"; write "gateway_url", or declare it under [variables]
        spin.toml:17:1: unknown key "max_instance"; write "max_instances", in component.save-entries.tool.host-adapters
        spin.toml:18:41: unknown queue "retryScoreQueue"; there is "saveEntriesQueue", "saveEntriesQueueDlq", or declare it under [application.tool.host-adapters]
        spin.toml:23:14: batch_size = 25 needs time to gather; write batch_window_secs = 1 or more, in component.save-entries.tool.host-adapters.source
        spin.toml:26:8: unknown source type "kinesys"; write "kinesis", in component.save-entries.tool.host-adapters.source"#]].assert_eq(&errors.to_string());
}

#[test]
fn names_that_stand_for_nothing() {
    check(
        r#"
[[trigger.http]]
route = "/workers/save-entries"
component = "save_entries"
[component.save-entries]
source = "a.wasm"
[component.save-entries.dependencies]
"registration:platform@1.0.0" = { component = "gateway" }
"other:package@1.0.0" = { path = "other.wasm" }
[component.save-entries.tool.host-adapters.grants]
tables = { demand_table = "read-write", orders = "read" }
queues = { saveEntriesQueueDlq = "peek", saveEntryQueue = "send" }
documents = { campaign = "read", campaigns = "reed" }
[[component.save-entries.tool.host-adapters.source]]
type = "sqs"
queue = "saveEntrysQueue"
[[component.save-entries.tool.host-adapters.source]]
type = "dynamodb-stream"
table = "quiet-table"
[[component.save-entries.tool.host-adapters.source]]
type = "dynamodb-stream"
table = "other-table"
"#,
        &expect![[r#"
            spin.toml:4:13: unknown component "save_entries"; write "save-entries", or add [component.save_entries]
            spin.toml:8:47: unknown component "gateway"; there is "save-entries", or add [component.gateway]
            spin.toml:9:25: dependency "other:package@1.0.0" is not provided by host-adapters, which composes no components; compose it into the file when you build, in component.save-entries
            spin.toml:11:27: unknown table "demand_table"; write "demand-table", or declare it under [application.tool.host-adapters]
            spin.toml:11:50: unknown table "orders"; there is "demand-table", "quiet-table", or declare it under [application.tool.host-adapters]
            spin.toml:12:59: unknown queue "saveEntryQueue"; write "saveEntriesQueue", or declare it under [application.tool.host-adapters]
            spin.toml:13:26: unknown collection "campaign"; write "campaigns", or declare it under [application.tool.host-adapters]
            spin.toml:13:46: documents.campaigns = "reed" is not a grant; write "read", in component.save-entries.tool.host-adapters.grants
            spin.toml:16:9: unknown queue "saveEntrysQueue"; write "saveEntriesQueue", or declare it under [application.tool.host-adapters]
            spin.toml:19:9: table "quiet-table" has no stream; declare it with stream = true
            spin.toml:22:9: unknown table "other-table"; there is "demand-table", "quiet-table", or declare it under [application.tool.host-adapters]
        "#]],
    );
}

#[test]
fn values_of_the_wrong_kind() {
    check(
        r#"
[component.SaveEntries]
source = 1
allowed_outbound_hosts = ["http://a", 2, "localhost"]
environment = { LEVEL = 3 }
tool = { host-adapters = { max_instances = "4", max_cpu_ms = 0, source = "sqs", grants = { identity = "yes" } } }
files = ["assets/*"]
[component.other]
build = { command = [1], wordir = "x" }
"#,
        &expect![[r#"
            spin.toml:2:12: component id "SaveEntries" is not a kebab-case name; write words joined by "-", in component.SaveEntries
            spin.toml:3:10: source is 1; write a string, as in "text", in component.SaveEntries
            spin.toml:4:39: allowed_outbound_hosts holds integer; write strings only, in component.SaveEntries
            spin.toml:4:42: allowed_outbound_hosts "localhost": no scheme; write it before the host, as in "http://", "redis://" or "*://", in component.SaveEntries
            spin.toml:5:25: environment.LEVEL is 3; write a string, in component.SaveEntries
            spin.toml:6:44: max_instances is of type string; write a whole number from 1 to 1000, in component.SaveEntries.tool.host-adapters
            spin.toml:6:62: max_cpu_ms is 0; write a whole number from 1 to 3600000, in component.SaveEntries.tool.host-adapters
            spin.toml:6:74: source is of type string; write one or more tables [[component.SaveEntries.tool.host-adapters.source]], in component.SaveEntries.tool.host-adapters
            spin.toml:6:103: identity is of type string; write true or false, in component.SaveEntries.tool.host-adapters.grants
            spin.toml:7:9: "files" is not provided by host-adapters; put what the component needs into it at build time, in component.SaveEntries
            spin.toml:8:12: "source" is missing; write the path of the component's .wasm file, in component.other
            spin.toml:9:22: command holds integer; write strings only, in component.other.build
            spin.toml:9:26: unknown key "wordir"; write "workdir", in component.other.build
        "#]],
    );
}

#[test]
fn what_is_missing() {
    expect![[r#"
        spin.toml:1:1: "spin_manifest_version" is missing; write spin_manifest_version = 2
        spin.toml:1:1: "application" is missing; write [application] with a name"#]]
    .assert_eq(&parse_with("").unwrap_err().to_string());
    check(
        r#"
[[trigger.http]]
[component.a]
[component.a.tool.host-adapters]
source = [{ queue = "saveEntriesQueue" }, { type = "sqs" }, { type = "dynamodb-stream" }]
[application.tool.host-adapters.services.entry]
[application.tool.host-adapters.identity]
[application.tool.host-adapters.clients.checker]
"#,
        &expect![[r#"
            spin.toml:2:1: "component" is missing; write the id of the component that answers, in trigger.http
            spin.toml:2:1: "route" is missing; write a path, as in route = "/workers/<id>", in trigger.http
            spin.toml:3:12: "source" is missing; write the path of the component's .wasm file, in component.a
            spin.toml:5:11: "type" is missing; write "sqs" or "s3" or "dynamodb-stream" or "kinesis" or "kafka" or "task", in component.a.tool.host-adapters.source
            spin.toml:5:43: "queue" is missing; write the name of a queue under [application.tool.host-adapters.queues], in component.a.tool.host-adapters.source
            spin.toml:5:61: "table" is missing; write the name of a table under [application.tool.host-adapters.tables], in component.a.tool.host-adapters.source
            spin.toml:6:42: "upstream" is missing; write the service's base URL, in application.tool.host-adapters.services.entry
            spin.toml:7:33: "issuer" is missing; write whose tokens are accepted (iss), in application.tool.host-adapters.identity
            spin.toml:7:33: "audience" is missing; write for whom the tokens are meant (aud), in application.tool.host-adapters.identity
            spin.toml:7:33: "jwks" is missing; write a file or URL with the issuer's public keys, in application.tool.host-adapters.identity
            spin.toml:8:41: "token" is missing; write the variable that holds its token, as in "{{ name }}", in application.tool.host-adapters.clients.checker
        "#]],
    );
}

#[test]
fn empty_names_and_texts_of_the_identity_are_refused() {
    let said = diagnostics_of(
        r#"
[variables]
audience = { default = " " }
[component.a]
source = "a.wasm"
[component.a.tool.host-adapters]
grants = { services = [""] }
[application.tool.host-adapters.services]
"" = { upstream = "http://127.0.0.1:1" }
[application.tool.host-adapters.identity]
issuer = ""
audience = "{{ audience }}"
jwks = ""
"#,
    );
    for part in [
        "spin.toml:7:24: \"services\" holds an empty name; remove it",
        "\"services\" holds an empty name; write one",
        "spin.toml:11:10: \"issuer\" is empty",
        "spin.toml:12:12: \"audience\" is empty",
        "spin.toml:13:8: \"jwks\" is empty",
    ] {
        assert_eq!(said.lines().filter(|line| line.contains(part)).count(), 1, "{part} in {said}");
    }
}

#[test]
fn services_need_a_url() {
    check(
        r#"
[application.tool.host-adapters.services]
entry = { upstream = "127.0.0.1:80", rate_limit_by = "fan" }
user = { host = "user.internal", upstream = "http://127.0.0.1:81" }
"#,
        &expect![[r#"
            spin.toml:3:22: "127.0.0.1:80" is not an http or https URL, in application.tool.host-adapters.services.entry
            spin.toml:3:54: rate_limit_by = "fan" is unknown; there is "campaign", "service", in application.tool.host-adapters.services.entry
            spin.toml:4:10: unknown key "host"; there is "upstream", "auth", "rate_limit_per_sec", "rate_limit_by", "attempt_timeout_secs", in application.tool.host-adapters.services.user
        "#]],
    );
}

#[test]
fn text_that_is_not_toml_and_files_that_do_not_exist() {
    let errors = parse_with("spin_manifest_version = 2\n[application\nname = 1\n").unwrap_err();
    assert_eq!((errors.diagnostics.len(), errors.diagnostics[0].line), (1, 2), "{errors}");
    let errors = load(Path::new("no-such-folder/spin.toml"), &ProvidedVariables::default()).unwrap_err();
    assert!(errors.to_string().starts_with("no-such-folder/spin.toml:1:1: cannot be read: "), "{errors}");
}

/// Spin's other triggers and the keys of other tools.
#[test]
fn what_is_spins_alone() {
    check(
        r#"
[trigger]
redis = [{ channel = "c", component = "a" }]
[[trigger.http]]
route = "/a"
component = "a"
executor = { type = "wagi" }
[component.a]
source = "a.wasm"
sqlite_databases = ["default"]
[component.a.tool.watcher]
anything = 1
"#,
        &expect![[r#"
            spin.toml:3:1: trigger "redis" is not provided by host-adapters, which has "http"; write [[component.<id>.tool.host-adapters.source]] with type = "…", in trigger
            spin.toml:7:12: "executor" is not provided by host-adapters; every component is a wasi:http handler, in trigger.http
            spin.toml:10:20: "sqlite_databases" is not provided by host-adapters; use a table under [application.tool.host-adapters.tables], in component.a
        "#]],
    );
}

#[test]
fn services_are_granted_by_name() {
    check(
        r#"
[application.tool.host-adapters.services.entry]
upstream = "http://127.0.0.1:1"
[component.a]
source = "a.wasm"
[component.a.tool.host-adapters]
grants = { services = ["entry", "entries"] }
[component.b]
source = "b.wasm"
[component.b.tool.host-adapters.grants]
services = "entry"
[application.tool.host-adapters.clients.c]
token = "t"
grants = { services = ["*", "user"] }
"#,
        &expect![[r#"
            spin.toml:7:33: unknown service "entries"; there is "entry", or declare it under [application.tool.host-adapters]
            spin.toml:11:12: services is of type string; write a list of strings, as in ["a", "b"], in component.b.tool.host-adapters.grants
            spin.toml:14:29: unknown service "user"; there is "entry", or declare it under [application.tool.host-adapters]
        "#]],
    );
}

#[test]
fn everything_is_granted_to_clients_only() {
    check(
        r#"
[component.a]
source = "a.wasm"
[component.a.tool.host-adapters.grants]
queues = { "*" = "send" }
services = ["*"]
"#,
        &expect![[r#"
            spin.toml:5:18: "*" is for clients; write the names that the component uses
            spin.toml:6:13: "*" is for clients; write the names that the component uses
        "#]],
    );
}

#[test]
fn components_are_seen_and_replaced_by_clients_only() {
    check(
        r#"
[component.a]
source = "a.wasm"
[component.a.tool.host-adapters]
grants = { components = "swap" }
[component.b]
source = "b.wasm"
[component.b.tool.host-adapters.grants]
components = "read"
"#,
        &expect![[r#"
            spin.toml:5:25: components is for clients: no component sees or replaces others; remove it
            spin.toml:9:14: components is for clients: no component sees or replaces others; remove it
        "#]],
    );
}

#[test]
fn tasks_are_of_workers_that_do_them_and_for_clients_only() {
    check(
        r#"
[application.tool.host-adapters.clients.c]
token = "t"
grants = { tasks = { enqueue-selection = "start", other = "start", enqueue-selections = "stop" } }
[component.enqueue-selections]
source = "a.wasm"
[component.enqueue-selections.tool.host-adapters]
grants = { tasks = { enqueue-selections = "start" } }
[[component.enqueue-selections.tool.host-adapters.source]]
type = "task"
[[component.enqueue-selections.tool.host-adapters.source]]
type = "task"
"#,
        &expect![[r#"
            spin.toml:4:42: no worker "enqueue-selection" has a source of the type "task"; write "enqueue-selections"
            spin.toml:4:59: no worker "other" has a source of the type "task"; there is "enqueue-selections"
            spin.toml:4:89: tasks.enqueue-selections = "stop" is not a grant; there is "start", in application.tool.host-adapters.clients.c.grants
            spin.toml:8:43: tasks is for clients: no component starts tasks; remove it
            spin.toml:11:1: "enqueue-selections" has the source task already; remove one of the two
        "#]],
    );
}

/// A fault of an address shows no password that stands in it, and no address may have one.
#[test]
fn passwords_in_addresses_are_refused_and_not_shown() {
    let said = diagnostics_of(
        r#"
[component.a]
source = "a.wasm"
allowed_outbound_hosts = ["http://me:hunter2@h/path", "redis://:hunter2@h", "hunter2@h"]
[application.tool.host-adapters.services]
entry = { upstream = "ftp://me:hunter2@h" }
user = { upstream = "http://h?key=hunter2" }
[application.tool.host-adapters.identity]
issuer = "i"
audience = "a"
jwks = "https://me:hunter2@h/jwks.json"
"#,
    );
    expect![[r#"
        spin.toml:4:27: allowed_outbound_hosts: there is a user or password; write scheme, host and port only, in component.a
        spin.toml:4:55: allowed_outbound_hosts: there is a user or password; write scheme, host and port only, in component.a
        spin.toml:4:77: allowed_outbound_hosts: no scheme; write it before the host, as in "http://", "redis://" or "*://", in component.a
        spin.toml:6:22: upstream is not an http or https URL, in application.tool.host-adapters.services.entry
        spin.toml:7:21: upstream has a query or fragment; paths are appended to it, so leave them out, in application.tool.host-adapters.services.user
        spin.toml:11:8: jwks has a user or password; leave them out, in application.tool.host-adapters.identity
    "#]]
    .assert_eq(&said);
}

/// Without a token the address is the secret, also where it stands in the file.
#[test]
fn an_address_that_is_the_secret_is_not_shown() {
    let said = diagnostics_of(
        r#"
[variables]
webhook = { default = "hooks.example/services/hunter2", secret = true }
[component.a]
source = "a.wasm"
[application.tool.host-adapters.services]
one = { upstream = "https:/hooks.example:x/services/hunter2", auth = "none" }
two = { upstream = "{{ webhook }}", auth = "none" }
three = { upstream = "", auth = "none" }
four = { upstream = "" }
five = { upstream = "https://h", auth = "hunter" }
"#,
    );
    expect![[r#"
        spin.toml:7:20: upstream is not an http or https URL, in application.tool.host-adapters.services.one
        spin.toml:8:20: upstream with webhook from its default is not an http or https URL, in application.tool.host-adapters.services.two
        spin.toml:10:21: "" is not an http or https URL, in application.tool.host-adapters.services.four
        spin.toml:11:41: auth = "hunter" is unknown; there is "app-to-app", "none", in application.tool.host-adapters.services.five
    "#]]
    .assert_eq(&said);
}

#[test]
fn faults_of_the_syntax_name_the_key_and_say_what_to_write() {
    let of = |text: &str| format!("{}\n", parse_with(text).unwrap_err());
    let said: String =
        ["name = 1\nname = 2\n", "[a]\n[a]\n", "name = hunter2\n", "name =\n", "[a\n", "name = \"hunter2\n", "= 1\n"]
            .into_iter()
            .map(of)
            .collect();
    assert!(!said.contains("hunter2"), "{said}");
    expect![[r#"
        spin.toml:2:1: duplicate key, at name; write it once
        spin.toml:2:2: duplicate key, at [a]; write it once
        spin.toml:1:8: string values must be quoted, expected literal string, at name; write the value, a text between double quotes
        spin.toml:1:7: string values must be quoted, expected literal string, at name; write the value, a text between double quotes
        spin.toml:1:3: unclosed table, expected `]`, at [a; close it
        spin.toml:1:16: invalid basic string, expected `"`, at name; end it with a double quote
        spin.toml:1:1: unquoted keys cannot be empty, expected letters, numbers, `-`, `_`; write key = value
    "#]].assert_eq(&said);
}

#[test]
fn case_22_a_manifest_is_read_as_editors_save_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("spin.toml");
    let read = |bytes: &[u8]| {
        std::fs::write(&path, bytes).unwrap();
        load(&path, &ProvidedVariables::default())
    };
    let windows = format!("\u{feff}{}", BASE.replace('\n', "\r\n"));
    assert_eq!(read(windows.as_bytes()).unwrap().name, "test");
    let wide: Vec<u8> = windows.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let error = read(&wide).unwrap_err().to_string();
    assert!(error.ends_with("spin.toml:1:1: cannot be read: it is UTF-16, not UTF-8; save it as UTF-8"), "{error}");
    let fault = windows.replace("name = ", "nama = ");
    let error = read(fault.as_bytes()).unwrap_err().to_string();
    assert!(error.contains("spin.toml:3:1: unknown key \"nama\""), "{error}");
}

/// The same spin.toml serves every backend, so a name must be one that each of them can have.
#[test]
fn names_that_no_queue_table_or_collection_can_have_are_reported_at_their_lines() {
    let long = "q".repeat(78);
    let said = diagnostics_of(&format!(
        r#"
[application.tool.host-adapters.queues."bad name!"]
[application.tool.host-adapters.queues."a.fifo.b"]
[application.tool.host-adapters.queues.nowhere]
dead_letter_queue = ""
[application.tool.host-adapters.queues.{long}]
[application.tool.host-adapters.tables.t]
[component.a]
source = "a.wasm"
[[component.a.tool.host-adapters.source]]
type = "sqs"
queue = "bad name!"
[[component.a.tool.host-adapters.source]]
type = "sqs"
queue = "{long}"
[[component.a.tool.host-adapters.source]]
type = "dynamodb-stream"
table = "demand-table"
dead_letter_queue = "no queue"
"#
    ));
    let queue = "cannot be the name of a queue in SQS; write 1 to 80 letters, digits, - and _, with .fifo at the end of a \
                 FIFO queue's";
    let table = "cannot be the name of a table in DynamoDB; write 3 to 255 letters, digits, _, - and .";
    let expected = [
        format!("2:40: \"bad name!\" {queue}"),
        format!("3:40: \"a.fifo.b\" {queue}"),
        format!("5:21: \"\" {queue}"),
        format!("7:40: \"t\" {table}"),
        format!("15:9: \"{long}Dlq\" {queue}"),
        format!("19:21: \"no queue\" {queue}"),
    ];
    assert_eq!(said, expected.map(|line| format!("spin.toml:{line}\n")).concat());
    let text = BASE.replace("[\"campaigns\"]", "[\"camp$aigns\"]");
    expect![[r#"spin.toml:5:16: "camp$aigns" cannot be the name of a collection in MongoDB; write 1 to 255 bytes without $, not beginning with system."#]]
        .assert_eq(&parse_with(&text).unwrap_err().to_string());
}

#[test]
fn buckets_and_their_grants_are_checked() {
    let text = BASE.replace("collections =", "buckets = [\"scoring\", \"scoringBucket\"]\ncollections =");
    expect![[r#"spin.toml:5:23: "scoringBucket" cannot be the name of a bucket in S3; write 3 to 63 lower-case letters, digits, - and ., beginning and ending with a letter or digit"#]]
        .assert_eq(&parse_with(&text).unwrap_err().to_string());
    let more = r#"
[component.a]
source = "a.wasm"
[component.a.tool.host-adapters.grants.objects]
"scoring/scrubbed/" = ["read", "list"]
"scoring" = ["reed"]
"scorin/x" = ["write"]
other = "read"
"*" = ["list"]
"scoring/2" = [7]
"*/x" = []
"#;
    let text = BASE.replace("collections =", "buckets = [\"scoring\"]\ncollections =") + more;
    let mut errors = parse_with(&text).unwrap_err();
    let base = text.lines().count() - more.lines().count();
    errors.diagnostics.iter_mut().for_each(|diagnostic| diagnostic.line -= base);
    let place = ", in component.a.tool.host-adapters.grants";
    expect![[r#"
        spin.toml:6:14: objects.scoring holds "reed", which is not a grant; write "read"<place>
        spin.toml:7:14: unknown bucket "scorin"; write "scoring", or declare it under [application.tool.host-adapters]
        spin.toml:8:9: objects.other is of type string; write a list of strings, as in ["a", "b"]<place>
        spin.toml:9:7: "*" is for clients; write the names that the component uses
        spin.toml:10:16: objects.scoring/2 holds integer; write strings only<place>
        spin.toml:11:9: objects.*/x: "*" stands for whole buckets; name one<place>
        spin.toml:11:9: "*" is for clients; write the names that the component uses"#]]
    .assert_eq(&errors.to_string().replace(place, "<place>"));
}

#[test]
fn data_streams_and_their_grants_are_checked() {
    check(
        r#"
[application.tool.host-adapters.data_streams]
scoresStream = { shards = 4 }
campaignDataStream = {}
"scores stream" = {}
none = { shards = 0 }
[component.a]
source = "a.wasm"
[component.a.tool.host-adapters.grants.data_streams]
scoresStream = "put"
campaignDataStream = "read"
scoreStream = "put"
"#,
        &expect![[r#"
            spin.toml:5:19: "scores stream" cannot be the name of a stream in Kinesis; write 1 to 128 letters, digits, _, - and .
            spin.toml:6:19: shards is 0; write a whole number from 1 to 1000, in application.tool.host-adapters.data_streams.none
            spin.toml:11:22: data_streams.campaignDataStream = "read" is not a grant; there is "put", in component.a.tool.host-adapters.grants
            spin.toml:12:15: unknown data stream "scoreStream"; write "scoresStream", or declare it under [application.tool.host-adapters]
        "#]],
    );
}

#[test]
fn topics_of_the_event_log_and_their_grants_are_checked() {
    check(
        r#"
[application.tool.host-adapters.event_log]
"prd2011.dmnd.campaigns" = { partitions = 4 }
"prd2011.dmnd.markets" = {}
"a topic" = {}
none = { partitions = 0 }
[component.a]
source = "a.wasm"
[component.a.tool.host-adapters.grants.event_log]
"prd2011.dmnd.*" = "produce"
"prd2011.dmnd.markets" = "put"
"prd2011.dmnd.market" = "produce"
"prd2012.*" = "produce"
"*" = "produce"
"#,
        &expect![[r#"
            spin.toml:5:13: "a topic" cannot be the name of a topic in Kafka; write 1 to 249 letters, digits, ., _ and -, not . or ..
            spin.toml:6:23: partitions is 0; write a whole number from 1 to 1000, in application.tool.host-adapters.event_log.none
            spin.toml:11:26: event_log.prd2011.dmnd.markets = "put" is not a grant; there is "produce", "read", in component.a.tool.host-adapters.grants
            spin.toml:12:25: unknown topic of the event log "prd2011.dmnd.market"; write "prd2011.dmnd.markets", or declare it under [application.tool.host-adapters]
            spin.toml:13:15: no topic of the event log begins with "prd2012."; correct it, or declare one under [application.tool.host-adapters.event_log]
            spin.toml:14:7: "*" is for clients; write the names that the component uses
        "#]],
    );
}

/// The queue would move a message away before its last attempt. Where it has no dead letter queue, it moves none.
#[test]
fn a_source_that_attempts_more_than_its_queue_lets_it_receive_is_reported() {
    check(
        r#"
[application.tool.host-adapters.queues.twice]
max_receive_count = 2
dead_letter_queue = "twiceDlq"
[application.tool.host-adapters.queues.thrice]
max_receive_count = 3
dead_letter_queue = "thriceDlq"
[application.tool.host-adapters.queues.keeps]
max_receive_count = 2
[component.a]
source = "a.wasm"
tool.host-adapters.source = [
    { type = "sqs", queue = "twice" },
    { type = "sqs", queue = "thrice" },
    { type = "sqs", queue = "keeps" },
]
[component.b]
source = "b.wasm"
tool.host-adapters.source = [
    { type = "sqs", queue = "twice", max_attempts = 2 },
    { type = "sqs", queue = "thrice", max_attempts = 4 },
]
"#,
        &expect![[r#"
            spin.toml:13:29: max_attempts = 3 is not reached, because "twice" moves a message to its dead letter queue after max_receive_count = 2 receives; write at most 2, or more receives there
            spin.toml:21:54: max_attempts = 4 is not reached, because "thrice" moves a message to its dead letter queue after max_receive_count = 3 receives; write at most 3, or more receives there
        "#]],
    );
}
