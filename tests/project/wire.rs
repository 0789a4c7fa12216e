//! The gateway's JSON is the same at both ends and matches platform.wit. Values are made from the WIT itself, one for
//! each shape that a type can have, as JSON in the form that `host-adapters-records` documents. The host's types and
//! those that wit-bindgen generates must read them and write the same.

use host_adapters_records::{self as host, Function, platform_functions};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use wit_parser::{Resolve, Type, TypeDefKind};

/// Functions of platform.wit by `<interface>/<function>`: values of their arguments, and of their results.
fn functions() -> BTreeMap<String, (Vec<Value>, Vec<Value>)> {
    let (wit, mut functions) = (wit(), BTreeMap::new());
    for (_, interface) in &wit.interfaces {
        for (name, function) in &interface.functions {
            let path = format!("{}/{name}", interface.name.as_deref().unwrap());
            let arguments = function.params.iter().map(|param| (param.name.as_str(), &param.ty)).collect::<Vec<_>>();
            let values = (record(&wit, &arguments), values(&wit, function.result.as_ref().unwrap()));
            functions.insert(path, values);
        }
    }
    functions
}

fn wit() -> Resolve {
    let mut wit = Resolve::default();
    let file = tests::programs::project().join("wit/deps/registration-platform/platform.wit");
    wit.push_file(file).unwrap();
    wit
}

/// Objects with these members. Each member takes all its shapes in turn.
fn record(wit: &Resolve, members: &[(&str, &Type)]) -> Vec<Value> {
    let shapes: Vec<_> = members.iter().map(|(name, ty)| (name.replace('-', "_"), values(wit, ty))).collect();
    let most = shapes.iter().map(|(_, shapes)| shapes.len()).max().unwrap_or(1);
    let object = |nth: usize| {
        let members = shapes.iter().map(|(name, shapes)| (name.clone(), shapes[nth % shapes.len()].clone()));
        Value::Object(members.collect::<Map<_, _>>())
    };
    (0..most).map(object).collect()
}

fn values(wit: &Resolve, ty: &Type) -> Vec<Value> {
    match ty {
        Type::Bool => vec![json!(true)],
        Type::String => vec![json!("ü \" text")],
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::S64 => vec![json!(7)],
        Type::Id(id) => defined(wit, &wit.types[*id].kind),
        other => panic!("say here what {other:?} is in JSON"),
    }
}

fn defined(wit: &Resolve, kind: &TypeDefKind) -> Vec<Value> {
    let wrapped = |case: &str, ty: &Option<Type>| match ty {
        Some(ty) => values(wit, ty).into_iter().map(|value| json!({ case: value })).collect(),
        None => vec![json!({ case: null })],
    };
    match kind {
        TypeDefKind::Type(ty) => values(wit, ty),
        TypeDefKind::Option(ty) => [vec![Value::Null], values(wit, ty)].concat(),
        TypeDefKind::List(ty) => vec![json!([]), json!(values(wit, ty))],
        TypeDefKind::Tuple(tuple) => {
            vec![tuple.types.iter().map(|ty| values(wit, ty).swap_remove(0)).collect()]
        }
        TypeDefKind::Enum(cases) => cases.cases.iter().map(|case| json!(camel(&case.name))).collect(),
        TypeDefKind::Variant(cases) => {
            cases.cases.iter().flat_map(|case| wrapped(&camel(&case.name), &case.ty)).collect()
        }
        TypeDefKind::Result(result) => [wrapped("Ok", &result.ok), wrapped("Err", &result.err)].concat(),
        TypeDefKind::Record(record_type) => {
            let members: Vec<_> = record_type.fields.iter().map(|field| (field.name.as_str(), &field.ty)).collect();
            record(wit, &members)
        }
        other => panic!("say here what {other:?} is in JSON"),
    }
}

fn camel(name: &str) -> String {
    let upper = |word: &str| word[..1].to_uppercase() + &word[1..];
    name.split('-').map(upper).collect()
}

