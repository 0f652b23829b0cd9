//! Before the parser: the script as tokens, with what no SQL parser knows lifted out of them.
//!
//! - Only the words that Stream Analytics reserves stay keywords: a column may be called `time`, `date` or `first`.
//! - `OVER (… LIMIT DURATION(…) WHEN …)` loses its two own clauses, which are kept by the place of the function's name.
//! - `!<` and `!>` become `>=` and `<=`.
//!
//! Tokens keep their places.

use std::collections::HashMap;

use sqlparser::dialect::MsSqlDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Location, Token, TokenWithSpan, Tokenizer};

use super::diagnostic::{Diagnostic, Position};

/// A script longer than this is refused.
const MAX_TOKENS: usize = 100_000;

/// The words that stay keywords; all others are names.
const KEYWORDS: [&str; 37] = [
    "SELECT",
    "FROM",
    "WHERE",
    "GROUP",
    "BY",
    "HAVING",
    "INTO",
    "AS",
    "JOIN",
    "INNER",
    "LEFT",
    "OUTER",
    "ON",
    "CROSS",
    "UNION",
    "ALL",
    "DISTINCT",
    "WITH",
    "CASE",
    "WHEN",
    "THEN",
    "ELSE",
    "END",
    "CAST",
    "TRY_CAST",
    "AND",
    "OR",
    "NOT",
    "IS",
    "NULL",
    "IN",
    "LIKE",
    "BETWEEN",
    "PARTITION",
    "ORDER",
    "ASC",
    "DESC",
];

/// What stands in an `OVER (…)` besides PARTITION BY and ORDER BY.
#[derive(Debug, Default, Clone)]
pub(super) struct OverExtras {
    /// What stands between the parentheses of `LIMIT DURATION (…)`.
    pub(super) limit: Option<Vec<TokenWithSpan>>,
    /// The condition after `WHEN`.
    pub(super) when: Option<Vec<TokenWithSpan>>,
}

/// By the place of the function's name.
pub(super) type Overs = HashMap<(u64, u64), OverExtras>;

/// The key of a place in [`Overs`].
pub(super) fn place_key(location: Location) -> (u64, u64) {
    (location.line, location.column)
}

/// A word in upper case; empty for anything else, also for a quoted name.
pub(super) fn word(token: Option<&TokenWithSpan>) -> String {
    match token.map(|token| &token.token) {
        Some(Token::Word(word)) if word.quote_style.is_none() => word.value.to_uppercase(),
        _ => String::new(),
    }
}

/// The tokens of a script, ready for the parser, and what was lifted out of them.
pub(super) fn read(text: &str) -> Result<(Vec<TokenWithSpan>, Overs), Diagnostic> {
    let tokens = Tokenizer::new(&MsSqlDialect {}, text)
        .with_unescape(true)
        .tokenize_with_location()
        .map_err(|error| Diagnostic::new(error.location, error.message))?;
    let tokens: Vec<TokenWithSpan> = tokens.into_iter().filter(|token| !matches!(token.token, Token::Whitespace(_))).collect();
    if tokens.len() > MAX_TOKENS {
        let message = format!("the script is too long: {} words, at most {MAX_TOKENS} are read", tokens.len());
        return Err(Diagnostic::new(Position { line: 1, column: 1 }, message));
    }
    let mut overs = Overs::new();
    let tokens = lift(plain(tokens), &mut overs);
    Ok((tokens, overs))
}

/// Names lose their keyword, and operators of two signs become one token.
fn plain(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let mut kept: Vec<TokenWithSpan> = Vec::with_capacity(tokens.len());
    for mut token in tokens {
        if let Token::Word(word) = &mut token.token {
            // OVER is a clause of a function only behind its arguments; after TIMESTAMP BY it is our own.
            let over = word.keyword == Keyword::OVER && word.quote_style.is_none();
            if !over && !KEYWORDS.iter().any(|keyword| word.quote_style.is_none() && word.value.eq_ignore_ascii_case(keyword)) {
                word.keyword = Keyword::NoKeyword;
            }
        }
        let negated = match (&token.token, kept.last().map(|last| &last.token)) {
            (Token::Lt, Some(Token::ExclamationMark)) => Some(Token::GtEq),
            (Token::Gt, Some(Token::ExclamationMark)) => Some(Token::LtEq),
            _ => None,
        };
        if let (Some(negated), Some(last)) = (negated, kept.last_mut()) {
            last.token = negated;
            continue;
        }
        // LEFT(…) is a function, LEFT JOIN a join.
        if token.token == Token::LParen
            && let Some(Token::Word(before)) = kept.last_mut().map(|last| &mut last.token)
            && before.keyword == Keyword::LEFT
        {
            before.keyword = Keyword::NoKeyword;
        }
        kept.push(token);
    }
    // OVER without a parenthesis, or without a call before it, is a word.
    for index in 0..kept.len() {
        let is_clause =
            index > 0 && kept[index - 1].token == Token::RParen && kept.get(index + 1).is_some_and(|next| next.token == Token::LParen);
        if let Token::Word(word) = &mut kept[index].token
            && word.keyword == Keyword::OVER
            && !is_clause
        {
            word.keyword = Keyword::NoKeyword;
        }
    }
    kept
}

