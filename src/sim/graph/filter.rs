//! `$filter`: parses an OData expression and evaluates it on the JSON of one object. Functions and operators beyond
//! comparisons, `and`, `or`, `not`, `startswith`, `contains` and `any` are rejected.

use std::cmp::Ordering;

use serde_json::Value;

use super::error::GraphError;
use super::times;
use crate::sim::zones;

/// Limit of characters.
const LENGTH_MAX: usize = 4_096;
/// Limit of nested parentheses.
const DEPTH_MAX: usize = 32;

/// A parsed expression.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Filter {
    And(Box<Self>, Box<Self>),
    Or(Box<Self>, Box<Self>),
    Not(Box<Self>),
    Compare(String, Comparison, Value),
    /// `startswith` or, if the flag is set, `contains`.
    Text(String, bool, String),
    /// `path/any(x:x eq value)`.
    Any(String, Comparison, Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
}

impl Filter {
    pub(super) fn parse(text: &str) -> Result<Self, GraphError> {
        let invalid = || {
            GraphError::bad_request(
                "ErrorInvalidUrlQueryFilter",
                "The query filter is not supported or invalid.",
            )
        };
        if text.len() > LENGTH_MAX {
            return Err(invalid());
        }
        let tokens = tokens(text).ok_or_else(invalid)?;
        let mut parser = Parser { tokens: &tokens, depth: 0 };
        let filter = parser.either().filter(|_| parser.tokens.is_empty());
        filter.ok_or_else(invalid)
    }

    /// The property paths in the expression.
    pub(super) fn paths(&self) -> Vec<&str> {
        match self {
            Self::And(left, right) | Self::Or(left, right) => [left.paths(), right.paths()].concat(),
            Self::Not(inner) => inner.paths(),
            Self::Compare(path, ..) | Self::Text(path, ..) | Self::Any(path, ..) => vec![path],
        }
    }

    /// Whether an object matches.
    pub(super) fn matches(&self, object: &Value) -> bool {
        match self {
            Self::And(left, right) => left.matches(object) && right.matches(object),
            Self::Or(left, right) => left.matches(object) || right.matches(object),
            Self::Not(inner) => !inner.matches(object),
            Self::Compare(path, comparison, literal) => comparison.holds(at(object, path), literal),
            Self::Text(path, is_contains, text) => at(object, path).as_str().is_some_and(|value| {
                let (value, text) = (value.to_lowercase(), text.to_lowercase());
                if *is_contains { value.contains(&text) } else { value.starts_with(&text) }
            }),
            Self::Any(path, comparison, literal) => at(object, path)
                .as_array()
                .is_some_and(|all| all.iter().any(|value| comparison.holds(value, literal))),
        }
    }
}

/// The value at a path; null if there is none.
fn at<'v>(object: &'v Value, path: &str) -> &'v Value {
    path.split('/').fold(object, |value, name| value.get(name).unwrap_or(&Value::Null))
}

impl Comparison {
    fn holds(self, value: &Value, literal: &Value) -> bool {
        let order = order(value, literal);
        match self {
            Self::Eq => order == Some(Ordering::Equal),
            Self::Ne => order != Some(Ordering::Equal),
            Self::Lt => order == Some(Ordering::Less),
            Self::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            Self::Gt => order == Some(Ordering::Greater),
            Self::Ge => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        }
    }
}

/// Times are compared as instants, other texts without case.
pub(super) fn order(left: &Value, right: &Value) -> Option<Ordering> {
    match (left, right) {
        (Value::Null, Value::Null) => Some(Ordering::Equal),
        (Value::Bool(left), Value::Bool(right)) => Some(left.cmp(right)),
        (Value::Number(left), Value::Number(right)) => left.as_f64()?.partial_cmp(&right.as_f64()?),
        (Value::String(left), Value::String(right)) => {
            let instant = |text: &str| times::instant(text, &zones::UTC);
            match (instant(left), instant(right)) {
                (Some(left), Some(right)) => Some(left.cmp(&right)),
                _ => Some(left.to_lowercase().cmp(&right.to_lowercase())),
            }
        }
        _ => None,
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Open,
    Close,
    Comma,
    Text(String),
    /// A name, an operator or a literal without quotes.
    Word(String),
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut out = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '(' | ')' | ',' => {
                out.push(match first {
                    '(' => Token::Open,
                    ')' => Token::Close,
                    _ => Token::Comma,
                });
                1
            }
            '\'' => {
                let (value, length) = quoted(rest)?;
                out.push(Token::Text(value));
                length
            }
            _ => {
                let length = rest.find(|letter: char| " (),'".contains(letter)).unwrap_or(rest.len());
                out.push(Token::Word(rest.get(..length)?.to_owned()));
                length
            }
        };
        rest = rest.get(length..)?.trim_start();
    }
    Some(out)
}

/// The text between quotes, of which two are one, and its length with them.
fn quoted(text: &str) -> Option<(String, usize)> {
    let mut value = String::new();
    let mut letters = text.char_indices().skip(1).peekable();
    while let Some((at, letter)) = letters.next() {
        if letter != '\'' {
            value.push(letter);
        } else if letters.peek().is_some_and(|(_, next)| *next == '\'') {
            letters.next();
            value.push('\'');
        } else {
            return Some((value, at + 1));
        }
    }
    None
}

struct Parser<'t> {
    tokens: &'t [Token],
    depth: usize,
}

