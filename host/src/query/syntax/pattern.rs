//! `MATCH_RECOGNIZE (LIMIT DURATION … PARTITION BY … MEASURES … AFTER MATCH … PATTERN … DEFINE …) AS alias`.

use sqlparser::tokenizer::Token;

use super::parse::{Read, Reader};
use super::{MatchRecognize, PatternTree};
use crate::query::diagnostic::Diagnostic;

/// Groups inside groups go so deep at most.
const MAX_DEPTH: usize = 32;

impl Reader<'_> {
    pub(super) fn match_recognize(&mut self) -> Read<MatchRecognize> {
        let position = self.position();
        self.expect(&["MATCH_RECOGNIZE"])?;
        self.expect_token(&Token::LParen)?;
        let mut found = MatchRecognize {
            position,
            limit: None,
            partition_by: Vec::new(),
            measures: Vec::new(),
            pattern: None,
            define: Vec::new(),
            alias: None,
        };
        while !self.take_token(&Token::RParen) {
            if self.take(&["LIMIT", "DURATION"]) {
                self.expect_token(&Token::LParen)?;
                let mut limit = Vec::new();
                while self.peek().token != Token::RParen && self.peek().token != Token::EOF {
                    limit.push(self.parser.next_token());
                }
                self.expect_token(&Token::RParen)?;
                found.limit = Some(limit);
            } else if self.take(&["PARTITION", "BY"]) {
                found.partition_by = self.list()?;
            } else if self.take(&["MEASURES"]) {
                loop {
                    let expr = self.expr()?;
                    let alias = if self.take(&["AS"]) { Some(self.ident("a name")?) } else { None };
                    found.measures.push((expr, alias));
                    if !self.take_token(&Token::Comma) {
                        break;
                    }
                }
            } else if self.take(&["ONE", "ROW", "PER", "MATCH"]) {
            } else if self.take(&["AFTER", "MATCH"]) {
                if !self.take(&["SKIP", "TO", "NEXT", "ROW"]) {
                    return Err(Diagnostic::new(self.position(), "after a match only SKIP TO NEXT ROW is part of the language"));
                }
            } else if self.take(&["PATTERN"]) {
                self.expect_token(&Token::LParen)?;
                found.pattern = Some(self.either(0)?);
                self.expect_token(&Token::RParen)?;
            } else if self.take(&["DEFINE"]) {
                loop {
                    let name = self.ident("a variable of the pattern")?;
                    self.expect(&["AS"])?;
                    found.define.push((name, self.expr()?));
                    if !self.take_token(&Token::Comma) {
                        break;
                    }
                }
            } else {
                return Err(self.expected("LIMIT DURATION, PARTITION BY, MEASURES, AFTER MATCH, PATTERN, DEFINE or ')'"));
            }
        }
        found.alias = self.alias()?;
        Ok(found)
    }

    fn either(&mut self, depth: usize) -> Read<PatternTree> {
        if depth > MAX_DEPTH {
            return Err(Diagnostic::new(self.position(), "the pattern is nested too deeply"));
        }
        let mut choices = vec![self.sequence(depth)?];
        while self.take_token(&Token::Pipe) {
            choices.push(self.sequence(depth)?);
        }
        Ok(if choices.len() == 1 { choices.remove(0) } else { PatternTree::Either(choices) })
    }

    fn sequence(&mut self, depth: usize) -> Read<PatternTree> {
        let mut parts = Vec::new();
        loop {
            let atom = match self.peek().token {
                Token::Word(_) => PatternTree::Name(self.ident("a variable")?),
                Token::Period => {
                    self.parser.advance_token();
                    PatternTree::Any
                }
                Token::LParen => {
                    self.parser.advance_token();
                    let group = self.either(depth + 1)?;
                    self.expect_token(&Token::RParen)?;
                    group
                }
                _ => break,
            };
            let sign = match self.peek().token {
                Token::Mul => Some('*'),
                Token::Plus => Some('+'),
                Token::Question => Some('?'),
                Token::Placeholder(text) if text == "?" => Some('?'),
                _ => None,
            };
            parts.push(match sign {
                Some(sign) => {
                    self.parser.advance_token();
                    PatternTree::Repeat(Box::new(atom), sign)
                }
                None => atom,
            });
        }
        match parts.len() {
            0 => Err(self.expected("a variable of the pattern")),
            1 => Ok(parts.remove(0)),
            _ => Ok(PatternTree::Sequence(parts)),
        }
    }
}
