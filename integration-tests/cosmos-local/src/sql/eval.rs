// SPDX-License-Identifier: Apache-2.0

//! Evaluation over documents in memory. `None` is Cosmos's "undefined".

use std::cmp::Ordering;

use serde_json::{Map, Number, Value};

use super::ast::{Aggregate, Expr, Function, Operator, Query, Selection};
use super::sort;

/// What an expression is evaluated over: one document, or all of them inside an aggregate query.
#[derive(Clone, Copy)]
pub(super) enum Scope<'a> {
    Document(&'a Value),
    Group(&'a [Value]),
}

/// Runs a query over `documents`: filter, order, project, fold, deduplicate, cut.
pub(super) fn run(query: &Query, documents: impl Iterator<Item = Value>) -> Vec<Value> {
    let mut matching: Vec<Value> = documents.filter(|document| matches(query, document)).collect();
    if !query.order_by.is_empty() {
        sort::order(query, &mut matching);
    }
    let mut results: Vec<Value> = if query.aggregates() {
        project(&query.selection, Scope::Group(&matching)).into_iter().collect()
    } else if query.selection == Selection::Everything {
        matching
    } else {
        matching
            .iter()
            .filter_map(|document| project(&query.selection, Scope::Document(document)))
            .collect()
    };
    if query.distinct {
        let mut seen: Vec<Value> = Vec::with_capacity(results.len());
        for result in results {
            if !seen.iter().any(|known| equal(known, &result)) {
                seen.push(result);
            }
        }
        results = seen;
    }
    if let Some((offset, limit)) = query.window {
        results = results.into_iter().skip(offset).take(limit).collect();
    }
    if let Some(top) = query.top {
        results.truncate(top);
    }
    results
}

/// The result of one document, without the window; none when the filter leaves it out.
pub(super) fn result(query: &Query, document: &Value) -> Option<Value> {
    if matches(query, document) {
        project(&query.selection, Scope::Document(document))
    } else {
        None
    }
}

pub(super) fn matches(query: &Query, document: &Value) -> bool {
    let holds = |filter| eval(filter, Scope::Document(document)) == Some(Value::Bool(true));
    query.filter.as_ref().is_none_or(holds)
}

pub(super) fn project(selection: &Selection, scope: Scope<'_>) -> Option<Value> {
    match selection {
        Selection::Everything => eval(&Expr::Root, scope),
        Selection::Value(expr) => eval(expr, scope),
        Selection::List(list) => Some(Value::Object(
            list.iter()
                .filter_map(|(name, expr)| Some((name.clone(), eval(expr, scope)?)))
                .collect(),
        )),
    }
}

pub(super) fn eval(expr: &Expr, scope: Scope<'_>) -> Option<Value> {
    match expr {
        Expr::Literal(value) => Some(value.clone()),
        Expr::Undefined => None,
        Expr::Root => match scope {
            Scope::Document(document) => Some(document.clone()),
            Scope::Group(_) => None,
        },
        Expr::Member(..) => {
            let Scope::Document(document) = scope else {
                return None;
            };
            match path(expr, document) {
                Path::Borrowed(value) => value.cloned(),
                Path::Computed => member(expr, scope),
            }
        }
        Expr::Not(inner) => match eval(inner, scope)? {
            Value::Bool(value) => Some(Value::Bool(!value)),
            _ => None,
        },
        Expr::Binary(left, operator, right) => binary(left, *operator, right, scope),
        Expr::In(left, list) => {
            let left = eval(left, scope)?;
            let found = list
                .iter()
                .filter_map(|item| eval(item, scope))
                .any(|item| equal(&left, &item));
            Some(Value::Bool(found))
        }
        Expr::Between(value, low, high) => {
            let value = eval(value, scope)?;
            let low = comparable(&value, &eval(low, scope)?)?;
            let high = comparable(&value, &eval(high, scope)?)?;
            Some(Value::Bool(low.is_ge() && high.is_le()))
        }
        Expr::Call(function, arguments) => call(*function, arguments, scope),
        Expr::Aggregate(function, inner) => match scope {
            Scope::Group(documents) => aggregate(
                *function,
                documents.iter().map(|document| eval(inner, Scope::Document(document))),
            ),
            Scope::Document(_) => None,
        },
        Expr::Object(fields) => Some(Value::Object(
            fields
                .iter()
                .filter_map(|(name, expr)| Some((name.clone(), eval(expr, scope)?)))
                .collect::<Map<String, Value>>(),
        )),
        Expr::Array(list) => Some(Value::Array(list.iter().filter_map(|expr| eval(expr, scope)).collect())),
    }
}

enum Path<'a> {
    Borrowed(Option<&'a Value>),
    /// Something on the way is not a constant path from the document.
    Computed,
}

/// Follows `c.a["b"][0]` without copying what lies on the way.
fn path<'a>(expr: &Expr, document: &'a Value) -> Path<'a> {
    match expr {
        Expr::Root => Path::Borrowed(Some(document)),
        Expr::Member(base, key) => match (path(base, document), key.as_ref()) {
            (Path::Borrowed(base), Expr::Literal(key)) => Path::Borrowed(base.and_then(|base| index(base, key))),
            _ => Path::Computed,
        },
        _ => Path::Computed,
    }
}