impl Parser<'_> {
    fn next(&mut self) -> Option<&Token> {
        let (first, rest) = self.tokens.split_first()?;
        self.tokens = rest;
        Some(first)
    }

    /// Takes a keyword, if it comes next.
    fn keyword(&mut self, keyword: &str) -> bool {
        let found =
            matches!(self.tokens.first(), Some(Token::Word(word)) if word.eq_ignore_ascii_case(keyword));
        if found {
            self.next();
        }
        found
    }

    fn expect(&mut self, token: &Token) -> Option<()> {
        (self.next()? == token).then_some(())
    }

    fn either(&mut self) -> Option<Filter> {
        let mut left = self.both()?;
        while self.keyword("or") {
            left = Filter::Or(Box::new(left), Box::new(self.both()?));
        }
        Some(left)
    }

    fn both(&mut self) -> Option<Filter> {
        let mut left = self.one()?;
        while self.keyword("and") {
            left = Filter::And(Box::new(left), Box::new(self.one()?));
        }
        Some(left)
    }

    fn one(&mut self) -> Option<Filter> {
        self.depth += 1;
        if self.depth > DEPTH_MAX {
            return None;
        }
        let filter = self.one_nested();
        self.depth -= 1;
        filter
    }

    fn one_nested(&mut self) -> Option<Filter> {
        if self.keyword("not") {
            return Some(Filter::Not(Box::new(self.one()?)));
        }
        match self.next()?.clone() {
            Token::Open => {
                let inner = self.either()?;
                self.expect(&Token::Close)?;
                Some(inner)
            }
            Token::Word(word) if self.tokens.first() == Some(&Token::Open) => self.function(&word),
            Token::Word(path) => {
                let comparison = self.comparison()?;
                Some(Filter::Compare(path, comparison, self.literal()?))
            }
            _ => None,
        }
    }

    fn function(&mut self, word: &str) -> Option<Filter> {
        self.expect(&Token::Open)?;
        let filter = match word.to_ascii_lowercase().as_str() {
            name @ ("startswith" | "contains") => {
                let Token::Word(path) = self.next()?.clone() else { return None };
                self.expect(&Token::Comma)?;
                let Token::Text(text) = self.next()?.clone() else { return None };
                Filter::Text(path, name == "contains", text)
            }
            _ => self.any(word.strip_suffix("/any")?)?,
        };
        self.expect(&Token::Close)?;
        Some(filter)
    }

    /// The lambda `x:x eq value`.
    fn any(&mut self, path: &str) -> Option<Filter> {
        let Token::Word(lambda) = self.next()?.clone() else { return None };
        let (variable, operand) = lambda.split_once(':')?;
        let operand = match operand {
            "" => match self.next()?.clone() {
                Token::Word(word) => word,
                _ => return None,
            },
            operand => operand.to_owned(),
        };
        (variable == operand).then_some(())?;
        let comparison = self.comparison()?;
        Some(Filter::Any(path.to_owned(), comparison, self.literal()?))
    }

    fn comparison(&mut self) -> Option<Comparison> {
        let Token::Word(word) = self.next()? else { return None };
        Some(match word.to_ascii_lowercase().as_str() {
            "eq" => Comparison::Eq,
            "ne" => Comparison::Ne,
            "lt" => Comparison::Lt,
            "le" => Comparison::Le,
            "gt" => Comparison::Gt,
            "ge" => Comparison::Ge,
            _ => return None,
        })
    }

    fn literal(&mut self) -> Option<Value> {
        Some(match self.next()?.clone() {
            Token::Text(text) => Value::String(text),
            Token::Word(word) => match word.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                "null" => Value::Null,
                word => word.parse::<i64>().map_or_else(|_| Value::String(word.to_owned()), Value::from),
            },
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn expressions_match_what_they_say() {
        let object = json!({
            "iCalUId": "AB", "type": "seriesMaster", "start": {"dateTime": "2026-05-06T09:00:00.0000000"},
            "isAllDay": false, "proxyAddresses": ["SMTP:a@x.y"], "subject": "O'Hara's talk", "x": null,
        });
        for (text, expected) in [
            ("iCalUId eq 'AB'", true),
            ("iCalUId eq 'AC'", false),
            ("type eq 'seriesMaster' or (start/dateTime ge '2027-01-01T00:00:00Z')", true),
            ("start/dateTime ge '2026-05-06T08:59:00Z' and start/dateTime lt '2026-05-06T09:01:00Z'", true),
            ("start/dateTime gt 2026-05-06T09:00:00Z", false),
            ("proxyAddresses/any(p:p eq 'smtp:a@x.y')", true),
            ("proxyAddresses/any(p: p eq 'smtp:b@x.y')", false),
            ("startswith(subject,'o''hara') and not (isAllDay eq true)", true),
            ("contains(subject,'lecture') or x ne null", false),
        ] {
            assert_eq!(Filter::parse(text).unwrap().matches(&object), expected, "{text}");
        }
    }

    #[test]
    fn what_is_no_expression_is_refused() {
        let deep = "(".repeat(1_000) + "a eq 1" + &")".repeat(1_000);
        for text in ["", "a", "a eq", "a eq 'b", "a eq 1 b", "(a eq 1", "a is 1", "f(a)", "any(", "é'", &deep]
        {
            assert!(Filter::parse(text).is_err(), "{text}");
        }
    }
}
