// SPDX-License-Identifier: Apache-2.0

//! The parsed query and its way back to text (query plans carry rewritten queries).

use std::fmt;

use serde_json::Value;

/// An expression; evaluating one may give "undefined", which is not JSON `null`.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Expr {
    Literal(Value),
    Undefined,
    /// The document itself (`c`).
    Root,
    /// A property of an object (`c.a`, `c["a"]`) or an element of an array (`c.a[0]`).
    Member(Box<Expr>, Box<Expr>),
    Not(Box<Expr>),
    Binary(Box<Expr>, Operator, Box<Expr>),
    In(Box<Expr>, Vec<Expr>),
    Between(Box<Expr>, Box<Expr>, Box<Expr>),
    Call(Function, Vec<Expr>),
    Aggregate(Aggregate, Box<Expr>),
    Object(Vec<(String, Expr)>),
    Array(Vec<Expr>),
}

/// Declares an enum of words that parse without regard to case and print as written here.
macro_rules! words {
    ($(#[$meta:meta])* $name:ident { $($variant:ident = $text:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum $name { $($variant),+ }

        impl $name {
            /// The variant of that spelling, if there is one.
            pub(super) fn from_word(word: &str) -> Option<Self> {
                match word.to_ascii_uppercase().as_str() {
                    $($text => Some(Self::$variant),)+
                    _ => None,
                }
            }

            /// The spelling.
            pub(super) fn text(self) -> &'static str {
                match self { $(Self::$variant => $text),+ }
            }
        }
    };
}

words!(
    /// Binary operators.
    Operator {
        Or = "OR", And = "AND", Equal = "=", NotEqual = "!=", Less = "<", LessEqual = "<=",
        Greater = ">", GreaterEqual = ">=", Like = "LIKE", Concat = "||",
        Add = "+", Subtract = "-", Multiply = "*", Divide = "/",
    }
);
words!(
    /// Scalar functions.
    Function {
        StartsWith = "STARTSWITH", EndsWith = "ENDSWITH", Contains = "CONTAINS",
        IsDefined = "IS_DEFINED", IsNull = "IS_NULL", IsString = "IS_STRING",
        IsNumber = "IS_NUMBER", IsBool = "IS_BOOL", IsArray = "IS_ARRAY",
        IsObject = "IS_OBJECT", IsPrimitive = "IS_PRIMITIVE", ArrayContains = "ARRAY_CONTAINS",
        ArrayLength = "ARRAY_LENGTH", Lower = "LOWER", Upper = "UPPER", Length = "LENGTH",
    }
);
words!(
    /// Aggregate functions.
    Aggregate { Count = "COUNT", Sum = "SUM", Min = "MIN", Max = "MAX", Avg = "AVG" }
);

/// What a query selects.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Selection {
    /// `*`
    Everything,
    /// `VALUE expression`
    Value(Expr),
    /// Expressions with the names they get in the result.
    List(Vec<(String, Expr)>),
}

/// One key of `ORDER BY`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SortKey {
    pub(super) expr: Expr,
    pub(super) descending: bool,
}

/// A whole query.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Query {
    pub(super) distinct: bool,
    pub(super) top: Option<usize>,
    pub(super) selection: Selection,
    pub(super) filter: Option<Expr>,
    pub(super) group_by: bool,
    pub(super) order_by: Vec<SortKey>,
    /// `OFFSET` and `LIMIT`.
    pub(super) window: Option<(usize, usize)>,
}

impl Query {
    /// Whether the selection folds documents into one result.
    pub(super) fn aggregates(&self) -> bool {
        match &self.selection {
            Selection::Everything => false,
            Selection::Value(expr) => expr.has_aggregate(),
            Selection::List(list) => list.iter().any(|(_, expr)| expr.has_aggregate()),
        }
    }
}

impl Expr {
    fn has_aggregate(&self) -> bool {
        match self {
            Self::Aggregate(..) => true,
            Self::Literal(_) | Self::Undefined | Self::Root => false,
            Self::Not(inner) => inner.has_aggregate(),
            Self::Member(left, right) | Self::Binary(left, _, right) => left.has_aggregate() || right.has_aggregate(),
            Self::Between(a, b, c) => [a, b, c].iter().any(|expr| expr.has_aggregate()),
            Self::In(left, list) => left.has_aggregate() || list.iter().any(Self::has_aggregate),
            Self::Call(_, list) | Self::Array(list) => list.iter().any(Self::has_aggregate),
            Self::Object(fields) => fields.iter().any(|(_, expr)| expr.has_aggregate()),
        }
    }
}

/// Every rewritten query calls its document this.
pub(super) const ALIAS: &str = "c";

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Literal(value) => write!(f, "{value}"),
            Self::Undefined => f.write_str("undefined"),
            Self::Root => f.write_str(ALIAS),
            Self::Member(base, key) => match key.as_ref() {
                Self::Literal(Value::String(name)) if is_plain_name(name) => {
                    write!(f, "{base}.{name}")
                }
                key => write!(f, "{base}[{key}]"),
            },
            Self::Not(inner) => write!(f, "NOT ({inner})"),
            Self::Binary(left, operator, right) => {
                write!(f, "({left} {} {right})", operator.text())
            }
            Self::In(left, list) => write!(f, "({left} IN ({}))", Join(list)),
            Self::Between(value, low, high) => write!(f, "({value} BETWEEN {low} AND {high})"),
            Self::Call(function, list) => write!(f, "{}({})", function.text(), Join(list)),
            Self::Aggregate(aggregate, inner) => write!(f, "{}({inner})", aggregate.text()),
            Self::Array(list) => write!(f, "[{}]", Join(list)),
            Self::Object(fields) => {
                f.write_str("{")?;
                for (index, (name, expr)) in fields.iter().enumerate() {
                    let comma = if index == 0 { "" } else { ", " };
                    write!(f, "{comma}{}: {expr}", Value::from(name.as_str()))?;
                }
                f.write_str("}")
            }
        }
    }
}

struct Join<'a>(&'a [Expr]);

impl fmt::Display for Join<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, expr) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { ", " };
            write!(f, "{comma}{expr}")?;
        }
        Ok(())
    }
}

/// Names that are not certain to be read back as names after a dot are printed in brackets.
fn is_plain_name(name: &str) -> bool {
    let mut characters = name.chars();
    characters.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && characters.all(|c| c.is_ascii_alphanumeric() || c == '_')
}