fn member(expr: &Expr, scope: Scope<'_>) -> Option<Value> {
    let Expr::Member(base, key) = expr else {
        return eval(expr, scope);
    };
    index(&eval(base, scope)?, &eval(key, scope)?).cloned()
}

fn index<'a>(base: &'a Value, key: &Value) -> Option<&'a Value> {
    match key {
        Value::String(name) => base.as_object()?.get(name),
        Value::Number(position) => base.as_array()?.get(usize::try_from(position.as_u64()?).ok()?),
        _ => None,
    }
}

fn binary(left: &Expr, operator: Operator, right: &Expr, scope: Scope<'_>) -> Option<Value> {
    let left = eval(left, scope);
    // Three-valued logic: false wins over undefined in AND, true in OR.
    match operator {
        Operator::And | Operator::Or => {
            let decisive = Value::Bool(operator == Operator::Or);
            if left.as_ref() == Some(&decisive) {
                return left;
            }
            let right = eval(right, scope);
            if right.as_ref() == Some(&decisive) {
                return right;
            }
            return match (left?, right?) {
                (Value::Bool(_), Value::Bool(right)) => Some(Value::Bool(right)),
                _ => None,
            };
        }
        _ => {}
    }
    let (left, right) = (left?, eval(right, scope)?);
    match operator {
        Operator::And | Operator::Or => None,
        Operator::Equal => same_type(&left, &right).then(|| Value::Bool(equal(&left, &right))),
        Operator::NotEqual => same_type(&left, &right).then(|| Value::Bool(!equal(&left, &right))),
        Operator::Less => Some(Value::Bool(comparable(&left, &right)?.is_lt())),
        Operator::LessEqual => Some(Value::Bool(comparable(&left, &right)?.is_le())),
        Operator::Greater => Some(Value::Bool(comparable(&left, &right)?.is_gt())),
        Operator::GreaterEqual => Some(Value::Bool(comparable(&left, &right)?.is_ge())),
        Operator::Like => Some(Value::Bool(like(left.as_str()?, right.as_str()?))),
        Operator::Concat => Some(Value::from(format!("{}{}", left.as_str()?, right.as_str()?))),
        Operator::Add => number(left.as_f64()? + right.as_f64()?),
        Operator::Subtract => number(left.as_f64()? - right.as_f64()?),
        Operator::Multiply => number(left.as_f64()? * right.as_f64()?),
        Operator::Divide => number(left.as_f64()? / right.as_f64()?),
    }
}

/// A JSON number, whole where it is whole, as Cosmos prints it.
fn number(value: f64) -> Option<Value> {
    // Above this, doubles no longer tell neighbouring integers apart.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[expect(clippy::cast_possible_truncation, reason = "whole and within 2^53")]
        return Some(Value::from(value as i64));
    }
    Number::from_f64(value).map(Value::Number)
}

