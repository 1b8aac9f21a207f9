// SPDX-License-Identifier: Apache-2.0

//! Tokens of the SQL subset.

use super::Error;

/// A token; keywords are [`Token::Word`]s, compared without regard to case by the parser.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Token {
    /// An identifier or a keyword.
    Word(String),
    /// A parameter with its `@`.
    Parameter(String),
    /// A string literal, unescaped.
    Text(String),
    /// A number literal as it was written, so that integers keep their precision.
    Number(String),
    /// An operator or a bracket.
    Symbol(&'static str),
}

/// Longest first: `<=` must win over `<`.
const SYMBOLS: [&str; 21] = [
    "<=", ">=", "<>", "!=", "||", "(", ")", "[", "]", "{", "}", ",", ".", ":", "=", "<", ">", "*", "+", "-", "/",
];

/// Splits a query into tokens.
pub(super) fn tokenize(text: &str) -> Result<Vec<Token>, Error> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            'a'..='z' | 'A'..='Z' | '_' | '$' => {
                let length = word_length(rest);
                tokens.push(Token::Word(rest[..length].to_owned()));
                length
            }
            '@' => {
                let length = 1 + word_length(&rest[1..]);
                tokens.push(Token::Parameter(rest[..length].to_owned()));
                length
            }
            '0'..='9' => {
                let length = number_length(rest);
                tokens.push(Token::Number(rest[..length].to_owned()));
                length
            }
            '\'' | '"' => {
                let (value, length) = string_literal(rest, first)?;
                tokens.push(Token::Text(value));
                length
            }
            _ => {
                let symbol = SYMBOLS
                    .iter()
                    .find(|symbol| rest.starts_with(**symbol))
                    .ok_or_else(|| Error::new(format!("unexpected character '{first}'")))?;
                tokens.push(Token::Symbol(symbol));
                symbol.len()
            }
        };
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

fn word_length(text: &str) -> usize {
    text.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$'))
        .unwrap_or(text.len())
}

fn number_length(text: &str) -> usize {
    let mut previous = ' ';
    text.find(|c: char| {
        let part = c.is_ascii_digit()
            || c == '.'
            || matches!(c, 'e' | 'E')
            || (matches!(c, '+' | '-') && matches!(previous, 'e' | 'E'));
        previous = c;
        !part
    })
    .unwrap_or(text.len())
}

/// Reads a quoted literal; returns its value and the bytes it takes with both quotes.
fn string_literal(text: &str, quote: char) -> Result<(String, usize), Error> {
    let mut value = String::new();
    let mut characters = text.char_indices().skip(1);
    while let Some((index, character)) = characters.next() {
        match character {
            c if c == quote => return Ok((value, index + 1)),
            '\\' => value.push(escape(&mut characters)?),
            c => value.push(c),
        }
    }
    Err(Error::new("a string literal is not closed"))
}

fn escape(characters: &mut impl Iterator<Item = (usize, char)>) -> Result<char, Error> {
    let (_, character) = characters
        .next()
        .ok_or_else(|| Error::new("a string literal ends in a backslash"))?;
    Ok(match character {
        'n' => '\n',
        't' => '\t',
        'r' => '\r',
        'b' => '\u{8}',
        'f' => '\u{c}',
        'u' => {
            let digits: String = characters.take(4).map(|(_, c)| c).collect();
            u32::from_str_radix(&digits, 16)
                .ok()
                .and_then(char::from_u32)
                .ok_or_else(|| Error::new(format!("bad escape \\u{digits}")))?
        }
        other => other,
    })
}
