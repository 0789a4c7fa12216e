//! Every word of Spin's manifest (its schema, version 2): it works as on Spin, or one line says what is not offered and
//! what to write instead. `docs/spin.md` lists the same words.

use super::*;

const DOCUMENT: &str = include_str!("../../../../docs/spin.md");

/// Where a word stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum In {
    /// `[application]`.
    Application,
    /// `[variables.v]`.
    Variable,
    /// `[[trigger.http]]`.
    Trigger,
    /// `[component.a]`.
    Component,
    /// `source` of `[component.a]`.
    Source,
    /// After everything else.
    End,
}

/// A manifest with a text in one place.
fn manifest(place: In, text: &str) -> String {
    let of = |here: In, otherwise: &str| if place == here { text.to_owned() } else { otherwise.to_owned() };
    format!(
        "spin_manifest_version = 2\n[application]\nname = \"test\"\n{}\n[variables.v]\n{}\n\
         [[trigger.http]]\n{}\n[component.a]\n{}\n{}\n[component.client]\nsource = \"c.wasm\"\n{}\n",
        of(In::Application, ""),
        of(In::Variable, "default = \"\""),
        of(In::Trigger, "route = \"/a\"\ncomponent = \"a\""),
        of(In::Source, "source = \"a.wasm\""),
        of(In::Component, ""),
        of(In::End, ""),
    )
}

/// What is said of a word; nothing if it works.
fn said(place: In, text: &str) -> String {
    let Err(errors) = parse_with(&manifest(place, text)) else { return String::new() };
    errors.diagnostics.into_iter().map(|diagnostic| diagnostic.message).collect::<Vec<_>>().join("\n")
}

/// Checks words: each with a text that has it, and what is said.
fn check_words(rows: &[(&str, In, &str, &str)]) {
    for (word, place, text, expected) in rows {
        assert_eq!(said(*place, text), *expected, "{word}: {text}");
        assert!(DOCUMENT.contains(&format!("`{word}`")), "{word} is not in docs/spin.md");
    }
}

#[test]
fn case_24_words_of_the_application() {
    use In::{Application, End, Variable};
    check_words(&[
        ("spin_manifest_version", Application, "", ""),
        ("application.name", Application, "", ""),
        ("application.version", Application, "version = \"1.0.0\"", ""),
        ("application.description", Application, "description = \"d\"", ""),
        ("application.authors", Application, "authors = [\"a@b.co\"]", ""),
        (
            "application.targets",
            Application,
            "targets = [\"spin-up:4.1\", { url = \"https://a\" }, { path = \"p\" }]",
            "",
        ),
        (
            "application.targets",
            Application,
            "targets = \"spin-up:4.1\"",
            "targets is not a list of Spin hosts; write it as in [\"spin-up:4.1\"], in application",
        ),
        ("application.trigger.http", Application, "trigger.http.base = \"/\"", ""),
        (
            "application.trigger.http",
            Application,
            "trigger.http.base = \"/base\"",
            "\"trigger\" is not provided by host-adapters; write every [[trigger.http]] route in full, in application",
        ),
        (
            "application.trigger.redis",
            Application,
            "trigger.redis.address = \"redis://h\"",
            "\"trigger\" is not provided by host-adapters; write every [[trigger.http]] route in full, in application",
        ),
        ("application.tool", Application, "tool.other.key = 1", ""),
        (
            "application.tool",
            Application,
            "tool.host_adapters.collections = []",
            "tool.host_adapters is unknown; write tool.host-adapters, in application.tool",
        ),
        ("variables.<name>.default", Variable, "default = \"d\"", ""),
        ("variables.<name>.description", Variable, "default = \"\"\ndescription = \"d\"", ""),
        ("variables.<name>.secret", Variable, "default = \"\"\nsecret = true", ""),
        (
            "variables.<name>.required",
            Variable,
            "required = true",
            "no value given; set SPIN_VARIABLE_V, or write --variable v=…, in variables.v",
        ),
        (
            "trigger.<other>",
            End,
            "[[trigger.redis]]\nchannel = \"c\"\ncomponent = \"a\"",
            "trigger \"redis\" is not provided by host-adapters, which has \"http\"; write \
             [[component.<id>.tool.host-adapters.source]] with type = \"…\", in trigger",
        ),
        (
            "trigger.<other>",
            End,
            "[[trigger.sqs]]\nqueue_url = \"q\"\ncomponent = \"a\"",
            "trigger \"sqs\" is not provided by host-adapters, which has \"http\"; write \
             [[component.<id>.tool.host-adapters.source]] with type = \"sqs\", in trigger",
        ),
    ]);
}

