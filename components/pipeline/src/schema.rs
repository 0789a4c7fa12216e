//! The JSON Schemas of `schemas/pipeline/` as checks of `data`.
//!
//! The crate `jsonschema` generates code from them when this crate is compiled. A component contains only that code;
//! the crate's schema reader alone would add 4.4 MB to a component. `pattern` would add regular expressions, so no
//! schema here uses it.

use crate::fault::Fault;
use crate::kind::Kind;
use jsonschema::ValidationError;
use jsonschema::error::ValidationErrorKind;
use serde_json::Value;

/// The checks that the macro makes.
mod compiled {
    macro_rules! compile {
        ($($name:ident $path:literal)*) => { $(
            #[jsonschema::validator(path = $path, validate_formats = true)]
            pub(super) struct $name;
        )* };
    }

    compile! {
        Campaign "../../schemas/pipeline/campaign.json"
        EventMapping "../../schemas/pipeline/event-mapping.json"
        Market "../../schemas/pipeline/market.json"
        RegisteredMarket "../../schemas/pipeline/registered-market.json"
        Registration "../../schemas/pipeline/registration.json"
    }
}

/// Checks the data of a record, as JSON text, against the schema of its type. Formats such as `date-time` are checked,
/// too. Numbers are judged as doubles, as other validators do; one beyond them is a fault.
///
/// # Errors
/// The faults, each with the path of the member that is wrong or missing.
pub fn check(kind: Kind, data: &str) -> Result<(), Vec<Fault>> {
    let unreadable = |error: serde_json::Error| vec![Fault::at("", format!("cannot be read: {error}"))];
    let data: Value = serde_json::from_str(data).map_err(unreadable)?;
    let faults: Vec<_> = match kind {
        Kind::Campaign => compiled::Campaign::iter_errors(&data).flat_map(faults).collect(),
        Kind::EventMapping => compiled::EventMapping::iter_errors(&data).flat_map(faults).collect(),
        Kind::Market => compiled::Market::iter_errors(&data).flat_map(faults).collect(),
        Kind::RegisteredMarket => compiled::RegisteredMarket::iter_errors(&data).flat_map(faults).collect(),
        Kind::Registration => compiled::Registration::iter_errors(&data).flat_map(faults).collect(),
    };
    if faults.is_empty() { Ok(()) } else { Err(faults) }
}

/// They say what was expected, and not what was found, which may be a fan's.
fn faults(error: ValidationError<'_>) -> Vec<Fault> {
    let path = error.instance_path().as_str();
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            vec![Fault::at(format!("{path}/{}", property.as_str().unwrap_or_default()), "is missing")]
        }
        ValidationErrorKind::AdditionalProperties { unexpected } => {
            unexpected.iter().map(|name| Fault::at(format!("{path}/{name}"), "is not in the schema")).collect()
        }
        _ => {
            let problem = error.masked().to_string();
            vec![Fault::at(path, problem.strip_prefix("value ").unwrap_or(&problem))]
        }
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]
mod tests {
    use super::*;
    use crate::testing::{published, schema};
    use proptest::prelude::*;
    use serde_json::json;
    use std::collections::BTreeMap;
    use std::sync::LazyLock;

    fn problems(kind: Kind, data: &Value) -> Vec<String> {
        check(kind, &data.to_string()).err().unwrap_or_default().iter().map(Fault::to_string).collect()
    }

    /// Validators that read the schemas.
    static READ: LazyLock<BTreeMap<Kind, jsonschema::Validator>> = LazyLock::new(|| {
        let read = |kind| jsonschema::options().should_validate_formats(true).build(&schema(kind)).unwrap();
        Kind::ALL.into_iter().map(|kind| (kind, read(kind))).collect()
    });
    static NAMES: LazyLock<BTreeMap<Kind, Vec<String>>> = LazyLock::new(|| {
        let names = |kind| schema(kind)["properties"].as_object().unwrap().keys().cloned().collect();
        Kind::ALL.into_iter().map(|kind| (kind, names(kind))).collect()
    });

    #[test]
    fn req_017_the_schemas_are_of_draft_2020_12_and_have_no_patterns() {
        for kind in Kind::ALL {
            let schema = schema(kind);
            assert_eq!(schema["$schema"], "https://json-schema.org/draft/2020-12/schema");
            assert!(jsonschema::meta::is_valid(&schema), "{kind}");
            assert!(!schema.to_string().contains("attern"), "{kind}");
        }
    }

    #[test]
    fn req_017_what_the_formatters_make_is_valid() {
        for kind in Kind::ALL {
            assert_eq!(problems(kind, &published(kind)), [""; 0], "{kind}");
        }
    }

    #[test]
    fn req_017_each_member_that_is_required_is_named_when_it_is_missing() {
        for kind in Kind::ALL {
            for name in schema(kind)["required"].as_array().unwrap() {
                let mut data = published(kind);
                data.as_object_mut().unwrap().remove(name.as_str().unwrap()).unwrap();
                let expected = format!("/data/{} is missing", name.as_str().unwrap());
                assert_eq!(problems(kind, &data), [expected], "{kind}");
            }
        }
    }

