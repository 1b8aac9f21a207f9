// SPDX-License-Identifier: Apache-2.0

//! Recursive descent over the tokens of one query.

use serde_json::Value;

use super::Error;
use super::ast::{Aggregate, Expr, Function, Operator, Query, Selection, SortKey};
use super::lexer::{Token, tokenize};

/// Words that end an alias-less `FROM` or a select item instead of naming it.
const RESERVED: [&str; 9] = ["FROM", "WHERE", "ORDER", "GROUP", "OFFSET", "LIMIT", "AS", "JOIN", "IN"];

/// Parses `text`; parameters become literals.
pub(super) fn parse(text: &str, parameters: &[(String, Value)]) -> Result<Query, Error> {
    let tokens = tokenize(text)?;
    // The alias is needed to read the selection that stands before it.
    let aliases = aliases(&tokens)?;
    let mut parser = Parser {
        tokens,
        position: 0,
        aliases,
        parameters,
    };
    let query = parser.query()?;
    match parser.tokens.get(parser.position) {
        None => Ok(query),
        Some(token) => Err(Error::new(format!("unexpected {token:?} after the query"))),
    }
}

/// The names that stand for the document: the collection's name and its alias.
fn aliases(tokens: &[Token]) -> Result<Vec<String>, Error> {
    let from = (0..tokens.len())
        .find(|&index| is_word(tokens.get(index), "FROM") && (index == 0 || tokens[index - 1] != Token::Symbol(".")))
        .ok_or_else(|| Error::new("FROM is missing"))?;
    let mut names = Vec::new();
    let mut next = from + 1;
    let Some(Token::Word(collection)) = tokens.get(next) else {
        return Err(Error::new("FROM must name a collection"));
    };
    names.push(collection.clone());
    next += 1;
    if is_word(tokens.get(next), "AS") {
        next += 1;
    }
    if let Some(Token::Word(alias)) = tokens.get(next)
        && !is_reserved(alias)
    {
        names = vec![alias.clone()];
    }
    Ok(names)
}

fn is_word(token: Option<&Token>, word: &str) -> bool {
    matches!(token, Some(Token::Word(found)) if found.eq_ignore_ascii_case(word))
}

fn is_reserved(word: &str) -> bool {
    RESERVED.iter().any(|reserved| word.eq_ignore_ascii_case(reserved))
}

struct Parser<'a> {
    tokens: Vec<Token>,
    position: usize,
    aliases: Vec<String>,
    parameters: &'a [(String, Value)],
}