/// The place of the parenthesis that closes the one at `open`; the end when there is none.
fn closing(tokens: &[TokenWithSpan], open: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(open) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index;
                }
            }
            _ => {}
        }
    }
    tokens.len()
}

/// For each closing parenthesis the place of its opening one.
fn openings(tokens: &[TokenWithSpan]) -> HashMap<usize, usize> {
    let mut open = Vec::new();
    let mut pairs = HashMap::new();
    for (index, token) in tokens.iter().enumerate() {
        match token.token {
            Token::LParen => open.push(index),
            Token::RParen => {
                if let Some(start) = open.pop() {
                    pairs.insert(index, start);
                }
            }
            _ => {}
        }
    }
    pairs
}

/// Takes LIMIT DURATION and WHEN out of every OVER.
fn lift(tokens: Vec<TokenWithSpan>, overs: &mut Overs) -> Vec<TokenWithSpan> {
    let pairs = openings(&tokens);
    let mut kept = Vec::with_capacity(tokens.len());
    let mut at = 0;
    while at < tokens.len() {
        let is_over = matches!(&tokens[at].token, Token::Word(word) if word.keyword == Keyword::OVER);
        let name = at.checked_sub(1).and_then(|before| pairs.get(&before)).and_then(|open| open.checked_sub(1));
        let (true, Some(name)) = (is_over, name) else {
            kept.push(tokens[at].clone());
            at += 1;
            continue;
        };
        let end = closing(&tokens, at + 1);
        let (inside, extras) = over(&tokens[(at + 2).min(end)..end], overs);
        overs.insert(place_key(tokens[name].span.start), extras);
        kept.extend_from_slice(&tokens[at..(at + 2).min(tokens.len())]);
        kept.extend(inside);
        at = end;
    }
    kept
}

/// What stands inside the parentheses of an OVER, cut up.
fn over(tokens: &[TokenWithSpan], overs: &mut Overs) -> (Vec<TokenWithSpan>, OverExtras) {
    let mut extras = OverExtras::default();
    let mut rest = Vec::new();
    let (mut at, mut depth, mut cases) = (0, 0_usize, 0_usize);
    while at < tokens.len() {
        let this = word(tokens.get(at));
        match tokens[at].token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && cases == 0 && is_limit(tokens, at) {
            let end = closing(tokens, at + 2);
            extras.limit = Some(tokens[(at + 3).min(end)..end].to_vec());
            at = end + 1;
            continue;
        }
        if depth == 0 && cases == 0 && this == "WHEN" {
            let end = condition_end(tokens, at + 1);
            extras.when = Some(lift(tokens[at + 1..end].to_vec(), overs));
            at = end;
            continue;
        }
        match this.as_str() {
            "CASE" => cases += 1,
            "END" => cases = cases.saturating_sub(1),
            _ => {}
        }
        rest.push(tokens[at].clone());
        at += 1;
    }
    (lift(rest, overs), extras)
}

fn is_limit(tokens: &[TokenWithSpan], at: usize) -> bool {
    word(tokens.get(at)) == "LIMIT"
        && word(tokens.get(at + 1)) == "DURATION"
        && tokens.get(at + 2).is_some_and(|token| token.token == Token::LParen)
}

/// A WHEN goes on to the end, or to a LIMIT DURATION behind it.
fn condition_end(tokens: &[TokenWithSpan], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in tokens.iter().enumerate().skip(at) {
        match token.token {
            Token::LParen => depth += 1,
            Token::RParen => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 && is_limit(tokens, index) {
            return index;
        }
    }
    tokens.len()
}

/// The place that a parser's message ends with (`… at Line: 3, Column: 7`), and the message without it.
pub(super) fn place(message: &str, fallback: Position) -> (Position, String) {
    let message = message.strip_prefix("sql parser error: ").unwrap_or(message);
    let Some((before, after)) = message.rsplit_once(" at Line: ") else { return (fallback, message.to_owned()) };
    let numbers: Vec<u64> = after.split(|letter: char| !letter.is_ascii_digit()).filter_map(|part| part.parse().ok()).collect();
    match numbers.as_slice() {
        [line, column, ..] => (Position { line: *line, column: *column }, before.to_owned()),
        _ => (fallback, before.to_owned()),
    }
}
