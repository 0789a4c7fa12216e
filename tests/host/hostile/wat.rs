//! Components in text format, for deeds that cannot be written in Rust.

/// The types of `wit/events.wit`, and `handle` as in `batch-worker`.
const TYPES: &str = r#"
    (import "registration:workers/events@1.0.0" (instance $events
        (type $payload (variant (case "json" string) (case "bytes" (list u8))))
        (export "payload" (type $p (eq $payload)))
        (type $value (variant (case "text" string) (case "bytes" (list u8))))
        (export "attribute-value" (type $v (eq $value)))
        (type $attribute (record (field "name" string) (field "data-type" string) (field "value" $v)))
        (export "attribute" (type $a (eq $attribute)))
        (type $event (record
            (field "id" string) (field "source" string) (field "ordering-key" (option string)) (field "payload" $p)
            (field "attributes" (list $a)) (field "attempt" u32) (field "time-ms" u64)
            (field "correlation-id" string) (field "traceparent" (option string))))
        (export "event" (type (eq $event)))
        (type $retry (record (field "after-ms" (option u64)) (field "reason" string)))
        (export "retry" (type $r (eq $retry)))
        (type $disposition (variant (case "ack") (case "retry" $r) (case "reject" string) (case "skip" string)
            (case "give-up" string)))
        (export "disposition" (type (eq $disposition)))
        (type $failure (record (field "retryable" bool) (field "message" string)))
        (export "failure" (type (eq $failure)))))
    (alias export $events "event" (type $event))
    (alias export $events "disposition" (type $disposition))
    (alias export $events "failure" (type $failure))
    (type $handle (func async
        (param "batch" (list $event)) (result (result (list $disposition) (error $failure)))))"#;

/// A worker whose `handle` runs `body`, then returns no dispositions. `fields` are added to its module, `more` to its
/// component; its module is instantiated `with` more imports.
pub fn worker(fields: &str, body: &str, more: &str, with: &str) -> String {
    format!(
        r#"(component {TYPES} {more}
            (core module $worker {fields}
                (memory (export "memory") 2)
                (func (export "realloc") (param i32 i32 i32 i32) (result i32) i32.const 65536)
                (func (export "handle") (param i32 i32) (result i32) {body} i32.const 1024))
            (core instance $core (instantiate $worker {with}))
            (func $lifted (type $handle) (canon lift (core func $core "handle")
                (memory (core memory $core "memory")) (realloc (core func $core "realloc"))))
            (instance $exported (export "handle" (func $lifted)))
            (export "registration:workers/batch-worker@1.0.0" (instance $exported)))"#
    )
}

/// A worker with this many more core instances, each with a table.
pub fn crowd(instances: usize) -> String {
    let mut more = String::from(r#"(core module $member (table 1 funcref))"#);
    for n in 0..instances {
        let table = if n < 30 { "$member" } else { "$empty" };
        more.push_str(&format!("(core instance (instantiate {table}))"));
    }
    worker("", "", &format!("(core module $empty) {more}"), "")
}

/// A worker that calls `grow` in this many instances of a module, and traps if that is refused.
pub fn growing(module: &str, instances: usize) -> String {
    let (mut more, mut with, mut fields, mut body) =
        (format!("(core module $g {module})"), String::new(), String::new(), String::new());
    for n in 0..instances {
        more.push_str(&format!("(core instance $g{n} (instantiate $g))"));
        with.push_str(&format!("(with \"g{n}\" (instance $g{n}))"));
        fields.push_str(&format!("(import \"g{n}\" \"grow\" (func $grow{n} (result i32)))"));
        body.push_str(&format!("(if (i32.lt_s (call $grow{n}) (i32.const 0)) (then unreachable))"));
    }
    worker(&fields, &body, &more, &with)
}

/// A worker that waits for a day when it starts.
pub fn waits_at_start() -> String {
    let more = r#"
        (import "wasi:io/poll@0.2.0" (instance $poll
            (export "pollable" (type $pollable (sub resource)))
            (export "[method]pollable.block" (func (param "self" (borrow $pollable))))))
        (alias export $poll "pollable" (type $pollable))
        (import "wasi:clocks/monotonic-clock@0.2.0" (instance $clock
            (export "pollable" (type $p (eq $pollable)))
            (export "subscribe-duration" (func (param "when" u64) (result (own $p))))))
        (core func $block (canon lower (func $poll "[method]pollable.block")))
        (core func $subscribe (canon lower (func $clock "subscribe-duration")))
        (core instance $host (export "block" (func $block)) (export "subscribe" (func $subscribe)))"#;
    let fields = r#"
        (import "host" "block" (func $block (param i32)))
        (import "host" "subscribe" (func $subscribe (param i64) (result i32)))
        (func $start (call $block (call $subscribe (i64.const 86400000000000))))
        (start $start)"#;
    worker(fields, "", more, r#"(with "host" (instance $host))"#)
}
