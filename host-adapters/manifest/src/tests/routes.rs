//! Routes, with the cases of Spin's own tests.

use super::*;

fn routes(written: &[(&str, &str)]) -> String {
    let mut text = "[component.a]\nsource = \"a.wasm\"\n[component.b]\nsource = \"b.wasm\"\n".to_owned();
    for (route, component) in written {
        text.push_str(&format!("[[trigger.http]]\nroute = {route}\ncomponent = \"{component}\"\n"));
    }
    text
}

#[test]
fn paths_find_their_routes_as_on_spin() {
    let app = app(&routes(&[
        ("\"/one\"", "a"),
        ("\"/one/...\"", "b"),
        ("\"/one/two/...\"", "a"),
        ("\"/users/:id\"", "b"),
        ("\"/slash/\"", "a"),
    ]));
    let cases = [
        ("/one", Some("/one")),
        ("/one/", Some("/one")),
        ("/one/x", Some("/one/...")),
        ("/one/x/y", Some("/one/...")),
        ("/one/two", Some("/one/two/...")),
        ("/one/two/x", Some("/one/two/...")),
        ("/users/7", Some("/users/:id")),
        ("/users/7/x", None),
        ("/slash", Some("/slash/")),
        ("/", None),
        ("/two", None),
        ("/onetwo", None),
    ];
    for (path, route) in cases {
        assert_eq!(app.routes.find(path).map(|found| found.route.route.as_str()), route, "{path}");
    }
    assert_eq!(app.routes.of("b").map(|route| route.route.as_str()).collect::<Vec<_>>(), ["/one/...", "/users/:id"]);
}

#[test]
fn everything_can_be_one_route() {
    let app = app(&routes(&[("\"/...\"", "a")]));
    assert!(["/", "/x", "/x/y"].iter().all(|path| app.routes.find(path).is_some()));
}

#[test]
fn a_route_is_taken_once_and_begins_with_a_slash() {
    let text = routes(&[("\"/one\"", "a"), ("\"/one/\"", "b"), ("\"two\"", "a"), ("{ private = false }", "a")]);
    let expected = expect_test::expect![[r#"
        spin.toml:9:9: route "/one/" is already that of "a"; write another, in trigger.http
        spin.toml:12:9: route "two" has no leading slash; write "/two", in trigger.http
        spin.toml:15:9: a route is a path; write it as in route = "/workers/<id>", in trigger.http.route
    "#]];
    check(&text, &expected);
}
