//! What stands in FROM: inputs, steps, queries, joins and APPLY.

use sqlparser::ast::{Expr, WindowType};
use sqlparser::tokenizer::Token;

use super::parse::{Read, Reader};
use super::{Joined, Source, SourceKind, TimestampBy};
use crate::query::diagnostic::Diagnostic;

impl Reader<'_> {
    pub(super) fn source(&mut self) -> Read<Source> {
        let position = self.position();
        let what = if self.take_token(&Token::LParen) {
            let query = self.query()?;
            self.expect_token(&Token::RParen)?;
            SourceKind::Query(Box::new(query))
        } else {
            if self.word(0) == "SELECT" {
                return Err(self.expected("an input or a step"));
            }
            SourceKind::Named(self.ident("an input or a step")?)
        };
        let alias = self.alias()?;
        let mut source = Source { position, what, alias, timestamp: None, partition_by: Vec::new(), pattern: None };
        loop {
            match (self.word(0).as_str(), self.word(1).as_str()) {
                ("TIMESTAMP", "BY") => {
                    self.take(&["TIMESTAMP", "BY"]);
                    source.timestamp = Some(self.timestamp()?);
                }
                ("PARTITION", "BY") => {
                    self.take(&["PARTITION", "BY"]);
                    source.partition_by = self.list()?;
                    if self.word(0) == "INTO" && matches!(self.parser.peek_nth_token_ref(1).token, Token::Number(..)) {
                        self.take(&["INTO"]);
                        self.shards()?;
                    }
                }
                ("INTO", _) if matches!(self.parser.peek_nth_token_ref(1).token, Token::Number(..)) => {
                    self.take(&["INTO"]);
                    self.shards()?;
                }
                ("MATCH_RECOGNIZE", _) => source.pattern = Some(Box::new(self.match_recognize()?)),
                _ => break,
            }
        }
        if source.alias.is_none() && source.pattern.is_none() {
            source.alias = self.alias()?;
        }
        Ok(source)
    }

    /// `INTO 10` behind PARTITION BY: a hint, of at least two.
    fn shards(&mut self) -> Read<()> {
        let position = self.position();
        let token = self.parser.next_token();
        match &token.token {
            Token::Number(digits, _) if digits.parse::<u32>().is_ok_and(|count| count > 1) => Ok(()),
            other => Err(Diagnostic::new(position, format!("a number of partitions above 1 is expected, found '{other}'"))),
        }
    }

    fn timestamp(&mut self) -> Read<TimestampBy> {
        let mut by = self.expr()?;
        let mut over = Vec::new();
        if let Expr::Function(function) = &mut by
            && let Some(WindowType::NamedWindow(key)) = &function.over
        {
            over.push(Expr::Identifier(key.clone()));
            function.over = None;
            while self.take_token(&Token::Comma) {
                over.push(self.expr()?);
            }
        } else if self.take(&["OVER"]) {
            over = self.list()?;
        }
        Ok(TimestampBy { by, over })
    }

    pub(super) fn joins(&mut self) -> Read<Vec<Joined>> {
        let mut joins = Vec::new();
        loop {
            let position = self.position();
            let words = [self.word(0), self.word(1), self.word(2)];
            let (left, length) = match [words[0].as_str(), words[1].as_str(), words[2].as_str()] {
                ["JOIN", ..] => (false, 1),
                ["INNER", "JOIN", _] => (false, 2),
                ["LEFT", "JOIN", _] => (true, 2),
                ["LEFT", "OUTER", "JOIN"] => (true, 3),
                [kind @ ("CROSS" | "OUTER"), "APPLY", _] => {
                    let outer = kind == "OUTER";
                    self.parser.advance_token();
                    self.parser.advance_token();
                    let function = Box::new(self.expr()?);
                    let alias = self.alias()?;
                    joins.push(Joined::Apply { position, outer, function, alias });
                    continue;
                }
                ["RIGHT" | "FULL" | "CROSS", ..] => {
                    return Err(Diagnostic::new(position, format!("{} JOIN is not part of the language", words[0]))
                        .help("there are [INNER] JOIN, LEFT [OUTER] JOIN, CROSS APPLY and OUTER APPLY"));
                }
                _ => return Ok(joins),
            };
            (0..length).for_each(|_| self.parser.advance_token());
            let source = Box::new(self.source()?);
            if !self.take(&["ON"]) {
                return Err(self.expected("ON").help("a JOIN needs ON with its condition and DATEDIFF(unit, left, right) BETWEEN …"));
            }
            let on = Box::new(self.expr()?);
            joins.push(Joined::Join { position, left, source, on });
        }
    }
}
