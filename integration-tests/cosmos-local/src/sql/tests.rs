// SPDX-License-Identifier: Apache-2.0

use serde_json::{Value, json};

use super::{PlanError, Statement, plan};

fn documents() -> Vec<Value> {
    vec![
        json!({"id": "a", "n": 3, "city": "Rome", "tags": ["x"], "_rid": "r1"}),
        json!({"id": "b", "n": 1.0, "city": "Oslo", "_rid": "r2"}),
        json!({"id": "c", "n": 2, "city": "Rome", "name": null, "_rid": "r3"}),
    ]
}

fn run(text: &str) -> Vec<Value> {
    run_with(text, &[])
}

fn run_with(text: &str, parameters: &[(String, Value)]) -> Vec<Value> {
    Statement::parse(text, parameters)
        .and_then(|statement| statement.run(documents()))
        .unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn ids(text: &str) -> Vec<String> {
    run(text)
        .iter()
        .map(|document| document["id"].as_str().unwrap_or("?").to_owned())
        .collect()
}

#[test]
fn filters() {
    assert_eq!(ids("SELECT * FROM c"), ["a", "b", "c"]);
    assert_eq!(ids("SELECT * FROM c WHERE c.city = 'Rome'"), ["a", "c"]);
    assert_eq!(ids("select * from root r where r.n = 1"), ["b"]);
    assert_eq!(
        ids("SELECT * FROM c WHERE c.n != 1 AND c[\"city\"] = 'Rome'"),
        ["a", "c"]
    );
    assert_eq!(ids("SELECT * FROM c WHERE c.n BETWEEN 2 AND 3"), ["a", "c"]);
    assert_eq!(ids("SELECT * FROM c WHERE c.id IN ('a', 'b') AND NOT (c.n > 2)"), ["b"]);
    assert_eq!(ids("SELECT * FROM c WHERE c.city LIKE 'R_m%'"), ["a", "c"]);
    assert_eq!(ids("SELECT * FROM c WHERE STARTSWITH(c.city, 'o', true)"), ["b"]);
    assert_eq!(ids("SELECT * FROM c WHERE ARRAY_CONTAINS(c.tags, 'x')"), ["a"]);
    assert_eq!(ids("SELECT * FROM c WHERE c.tags[0] = 'x' OR c.n = 2"), ["a", "c"]);
    // Comparing with undefined or with another type is neither true nor false.
    assert_eq!(ids("SELECT * FROM c WHERE c.name = null"), ["c"]);
    assert_eq!(ids("SELECT * FROM c WHERE NOT (c.name = 'x')"), Vec::<String>::new());
    assert_eq!(ids("SELECT * FROM c WHERE IS_DEFINED(c.name)"), ["c"]);
}

#[test]
fn parameters_are_values() {
    let parameters = [("@p".to_owned(), json!("Oslo' OR 1=1"))];
    assert!(run_with("SELECT * FROM c WHERE c.city = @p", &parameters).is_empty());
    let error = Statement::parse("SELECT * FROM c WHERE c.city = @q", &parameters).unwrap_err();
    assert!(error.to_string().contains("@q"), "{error}");
}

#[test]
fn orders_and_windows() {
    assert_eq!(ids("SELECT * FROM c ORDER BY c.n"), ["b", "c", "a"]);
    assert_eq!(ids("SELECT * FROM c ORDER BY c.city DESC, c.n ASC"), ["c", "a", "b"]);
    assert_eq!(ids("SELECT * FROM c ORDER BY c.city"), ["b", "a", "c"]);
    assert_eq!(ids("SELECT * FROM c ORDER BY c.city DESC"), ["c", "a", "b"]);
    assert_eq!(ids("SELECT * FROM c ORDER BY c.n OFFSET 1 LIMIT 1"), ["c"]);
    assert_eq!(ids("SELECT TOP 2 * FROM c ORDER BY c.n DESC"), ["a", "c"]);
    assert_eq!(ids("SELECT * FROM c OFFSET 3 LIMIT 0"), Vec::<String>::new());
}

#[test]
fn projects() {
    assert_eq!(run("SELECT VALUE c.city FROM c WHERE c.n = 1"), [json!("Oslo")]);
    assert_eq!(
        run("SELECT c.id, c.n + 1 AS m FROM c WHERE c.n = 2"),
        [json!({"id": "c", "m": 3})]
    );
    assert_eq!(
        run("SELECT DISTINCT VALUE c.city FROM c"),
        [json!("Rome"), json!("Oslo")]
    );
    assert_eq!(
        run("SELECT VALUE {\"k\": c._rid, \"o\": [{\"item\": c.n}]} FROM c WHERE (true) ORDER BY c.n")[1],
        json!({"k": "r3", "o": [{"item": 2}]})
    );
}

#[test]
fn aggregates() {
    assert_eq!(run("SELECT VALUE COUNT(1) FROM c WHERE c.city = 'Rome'"), [json!(2)]);
    assert_eq!(run("SELECT VALUE SUM(c.n) FROM c"), [json!(6)]);
    assert_eq!(run("SELECT VALUE AVG(c.n) FROM c"), [json!(2)]);
    assert_eq!(
        run("SELECT MIN(c.n) AS low, MAX(c.n) AS high FROM c"),
        [json!({"low": 1.0, "high": 3})]
    );
    assert_eq!(run("SELECT VALUE COUNT(1) FROM c WHERE false"), [json!(0)]);
}

#[test]
fn refuses_what_it_does_not_know() {
    for text in [
        "SELECT",
        "SELECT * FROM c WHERE",
        "SELECT * FROM c JOIN t IN c.tags",
        "SELECT * FROM c WHERE d.x = 1",
        "SELECT * FROM c WHERE NOSUCH(c.x)",
        "SELECT * FROM c WHERE c.x = 'open",
        "SELECT * FROM c extra words",
        "SELECT TOP x * FROM c",
    ] {
        assert!(Statement::parse(text, &[]).is_err(), "{text}");
    }
    let grouped = Statement::parse("SELECT c.city FROM c GROUP BY c.city", &[]).unwrap();
    assert!(grouped.run(documents()).is_err());
}

#[test]
fn only_a_plain_scan_is_one() {
    let plain = |text| Statement::parse(text, &[]).unwrap().is_plain_scan();
    assert!(plain("SELECT * FROM c"));
    assert!(!plain("SELECT * FROM c WHERE true"));
    assert!(!plain("SELECT TOP 1 * FROM c"));
}

#[test]
fn streams_what_needs_no_other_document() {
    let streams = |text| Statement::parse(text, &[]).unwrap().streams();
    assert!(streams("SELECT VALUE c.n FROM c WHERE c.n > 1 OFFSET 1 LIMIT 2"));
    for text in [
        "SELECT * FROM c ORDER BY c.n",
        "SELECT DISTINCT VALUE c.n FROM c",
        "SELECT VALUE COUNT(1) FROM c",
    ] {
        assert!(!streams(text), "{text}");
    }
    let statement = Statement::parse("SELECT TOP 2 VALUE c.n FROM c WHERE c.city = 'Rome'", &[]).unwrap();
    let results: Vec<_> = documents().iter().map(|document| statement.result(document)).collect();
    assert_eq!(results, [Some(json!(3)), None, Some(json!(2))]);
    assert_eq!(statement.window(), (0, 2));
}

const FEATURES: &str = "Distinct, OrderBy,MultipleOrderBy,Top,OffsetAndLimit,Aggregate";

fn rewritten(text: &str) -> String {
    let plan = plan(text, &[], FEATURES).unwrap_or_else(|error| panic!("{text}: {error:?}"));
    plan["queryInfo"]["rewrittenQuery"].as_str().unwrap().to_owned()
}

#[test]
fn plans_leave_simple_queries_alone() {
    assert_eq!(rewritten("SELECT * FROM c WHERE c.n = 1"), "");
    assert_eq!(rewritten("SELECT TOP 3 * FROM c"), "");
}

/// What a partition is asked must be a query that it answers, with what the client merges.
#[test]
fn rewritten_queries_run() {
    let ordered = rewritten("SELECT c.id FROM c WHERE c.n > 0 ORDER BY c.n DESC OFFSET 1 LIMIT 1");
    let results = run(&ordered.replace("{documentdb-formattableorderbyquery-filter}", "true"));
    assert_eq!(
        results,
        [
            json!({"_rid": "r1", "orderByItems": [{"item": 3}], "payload": {"id": "a"}}),
            json!({"_rid": "r3", "orderByItems": [{"item": 2}], "payload": {"id": "c"}}),
        ]
    );
    assert_eq!(run(&rewritten("SELECT VALUE COUNT(1) FROM c")), [json!([{"item": 3}])]);
    assert_eq!(
        run(&rewritten("SELECT VALUE AVG(c.n) FROM c")),
        [json!([{"item": {"sum": 6, "count": 3}}])]
    );
    assert_eq!(
        run(&rewritten("SELECT DISTINCT TOP 1 VALUE c.city FROM c")),
        [json!("Rome"), json!("Oslo")]
    );
    assert_eq!(run(&rewritten("SELECT * FROM c OFFSET 1 LIMIT 1")).len(), 2);
}

#[test]
fn plans_need_the_clients_stages() {
    for (text, supported) in [
        ("SELECT VALUE COUNT(1) FROM c", "Distinct,OrderBy,Top"),
        ("SELECT c.s, COUNT(1) AS n FROM c GROUP BY c.s", FEATURES),
        ("SELECT COUNT(1) AS n FROM c", FEATURES),
        ("SELECT * FROM c ORDER BY c.n", ""),
    ] {
        let error = plan(text, &[], supported).unwrap_err();
        assert!(matches!(error, PlanError::NotServable(_)), "{text}: {error:?}");
    }
    assert!(matches!(plan("SELEC", &[], FEATURES), Err(PlanError::Invalid(_))));
}
