// SPDX-License-Identifier: Apache-2.0

//! A subset of Cosmos DB's SQL, enough for SDK clients and their tests.
//!
//! `SELECT [DISTINCT] [TOP n] * | VALUE e | e [AS name], … FROM c [WHERE e] [ORDER BY e [ASC|DESC], …]
//! [OFFSET n LIMIT n]` with parameters, comparisons, `AND`, `OR`, `NOT`, `IN`, `BETWEEN`, `LIKE`, a few
//! functions, and `COUNT`, `SUM`, `MIN`, `MAX`, `AVG` without `GROUP BY`. No `JOIN`, no sub-query.

mod ast;
mod eval;
mod lexer;
mod parser;
mod plan;
mod sort;

#[cfg(test)]
mod tests;

use std::fmt;

use serde_json::Value;

pub use plan::PlanError;
pub use sort::SortPlace;

/// A query that cannot be read; the message is meant for the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error(String);

impl Error {
    fn new(message: impl Into<String>) -> Self {
        Self(message.into())
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Syntax error or unsupported query: {}", self.0)
    }
}

impl std::error::Error for Error {}

/// A query, ready to run over documents.
#[derive(Clone, Debug)]
pub struct Statement(ast::Query);

impl Statement {
    /// Parses a query; `parameters` are names with their `@` and values.
    ///
    /// # Errors
    /// When the text is no query or one outside the subset.
    pub fn parse(text: &str, parameters: &[(String, Value)]) -> Result<Self, Error> {
        parser::parse(text, parameters).map(Self)
    }

    /// Whether it is `SELECT * FROM c` and nothing more, so that stored bytes can be the answer.
    #[must_use]
    pub fn is_plain_scan(&self) -> bool {
        let query = &self.0;
        query.selection == ast::Selection::Everything
            && query.filter.is_none()
            && query.order_by.is_empty()
            && query.window.is_none()
            && query.top.is_none()
            && !query.distinct
            && !query.group_by
    }

    /// Whether each document gives at most one result by itself, in the order of the documents: then a page can be
    /// made from where the last one ended. Sorting, folding and deduplicating need all documents.
    #[must_use]
    pub fn streams(&self) -> bool {
        let query = &self.0;
        query.order_by.is_empty() && !query.distinct && !query.group_by && !query.aggregates()
    }

    /// The result of one document of a query that [streams](Self::streams), leaving its window aside.
    #[must_use]
    pub fn result(&self, document: &Value) -> Option<Value> {
        eval::result(&self.0, document)
    }

    /// How many results are skipped and how many are wanted after that.
    #[must_use]
    pub fn window(&self) -> (usize, usize) {
        let (offset, limit) = self.0.window.unwrap_or((0, usize::MAX));
        (offset, self.0.top.map_or(limit, |top| top.min(limit)))
    }

    /// Whether it filters, sorts and projects, and nothing more: then a page can be made from the place of the last
    /// result, which is good wherever the documents have moved since.
    #[must_use]
    pub fn sorts(&self) -> bool {
        let query = &self.0;
        !query.order_by.is_empty()
            && query.window.is_none()
            && query.top.is_none()
            && !query.distinct
            && !query.group_by
            && !query.aggregates()
    }

    /// A page of a query that [sorts](Self::sorts), and the place of its last result if there are more.
    ///
    /// Documents come with a number each that tells those apart which sort alike; lower numbers are older.
    #[must_use]
    pub fn sorted_page(
        &self,
        documents: impl IntoIterator<Item = (u64, Value)>,
        after: Option<&SortPlace>,
        limit: usize,
    ) -> (Vec<Value>, Option<SortPlace>) {
        sort::page(&self.0, documents.into_iter(), after, limit)
    }

    /// Runs the query over documents, which come oldest first, and returns its results in order.
    ///
    /// # Errors
    /// When it has a `GROUP BY`, which only the parser knows.
    pub fn run(&self, documents: impl IntoIterator<Item = Value>) -> Result<Vec<Value>, Error> {
        if self.0.group_by {
            return Err(Error::new("GROUP BY is not supported"));
        }
        Ok(eval::run(&self.0, documents.into_iter()))
    }
}

/// The query plan of a query over a whole container, as the gateway gives it.
///
/// `supported` is the value of the client's `x-ms-cosmos-supported-query-features`.
///
/// # Errors
/// When the query is outside the subset, or needs a stage that the client does not have.
pub fn plan(text: &str, parameters: &[(String, Value)], supported: &str) -> Result<Value, PlanError> {
    let query = parser::parse(text, parameters).map_err(PlanError::Invalid)?;
    plan::plan(&query, supported)
}
