//! Scripts and SELECT statements.

use sqlparser::ast::{BinaryOperator, Expr, Ident};
use sqlparser::dialect::MsSqlDialect;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::{Token, TokenWithSpan};

use super::{Part, Query, Select, SelectItem, Syntax, Table};
use crate::query::diagnostic::{Diagnostic, Position, suggest};
use crate::query::tokens;

/// Queries inside queries go so deep at most.
const MAX_DEPTH: usize = 32;
/// So many operators may follow each other; AND and OR as many as one likes.
const MAX_CHAIN: usize = 200;
/// Words that begin the next clause or statement, and so are no alias.
const RESERVED: [&str; 31] = [
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
    "RIGHT",
    "FULL",
    "OUTER",
    "ON",
    "CROSS",
    "UNION",
    "WITH",
    "CREATE",
    "TIMESTAMP",
    "PARTITION",
    "MATCH_RECOGNIZE",
    "ORDER",
    "LIMIT",
    "OVER",
    "APPLY",
    "AND",
    "OR",
    "WHEN",
    "END",
    "EXCEPT",
];

/// The cursor over the tokens of a script.
pub(super) struct Reader<'a> {
    pub(super) parser: Parser<'a>,
    depth: usize,
}

pub(super) type Read<T> = Result<T, Diagnostic>;

/// Reads a whole script.
pub(in crate::query) fn parse(tokens: Vec<TokenWithSpan>) -> Result<Syntax, Diagnostic> {
    let dialect = MsSqlDialect {};
    let mut reader = Reader { parser: Parser::new(&dialect).with_tokens_with_locations(tokens), depth: 0 };
    reader.script()
}

/// Reads one expression that was lifted out of the script, and answers the tokens' expressions between commas.
pub(in crate::query) fn expression(tokens: &[TokenWithSpan]) -> Result<Vec<Expr>, Diagnostic> {
    let dialect = MsSqlDialect {};
    let first = tokens.first().map_or_else(Position::default, |token| token.span.into());
    let mut reader = Reader { parser: Parser::new(&dialect).with_tokens_with_locations(tokens.to_vec()), depth: 0 };
    if tokens.is_empty() {
        return Err(Diagnostic::new(first, "an expression is expected"));
    }
    let found = reader.list()?;
    match reader.peek().token {
        Token::EOF => Ok(found),
        _ => Err(reader.expected("the end of the expression")),
    }
}

