//! Operators, CASE, literals, names.

use std::sync::Arc;

use sqlparser::ast::{AccessExpr, BinaryOperator, CaseWhen, CastKind, Expr, Ident, InTarget, ObjectNamePart, Spanned, UnaryOperator};

use super::constant;
use super::scope::Meaning;
use super::{Binder, Bound, Clause};
use crate::batch::Value;
use crate::query::diagnostic::{Diagnostic, Position, suggest};
use crate::query::expression::Expression;
use crate::query::functions;
use crate::query::like::Like;
use crate::query::operate::Binary;
use crate::query::windowed::{WINDOW_NAME, key_name};

impl Binder<'_> {
    /// Whether names mean groups, not rows.
    fn is_grouped(&self, clause: Clause) -> bool {
        self.groups.is_some() && !self.rows && matches!(clause, Clause::Select | Clause::Having)
    }

    pub(super) fn expr(&mut self, expr: &Expr, clause: Clause) -> Bound {
        if self.is_grouped(clause)
            && let Some(key) = self.key(expr, clause)
        {
            return Ok(key);
        }
        match expr {
            Expr::Nested(inner) => self.expr(inner, clause),
            Expr::Identifier(ident) => self.name(std::slice::from_ref(ident), clause),
            Expr::CompoundIdentifier(parts) => self.name(parts, clause),
            Expr::CompoundFieldAccess { root, access_chain } => self.path(root, access_chain, clause, expr),
            Expr::Value(value) => Ok(Expression::Constant(constant::literal(&value.value, value.span.into())?)),
            Expr::UnaryOp { op, expr: inner } => self.unary(*op, inner, clause, expr),
            Expr::BinaryOp { left, op, right } => self.binary(left, op, right, clause, expr),
            Expr::IsNull(inner) => Ok(is_null(self.expr(inner, clause)?)),
            Expr::IsNotNull(inner) => Ok(not(is_null(self.expr(inner, clause)?))),
            Expr::Between { expr, negated, low, high } => {
                let value = self.expr(expr, clause)?;
                let (low, high) = (self.expr(low, clause)?, self.expr(high, clause)?);
                let compare = |operator, bound| Expression::Binary(operator, Box::new(value.clone()), Box::new(bound));
                // A comparison with null is false, also where it is negated.
                Ok(if *negated {
                    both(Binary::Or, compare(Binary::Less, low), compare(Binary::Greater, high))
                } else {
                    both(Binary::And, compare(Binary::GreaterOrEqual, low), compare(Binary::LessOrEqual, high))
                })
            }
            Expr::In { expr, target: InTarget::List(list), negated, .. } => {
                let value = self.expr(expr, clause)?;
                let list = list.iter().map(|item| self.expr(item, clause)).collect::<Result<Vec<_>, _>>()?;
                Ok(negate(*negated, &value, Expression::In(Box::new(value.clone()), list)))
            }
            Expr::Like { negated, expr, pattern, escape_char: None, .. } => {
                let value = self.expr(expr, clause)?;
                let like = match self.expr(pattern, clause)? {
                    Expression::Constant(Value::Text(pattern)) => Expression::Like(Box::new(value.clone()), Arc::new(Like::new(&pattern))),
                    pattern => Expression::Binary(Binary::Like, Box::new(value.clone()), Box::new(pattern)),
                };
                Ok(negate(*negated, &value, like))
            }
            Expr::Case { operand, conditions, else_result, .. } => {
                self.case(operand.as_deref(), conditions, else_result.as_deref(), clause)
            }
            Expr::Cast { kind, expr: inner, data_type, .. } => {
                let name = data_type.to_string().to_lowercase();
                let name = name.split('(').next().unwrap_or_default().trim();
                let builtin = functions::cast(name, *kind == CastKind::TryCast).ok_or_else(|| {
                    Diagnostic::new(expr.span(), format!("there is no type '{name}'"))
                        .help("types are bigint, float, nvarchar(max), datetime, bit, record, array")
                })?;
                Ok(Expression::Function(builtin, vec![self.expr(inner, clause)?]))
            }
            Expr::Function(function) => self.function(function, clause),
            Expr::Subquery(_) | Expr::Exists { .. } | Expr::In { .. } => {
                Err(Diagnostic::new(expr.span(), "a query inside an expression is not part of the language").help("use a step and JOIN"))
            }
            other => Err(unknown_form(other)),
        }
    }

    /// The key of GROUP BY that an expression is, or that its path begins with.
    fn key(&mut self, expr: &Expr, clause: Clause) -> Option<Expression> {
        let is_time = |bound: &Expression| matches!(bound, Expression::Timestamp | Expression::Constant(_));
        let analytics = self.analytics.len();
        let bound = self.row(expr, clause).ok().filter(|bound| !is_time(bound));
        let keys = &self.groups.as_ref()?.keys;
        let found = bound.and_then(|bound| {
            if let Some(number) = keys.iter().position(|key| key.same(&bound)) {
                return Some(Expression::column(key_name(number)));
            }
            let Expression::Column(name, path) = &bound else { return None };
            keys.iter().enumerate().find_map(|(number, key)| match key {
                Expression::Column(known, start) if known.eq_ignore_ascii_case(name) && path.len() > start.len() => {
                    let same = start.iter().zip(path).all(|(left, right)| left.eq_ignore_ascii_case(right));
                    same.then(|| Expression::Column(key_name(number), path[start.len()..].to_vec()))
                }
                _ => None,
            })
        });
        if found.is_none() {
            self.analytics.truncate(analytics);
        }
        found
    }

    fn unary(&mut self, op: UnaryOperator, inner: &Expr, clause: Clause, whole: &Expr) -> Bound {
        let bound = self.expr(inner, clause)?;
        Ok(match (op, bound) {
            (UnaryOperator::Not, bound) => not(bound),
            (UnaryOperator::Minus, Expression::Constant(Value::BigInt(value))) => Expression::Constant(Value::BigInt(value.wrapping_neg())),
            (UnaryOperator::Minus, Expression::Constant(Value::Float(value))) => Expression::Constant(Value::Float(-value)),
            (UnaryOperator::Minus, other) => Expression::Negate(Box::new(other)),
            (UnaryOperator::Plus, other) => other,
            (UnaryOperator::BitwiseNot, other) => Expression::Flip(Box::new(other)),
            _ => return Err(unknown_form(whole)),
        })
    }

    fn binary(&mut self, left: &Expr, op: &BinaryOperator, right: &Expr, clause: Clause, whole: &Expr) -> Bound {
        let operator = operator(op).ok_or_else(|| unknown_form(whole))?;
        if matches!(operator, Binary::And | Binary::Or) {
            // A long chain is one balanced tree: evaluating it does not go deep.
            let mut operands = vec![right];
            let mut rest = left;
            while let Expr::BinaryOp { left, op: next, right } = rest
                && next == op
            {
                operands.push(right);
                rest = left;
            }
            operands.push(rest);
            let bound = operands.into_iter().rev().map(|operand| self.expr(operand, clause)).collect::<Result<Vec<_>, _>>()?;
            return Ok(balanced(operator, bound));
        }
        Ok(both(operator, self.expr(left, clause)?, self.expr(right, clause)?))
    }

    /// `column`, `source.column`, `column.field`, or the source's name: the whole row.
    fn name(&mut self, parts: &[Ident], clause: Clause) -> Bound {
        let is = |place: usize, word: &str| parts.get(place).is_some_and(|part| part.value.eq_ignore_ascii_case(word));
        if parts.len() == 2 && is(0, "System") && is(1, "Timestamp") {
            return self.timestamp(parts[0].span.into(), clause);
        }
        if self.is_grouped(clause) {
            return self.grouped_name(parts, clause);
        }
        // HAVING without GROUP BY is a WHERE, and may name what the SELECT list names.
        if clause == Clause::Having
            && let Some(aliased) = self.aliased(parts)
        {
            return Ok(aliased);
        }
        match self.scope.resolve(parts)? {
            Meaning::Column(expression) => Ok(expression),
            Meaning::Source(source) => Ok(self.scope.row(source)),
        }
    }

    fn aliased(&self, parts: &[Ident]) -> Option<Expression> {
        let [first, fields @ ..] = parts else { return None };
        let (_, expression) = self.aliases.iter().find(|(alias, _)| alias.eq_ignore_ascii_case(&first.value))?;
        Some(fields.iter().fold(expression.clone(), |inner, field| Expression::Field(Box::new(inner), field.value.as_str().into())))
    }

    /// A name in a SELECT with GROUP BY that is no key.
    fn grouped_name(&mut self, parts: &[Ident], clause: Clause) -> Bound {
        if clause == Clause::Having
            && let Some(aliased) = self.aliased(parts)
        {
            return Ok(aliased);
        }
        match self.scope.resolve(parts)? {
            Meaning::Column(constant @ Expression::Constant(_)) => Ok(constant),
            _ => {
                let name = parts.iter().map(|part| part.value.as_str()).collect::<Vec<_>>().join(".");
                let message = format!("column '{name}' is neither in GROUP BY nor inside an aggregate");
                let help = "add it to GROUP BY, or put it inside an aggregate as COUNT, SUM, AVG, MIN, MAX, TopOne or Collect";
                let diagnostic = Diagnostic::new(parts[0].span, message);
                let aliases: Vec<&str> = self.aliases.iter().map(|(alias, _)| &**alias).collect();
                Err(match clause {
                    Clause::Having if !aliases.is_empty() => diagnostic.help(suggest(&name, aliases)),
                    _ => diagnostic.help(help),
                })
            }
        }
    }

    pub(super) fn timestamp(&self, position: Position, clause: Clause) -> Bound {
        if clause == Clause::Time {
            return Err(Diagnostic::new(position, "System.Timestamp() cannot stand in TIMESTAMP BY, which sets it"));
        }
        Ok(Expression::Timestamp)
    }

    fn path(&mut self, root: &Expr, chain: &[AccessExpr], clause: Clause, whole: &Expr) -> Bound {
        let mut root = root.clone();
        let mut names: Vec<Ident> = Vec::new();
        for access in chain {
            match access {
                AccessExpr::Dot(Expr::Identifier(ident)) => names.push(ident.clone()),
                // `udf.f(x).field`: the parser takes `udf` for a column and `f(x)` for a step of the path.
                AccessExpr::Dot(Expr::Function(function)) => {
                    let before = match &root {
                        Expr::Identifier(ident) => std::slice::from_ref(ident),
                        Expr::CompoundIdentifier(parts) => parts.as_slice(),
                        _ => return Err(unknown_form(whole)),
                    };
                    let mut function = function.clone();
                    let parts = before.iter().chain(&names).cloned().map(ObjectNamePart::Identifier);
                    function.name.0 = parts.chain(std::mem::take(&mut function.name.0)).collect();
                    names.clear();
                    root = Expr::Function(function);
                }
                _ => return Err(unknown_form(whole).help("an element of an array is GetArrayElement(array, index)")),
            }
        }
        match &root {
            Expr::Identifier(ident) => self.name(&[std::slice::from_ref(ident), &names].concat(), clause),
            Expr::CompoundIdentifier(parts) => self.name(&[parts.as_slice(), &names].concat(), clause),
            Expr::Function(function) if constant::name_parts(function) == ["SYSTEM", "WINDOW"] => {
                let is_id = names.len() == 1 && names[0].value.eq_ignore_ascii_case("Id");
                if self.groups.is_none() || !is_id {
                    return Err(Diagnostic::new(whole.span(), "System.Window().Id belongs to a SELECT with GROUP BY Windows(…)"));
                }
                Ok(Expression::column(WINDOW_NAME))
            }
            _ => {
                let inner = self.expr(&root, clause)?;
                Ok(names.iter().fold(inner, |inner, name| Expression::Field(Box::new(inner), name.value.as_str().into())))
            }
        }
    }

    fn case(&mut self, operand: Option<&Expr>, conditions: &[CaseWhen], otherwise: Option<&Expr>, clause: Clause) -> Bound {
        let operand = operand.map(|operand| self.expr(operand, clause)).transpose()?;
        let mut branches = Vec::new();
        for when in conditions {
            let condition = self.expr(&when.condition, clause)?;
            let condition = match &operand {
                Some(operand) => both(Binary::Equal, operand.clone(), condition),
                None => condition,
            };
            branches.push((condition, self.expr(&when.result, clause)?));
        }
        let otherwise = otherwise.map(|otherwise| self.expr(otherwise, clause)).transpose()?;
        Ok(Expression::Case(branches, otherwise.map(Box::new)))
    }
}

