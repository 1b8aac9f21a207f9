// SPDX-License-Identifier: Apache-2.0

//! Query plans: what a client that fans a query out over partitions asks the gateway for.

use serde_json::{Value, json};

use super::Error;
use super::ast::{Aggregate, Expr, Query, Selection};

/// Why there is no plan.
#[derive(Debug)]
pub enum PlanError {
    /// The text is no query, or one outside the subset.
    Invalid(Error),
    /// The client lacks a stage that this query needs; the service answers 400/1004.
    NotServable(String),
}

/// The placeholder that clients replace by the condition with which they resume.
const RESUME_FILTER: &str = "{documentdb-formattableorderbyquery-filter}";

/// Makes the body of a query plan's response for a query over the whole container.
///
/// `supported` is the client's `x-ms-cosmos-supported-query-features`.
pub(super) fn plan(query: &Query, supported: &str) -> Result<Value, PlanError> {
    if let Some(missing) = missing_feature(query, supported) {
        return Err(PlanError::NotServable(format!(
            "cross-partition query is not servable: the client does not support {missing}"
        )));
    }
    let distinct = match (query.distinct, query.order_by.is_empty()) {
        (false, _) => "None",
        (true, true) => "Unordered",
        (true, false) => "Ordered",
    };
    let aggregates: Vec<&str> = single_aggregate(query)
        .map(|(aggregate, _)| match aggregate {
            Aggregate::Count => "Count",
            Aggregate::Sum => "Sum",
            Aggregate::Min => "Min",
            Aggregate::Max => "Max",
            Aggregate::Avg => "Average",
        })
        .into_iter()
        .collect();
    let orders: Vec<&str> = query
        .order_by
        .iter()
        .map(|key| if key.descending { "Descending" } else { "Ascending" })
        .collect();
    let expressions: Vec<String> = query.order_by.iter().map(|key| key.expr.to_string()).collect();
    Ok(json!({
        "partitionedQueryExecutionInfoVersion": 2,
        "queryInfo": {
            "distinctType": distinct,
            "top": query.top,
            "offset": query.window.map(|(offset, _)| offset),
            "limit": query.window.map(|(_, limit)| limit),
            "orderBy": orders,
            "orderByExpressions": expressions,
            "groupByExpressions": [],
            "groupByAliases": [],
            "aggregates": aggregates,
            "groupByAliasToAggregateType": {},
            "rewrittenQuery": rewrite(query),
            "hasSelectValue": matches!(query.selection, Selection::Value(_)),
            "hasNonStreamingOrderBy": false,
            "dCountInfo": null,
        },
        "queryRanges": [
            {"min": "", "max": "FF", "isMinInclusive": true, "isMaxInclusive": false}
        ],
    }))
}

fn missing_feature(query: &Query, supported: &str) -> Option<&'static str> {
    let aggregates = query.aggregates();
    [
        // Groups would have to be merged by aliases; that part is not built.
        (query.group_by, "GroupBy", false),
        // Only SELECT VALUE of one aggregate has a form that clients merge without aliases.
        (
            aggregates && single_aggregate(query).is_none(),
            "NonValueAggregate",
            false,
        ),
        (aggregates, "Aggregate", true),
        (query.distinct, "Distinct", true),
        (query.top.is_some(), "Top", true),
        (query.window.is_some(), "OffsetAndLimit", true),
        (!query.order_by.is_empty(), "OrderBy", true),
        (query.order_by.len() > 1, "MultipleOrderBy", true),
    ]
    .into_iter()
    .find(|(needed, feature, built)| *needed && !(*built && supported.split(',').any(|known| known.trim() == *feature)))
    .map(|(_, feature, _)| feature)
}

/// The aggregate of `SELECT VALUE AGG(x)`.
fn single_aggregate(query: &Query) -> Option<(Aggregate, &Expr)> {
    match &query.selection {
        Selection::Value(Expr::Aggregate(aggregate, inner)) => Some((*aggregate, inner)),
        _ => None,
    }
}

/// The query that the client sends to each partition; empty when it is the original.
fn rewrite(query: &Query) -> String {
    if let Some((aggregate, inner)) = single_aggregate(query) {
        let item = match aggregate {
            // Averages and extremes can only be merged with the number of values behind them.
            Aggregate::Avg => format!("{{\"sum\": SUM({inner}), \"count\": COUNT({inner})}}"),
            Aggregate::Min => format!("{{\"min\": MIN({inner}), \"count\": COUNT({inner})}}"),
            Aggregate::Max => format!("{{\"max\": MAX({inner}), \"count\": COUNT({inner})}}"),
            Aggregate::Count | Aggregate::Sum => format!("{}({inner})", aggregate.text()),
        };
        return format!("SELECT VALUE [{{\"item\": {item}}}] FROM c{}", condition(query, None));
    }
    let keep = query
        .top
        .or(query.window.map(|(offset, limit)| offset.saturating_add(limit)));
    let distinct = if query.distinct { "DISTINCT " } else { "" };
    // A partition's window says nothing about the window over all of them once duplicates go.
    let top = match keep {
        Some(count) if !query.distinct => format!("TOP {count} "),
        _ => String::new(),
    };
    if query.order_by.is_empty() {
        if !query.distinct && query.window.is_none() {
            return String::new();
        }
        let selection = selection_text(&query.selection);
        return format!("SELECT {distinct}{top}{selection} FROM c{}", condition(query, None));
    }
    let items: Vec<String> = query
        .order_by
        .iter()
        .map(|key| format!("{{\"item\": {}}}", key.expr))
        .collect();
    let keys: Vec<String> = query
        .order_by
        .iter()
        .map(|key| format!("{} {}", key.expr, if key.descending { "DESC" } else { "ASC" }))
        .collect();
    format!(
        "SELECT {distinct}{top}c._rid, [{}] AS orderByItems, {} AS payload FROM c{} ORDER BY {}",
        items.join(", "),
        payload(&query.selection),
        condition(query, Some(RESUME_FILTER)),
        keys.join(", "),
    )
}

fn condition(query: &Query, resume: Option<&str>) -> String {
    match (&query.filter, resume) {
        (None, None) => String::new(),
        (Some(filter), None) => format!(" WHERE {filter}"),
        (None, Some(resume)) => format!(" WHERE ({resume})"),
        (Some(filter), Some(resume)) => format!(" WHERE ({filter}) AND ({resume})"),
    }
}

fn selection_text(selection: &Selection) -> String {
    match selection {
        Selection::Everything => "*".to_owned(),
        Selection::Value(expr) => format!("VALUE {expr}"),
        Selection::List(_) => format!("VALUE {}", payload(selection)),
    }
}

fn payload(selection: &Selection) -> String {
    match selection {
        Selection::Everything => Expr::Root.to_string(),
        Selection::Value(expr) => expr.to_string(),
        Selection::List(list) => Expr::Object(list.clone()).to_string(),
    }
}
