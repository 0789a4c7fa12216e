//! Tests of the rules on fields.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

use super::*;
use proptest::prelude::*;
use serde_json::json;

fn field(name: &str, kind: &str, bounds: Value) -> Field {
    let mut field = json!({"name": name, "type": kind});
    field.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
    serde_json::from_value(field).unwrap()
}

fn us() -> Option<Country> {
    Country::read("US")
}

fn object(value: Value) -> Map<String, Value> {
    let Value::Object(object) = value else { panic!("not an object: {value}") };
    object
}

/// The normalised `value` of a field; `Err` if it is refused, `Ok(None)` if it is left out.
fn value_of(field: &Field, value: Value) -> Result<Option<Value>, ()> {
    let fields = normalise(std::slice::from_ref(field), object(json!({"f": value})), us());
    let fields = fields.map_err(|InvalidField(name)| assert_eq!(name, "f"))?;
    Ok(fields.iter().next().map(|(_, value)| value.clone()))
}

#[track_caller]
fn accepts(field: &Field, value: Value, normalised: Value) {
    assert_eq!(value_of(field, value.clone()), Ok(Some(normalised)), "{value}");
}

#[track_caller]
fn refuses(field: &Field, values: impl IntoIterator<Item = Value>) {
    for value in values {
        assert_eq!(value_of(field, value.clone()), Err(()), "{value}");
    }
}

#[test]
fn strings_are_trimmed_and_bounded() {
    let name = field("f", "string", json!({"maxLength": 4}));
    accepts(&name, json!(" Zoé "), json!("Zoé"));
    accepts(&name, json!("éééé"), json!("éééé"));
    refuses(&name, [json!("ééééé"), json!(1), json!(true), json!([]), json!({})]);
    let size = field("f", "string", json!({"options": ["S", "M"]}));
    accepts(&size, json!(" S"), json!("S"));
    refuses(&size, [json!("s"), json!("L")]);
}

#[test]
fn integers_are_whole_and_bounded() {
    let count = field("f", "integer", json!({"min": 1, "max": 8}));
    accepts(&count, json!(1), json!(1));
    accepts(&count, json!(8), json!(8));
    refuses(&count, [json!(0), json!(9), json!(2.5), json!("2"), json!(true), json!(u64::MAX)]);
}

#[test]
fn case_21_an_integer_is_a_number_without_a_fraction() {
    let count = field("f", "integer", json!({"min": 1.0, "max": 8e0}));
    for text in ["2", "2.0", "2e0", "0.2E1"] {
        accepts(&count, serde_json::from_str(text).unwrap(), json!(2));
    }
    refuses(&count, [json!(0.0), json!(9.0), json!(2.5), json!(1e300)]);
    let note = field("f", "string", json!({"maxLength": 4.0}));
    refuses(&note, [json!("12345")]);
    assert_eq!(serde_json::to_value(&count).unwrap()["min"], json!(1));
    for (bound, problem) in [("min", json!(1.5)), ("max", json!("8")), ("maxLength", json!(-1.0))] {
        let field = json!({"name": "f", "type": "integer", bound: problem});
        assert!(serde_json::from_value::<Field>(field.clone()).is_err(), "{field}");
    }
}

#[test]
fn case_19_what_nobody_sees_is_in_no_field() {
    accepts(&field("f", "string", json!({})), json!("\u{feff}Zoé\u{200b} "), json!("Zoé"));
    accepts(&field("f", "string", json!({"options": ["S"]})), json!("S\u{200e}"), json!("S"));
    accepts(&field("f", "markets", json!({"options": ["a"]})), json!(["\u{2066}a\u{2069}"]), json!(["a"]));
    accepts(&field("f", "email", json!({})), json!("fan\u{200b}@example.com"), json!("fan@example.com"));
    accepts(&field("f", "phone", json!({})), json!("\u{202a}555\u{2011}123\u{a0}4567\u{202c}"), json!("+15551234567"));
    accepts(&field("f", "postalCode", json!({})), json!("９０２１０\u{200b}"), json!("90210"));
    for kind in ["string", "email", "phone", "postalCode"] {
        refuses(&field("f", kind, json!({"required": true})), [json!("\u{200b}\u{feff} ")]);
    }
}

#[test]
fn point_1_strings_are_bounded_without_a_max_length() {
    let note = field("f", "string", json!({}));
    let longest = "é".repeat(DEFAULT_MAX_LENGTH);
    accepts(&note, json!(longest), json!(longest));
    refuses(&note, [json!("é".repeat(DEFAULT_MAX_LENGTH + 1))]);
    let longer = field("f", "string", json!({"maxLength": DEFAULT_MAX_LENGTH + 1}));
    assert!(value_of(&longer, json!("é".repeat(DEFAULT_MAX_LENGTH + 1))).is_ok());
}