pub(super) fn unknown_form(expr: &Expr) -> Diagnostic {
    Diagnostic::new(expr.span(), format!("this form of expression is not part of the language: {expr}"))
}

pub(super) fn both(operator: Binary, left: Expression, right: Expression) -> Expression {
    Expression::Binary(operator, Box::new(left), Box::new(right))
}

/// The operands under one operator, as a tree that is not deep.
fn balanced(operator: Binary, mut operands: Vec<Expression>) -> Expression {
    match operands.len() {
        0 => Expression::Constant(Value::Null),
        1 => operands.remove(0),
        length => {
            let right = operands.split_off(length / 2);
            both(operator, balanced(operator, operands), balanced(operator, right))
        }
    }
}

fn not(expression: Expression) -> Expression {
    match expression {
        Expression::Constant(Value::Bit(value)) => Expression::Constant(Value::Bit(!value)),
        other => Expression::Not(Box::new(other)),
    }
}

/// A row of a single source is never null.
fn is_null(expression: Expression) -> Expression {
    match expression {
        Expression::Row => Expression::Constant(Value::Bit(false)),
        Expression::IsNull(_) => Expression::Constant(Value::Bit(false)),
        Expression::Constant(value) => Expression::Constant(Value::Bit(value.is_null())),
        other => Expression::IsNull(Box::new(other)),
    }
}

