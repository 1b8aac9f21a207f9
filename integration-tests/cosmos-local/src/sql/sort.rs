// SPDX-License-Identifier: Apache-2.0

//! The order of results, and pages of them that go on behind a result instead of behind a number of them.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::ast::Query;
use super::eval::{Scope, compare, eval, matches, project};

/// Sorts; documents that sort alike stay in their order, or in the reverse of it where the first key descends.
pub(super) fn order(query: &Query, documents: &mut Vec<Value>) {
    let numbered = (0..).zip(std::mem::take(documents));
    documents.extend(sorted(query, numbered).into_iter().map(|(_, document)| document));
}

/// Where a document comes in a sorted result: its keys, and a number of its own where they are alike.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SortPlace {
    /// One value for each key, in a list that is empty where the document has none.
    keys: Vec<Vec<Value>>,
    tie: u64,
}

impl SortPlace {
    fn of(query: &Query, tie: u64, document: &Value) -> Self {
        let keys = query.order_by.iter();
        Self {
            keys: keys
                .map(|key| eval(&key.expr, Scope::Document(document)).into_iter().collect())
                .collect(),
            tie,
        }
    }

    fn compare(&self, other: &Self, query: &Query) -> Ordering {
        let keys = query.order_by.iter().zip(self.keys.iter().zip(&other.keys));
        let turned = |ordering: Ordering, descending| if descending { ordering.reverse() } else { ordering };
        keys.map(|(key, (left, right))| turned(compare(left.first(), right.first()), key.descending))
            .find(|ordering| ordering.is_ne())
            .unwrap_or_else(|| {
                let descending = query.order_by.first().is_some_and(|key| key.descending);
                turned(self.tie.cmp(&other.tie), descending)
            })
    }
}

fn sorted(query: &Query, documents: impl Iterator<Item = (u64, Value)>) -> Vec<(SortPlace, Value)> {
    let mut placed: Vec<(SortPlace, Value)> = documents
        .map(|(tie, document)| (SortPlace::of(query, tie, &document), document))
        .collect();
    placed.sort_by(|(left, _), (right, _)| left.compare(right, query));
    placed
}

/// A page of a query that only filters, sorts and projects, and the place of its last result if there are more.
pub(super) fn page(
    query: &Query,
    documents: impl Iterator<Item = (u64, Value)>,
    after: Option<&SortPlace>,
    limit: usize,
) -> (Vec<Value>, Option<SortPlace>) {
    let matching = documents.filter(|(_, document)| matches(query, document));
    let mut results = sorted(query, matching)
        .into_iter()
        .filter(|(place, _)| after.is_none_or(|after| place.compare(after, query).is_gt()))
        .filter_map(|(place, document)| Some((place, project(&query.selection, Scope::Document(&document))?)));
    let (mut page, mut last) = (Vec::new(), None);
    for (place, result) in results.by_ref().take(limit) {
        page.push(result);
        last = Some(place);
    }
    let more = results.next().is_some();
    (page, last.filter(|_| more))
}
