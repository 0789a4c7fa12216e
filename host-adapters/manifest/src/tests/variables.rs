//! Tests of variables: where their values come from and where they are used.

use super::*;
use expect_test::expect;

const TEXT: &str = r#"
[variables]
host = { default = "example.com" }
port = { required = true }
key = { required = true, secret = true }
[component.a]
source = "a.wasm"
allowed_outbound_hosts = ["https://{{ host }}:{{port}}"]
[component.a.variables]
url = "https://{{ host }}:{{port}}/{{ host }}"
header = "Bearer {{ key }}"
plain = "as it is }}"
"#;

fn given(named: &[(&str, &str)], environment: &[(&str, &str)]) -> ProvidedVariables {
    let map =
        |pairs: &[(&str, &str)]| pairs.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    ProvidedVariables { named: map(named), environment: map(environment) }
}

fn parse_given(given: &ProvidedVariables) -> Result<App, ManifestErrors> {
    parse(Path::new("spin.toml"), &format!("{BASE}{TEXT}"), given)
}

#[test]
fn values_are_put_into_templates() {
    let app = parse_given(&given(&[("port", "1"), ("key", "k3y")], &[("port", "2"), ("host", "x.org")])).unwrap();
    let component = &app.components["a"];
    let value = |name: &str| component.variables[name].expose();
    // The command line has precedence over the environment, and that over the default.
    assert_eq!((value("url"), value("header")), ("https://x.org:1/x.org", "Bearer k3y"));
    assert_eq!(value("plain"), "as it is }}");
    assert!(component.allowed_outbound_hosts.allows(&"https://x.org:1/".parse().unwrap()));
    assert!(!component.allowed_outbound_hosts.allows(&"https://x.org/".parse().unwrap()));
}

#[test]
fn secrets_do_not_show() {
    let app = parse_given(&given(&[("port", "1"), ("key", "k3y")], &[])).unwrap();
    let shown = format!("{app:?}");
    assert!(shown.contains("https://example.com:1/example.com") && !shown.contains("k3y"), "{shown}");
    assert!(app.components["a"].variables["header"].is_secret());
    assert!(!app.components["a"].variables["url"].is_secret());
}

#[test]
fn missing_and_unknown_variables_are_reported_without_values() {
    let errors = parse_given(&given(&[("prt", "s3cret")], &[("other", "1")])).unwrap_err();
    expect![[r#"
        spin.toml:1:1: --variable prt sets an undeclared variable; write "port"
        spin.toml:14:8: no value given; set SPIN_VARIABLE_PORT, or write --variable port=…, in variables.port
        spin.toml:15:7: no value given; set SPIN_VARIABLE_KEY, or write --variable key=…, in variables.key"#]]
    .assert_eq(&errors.to_string());
}

#[test]
fn declarations_and_templates_can_be_wrong() {
    check(
        r#"
[variables]
Bad = { default = "" }
both = { default = "", required = true }
neither = { secret = true }
number = { default = 1 }
[component.a]
source = "a.wasm"
[component.a.variables]
open = "{{ both"
Odd-Name = "x"
bad_host = "{{ boht }}"
"#,
        &expect![[r#"
            spin.toml:3:7: variable "Bad" is not a lower_snake_case name, in variables.Bad
            spin.toml:4:20: a variable is either required or has a default; remove one of the two, in variables.both
            spin.toml:5:11: neither "default" nor "required"; write one of the two, in variables.neither
            spin.toml:6:22: default is 1; write a string, as in "text", in variables.number
            spin.toml:10:8: unmatched "{{"; write "{{ name }}"
            spin.toml:11:12: variable "Odd-Name" is not a lower_snake_case name, in component.a
            spin.toml:12:12: undeclared variable "boht"; write "both", or declare it under [variables]
        "#]],
    );
}

#[test]
fn callers_of_the_gateway_share_no_token_and_no_name() {
    let errors = diagnostics_of(
        r#"
[variables]
shared = { default = "s3cret" }
[component.a]
source = "a.wasm"
variables = { gateway_token = "{{ shared }}" }
[application.tool.host-adapters.clients]
a = { token = "" }
checker = { token = "s3cret" }
operator = { token = "" }
"#,
    );
    expect![[r#"
        spin.toml:8:5: client "a" has the name of a component; write another
        spin.toml:9:11: "checker" has the gateway token of "a"; give each a token of its own
    "#]]
    .assert_eq(&errors);
}

/// A value is at fault, and not the text that it is put into: the diagnostic says where each value comes from.
#[test]
fn a_value_that_cannot_be_used_is_reported_with_its_variable_and_its_origin() {
    let text = r#"
[variables]
url = { default = "ftp://planted" }
port = { required = true }
audience = { default = " " }
[component.a]
source = "a.wasm"
allowed_outbound_hosts = ["http://h:{{ port }}"]
[application.tool.host-adapters.services.entry]
upstream = "{{ url }}/{{ port }}"
[application.tool.host-adapters.identity]
issuer = "i"
audience = "{{ audience }}"
jwks = "jwks.json"
"#;
    let given = given(&[], &[("port", "planted")]);
    let errors = parse(Path::new("spin.toml"), &format!("{BASE}{text}"), &given).unwrap_err();
    assert!(!errors.to_string().contains("planted"), "{errors}");
    expect![[r#"
        spin.toml:18:27: allowed_outbound_hosts "http://h:{{ port }}" with port from SPIN_VARIABLE_PORT (environment or .env): the port is not a number; write a number, a range as in 8000..8010, or "*", in component.a
        spin.toml:20:12: "{{ url }}/{{ port }}" with port from SPIN_VARIABLE_PORT (environment or .env) and url from its default is not an http or https URL, in application.tool.host-adapters.services.entry
        spin.toml:23:12: "audience" is empty with audience from its default, in application.tool.host-adapters.identity; write it, or remove the table"#]]
    .assert_eq(&errors.to_string());
}