/// `NOT IN`, `NOT LIKE`: false, too, where the value is null.
fn negate(negated: bool, value: &Expression, expression: Expression) -> Expression {
    if !negated {
        return expression;
    }
    match value {
        Expression::Constant(constant) if !constant.is_null() => not(expression),
        _ => both(Binary::And, not(Expression::IsNull(Box::new(value.clone()))), not(expression)),
    }
}

fn operator(operator: &BinaryOperator) -> Option<Binary> {
    Some(match operator {
        BinaryOperator::Plus => Binary::Add,
        BinaryOperator::Minus => Binary::Subtract,
        BinaryOperator::Multiply => Binary::Multiply,
        BinaryOperator::Divide => Binary::Divide,
        BinaryOperator::Modulo => Binary::Modulo,
        BinaryOperator::Eq => Binary::Equal,
        BinaryOperator::NotEq => Binary::NotEqual,
        BinaryOperator::Lt => Binary::Less,
        BinaryOperator::LtEq => Binary::LessOrEqual,
        BinaryOperator::Gt => Binary::Greater,
        BinaryOperator::GtEq => Binary::GreaterOrEqual,
        BinaryOperator::And => Binary::And,
        BinaryOperator::Or => Binary::Or,
        BinaryOperator::BitwiseAnd => Binary::BitAnd,
        BinaryOperator::BitwiseOr => Binary::BitOr,
        BinaryOperator::BitwiseXor => Binary::BitXor,
        _ => return None,
    })
}