#[test]
fn point_1_characters_that_no_queue_carries_are_refused() {
    for kind in ["string", "email", "phone", "postalCode"] {
        let field = field("f", kind, json!({}));
        for refused in ["\0", "\u{1}", "\u{8}", "\u{b}", "\u{c}", "\u{1b}", "\u{1f}", "\u{fffe}", "\u{ffff}"] {
            refuses(&field, [json!(format!("x{refused}y")), json!(format!(" \u{7f}{refused}\u{7f}"))]);
        }
    }
    for carried in ["a\tb", "a\r\nb", "a\u{7f}b", "a\u{fffd}b", "\u{1ffff}", "🎟"] {
        accepts(&field("f", "string", json!({})), json!(carried), json!(carried));
    }
}

#[test]
fn point_1_the_field_at_which_an_entry_is_too_large_is_named() {
    let text = |name: &str| field(name, "string", json!({"maxLength": MAX_BYTES}));
    let fields = [text("a"), text("b"), text("c")];
    let whole = |last: usize| {
        let half = "x".repeat(MAX_BYTES / 2);
        let entry = object(json!({"a": half, "b": "x".repeat(last), "c": ""}));
        normalise(&fields, entry, None)
    };
    // {"a":"…","b":"…"}, with room for one more comma.
    let room = MAX_BYTES - MAX_BYTES / 2 - r#"{"a":"","b":"",}"#.len();
    let largest = whole(room).unwrap();
    assert_eq!(serde_json::to_string(&largest).unwrap().len(), MAX_BYTES - 1);
    assert_eq!(whole(room + 1), Err(InvalidField("b".into())));
}