fn call(function: Function, arguments: &[Expr], scope: Scope<'_>) -> Option<Value> {
    let argument = |index: usize| arguments.get(index).and_then(|expr| eval(expr, scope));
    let first = argument(0);
    let is = |test: fn(&Value) -> bool| Some(Value::Bool(first.as_ref().is_some_and(test)));
    match function {
        Function::IsDefined => Some(Value::Bool(first.is_some())),
        Function::IsNull => is(Value::is_null),
        Function::IsString => is(Value::is_string),
        Function::IsNumber => is(Value::is_number),
        Function::IsBool => is(Value::is_boolean),
        Function::IsArray => is(Value::is_array),
        Function::IsObject => is(Value::is_object),
        Function::IsPrimitive => is(|value| !value.is_array() && !value.is_object()),
        Function::StartsWith | Function::EndsWith | Function::Contains => {
            let (text, part) = (first?, argument(1)?);
            let (mut text, mut part) = (text.as_str()?.to_owned(), part.as_str()?.to_owned());
            if argument(2) == Some(Value::Bool(true)) {
                (text, part) = (text.to_lowercase(), part.to_lowercase());
            }
            Some(Value::Bool(match function {
                Function::StartsWith => text.starts_with(&part),
                Function::EndsWith => text.ends_with(&part),
                _ => text.contains(&part),
            }))
        }
        Function::ArrayContains => {
            let wanted = argument(1)?;
            let found = first?.as_array()?.iter().any(|item| equal(item, &wanted));
            Some(Value::Bool(found))
        }
        Function::ArrayLength => Some(Value::from(first?.as_array()?.len())),
        Function::Lower => Some(Value::from(first?.as_str()?.to_lowercase())),
        Function::Upper => Some(Value::from(first?.as_str()?.to_uppercase())),
        Function::Length => Some(Value::from(first?.as_str()?.chars().count())),
    }
}

fn aggregate(function: Aggregate, values: impl Iterator<Item = Option<Value>>) -> Option<Value> {
    let defined = values.flatten();
    match function {
        Aggregate::Count => Some(Value::from(defined.count())),
        Aggregate::Min => defined.min_by(|left, right| compare(Some(left), Some(right))),
        Aggregate::Max => defined.max_by(|left, right| compare(Some(left), Some(right))),
        Aggregate::Sum | Aggregate::Avg => {
            let (mut sum, mut count) = (0.0, 0.0);
            for value in defined {
                // One value that is no number makes the whole aggregate undefined.
                sum += value.as_f64()?;
                count += 1.0;
            }
            match function {
                Aggregate::Avg if count == 0.0 => None,
                Aggregate::Avg => number(sum / count),
                _ => number(sum),
            }
        }
    }
}

/// The place of a type in Cosmos's order of types; undefined comes first.
fn rank(value: Option<&Value>) -> u8 {
    match value {
        None => 0,
        Some(Value::Null) => 1,
        Some(Value::Bool(_)) => 2,
        Some(Value::Number(_)) => 3,
        Some(Value::String(_)) => 4,
        Some(Value::Array(_)) => 5,
        Some(Value::Object(_)) => 6,
    }
}

fn same_type(left: &Value, right: &Value) -> bool {
    rank(Some(left)) == rank(Some(right))
}

/// A total order, for sorting.
pub(super) fn compare(left: Option<&Value>, right: Option<&Value>) -> Ordering {
    match (left, right) {
        (Some(Value::Bool(left)), Some(Value::Bool(right))) => left.cmp(right),
        (Some(Value::Number(left)), Some(Value::Number(right))) => {
            let (left, right) = (left.as_f64(), right.as_f64());
            left.partial_cmp(&right).unwrap_or(Ordering::Equal)
        }
        (Some(Value::String(left)), Some(Value::String(right))) => left.cmp(right),
        _ => rank(left).cmp(&rank(right)),
    }
}

/// The order of two primitives of one type; nothing else can be compared in a filter.
fn comparable(left: &Value, right: &Value) -> Option<Ordering> {
    let primitive = !matches!(left, Value::Array(_) | Value::Object(_));
    (primitive && same_type(left, right)).then(|| compare(Some(left), Some(right)))
}

/// Equality as Cosmos sees it: `1` and `1.0` are one number, at any depth.
fn equal(left: &Value, right: &Value) -> bool {
    match (left, right) {
        (Value::Array(left), Value::Array(right)) => {
            left.len() == right.len() && left.iter().zip(right).all(|(l, r)| equal(l, r))
        }
        (Value::Object(left), Value::Object(right)) => {
            left.len() == right.len()
                && left
                    .iter()
                    .all(|(name, value)| right.get(name).is_some_and(|other| equal(value, other)))
        }
        _ => same_type(left, right) && compare(Some(left), Some(right)).is_eq(),
    }
}

/// `%` stands for any text, `_` for one character.
fn like(text: &str, pattern: &str) -> bool {
    fn matches(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|skip| matches(&text[skip..], rest)),
            Some(('_', rest)) => !text.is_empty() && matches(&text[1..], rest),
            Some((character, rest)) => text.first() == Some(character) && matches(&text[1..], rest),
        }
    }
    let text: Vec<char> = text.chars().collect();
    let pattern: Vec<char> = pattern.chars().collect();
    matches(&text, &pattern)
}