#[test]
fn case_24_words_of_http_triggers() {
    use In::Trigger;
    let trigger = |more: &str| format!("route = \"/a\"\ncomponent = \"a\"\n{more}");
    let (id, http, spin) =
        (trigger("id = \"t\""), trigger("executor = { type = \"http\" }"), trigger("executor = { type = \"spin\" }"));
    let wagi = trigger("executor = { type = \"wagi\" }");
    let (components, dependencies) =
        (trigger("components = { b = \"a\" }"), trigger("dependencies = { m = [{ component = \"a\" }] }"));
    check_words(&[
        ("trigger.http.route", Trigger, "route = \"/a/:id/...\"\ncomponent = \"a\"", ""),
        (
            "trigger.http.route.private",
            Trigger,
            "route = { private = true }\ncomponent = \"a\"",
            "a private route is not provided by host-adapters; no component calls another over HTTP; write a path, or \
             remove the trigger, in trigger.http.route",
        ),
        ("trigger.http.component", Trigger, "route = \"/a\"\ncomponent = \"a\"", ""),
        (
            "trigger.http.component",
            Trigger,
            "route = \"/a\"\ncomponent = { source = \"a.wasm\" }",
            "\"component\" is not provided by host-adapters; write it as [component.<id>] and name it as component = \
             \"<id>\", in trigger.http",
        ),
        ("trigger.http.id", Trigger, &id, ""),
        ("trigger.http.executor", Trigger, &http, ""),
        ("trigger.http.executor", Trigger, &spin, ""),
        (
            "trigger.http.executor",
            Trigger,
            &wagi,
            "\"executor\" is not provided by host-adapters; every component is a wasi:http handler, in trigger.http",
        ),
        (
            "trigger.http.static_response",
            Trigger,
            "route = \"/a\"\nstatic_response = { status_code = 404 }",
            "\"static_response\" is not provided by host-adapters; answer with a component, in trigger.http",
        ),
        (
            "trigger.http.components",
            Trigger,
            &components,
            "\"components\" is not provided by host-adapters; name one component as component = \"id\", in trigger.http",
        ),
        (
            "trigger.http.dependencies",
            Trigger,
            &dependencies,
            "\"dependencies\" is not provided by host-adapters; compose them into the component when you build, in trigger.http",
        ),
    ]);
}

#[test]
fn case_24_words_of_components() {
    use In::{Component, Source};
    let fetched = "\"source\" is not provided by host-adapters; fetch the file when you build, and write its path, in component.a";
    let table = "use a table under [application.tool.host-adapters.tables], in component.a";
    let (stores, databases) = (
        format!("\"key_value_stores\" is not provided by host-adapters; {table}"),
        format!("\"sqlite_databases\" is not provided by host-adapters; {table}"),
    );
    let calls = "calls of other components (self, *.spin.internal) are not provided by host-adapters; send them a message, or \
                 write the address that the component's route is served at, in component.a";
    let (inner, own) = (
        format!("allowed_outbound_hosts \"http://b.spin.internal\": {calls}"),
        format!("allowed_outbound_hosts \"http://self\": {calls}"),
    );
    check_words(&[
        ("component.<id>.source", Source, "source = \"a.wasm\"", ""),
        (
            "component.<id>.source.url",
            Source,
            "source = { url = \"https://h/a.wasm\", digest = \"sha256:1\" }",
            fetched,
        ),
        (
            "component.<id>.source.registry",
            Source,
            "source = { registry = \"r.io\", package = \"a:b\", version = \"1.0.0\" }",
            fetched,
        ),
        ("component.<id>.source.registry", Source, "source = { package = \"a:b\", version = \"1.0.0\" }", fetched),
        ("component.<id>.description", Component, "description = \"d\"", ""),
        ("component.<id>.variables", Component, "variables = { a = \"{{ v }}\" }", ""),
        ("component.<id>.environment", Component, "environment = { A = \"b\" }", ""),
        ("component.<id>.files", Component, "files = []", ""),
        (
            "component.<id>.files",
            Component,
            "files = [\"a/*\", { source = \"b\", destination = \"/\" }]",
            "\"files\" is not provided by host-adapters; put what the component needs into it at build time, in component.a",
        ),
        (
            "component.<id>.exclude_files",
            Component,
            "exclude_files = [\"a/*\"]",
            "\"exclude_files\" is not provided by host-adapters; remove it, in component.a",
        ),
        (
            "component.<id>.allowed_http_hosts",
            Component,
            "allowed_http_hosts = [\"h\"]",
            "\"allowed_http_hosts\" is not provided by host-adapters; write allowed_outbound_hosts, in component.a",
        ),
        (
            "component.<id>.allowed_outbound_hosts",
            Component,
            "allowed_outbound_hosts = [\"http://*.h:8080\", \"*://10.0.0.0/8:*\"]",
            "",
        ),
        (
            "component.<id>.allowed_outbound_hosts",
            Component,
            "allowed_outbound_hosts = [\"http://b.spin.internal\"]",
            &inner,
        ),
        ("component.<id>.allowed_outbound_hosts", Component, "allowed_outbound_hosts = [\"http://self\"]", &own),
        ("component.<id>.key_value_stores", Component, "key_value_stores = [\"default\"]", &stores),
        ("component.<id>.key_value_stores", Component, "key_value_stores = []", ""),
        ("component.<id>.sqlite_databases", Component, "sqlite_databases = [\"default\"]", &databases),
        (
            "component.<id>.ai_models",
            Component,
            "ai_models = [\"llama2-chat\"]",
            "\"ai_models\" is not provided by host-adapters; call a model as a service under \
             [application.tool.host-adapters.services], in component.a",
        ),
        ("component.<id>.targets", Component, "targets = [\"spin-up:4.1\"]", ""),
        (
            "component.<id>.build",
            Component,
            "build = { command = [\"a\", \"b\"], workdir = \"w\", watch = [\"src/*\"] }",
            "",
        ),
        ("component.<id>.tool", Component, "tool = { other = { key = 1 } }", ""),
        (
            "component.<id>.dependencies_inherit_configuration",
            Component,
            "dependencies_inherit_configuration = true",
            "",
        ),
        (
            "component.<id>.profile",
            Component,
            "profile.dev = { source = \"d.wasm\", environment = { A = \"b\" }, build = { command = \"c\" } }",
            "",
        ),
        (
            "component.<id>.profile",
            Component,
            "profile.dev = { source = { url = \"https://h/a.wasm\", digest = \"sha256:1\" } }",
            "\"source\" is not provided by host-adapters; fetch the file when you build, and write its path, in component.a.profile.dev",
        ),
    ]);
}

