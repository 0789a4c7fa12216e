//! Whether the alerts see the first occurrence of what they count.
//!
//! Most counters first appear with the value 1, whose `increase` is 0. So an alert also takes the value of a series
//! that did not exist when the range began: `(x unless x offset 15m) or increase(x[15m])`.

use super::documents::alerts;
use fake_services::{FakeServices, Options};
use promql_parser::parser::{BinaryExpr, Call, Expr, MatrixSelector, Offset, parse, token};
use std::collections::BTreeMap;
use tests::{Child, Signer, client, variables, workers};

/// Counters that a host shows as 0 from its start on, for each source of each worker.
const FROM_THE_START: [&str; 4] = [
    "registration_acked_total",
    "registration_dead_lettered_total",
    "registration_received_total",
    "registration_retried_total",
];

/// The counters of a query whose first occurrence it does not see.
fn blind(query: &str) -> Vec<String> {
    let mut found = Vec::new();
    search(&parse(query).unwrap_or_else(|error| panic!("{query}: {error}")), &mut found);
    found
}

fn search(expression: &Expr, found: &mut Vec<String>) {
    match expression {
        Expr::NumberLiteral(_) | Expr::StringLiteral(_) | Expr::VectorSelector(_) | Expr::MatrixSelector(_) => {}
        Expr::Unary(unary) => search(&unary.expr, found),
        Expr::Paren(paren) => search(&paren.expr, found),
        Expr::Subquery(subquery) => search(&subquery.expr, found),
        Expr::Aggregate(aggregate) => search(&aggregate.expr, found),
        Expr::Binary(binary) if adds_new_series(binary) => {}
        Expr::Binary(binary) => [&binary.lhs, &binary.rhs].into_iter().for_each(|side| search(side, found)),
        Expr::Call(call) => match increase(expression) {
            Some(matrix) => found.extend(matrix.vs.name.clone().filter(|it| !FROM_THE_START.contains(&it.as_str()))),
            None => call.args.args.iter().for_each(|argument| search(argument, found)),
        },
        Expr::Extension(_) => unreachable!("the parser makes none"),
    }
}

/// What an expression is the increase of.
fn increase(expression: &Expr) -> Option<&MatrixSelector> {
    let Expr::Call(Call { func, args }) = expression else { return None };
    match args.args.first()?.as_ref() {
        Expr::MatrixSelector(matrix) if func.name == "increase" => Some(matrix),
        _ => None,
    }
}

/// Whether it is `(x unless x offset d) or increase(x[d])`. The other way round, the increase of a new series, which is 0,
/// would come before its value.
fn adds_new_series(BinaryExpr { op, lhs, rhs, .. }: &BinaryExpr) -> bool {
    let (Expr::Binary(new), Some(matrix)) = (bare(lhs), increase(bare(rhs))) else { return false };
    let (Expr::VectorSelector(now), Expr::VectorSelector(before)) = (bare(&new.lhs), bare(&new.rhs)) else {
        return false;
    };
    let mut earlier = matrix.vs.clone();
    earlier.offset = Some(Offset::Pos(matrix.range));
    let ops = (op.id(), new.op.id());
    ops == (token::T_LOR, token::T_LUNLESS) && *now == matrix.vs && *before == earlier
}

fn bare(mut expression: &Expr) -> &Expr {
    while let Expr::Paren(paren) = expression {
        expression = &paren.expr;
    }
    expression
}

#[test]
fn point_13_every_alert_sees_the_first_occurrence() {
    let blind: Vec<_> =
        alerts().into_iter().map(|it| (blind(&it.query), it.name)).filter(|it| !it.0.is_empty()).collect();
    assert!(blind.is_empty(), "{blind:?}");
}

#[test]
fn a_query_that_is_blind_for_the_first_occurrence_is_found() {
    for right in [
        r#"sum by (w) ((x{a="1"} unless x{a="1"} offset 15m) or increase(x{a="1"}[15m])) > 0"#,
        "x unless x offset 1h or increase(x[1h])",
        "sum(increase(registration_acked_total[5m])) < 1",
        "rate(x[5m]) > 0",
    ] {
        assert_eq!(blind(right), [""; 0], "{right}");
    }
    for wrong in [
        "sum(increase(x[15m])) > 0",
        "increase(x[15m]) or (x unless x offset 15m)",
        "(x unless x offset 5m) or increase(x[15m])",
        r#"(x unless x offset 15m) or increase(x{a="1"}[15m])"#,
        "(x unless y offset 15m) or increase(x[15m])",
        "(x and x offset 15m) or increase(x[15m])",
        "(x unless x) or increase(x[15m])",
        "sum(increase(registration_acked_total[5m])) / sum(increase(x[5m]))",
    ] {
        assert_eq!(blind(wrong), ["x"], "{wrong}");
    }
}

/// In a separate process, because the metrics of this one are shared by all tests.
#[tokio::test]
async fn some_counters_are_there_from_the_start() {
    let data = tempfile::tempdir().unwrap();
    let (fakes, signer) = (FakeServices::start(Options::default()).await.unwrap(), Signer::generate());
    let jwks = data.path().join("jwks.json");
    std::fs::write(&jwks, signer.jwks()).unwrap();
    let host = Child::start(data.path(), &variables(&fakes, &jwks), &BTreeMap::new()).await;
    let shown = client().get(format!("{}/metrics", host.gateway)).send().await.unwrap().text().await.unwrap();
    let app = workers::app();
    let fed: Vec<_> = app.components.values().filter(|component| !component.sources.is_empty()).collect();
    assert!(fed.len() > 4, "{}", fed.len());
    for (counter, component) in FROM_THE_START.iter().flat_map(|counter| fed.iter().map(move |it| (counter, it))) {
        let series = format!("{counter}{{worker=\"{}\",source=\"", component.id);
        let lines = shown.lines().filter(|line| line.starts_with(&series) && line.ends_with(" 0")).count();
        assert_eq!(lines, component.sources.len(), "{series} in {shown}");
    }
}