/// What enqueue-entries sends of the worst entry: it is escaped twice.
#[test]
fn point_1_every_entry_that_is_accepted_fits_into_a_message() {
    let fields = [field("f", "string", json!({"maxLength": MAX_BYTES}))];
    for worst in ["\"", "\\", ".\n", ".\t", ".\u{7f}", "é", "🎟", "x"] {
        let count = (MAX_BYTES - r#"{"f":"",}"#.len()) / (json!(worst).to_string().len() - 2);
        let largest = normalise(&fields, object(json!({"f": worst.repeat(count)})), None).unwrap();
        let message = json!({"entry": {"fields": serde_json::to_string(&largest).unwrap()}}).to_string();
        assert!(message.len() <= 2 * MAX_BYTES + 64, "{worst:?}: {}", message.len());
    }
}

#[test]
fn point_10_nobody_needs_a_postal_code_where_there_are_none() {
    let fields = [field("f", "postalCode", json!({"required": true}))];
    let blank = |country| normalise(&fields, object(json!({"f": " "})), Country::read(country)).is_ok();
    assert!(blank("HK") && blank("AE") && !blank("DE") && !blank("XX"));
}

#[test]
fn booleans_are_nothing_else() {
    let opt_in = field("f", "boolean", json!({}));
    accepts(&opt_in, json!(false), json!(false));
    refuses(&opt_in, [json!("true"), json!(1), json!([])]);
}

#[test]
fn texts_with_a_meaning_are_canonical() {
    accepts(&field("f", "email", json!({})), json!(" Fan@Example.com"), json!("fan@example.com"));
    accepts(&field("f", "phone", json!({})), json!("(555) 123-4567"), json!("+15551234567"));
    accepts(&field("f", "postalCode", json!({})), json!("902101234"), json!("90210-1234"));
    refuses(&field("f", "email", json!({})), [json!("fan"), json!(1)]);
    refuses(&field("f", "phone", json!({})), [json!("12"), json!(5_551_234_567_u64)]);
    refuses(&field("f", "postalCode", json!({})), [json!("9021"), json!(90210)]);
}

#[test]
fn markets_are_known_and_without_duplicates_in_the_order_given() {
    let markets = field("f", "markets", json!({"options": ["a", "b", "c"], "max": 2}));
    accepts(&markets, json!(["c", "a", " c"]), json!(["c", "a"]));
    accepts(&markets, json!([]), json!([]));
    refuses(&markets, [json!(["d"]), json!(["a", 1]), json!("a"), json!(["a", "b", "c"]), json!([""])]);
    refuses(&field("f", "markets", json!({})), [json!(["a"])]);
    refuses(&field("f", "markets", json!({"options": ["a"], "required": true})), [json!([]), Value::Null]);
    refuses(&field("f", "markets", json!({"options": ["a"], "min": 1})), [json!([])]);
}

#[test]
fn a_field_of_an_unknown_type_takes_no_value() {
    let unknown = field("f", "date", json!({}));
    refuses(&unknown, [json!("2024-01-01"), json!(""), json!(1), json!([]), json!({})]);
    assert_eq!(value_of(&unknown, Value::Null), Ok(None));
}

#[test]
fn absent_values_are_left_out_unless_required() {
    for kind in ["string", "email", "phone", "postalCode"] {
        for nothing in [Value::Null, json!(""), json!(" \t")] {
            assert_eq!(value_of(&field("f", kind, json!({})), nothing.clone()), Ok(None), "{kind} {nothing}");
            refuses(&field("f", kind, json!({"required": true})), [nothing]);
        }
    }
    let required = [field("f", "boolean", json!({"required": true}))];
    assert_eq!(normalise(&required, Map::new(), None), Err(InvalidField("f".into())));
}

#[test]
fn unknown_fields_are_named_after_all_others() {
    let fields = [field("email", "email", json!({"required": true}))];
    let unknown = normalise(&fields, object(json!({"email": "a@b.co", "zzz": 1, "aaa": 2})), None);
    assert_eq!(unknown, Err(InvalidField("aaa".into())));
    let known_first = normalise(&fields, object(json!({"email": "nobody", "aaa": 2})), None);
    assert_eq!(known_first, Err(InvalidField("email".into())));
}

#[test]
fn the_answer_has_the_campaigns_order() {
    let fields = [field("z", "boolean", json!({})), field("a", "integer", json!({}))];
    let answer = normalise(&fields, object(json!({"a": 1, "z": true})), None).unwrap();
    assert_eq!(serde_json::to_string(&answer).unwrap(), r#"{"z":true,"a":1}"#);
}

/// A campaign's fields of every type, `f0` to `f6`.
fn every_type() -> Vec<Field> {
    let kinds = ["string", "integer", "boolean", "email", "phone", "postalCode", "markets"];
    let named = kinds.iter().enumerate();
    named.map(|(at, kind)| field(&format!("f{at}"), kind, json!({"options": ["x", "y"], "min": 0, "max": 9}))).collect()
}

/// A good and a bad value for each field of [`every_type`].
fn samples() -> Vec<(Value, Value)> {
    vec![
        (json!(" x"), json!("z")),
        (json!(3), json!(10)),
        (json!(true), json!("true")),
        (json!("A@B.co"), json!("a@b")),
        (json!("555 123 4567"), json!("555")),
        (json!("90210"), json!("9021")),
        (json!(["y", "x", "y"]), json!(["w"])),
    ]
}

fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (0..20_i64).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ a-zA-Z0-9@.+-]{0,14}".prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        prop_oneof![Just("x"), Just(" y "), Just("fan@example.com"), Just("+1 555 123 4567"), Just("90210-1234")]
            .prop_map(Value::from),
    ];
    leaf.prop_recursive(2, 8, 4, |inner| proptest::collection::vec(inner, 0..4).prop_map(Value::from))
}

proptest! {
    #[test]
    fn the_first_bad_field_in_the_campaigns_order_is_named(
        order in Just((0..7).collect::<Vec<usize>>()).prop_shuffle(),
        bad in proptest::collection::vec(any::<bool>(), 7),
    ) {
        let (all, samples) = (every_type(), samples());
        let fields: Vec<Field> = order.iter().map(|at| all[*at].clone()).collect();
        let entry = samples.iter().zip(&bad).enumerate();
        let entry = entry.map(|(at, ((good, wrong), bad))| (format!("f{at}"), if *bad { wrong } else { good }.clone()));
        let first_bad = order.iter().find(|at| bad[**at]).map(|at| format!("f{at}"));
        prop_assert_eq!(normalise(&fields, entry.collect(), us()).err().map(|InvalidField(name)| name), first_bad);
    }

    #[test]
    fn a_result_has_only_known_fields_and_normalising_it_changes_nothing(
        entry in proptest::collection::btree_map("f[0-7]", any_value(), 0..8),
    ) {
        let fields = every_type();
        if let Ok(once) = normalise(&fields, entry.clone().into_iter().collect(), us()) {
            prop_assert!(once.iter().all(|(name, _)| entry.contains_key(name) && fields.iter().any(|f| f.name == name)));
            let again = once.iter().map(|(name, value)| (name.to_owned(), value.clone())).collect();
            prop_assert_eq!(normalise(&fields, again, us()), Ok(once));
        }
    }
}
