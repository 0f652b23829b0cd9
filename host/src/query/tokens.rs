//! Before the parser: cuts the script into statements, which need no separator, and lifts out of the token stream what
//! no SQL parser knows: `TIMESTAMP BY … [OVER …]` and the `PARTITION BY` of a source. Tokens keep their places.

use std::collections::HashMap;

use sqlparser::dialect::MsSqlDialect;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::diagnostic::{Diagnostic, Position};

/// A script, cut up.
#[derive(Debug, Default)]
pub(super) struct Cut {
    /// One `[WITH …] SELECT …` each.
    pub(super) statements: Vec<Vec<TokenWithSpan>>,
    /// For each source that has one, by lower-case name: the expression of its `TIMESTAMP BY`.
    pub(super) timestamps: HashMap<String, Vec<TokenWithSpan>>,
    pub(super) found: Vec<Diagnostic>,
}

fn word(token: Option<&TokenWithSpan>) -> String {
    match token.map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_uppercase(),
        _ => String::new(),
    }
}

/// Cuts a script.
pub(super) fn cut(text: &str) -> Cut {
    let mut cut = Cut::default();
    let tokens = match Tokenizer::new(&MsSqlDialect {}, text).tokenize_with_location() {
        Ok(tokens) => tokens,
        Err(error) => {
            cut.found.push(Diagnostic::new(error.location, error.message));
            return cut;
        }
    };
    let tokens: Vec<TokenWithSpan> = tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    let tokens = lift(tokens, &mut cut);
    split(tokens, &mut cut);
    cut
}

/// Where an expression that starts at `at` ends: at a clause, a comma, or a parenthesis that it did not open.
fn expression_end(tokens: &[TokenWithSpan], at: usize) -> usize {
    const CLAUSES: [&str; 14] =
        ["OVER", "PARTITION", "WHERE", "GROUP", "HAVING", "SELECT", "JOIN", "INNER", "LEFT", "ON", "CROSS", "OUTER", "UNION", "WITH"];
    let mut depth = 0;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen if depth == 0 => return index,
            Token::RParen => depth -= 1,
            Token::SemiColon => return index,
            Token::Comma if depth == 0 => return index,
            Token::Word(_) if depth == 0 && index > at && CLAUSES.contains(&word(Some(token)).as_str()) => return index,
            _ => {}
        }
    }
    tokens.len()
}

fn lift(tokens: Vec<TokenWithSpan>, cut: &mut Cut) -> Vec<TokenWithSpan> {
    let mut kept: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    let mut source = String::new();
    let mut at = 0;
    while at < tokens.len() {
        let (this, next) = (word(tokens.get(at)), word(tokens.get(at + 1)));
        if matches!(this.as_str(), "FROM" | "JOIN")
            && let Some(Token::Word(name)) = tokens.get(at + 1).map(|token| &token.token)
        {
            source = name.value.to_lowercase();
        }
        if this == "TIMESTAMP" && next == "BY" {
            let end = expression_end(&tokens, at + 2);
            cut.timestamps.insert(source.clone(), tokens[at + 2..end].to_vec());
            at = end;
            if word(tokens.get(at)) == "OVER" {
                cut.found.push(Diagnostic::new(tokens[at].span, "TIMESTAMP BY … OVER is not supported yet"));
                at = expression_end(&tokens, at + 1);
            }
            continue;
        }
        // Inside OVER ( … ) it is part of an analytic function; after a source it is a hint, which changes no result here.
        let in_over = matches!(kept.last().map(|token| &token.token), Some(Token::LParen | Token::Comma));
        if this == "PARTITION" && next == "BY" && !in_over {
            at = expression_end(&tokens, at + 2);
            continue;
        }
        kept.push(tokens[at].clone());
        at += 1;
    }
    kept
}

/// A statement starts at WITH, CREATE or SELECT outside all parentheses, unless the WITH or UNION before needs it.
fn split(tokens: Vec<TokenWithSpan>, cut: &mut Cut) {
    let mut depth = 0;
    let mut current: Vec<TokenWithSpan> = Vec::new();
    let mut has_select = false;
    for token in tokens {
        let this = word(Some(&token));
        match &token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth -= 1,
            Token::SemiColon if depth == 0 => {
                if !current.is_empty() {
                    cut.statements.push(std::mem::take(&mut current));
                }
                has_select = false;
                continue;
            }
            _ => {}
        }
        let joined = matches!(word(current.last()).as_str(), "UNION" | "ALL" | "EXCEPT" | "INTERSECT");
        let starts = depth == 0 && matches!(this.as_str(), "SELECT" | "WITH" | "CREATE") && has_select && !joined;
        if starts {
            cut.statements.push(std::mem::take(&mut current));
            has_select = false;
        }
        if depth == 0 && this == "SELECT" {
            has_select = true;
        }
        current.push(token);
    }
    if !current.is_empty() {
        cut.statements.push(current);
    }
}

/// The place that a parser's message ends with (`… at Line: 3, Column: 7`), and the message without it.
pub(super) fn place(message: &str, first: Option<&TokenWithSpan>) -> (Position, String) {
    let fallback = first.map_or(Location { line: 1, column: 1 }, |token| token.span.start);
    let message = message.strip_prefix("sql parser error: ").unwrap_or(message);
    let Some((before, after)) = message.rsplit_once(" at Line: ") else { return (fallback.into(), message.to_owned()) };
    let numbers: Vec<u64> = after.split(|letter: char| !letter.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    match numbers.as_slice() {
        [line, column, ..] => (Position { line: *line, column: *column }, before.to_owned()),
        _ => (fallback.into(), before.to_owned()),
    }
}
