//! The alert of late verdicts, evaluated with numbers.
//!
//! The documents want every verdict within 30 s. A quantile over the messages of all fans does not show the winners, who
//! are few: 500 of 50,000 are 1 %.

use super::documents::{alerts, panels};
use promql_parser::parser::{Expr, VectorSelector, parse, token};
use std::collections::BTreeMap;

const AGE: &str = "registration_record_age_seconds";

/// The samples of save-selections, by name and, of buckets, the bound.
type Samples = BTreeMap<(String, String), f64>;

/// Fans whose message was handled within 30 s, and winners whose message took a minute.
fn samples(in_time: f64, late: f64) -> Samples {
    let bucket = |le: &str, count| ((format!("{AGE}_bucket"), le.to_owned()), count);
    let all = ((format!("{AGE}_count"), String::new()), in_time + late);
    [bucket("5", in_time), bucket("30", in_time), bucket("60", in_time + late), bucket("+Inf", in_time + late), all]
        .into()
}

/// The value of an expression whose vectors have one element, when the series have just appeared: nothing has increased,
/// and earlier there was none.
fn value(expression: &Expr, samples: &Samples) -> Option<f64> {
    match expression {
        Expr::NumberLiteral(number) => Some(number.val),
        Expr::Paren(paren) => value(&paren.expr, samples),
        Expr::Aggregate(aggregate) => value(&aggregate.expr, samples),
        Expr::Call(_) => None,
        Expr::VectorSelector(selector) if selector.offset.is_some() => None,
        Expr::VectorSelector(selector) => samples.get(&sample(selector)).copied(),
        Expr::Binary(binary) => {
            let (lhs, rhs) = (value(&binary.lhs, samples), value(&binary.rhs, samples));
            match binary.op.id() {
                token::T_LOR => lhs.or(rhs),
                token::T_LUNLESS => lhs.filter(|_| rhs.is_none()),
                token::T_SUB => Some(lhs? - rhs?),
                token::T_GTR => lhs.filter(|lhs| rhs.is_some_and(|rhs| *lhs > rhs)),
                _ => panic!("{} is not known here", binary.op),
            }
        }
        other => panic!("{other} is not known here"),
    }
}

fn sample(selector: &VectorSelector) -> (String, String) {
    let matchers = &selector.matchers.matchers;
    let of = |name: &str| matchers.iter().find(|it| it.name == name).map(|it| it.value.clone()).unwrap_or_default();
    assert_eq!(of("worker"), "save-selections");
    (selector.name.clone().unwrap(), of("le"))
}

#[test]
fn point_13_500_late_winners_of_50_000_fans_raise_the_alert() {
    let alert = alerts().into_iter().find(|alert| alert.name == "VerdictsSlow").unwrap();
    let query = parse(&alert.query).unwrap();
    for (in_time, late, expected) in [(49_500.0, 500.0, Some(500.0)), (49_999.0, 1.0, Some(1.0)), (50_000.0, 0.0, None)]
    {
        assert_eq!(value(&query, &samples(in_time, late)), expected, "{late} of {}", in_time + late);
    }
    assert_eq!(value(&query, &Samples::new()), None, "no selection");
}

#[test]
fn the_panel_shows_how_many_verdicts_were_late() {
    let (_, query) = panels().into_iter().find(|(title, _)| title.starts_with("Verdicts: ")).unwrap();
    assert_eq!(value(&parse(&query).unwrap(), &samples(49_500.0, 500.0)), Some(500.0), "{query}");
}