    #[test]
    fn use_case_5_schema_validation_failure_names_the_path_and_quotes_no_value() {
        for (kind, pointer, value, expected) in [
            (
                Kind::Campaign,
                "status",
                json!("OPEN"),
                r#"/data/status is not one of "ACTIVE", "TRANSFERRING" or "CLOSED""#,
            ),
            (Kind::Campaign, "secret", json!(1), "/data/secret is not in the schema"),
            (Kind::Campaign, "options", json!({"secret": 1}), "/data/options/secret is not in the schema"),
            (
                Kind::Campaign,
                "fields",
                json!([{"name": "n", "type": "string", "secret": 1}]),
                "/data/fields/0/secret is not in the schema",
            ),
            (Kind::Campaign, "gates", json!([{"type": "invite"}, {}]), "/data/gates/1/type is missing"),
            (
                Kind::Campaign,
                "options",
                json!({"dataPipeline": "no"}),
                r#"/data/options/dataPipeline is not of type "boolean""#,
            ),
            (Kind::Market, "capacity", json!(-1), "/data/capacity is less than the minimum of 0"),
            (Kind::Market, "capacity", json!(1.5), r#"/data/capacity is not of type "integer""#),
            (
                Kind::Market,
                "selectionRatio",
                json!(0.5),
                "/data is valid under more than one of the schemas listed in the 'oneOf' keyword",
            ),
            (Kind::Registration, "fields", json!("fan@example.com"), r#"/data/fields is not of type "object""#),
            (Kind::Registration, "date", json!({"updated": "yesterday"}), r#"/data/date/updated is not a "date-time""#),
            (Kind::Registration, "score", json!("850"), r#"/data/score is not of type "number""#),
            (Kind::EventMapping, "eventId", json!(""), "/data/eventId is shorter than 1 character"),
            (
                Kind::RegisteredMarket,
                "stats",
                json!({"totalRegistrations": 1, "status": "DONE"}),
                r#"/data/stats/status is not one of "PROCESSING", "FINISHED" or "FAILED""#,
            ),
        ] {
            let mut data = published(kind);
            data[pointer] = value;
            assert_eq!(problems(kind, &data), [expected], "{kind}");
        }
    }

    #[test]
    fn a_number_that_no_reader_takes_is_a_fault() {
        let text = published(Kind::Registration).to_string().replace("850", "1e999");
        let faults = check(Kind::Registration, &text).unwrap_err();
        assert!(faults[0].to_string().starts_with("/data cannot be read: number out of range"), "{faults:?}");
        let digits = text.replace("1e999", "0.12345678901234567890123");
        assert_eq!(check(Kind::Registration, &digits), Ok(()));
    }

    /// A value that is right, or nearly so, for any member.
    fn value() -> impl Strategy<Value = Value> {
        let scalar = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            prop_oneof![Just(json!(0)), Just(json!(-1)), Just(json!(2.0)), Just(json!(0.5)), Just(json!(1e300))],
            "(|c|ACTIVE|OPEN|FINISHED|TM|[0-9]{4}-[01][0-9]-[0-3][0-9]T[0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,3})?(Z|\\+02:00|))"
                .prop_map(Value::from),
        ];
        let name = prop::sample::select(vec![
            "type",
            "name",
            "required",
            "maxLength",
            "linkedCampaignId",
            "updated",
            "open",
            "created",
            "presale",
            "totalRegistrations",
            "status",
            "dataPipeline",
            "other",
        ]);
        scalar.prop_recursive(2, 8, 3, move |inner| {
            let members = prop::collection::btree_map(name.clone().prop_map(str::to_owned), inner.clone(), 0..4);
            prop_oneof![prop::collection::vec(inner, 0..3).prop_map(Value::from), members.prop_map(|it| json!(it))]
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// The code that the macro makes, and the validator that reads the schema, find the same faults.
        #[test]
        fn req_017_compiled_and_read_schemas_say_the_same(
            kind in prop::sample::select(Kind::ALL.to_vec()),
            changes in prop::collection::vec((any::<prop::sample::Index>(), prop::option::weighted(0.8, value())), 0..3),
        ) {
            let mut data = published(kind);
            let names = &NAMES[&kind];
            for (name, value) in changes {
                let name = &names[name.index(names.len())];
                match value {
                    Some(value) => data[name] = value,
                    None => _ = data.as_object_mut().unwrap().remove(name),
                }
            }
            let mut read: Vec<_> = READ[&kind].iter_errors(&data).flat_map(faults).map(|it| it.to_string()).collect();
            let mut compiled = problems(kind, &data);
            read.sort();
            compiled.sort();
            prop_assert_eq!(compiled, read, "{}", data);
        }
    }
}