impl Reader<'_> {
    pub(super) fn peek(&self) -> TokenWithSpan {
        self.parser.peek_token()
    }

    /// The word that comes, or the one so many behind it; in upper case.
    pub(super) fn word(&self, ahead: usize) -> String {
        tokens::word(Some(self.parser.peek_nth_token_ref(ahead)))
    }

    pub(super) fn position(&self) -> Position {
        let token = self.peek();
        if token.token == Token::EOF { self.parser.get_previous_token().span.end.into() } else { token.span.into() }
    }

    /// Takes these words when they come next.
    pub(super) fn take(&mut self, words: &[&str]) -> bool {
        let matches = words.iter().enumerate().all(|(ahead, word)| self.word(ahead) == *word);
        if matches {
            words.iter().for_each(|_| self.parser.advance_token());
        }
        matches
    }

    pub(super) fn take_token(&mut self, token: &Token) -> bool {
        self.parser.consume_token(token)
    }

    pub(super) fn expected(&self, what: &str) -> Diagnostic {
        let found = self.peek();
        let found = if found.token == Token::EOF { "the end of the script".to_owned() } else { format!("'{}'", found.token) };
        Diagnostic::new(self.position(), format!("{what} is expected, found {found}"))
    }

    pub(super) fn expect(&mut self, words: &[&str]) -> Read<()> {
        if self.take(words) { Ok(()) } else { Err(self.expected(&words.join(" "))) }
    }

    pub(super) fn expect_token(&mut self, token: &Token) -> Read<()> {
        if self.take_token(token) { Ok(()) } else { Err(self.expected(&format!("'{token}'"))) }
    }

    pub(super) fn failed(&self, error: &ParserError, start: Position) -> Diagnostic {
        let text = match error {
            ParserError::RecursionLimitExceeded => "the expression is nested too deeply".to_owned(),
            ParserError::TokenizerError(text) | ParserError::ParserError(text) => text.clone(),
        };
        let (position, message) = tokens::place(&text, if self.peek().token == Token::EOF { self.position() } else { start });
        let message = match message.split_once(", found: ") {
            Some((expected, found)) => {
                let expected = expected.trim_start_matches("Expected: ").trim_start_matches("Expected ");
                let found = if found == "EOF" { "the end of the script".to_owned() } else { format!("'{found}'") };
                format!("{expected} is expected, found {found}")
            }
            None => message,
        };
        Diagnostic::new(position, message)
    }

    pub(super) fn expr(&mut self) -> Read<Expr> {
        let start = self.position();
        // LEFT(…) and RIGHT(…) are functions.
        let calls = self.parser.peek_nth_token_ref(1).token == Token::LParen;
        if self.peek().token == Token::EOF || (RESERVED.contains(&self.word(0).as_str()) && !calls) {
            return Err(self.expected("an expression"));
        }
        match self.parser.parse_expr() {
            Ok(expr) if chain(&expr) > MAX_CHAIN => {
                let message = format!("the expression is too long: more than {MAX_CHAIN} operators in a row");
                Err(Diagnostic::new(start, message).help("compute parts of it in a step before"))
            }
            Ok(expr) => Ok(expr),
            Err(error) => Err(self.failed(&error, start)),
        }
    }

    pub(super) fn list(&mut self) -> Read<Vec<Expr>> {
        let mut list = vec![self.expr()?];
        while self.take_token(&Token::Comma) {
            list.push(self.expr()?);
        }
        Ok(list)
    }

    /// A name: a word, or one in brackets or quotes.
    pub(super) fn ident(&mut self, what: &str) -> Read<Ident> {
        let token = self.peek();
        let ident = match &token.token {
            Token::Word(word) => word.to_ident(token.span),
            Token::SingleQuotedString(text) => {
                let mut ident = Ident::with_quote('\'', text.as_str());
                ident.span = token.span;
                ident
            }
            _ => return Err(self.expected(what)),
        };
        self.parser.advance_token();
        Ok(ident)
    }

    /// `AS name`, or a name that is no word of the next clause.
    pub(super) fn alias(&mut self) -> Read<Option<Ident>> {
        if self.take(&["AS"]) {
            return self.ident("a name").map(Some);
        }
        let is_name = match &self.peek().token {
            Token::Word(word) => word.quote_style.is_some() || !RESERVED.contains(&word.value.to_uppercase().as_str()),
            Token::SingleQuotedString(_) => true,
            _ => false,
        };
        if is_name { self.ident("a name").map(Some) } else { Ok(None) }
    }

    fn script(&mut self) -> Read<Syntax> {
        let mut syntax = Syntax::default();
        loop {
            if self.take_token(&Token::SemiColon) {
                continue;
            }
            match self.word(0).as_str() {
                "CREATE" => {
                    let table = self.table()?;
                    syntax.tables.push(table);
                }
                "WITH" => {
                    self.parser.advance_token();
                    self.steps(&mut syntax)?;
                }
                "SELECT" => syntax.parts.push(Part::Statement(self.query()?)),
                _ => match self.peek().token {
                    Token::EOF => return Ok(syntax),
                    Token::LParen => syntax.parts.push(Part::Statement(self.query()?)),
                    _ => {
                        let asked = self.word(0);
                        let diagnostic = self.expected("SELECT, WITH or CREATE TABLE");
                        let near = crate::query::diagnostic::nearest(&asked, ["SELECT", "WITH", "CREATE", "FROM", "WHERE", "GROUP"]);
                        return Err(match near {
                            Some(near) if !asked.is_empty() => diagnostic.help(format!("did you mean '{near}'?")),
                            _ => diagnostic,
                        });
                    }
                },
            }
        }
    }

    fn steps(&mut self, syntax: &mut Syntax) -> Read<()> {
        loop {
            let name = self.ident("the name of a step")?;
            self.expect(&["AS"])?;
            self.expect_token(&Token::LParen)?;
            let query = self.query()?;
            self.expect_token(&Token::RParen)?;
            syntax.parts.push(Part::Step(name, query));
            if !self.take_token(&Token::Comma) {
                return Ok(());
            }
            // A comma before the SELECT is seen in the wild.
            if self.word(0) == "SELECT" {
                return Ok(());
            }
        }
    }

    /// `CREATE TABLE name (column type, …)`.
    fn table(&mut self) -> Read<Table> {
        self.expect(&["CREATE"])?;
        if !self.take(&["TABLE"]) {
            let what = self.word(0);
            return Err(Diagnostic::new(self.position(), format!("CREATE {what} is not part of the language"))
                .help("CREATE TABLE declares the types of an input"));
        }
        let name = self.ident("the name of an input")?;
        self.expect_token(&Token::LParen)?;
        let mut columns = Vec::new();
        loop {
            let column = self.ident("the name of a column")?;
            let ty = self.ident("a type")?;
            if crate::query::functions::cast(&ty.value.to_lowercase(), true).is_none() {
                let known = ["bigint", "float", "nvarchar(max)", "datetime", "bit", "record", "array"];
                return Err(Diagnostic::new(ty.span, format!("there is no type '{}'", ty.value)).help(suggest(&ty.value, known)));
            }
            if self.take_token(&Token::LParen) {
                self.parser.advance_token();
                self.expect_token(&Token::RParen)?;
            }
            columns.push((column, ty));
            if !self.take_token(&Token::Comma) {
                break;
            }
        }
        self.expect_token(&Token::RParen)?;
        Ok(Table { name, columns })
    }

    pub(super) fn query(&mut self) -> Read<Query> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(Diagnostic::new(self.position(), "queries are nested too deeply"));
        }
        let mut queries = vec![self.term()?];
        while self.take(&["UNION"]) {
            self.take(&["ALL"]);
            queries.push(self.term()?);
        }
        if matches!(self.word(0).as_str(), "EXCEPT" | "INTERSECT") {
            return Err(Diagnostic::new(self.position(), format!("{} is not part of the language", self.word(0))));
        }
        self.depth -= 1;
        Ok(if queries.len() == 1 { queries.remove(0) } else { Query::Union(queries) })
    }

    fn term(&mut self) -> Read<Query> {
        if self.take_token(&Token::LParen) {
            let query = self.query()?;
            self.expect_token(&Token::RParen)?;
            return Ok(query);
        }
        Ok(Query::Select(Box::new(self.select()?)))
    }

    fn select(&mut self) -> Read<Select> {
        let position = self.position();
        self.expect(&["SELECT"])?;
        if self.word(0) == "DISTINCT"
            || (self.word(0) == "TOP" && matches!(self.parser.peek_nth_token_ref(1).token, Token::Number(..) | Token::LParen))
        {
            return Err(Diagnostic::new(self.position(), format!("SELECT {} is not part of the language", self.word(0)))
                .help("group by the columns and a window, or use TopOne() or CollectTop()"));
        }
        let mut items = vec![self.item()?];
        while self.take_token(&Token::Comma) {
            if self.word(0) == "FROM" || self.word(0) == "INTO" {
                return Err(self.expected("a column"));
            }
            items.push(self.item()?);
        }
        let into = if self.take(&["INTO"]) { Some(self.dotted("the name of an output")?) } else { None };
        if !self.take(&["FROM"]) {
            return Err(if into.is_some() { self.expected("FROM") } else { self.expected("a comma, INTO or FROM") });
        }
        let from = self.source()?;
        if self.take_token(&Token::Comma) {
            return Err(
                Diagnostic::new(self.position(), "several sources in FROM are not part of the language").help("use JOIN … ON DATEDIFF(…)")
            );
        }
        let joins = self.joins()?;
        let filter = if self.take(&["WHERE"]) { Some(self.expr()?) } else { None };
        let group_by = if self.take(&["GROUP", "BY"]) { self.list()? } else { Vec::new() };
        let having = if self.take(&["HAVING"]) { Some(self.expr()?) } else { None };
        if self.word(0) == "ORDER" {
            return Err(Diagnostic::new(self.position(), "ORDER BY is not part of the language: a stream has no end to sort at")
                .help("TopOne() and CollectTop() take an order within a window"));
        }
        let ends = matches!(self.word(0).as_str(), "SELECT" | "WITH" | "CREATE" | "UNION" | "EXCEPT" | "INTERSECT")
            || matches!(self.peek().token, Token::EOF | Token::SemiColon | Token::RParen);
        if !ends {
            return Err(self.expected("the end of the statement"));
        }
        Ok(Select { position, items, into, from, joins, filter, group_by, having })
    }

    fn dotted(&mut self, what: &str) -> Read<Vec<Ident>> {
        let mut parts = vec![self.ident(what)?];
        while self.take_token(&Token::Period) {
            parts.push(self.ident(what)?);
        }
        Ok(parts)
    }

    fn item(&mut self) -> Read<SelectItem> {
        let position = self.position();
        if self.take_token(&Token::Mul) {
            return Ok(SelectItem::Star(position));
        }
        if let Some(parts) = self.star_of() {
            return Ok(SelectItem::StarOf(parts));
        }
        let is_name = matches!(self.peek().token, Token::Word(_) | Token::SingleQuotedString(_));
        if is_name && self.parser.peek_nth_token_ref(1).token == Token::Eq {
            let alias = self.ident("a name")?;
            self.parser.advance_token();
            return Ok(SelectItem::Expr { expr: self.expr()?, alias: Some(alias) });
        }
        let expr = self.expr()?;
        let alias = self.alias()?;
        Ok(SelectItem::Expr { expr, alias })
    }

    /// `a.b.*`
    fn star_of(&mut self) -> Option<Vec<Ident>> {
        let mut ahead = 0;
        loop {
            if !matches!(self.parser.peek_nth_token_ref(ahead).token, Token::Word(_))
                || self.parser.peek_nth_token_ref(ahead + 1).token != Token::Period
            {
                return None;
            }
            ahead += 2;
            if self.parser.peek_nth_token_ref(ahead).token == Token::Mul {
                break;
            }
        }
        let mut parts = Vec::new();
        while !self.take_token(&Token::Mul) {
            parts.extend(self.ident("a name").ok());
            self.take_token(&Token::Period);
        }
        Some(parts)
    }
}

/// How many operators follow each other to the left: all other nesting is limited by the parser.
fn chain(expr: &Expr) -> usize {
    let (mut rest, mut length, mut longest) = (expr, 0_usize, 0);
    loop {
        rest = match rest {
            Expr::BinaryOp { left, op, right } => {
                if matches!(op, BinaryOperator::And | BinaryOperator::Or) {
                    // Each operand of a chain of conditions has a chain of its own.
                    longest = longest.max(chain_of_operand(right));
                    length = 0;
                }
                left
            }
            Expr::IsNull(inner) | Expr::IsNotNull(inner) => inner,
            Expr::Between { expr, .. } | Expr::In { expr, .. } | Expr::Like { expr, .. } => expr,
            _ => return longest.max(length),
        };
        length += 1;
        longest = longest.max(length);
    }
}

/// As [`chain`], for an operand whose own ANDs and ORs stand in parentheses.
fn chain_of_operand(expr: &Expr) -> usize {
    let (mut rest, mut length) = (expr, 0);
    while let Expr::BinaryOp { left: inner, .. } | Expr::IsNull(inner) | Expr::IsNotNull(inner) = rest {
        rest = inner;
        length += 1;
    }
    length
}