/// A value that one end reads and writes again must stay the same.
fn crosses(end: &str, path: &str, value: &Value, again: impl Fn(Value) -> serde_json::Result<Value>) {
    let written = again(value.clone()).unwrap_or_else(|error| panic!("{path}, {end}: {error}: {value}"));
    assert_eq!(written, *value, "{path}, {end}");
}

#[test]
fn the_guests_json_of_every_function_matches_the_wit() {
    let mut functions = functions();
    for function in gateway_client::FUNCTIONS {
        let (arguments, results) = functions.remove(function.path).expect(function.path);
        arguments.iter().for_each(|value| crosses("arguments", function.path, value, function.arguments));
        results.iter().for_each(|value| crosses("answer", function.path, value, function.answer));
    }
    assert!(functions.is_empty(), "not forwarded: {:?}", functions.keys());
}

fn again<T: serde::Serialize + serde::de::DeserializeOwned>(value: Value) -> serde_json::Result<Value> {
    serde_json::to_value(serde_json::from_value::<T>(value)?)
}

macro_rules! check {
    ($($interface:ident $interface_wit:literal { $(
        $method:ident $wit:literal $arguments:ident($($argument:ident: $type:ty),*) $(of $resource:ident)? -> $output:ty;
    )* })*) => {
        #[test]
        fn the_hosts_json_of_every_function_matches_the_wit() {
            let mut functions = functions();
            $($({
                type Arguments = host::$interface::$arguments;
                let path = Arguments::PATH;
                let (arguments, results) = functions.remove(path).expect(path);
                arguments.iter().for_each(|value| crosses("arguments", path, value, again::<Arguments>));
                results.iter().for_each(|value| crosses("answer", path, value, again::<host::Output<Arguments>>));
            })*)*
            assert!(functions.is_empty(), "not in the list: {:?}", functions.keys());
        }
    };
}

platform_functions!(check);

macro_rules! arguments_of_the_list {
    ($($interface:ident $interface_wit:literal { $(
        $method:ident $wit:literal $arguments:ident($($argument:ident: $type:ty),*) $(of $resource:ident)? -> $output:ty;
    )* })*) => {
        BTreeMap::from([$($((concat!($interface_wit, "/", $wit), vec![$(stringify!($argument)),*]),)*)*])
    };
}

/// They are passed into the sandbox by position, and many are strings: JSON, which goes by name, would not tell.
#[test]
fn arguments_are_in_the_order_of_the_wit() {
    let (wit, listed) = (wit(), platform_functions!(arguments_of_the_list));
    let mut written = BTreeMap::new();
    for (_, interface) in &wit.interfaces {
        for (name, function) in &interface.functions {
            let names: Vec<_> = function.params.iter().map(|param| param.name.replace('-', "_")).collect();
            written.insert(format!("{}/{name}", interface.name.as_deref().unwrap()), names);
        }
    }
    let listed: BTreeMap<_, Vec<_>> = listed
        .into_iter()
        .map(|(path, names)| (path.to_owned(), names.into_iter().map(str::to_owned).collect()))
        .collect();
    assert_eq!(listed, written);
}

#[test]
fn the_values_take_every_shape() {
    let (arguments, _) = &functions()["table/batch-update"];
    let text = json!(arguments).to_string();
    for shape in [
        r#"{"Exists":"#,
        r#"{"NotExists":"#,
        r#"{"Equals":["#,
        r#"{"AbsentOrEquals":["#,
        r#"{"AbsentOrLessThan":["#,
        r#""condition":[]"#,
    ] {
        assert!(text.contains(shape), "{shape} in {text}");
    }
    let (_, results) = &functions()["queue/send-batch"];
    let text = json!(results).to_string();
    for shape in
        [r#"{"Ok":[{"Ok":"#, r#"{"kind":"ConditionFailed""#, r#""retry_after_ms":null"#, r#""retry_after_ms":7"#]
    {
        assert!(text.contains(shape), "{shape} in {text}");
    }
}