#[test]
fn case_24_words_of_dependencies() {
    let word = "component.<id>.dependencies";
    let composed = |name: &str| {
        format!(
            "dependency \"{name}\" is not provided by host-adapters, which composes no components; compose it into the \
             file when you build, in component.a"
        )
    };
    let platform = "is not provided by host-adapters; the platform is the host's own; write component = \"<id>\" for Spin \
                    hosts, in component.a.dependencies.registration:platform@1.0.0";
    let own = |key: &str| format!("\"{key}\" {platform}");
    let inherit = r#"{ component = "client", inherit_configuration = ["variables"] }"#;
    for (text, expected) in [
        (format!("\"registration:platform@1.0.0\" = {inherit}"), String::new()),
        (r#""registration:platform/table@1.0.0" = { component = "client", export = "e", inherit_configuration = true }"#.into(), String::new()),
        (r#""registration:platform@1.0.0" = { path = "p.wasm" }"#.into(), own("path")),
        (r#""registration:platform@1.0.0" = { version = "1.0.0", registry = "r.io" }"#.into(), own("version")),
        (r#""pkg" = ">=0.1""#.into(), composed("pkg")),
        (r#""my:pkg" = ">=0.1""#.into(), composed("my:pkg")),
        (r#""my:pkg/i@1.0.0" = { version = "1.0.0", package = "p:q", registry = "r.io" }"#.into(), composed("my:pkg/i@1.0.0")),
        (r#""my:pkg" = { path = "p.wasm" }"#.into(), composed("my:pkg")),
        (r#""my:pkg" = { url = "https://h/p.wasm", digest = "sha256:1" }"#.into(), composed("my:pkg")),
        (r#""my:pkg" = { component = "client" }"#.into(), composed("my:pkg")),
    ] {
        check_words(&[(word, In::Component, &format!("dependencies = {{ {text} }}"), &expected)]);
    }
}

#[test]
fn case_24_ids_are_in_kebab_case_as_on_spin() {
    for (id, is_one) in [
        ("a", true),
        ("save-ENTRIES", true),
        ("SAVE-ENTRIES2", true),
        ("Save", false),
        ("a--b", false),
        ("a-2", false),
        ("é", false),
    ] {
        let said = diagnostics_of(&format!("[component.\"{id}\"]\nsource = \"a.wasm\"\n"));
        assert_eq!(said.contains("is not a kebab-case name"), !is_one, "{id}: {said}");
        assert_eq!(said == "no diagnostic\n", is_one, "{id}: {said}");
    }
}

#[test]
fn case_24_other_versions_of_the_manifest_are_refused_by_name() {
    for version in ["1", "\"1\"", "\"2\"", "3"] {
        let error =
            parse_with(&manifest(In::End, "").replace("version = 2", &format!("version = {version}"))).unwrap_err();
        expect_test::expect!["spin.toml:1:25: spin_manifest_version is not 2, and no other version is read; write spin_manifest_version = 2"]
            .assert_eq(&error.to_string());
    }
}