impl Parser<'_> {
    fn query(&mut self) -> Result<Query, Error> {
        self.expect_word("SELECT")?;
        let distinct = self.accept_word("DISTINCT");
        let top = if self.accept_word("TOP") {
            Some(self.count("TOP")?)
        } else {
            None
        };
        let selection = self.selection()?;
        self.from()?;
        let filter = if self.accept_word("WHERE") {
            Some(self.expr()?)
        } else {
            None
        };
        let group_by = self.accept_words("GROUP", "BY");
        if group_by {
            self.list(Self::expr)?;
        }
        let order_by = if self.accept_words("ORDER", "BY") {
            self.list(Self::sort_key)?
        } else {
            Vec::new()
        };
        let window = if self.accept_word("OFFSET") {
            let offset = self.count("OFFSET")?;
            self.expect_word("LIMIT")?;
            Some((offset, self.count("LIMIT")?))
        } else {
            None
        };
        Ok(Query {
            distinct,
            top,
            selection,
            filter,
            group_by,
            order_by,
            window,
        })
    }

    fn selection(&mut self) -> Result<Selection, Error> {
        if self.accept_symbol("*") {
            return Ok(Selection::Everything);
        }
        if self.accept_word("VALUE") {
            return Ok(Selection::Value(self.expr()?));
        }
        let mut unnamed = 0;
        let list = self.list(|parser| {
            let expr = parser.expr()?;
            let name = if parser.accept_word("AS") {
                parser.word("an alias")?
            } else if let Some(name) = natural_name(&expr) {
                name
            } else {
                unnamed += 1;
                format!("${unnamed}")
            };
            Ok((name, expr))
        })?;
        Ok(Selection::List(list))
    }

    fn from(&mut self) -> Result<(), Error> {
        self.expect_word("FROM")?;
        self.word("a collection")?;
        self.accept_word("AS");
        if matches!(self.peek(), Some(Token::Word(word)) if !is_reserved(word)) {
            self.position += 1;
        }
        if is_word(self.peek(), "JOIN") || is_word(self.peek(), "IN") {
            return Err(Error::new("JOIN and FROM ... IN are not supported"));
        }
        Ok(())
    }

    fn sort_key(&mut self) -> Result<SortKey, Error> {
        let expr = self.expr()?;
        let descending = self.accept_word("DESC");
        if !descending {
            self.accept_word("ASC");
        }
        Ok(SortKey { expr, descending })
    }

    fn expr(&mut self) -> Result<Expr, Error> {
        let mut left = self.conjunction()?;
        while self.accept_word("OR") {
            left = binary(left, Operator::Or, self.conjunction()?);
        }
        Ok(left)
    }

    fn conjunction(&mut self) -> Result<Expr, Error> {
        let mut left = self.negation()?;
        while self.accept_word("AND") {
            left = binary(left, Operator::And, self.negation()?);
        }
        Ok(left)
    }

    fn negation(&mut self) -> Result<Expr, Error> {
        if self.accept_word("NOT") {
            return Ok(Expr::Not(Box::new(self.negation()?)));
        }
        self.comparison()
    }

    fn comparison(&mut self) -> Result<Expr, Error> {
        let left = self.sum()?;
        let negated = is_word(self.peek(), "NOT");
        if negated {
            self.position += 1;
        }
        let matched = if self.accept_word("IN") {
            self.expect_symbol("(")?;
            let list = self.list(Self::expr)?;
            self.expect_symbol(")")?;
            Expr::In(Box::new(left), list)
        } else if self.accept_word("BETWEEN") {
            let low = self.sum()?;
            self.expect_word("AND")?;
            let high = self.sum()?;
            Expr::Between(Box::new(left), Box::new(low), Box::new(high))
        } else if self.accept_word("LIKE") {
            binary(left, Operator::Like, self.sum()?)
        } else if negated {
            return Err(Error::new("NOT must be followed by IN, BETWEEN or LIKE here"));
        } else if let Some(operator) = self.comparison_operator() {
            binary(left, operator, self.sum()?)
        } else {
            left
        };
        Ok(if negated { Expr::Not(Box::new(matched)) } else { matched })
    }

    fn comparison_operator(&mut self) -> Option<Operator> {
        let operator = match self.peek() {
            Some(Token::Symbol("<>")) => Operator::NotEqual,
            Some(Token::Symbol(symbol @ ("=" | "!=" | "<" | "<=" | ">" | ">="))) => Operator::from_word(symbol)?,
            _ => return None,
        };
        self.position += 1;
        Some(operator)
    }

    fn sum(&mut self) -> Result<Expr, Error> {
        let mut left = self.product()?;
        loop {
            let operator = match self.peek() {
                Some(Token::Symbol("+")) => Operator::Add,
                Some(Token::Symbol("-")) => Operator::Subtract,
                Some(Token::Symbol("||")) => Operator::Concat,
                _ => return Ok(left),
            };
            self.position += 1;
            left = binary(left, operator, self.product()?);
        }
    }

    fn product(&mut self) -> Result<Expr, Error> {
        let mut left = self.postfix()?;
        loop {
            let operator = match self.peek() {
                Some(Token::Symbol("*")) => Operator::Multiply,
                Some(Token::Symbol("/")) => Operator::Divide,
                _ => return Ok(left),
            };
            self.position += 1;
            left = binary(left, operator, self.postfix()?);
        }
    }

    fn postfix(&mut self) -> Result<Expr, Error> {
        let mut base = self.primary()?;
        loop {
            let key = if self.accept_symbol(".") {
                Expr::Literal(Value::from(self.word("a property")?))
            } else if self.accept_symbol("[") {
                let key = self.expr()?;
                self.expect_symbol("]")?;
                key
            } else {
                return Ok(base);
            };
            base = Expr::Member(Box::new(base), Box::new(key));
        }
    }

    fn primary(&mut self) -> Result<Expr, Error> {
        let token = self
            .peek()
            .cloned()
            .ok_or_else(|| Error::new("the query ends where an expression is expected"))?;
        self.position += 1;
        match token {
            Token::Text(text) => Ok(Expr::Literal(Value::from(text))),
            Token::Number(number) => number_literal(&number),
            Token::Parameter(name) => self
                .parameters
                .iter()
                .find(|(known, _)| *known == name)
                .map(|(_, value)| Expr::Literal(value.clone()))
                .ok_or_else(|| Error::new(format!("no value for the parameter {name}"))),
            Token::Symbol("-") => {
                let zero = Expr::Literal(Value::from(0));
                Ok(binary(zero, Operator::Subtract, self.postfix()?))
            }
            Token::Symbol("(") => {
                let inner = self.expr()?;
                self.expect_symbol(")")?;
                Ok(inner)
            }
            Token::Symbol("[") => {
                let mut list = Vec::new();
                if !self.accept_symbol("]") {
                    list = self.list(Self::expr)?;
                    self.expect_symbol("]")?;
                }
                Ok(Expr::Array(list))
            }
            Token::Symbol("{") => self.object(),
            Token::Word(word) if matches!(self.peek(), Some(Token::Symbol("("))) => self.call(&word),
            Token::Word(word) => self.name(&word),
            Token::Symbol(symbol) => Err(Error::new(format!("unexpected '{symbol}'"))),
        }
    }

    fn object(&mut self) -> Result<Expr, Error> {
        let mut fields = Vec::new();
        if !self.accept_symbol("}") {
            fields = self.list(|parser| {
                let name = match parser.peek().cloned() {
                    Some(Token::Text(name) | Token::Word(name)) => name,
                    other => return Err(Error::new(format!("{other:?} is no property name"))),
                };
                parser.position += 1;
                parser.expect_symbol(":")?;
                Ok((name, parser.expr()?))
            })?;
            self.expect_symbol("}")?;
        }
        Ok(Expr::Object(fields))
    }

    fn call(&mut self, name: &str) -> Result<Expr, Error> {
        self.expect_symbol("(")?;
        let mut arguments = Vec::new();
        if !self.accept_symbol(")") {
            arguments = self.list(Self::expr)?;
            self.expect_symbol(")")?;
        }
        if let Some(aggregate) = Aggregate::from_word(name) {
            return match <[Expr; 1]>::try_from(arguments) {
                Ok([argument]) => Ok(Expr::Aggregate(aggregate, Box::new(argument))),
                Err(_) => Err(Error::new(format!("{name} takes one argument"))),
            };
        }
        match Function::from_word(name) {
            Some(function) => Ok(Expr::Call(function, arguments)),
            None => Err(Error::new(format!("the function {name} is not supported"))),
        }
    }

    fn name(&self, word: &str) -> Result<Expr, Error> {
        if self.aliases.iter().any(|alias| alias == word) {
            return Ok(Expr::Root);
        }
        match word.to_ascii_lowercase().as_str() {
            "true" => Ok(Expr::Literal(Value::from(true))),
            "false" => Ok(Expr::Literal(Value::from(false))),
            "null" => Ok(Expr::Literal(Value::Null)),
            "undefined" => Ok(Expr::Undefined),
            _ => Err(Error::new(format!("the identifier '{word}' could not be resolved"))),
        }
    }

    fn list<T>(&mut self, mut item: impl FnMut(&mut Self) -> Result<T, Error>) -> Result<Vec<T>, Error> {
        let mut list = vec![item(self)?];
        while self.accept_symbol(",") {
            list.push(item(self)?);
        }
        Ok(list)
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.position)
    }

    fn accept(&mut self, matches: bool) -> bool {
        self.position += usize::from(matches);
        matches
    }

    fn accept_symbol(&mut self, symbol: &'static str) -> bool {
        self.accept(self.peek() == Some(&Token::Symbol(symbol)))
    }

    fn accept_word(&mut self, word: &str) -> bool {
        self.accept(is_word(self.peek(), word))
    }

    fn accept_words(&mut self, first: &str, second: &str) -> bool {
        let found = is_word(self.peek(), first) && is_word(self.tokens.get(self.position + 1), second);
        self.position += 2 * usize::from(found);
        found
    }

    fn expect_symbol(&mut self, symbol: &'static str) -> Result<(), Error> {
        if self.accept_symbol(symbol) {
            return Ok(());
        }
        Err(Error::new(format!("'{symbol}' expected, found {:?}", self.peek())))
    }

    fn expect_word(&mut self, word: &str) -> Result<(), Error> {
        if self.accept_word(word) {
            return Ok(());
        }
        Err(Error::new(format!("{word} expected, found {:?}", self.peek())))
    }

    fn word(&mut self, what: &str) -> Result<String, Error> {
        match self.peek().cloned() {
            Some(Token::Word(word)) => {
                self.position += 1;
                Ok(word)
            }
            other => Err(Error::new(format!("{what} expected, found {other:?}"))),
        }
    }

    fn count(&mut self, clause: &str) -> Result<usize, Error> {
        match self.primary()? {
            Expr::Literal(value) => value.as_u64().and_then(|number| usize::try_from(number).ok()),
            _ => None,
        }
        .ok_or_else(|| Error::new(format!("{clause} takes a whole number of at least 0")))
    }
}

fn binary(left: Expr, operator: Operator, right: Expr) -> Expr {
    Expr::Binary(Box::new(left), operator, Box::new(right))
}

fn number_literal(number: &str) -> Result<Expr, Error> {
    serde_json::from_str(number)
        .map(Expr::Literal)
        .map_err(|_| Error::new(format!("{number} is no number")))
}

/// The name a select item has without `AS`: its last property.
fn natural_name(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Member(_, key) => match key.as_ref() {
            Expr::Literal(Value::String(name)) => Some(name.clone()),
            _ => None,
        },
        Expr::Root => Some(super::ast::ALIAS.to_owned()),
        _ => None,
    }
}
