//! A syntax tree's expression to an [`Expression`]: names are resolved, functions found, their arguments counted.

use std::sync::Arc;

use sqlparser::ast::{
    AccessExpr, BinaryOperator, CaseWhen, CastKind, DuplicateTreatment, Expr, Function, FunctionArg, FunctionArgExpr, FunctionArguments,
    Ident, InTarget, ObjectName, Spanned, UnaryOperator, Value as Literal,
};

use super::aggregate::{Aggregate, Kind, aggregate_name, key_name};
use super::check;
use super::diagnostic::{Diagnostic, Position, suggest};
use super::expression::Expression;
use super::functions;
use super::operate::Binary;
use super::plan::{FunctionInfo, WindowSpec};
use super::project::{Call, CallArgument};
use crate::batch::Value;

/// The one source of a SELECT.
#[derive(Debug, Clone)]
pub(super) struct Scope {
    /// The name that expressions use for it.
    pub(super) alias: String,
    /// Its columns, when they are known: a step's are, an input's are not.
    pub(super) columns: Option<Vec<String>>,
}

/// Where an expression stands; it decides what may be in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Clause {
    Select,
    Where,
    Having,
    GroupBy,
    Time,
}

/// Binds the expressions of one SELECT.
pub(super) struct Binder<'a> {
    pub(super) scope: &'a Scope,
    pub(super) functions: &'a [FunctionInfo],
    /// The keys of GROUP BY, as they are written; `Some` in a step with a window.
    pub(super) keys: Option<Vec<(Expr, Expression)>>,
    pub(super) calls: Vec<Call>,
    /// The calls' syntax, so that the same call is made once.
    written: Vec<Function>,
    pub(super) aggregates: Vec<Aggregate>,
    pub(super) found: Vec<Diagnostic>,
    in_aggregate: bool,
}

type Bound = Result<Expression, Diagnostic>;

pub(super) fn idents(name: &ObjectName) -> Vec<&Ident> {
    name.0.iter().filter_map(|part| part.as_ident()).collect()
}

/// What ASA has and this compiler does not, yet; they fail by name.
const NOT_YET: [&str; 22] = [
    "LAG",
    "LAST",
    "ISFIRST",
    "TOPONE",
    "COLLECTTOP",
    "COLLECT",
    "PERCENTILE_CONT",
    "PERCENTILE_DISC",
    "STDEV",
    "STDEVP",
    "VAR",
    "VARP",
    "ANOMALYDETECTION_SPIKEANDDIP",
    "ANOMALYDETECTION_CHANGEPOINT",
    "GETMETADATAPROPERTYVALUE",
    "GETARRAYELEMENT",
    "GETARRAYLENGTH",
    "GETRECORDPROPERTYVALUE",
    "CREATEPOINT",
    "ST_DISTANCE",
    "ST_WITHIN",
    "STRING_AGG",
];

impl<'a> Binder<'a> {
    pub(super) fn new(scope: &'a Scope, functions: &'a [FunctionInfo]) -> Self {
        Self {
            scope,
            functions,
            keys: None,
            calls: Vec::new(),
            written: Vec::new(),
            aggregates: Vec::new(),
            found: Vec::new(),
            in_aggregate: false,
        }
    }

    /// Binds an expression; what is wrong is noted and stands as null.
    pub(super) fn bind(&mut self, expr: &Expr, clause: Clause) -> Expression {
        match self.expr(expr, clause) {
            Ok(bound) => bound,
            Err(diagnostic) => {
                self.found.push(diagnostic);
                Expression::Constant(Value::Null)
            }
        }
    }

    fn expr(&mut self, expr: &Expr, clause: Clause) -> Bound {
        if let Some(keys) = self.keys.as_ref().filter(|_| !self.in_aggregate && clause != Clause::Where)
            && let Some(number) = keys.iter().position(|(key, _)| same(key, expr))
        {
            return Ok(Expression::Column(key_name(number), Vec::new()));
        }
        let both = |binder: &mut Self, left: &Expr, right: &Expr| -> Result<(Box<Expression>, Box<Expression>), Diagnostic> {
            Ok((Box::new(binder.expr(left, clause)?), Box::new(binder.expr(right, clause)?)))
        };
        match expr {
            Expr::Nested(inner) => self.expr(inner, clause),
            Expr::Identifier(ident) => self.column(std::slice::from_ref(ident), clause),
            Expr::CompoundIdentifier(parts) => self.column(parts, clause),
            Expr::CompoundFieldAccess { root, access_chain } => self.path(root, access_chain, clause, expr),
            Expr::Value(value) => literal(&value.value, value.span.into()),
            Expr::UnaryOp { op: UnaryOperator::Not, expr } => Ok(Expression::Not(Box::new(self.expr(expr, clause)?))),
            Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Ok(match self.expr(expr, clause)? {
                Expression::Constant(Value::BigInt(value)) => Expression::Constant(Value::BigInt(-value)),
                Expression::Constant(Value::Float(value)) => Expression::Constant(Value::Float(-value)),
                other => Expression::Negate(Box::new(other)),
            }),
            Expr::UnaryOp { op: UnaryOperator::Plus, expr } => self.expr(expr, clause),
            Expr::BinaryOp { left, op, right } => {
                let operator = operator(op).ok_or_else(|| not_yet(expr, &format!("the operator {op}")))?;
                let (left, right) = both(self, left, right)?;
                Ok(Expression::Binary(operator, left, right))
            }
            Expr::IsNull(inner) => Ok(Expression::IsNull(Box::new(self.expr(inner, clause)?))),
            Expr::IsNotNull(inner) => Ok(Expression::Not(Box::new(Expression::IsNull(Box::new(self.expr(inner, clause)?))))),
            Expr::Between { expr, negated, low, high } => {
                let (value, low) = both(self, expr, low)?;
                let high = Box::new(self.expr(high, clause)?);
                let from = Expression::Binary(Binary::GreaterOrEqual, value.clone(), low);
                let to = Expression::Binary(Binary::LessOrEqual, value, high);
                Ok(negate(*negated, Expression::Binary(Binary::And, Box::new(from), Box::new(to))))
            }
            Expr::In { expr, target: InTarget::List(list), negated, .. } => {
                let value = Box::new(self.expr(expr, clause)?);
                let mut any = Expression::Constant(Value::Bit(false));
                for (number, item) in list.iter().enumerate() {
                    let equal = Expression::Binary(Binary::Equal, value.clone(), Box::new(self.expr(item, clause)?));
                    any = if number == 0 { equal } else { Expression::Binary(Binary::Or, Box::new(any), Box::new(equal)) };
                }
                Ok(negate(*negated, any))
            }
            Expr::Like { negated, expr, pattern, .. } => {
                let (value, pattern) = both(self, expr, pattern)?;
                Ok(negate(*negated, Expression::Binary(Binary::Like, value, pattern)))
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
            Expr::Floor { expr: inner, .. } => self.builtin("FLOOR", &[inner], clause, expr),
            Expr::Ceil { expr: inner, .. } => self.builtin("CEILING", &[inner], clause, expr),
            Expr::Trim { expr: inner, trim_what: None, .. } => self.builtin("TRIM", &[inner], clause, expr),
            Expr::Substring { expr: inner, substring_from: Some(from), substring_for: Some(len), .. } => {
                self.builtin("SUBSTRING", &[inner, from, len], clause, expr)
            }
            Expr::Function(function) => self.function(function, clause),
            other => Err(not_yet(other, "this form of expression")),
        }
    }

    /// `column`, `source.column`, `column.field`, or the source's name: the whole row.
    fn column(&mut self, parts: &[Ident], clause: Clause) -> Bound {
        let position = Position::from(parts[0].span);
        let is_alias = parts[0].value.eq_ignore_ascii_case(&self.scope.alias);
        if parts.len() == 2 && parts[0].value.eq_ignore_ascii_case("System") && parts[1].value.eq_ignore_ascii_case("Timestamp") {
            return Ok(Expression::Timestamp);
        }
        let known =
            |name: &str| self.scope.columns.as_ref().is_none_or(|columns| columns.iter().any(|column| column.eq_ignore_ascii_case(name)));
        if is_alias
            && parts.len() == 1
            && !self.scope.columns.as_ref().is_some_and(|columns| columns.iter().any(|column| column.eq_ignore_ascii_case(&parts[0].value)))
        {
            return Ok(Expression::Row);
        }
        let path = if is_alias && parts.len() > 1 { &parts[1..] } else { parts };
        // Text in double quotes is a string where no column has that name.
        if let [only] = path
            && only.quote_style == Some('"')
            && !(self.scope.columns.is_some() && known(&only.value))
        {
            return Ok(Expression::Constant(Value::Text(only.value.as_str().into())));
        }
        if !known(&path[0].value) {
            let columns = self.scope.columns.as_deref().unwrap_or_default();
            let help = suggest(&path[0].value, columns.iter().map(String::as_str));
            return Err(Diagnostic::new(path[0].span, format!("'{}' has no column '{}'", self.scope.alias, path[0].value)).help(help));
        }
        if self.keys.is_some() && !self.in_aggregate && matches!(clause, Clause::Select | Clause::Having) {
            let message = format!("column '{}' is neither in GROUP BY nor inside an aggregate", path[0].value);
            return Err(Diagnostic::new(position, message).help("add it to GROUP BY, or put it inside COUNT, SUM, AVG, MIN or MAX"));
        }
        let fields = path[1..].iter().map(|part| Arc::from(part.value.as_str())).collect();
        Ok(Expression::Column(path[0].value.as_str().into(), fields))
    }

    fn path(&mut self, root: &Expr, chain: &[AccessExpr], clause: Clause, whole: &Expr) -> Bound {
        let mut parts = match root {
            Expr::Identifier(ident) => vec![ident.clone()],
            Expr::CompoundIdentifier(parts) => parts.clone(),
            _ => return Err(not_yet(whole, "a path into this expression")),
        };
        for access in chain {
            match access {
                AccessExpr::Dot(Expr::Identifier(ident)) => parts.push(ident.clone()),
                _ => return Err(not_yet(whole, "this form of path")),
            }
        }
        self.column(&parts, clause)
    }

    fn case(&mut self, operand: Option<&Expr>, conditions: &[CaseWhen], otherwise: Option<&Expr>, clause: Clause) -> Bound {
        let operand = operand.map(|operand| self.expr(operand, clause)).transpose()?;
        let mut branches = Vec::new();
        for when in conditions {
            let condition = self.expr(&when.condition, clause)?;
            let condition = match &operand {
                Some(operand) => Expression::Binary(Binary::Equal, Box::new(operand.clone()), Box::new(condition)),
                None => condition,
            };
            branches.push((condition, self.expr(&when.result, clause)?));
        }
        let otherwise = otherwise.map(|otherwise| self.expr(otherwise, clause)).transpose()?;
        Ok(Expression::Case(branches, otherwise.map(Box::new)))
    }

    fn builtin(&mut self, name: &str, arguments: &[&Expr], clause: Clause, whole: &Expr) -> Bound {
        let builtin = functions::find(name).ok_or_else(|| not_yet(whole, name))?;
        let arguments = arguments.iter().map(|argument| self.expr(argument, clause)).collect::<Result<_, _>>()?;
        Ok(Expression::Function(*builtin, arguments))
    }

    fn function(&mut self, function: &Function, clause: Clause) -> Bound {
        let parts = idents(&function.name);
        let position = Position::from(function.name.span());
        let names: Vec<String> = parts.iter().map(|part| part.value.to_uppercase()).collect();
        let words: Vec<&str> = names.iter().map(String::as_str).collect();
        match words.as_slice() {
            ["SYSTEM", "TIMESTAMP"] => Ok(Expression::Timestamp),
            ["UDF", _] => self.call(function, parts[1], clause, position),
            ["UDA", _] => Err(Diagnostic::new(position, format!("{} is not supported yet", function.name))),
            [name] => self.named(function, name, clause, position),
            _ => Err(Diagnostic::new(position, format!("there is no function '{}'", function.name))),
        }
    }

    fn named(&mut self, function: &Function, name: &str, clause: Clause, position: Position) -> Bound {
        if WINDOWS.contains(&name) {
            return Err(Diagnostic::new(position, format!("{} belongs in GROUP BY", function.name)));
        }
        if function.over.is_some() || NOT_YET.contains(&name) {
            return Err(Diagnostic::new(
                position,
                format!("{}{} is not supported yet", function.name, if function.over.is_some() { " … OVER" } else { "" }),
            ));
        }
        if let Some(kind) = Kind::of(name) {
            return self.aggregate(function, kind, clause, position);
        }
        let Some(builtin) = functions::find(name) else {
            if let Some(udf) = self.functions.iter().find(|info| info.name.eq_ignore_ascii_case(name)) {
                return Err(Diagnostic::new(position, format!("there is no function '{}'", function.name))
                    .help(format!("write udf.{}(…)", udf.name)));
            }
            let help = suggest(name, functions::names().chain(["COUNT", "SUM", "AVG", "MIN", "MAX"]));
            return Err(Diagnostic::new(position, format!("there is no function '{}'", function.name)).help(help));
        };
        let arguments = arguments(function)?;
        let (fewest, most) = builtin.arguments;
        if !(fewest..=most).contains(&arguments.len()) {
            let expected = if fewest == most { format!("{fewest}") } else { format!("at least {fewest}") };
            return Err(Diagnostic::new(position, format!("{name} takes {expected} arguments, {} were given", arguments.len())));
        }
        let mut bound = Vec::new();
        for (place, argument) in arguments.into_iter().enumerate() {
            let FunctionArgExpr::Expr(argument) = argument else {
                return Err(Diagnostic::new(position, format!("{name} does not take *")));
            };
            bound.push(match argument {
                Expr::Identifier(part) if builtin.date_part && place == 0 => Expression::Constant(Value::Text(part.value.as_str().into())),
                other => self.expr(other, clause)?,
            });
        }
        Ok(Expression::Function(*builtin, bound))
    }

    fn aggregate(&mut self, function: &Function, kind: Kind, clause: Clause, position: Position) -> Bound {
        if self.in_aggregate {
            return Err(Diagnostic::new(position, "an aggregate cannot stand inside another one"));
        }
        if self.keys.is_none() || !matches!(clause, Clause::Select | Clause::Having) {
            let (message, help) = match clause {
                Clause::Where => ("an aggregate cannot stand in WHERE", "filter groups with HAVING"),
                _ => ("an aggregate needs a GROUP BY with a window", "add for example GROUP BY TumblingWindow(second, 10)"),
            };
            return Err(Diagnostic::new(position, message).help(help));
        }
        let arguments = arguments(function)?;
        let [argument] = arguments.as_slice() else {
            return Err(Diagnostic::new(position, format!("{} takes one argument, {} were given", function.name, arguments.len())));
        };
        let distinct =
            matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment == Some(DuplicateTreatment::Distinct));
        let argument = match argument {
            FunctionArgExpr::Wildcard if kind == Kind::Count => None,
            FunctionArgExpr::Expr(argument) => {
                self.in_aggregate = true;
                let bound = self.expr(argument, clause);
                self.in_aggregate = false;
                match bound? {
                    // COUNT(source) counts rows.
                    Expression::Row if kind == Kind::Count => None,
                    bound => Some(bound),
                }
            }
            _ => return Err(Diagnostic::new(position, format!("{} does not take *", function.name))),
        };
        let kind = match (kind, distinct) {
            (Kind::Count, true) => Kind::CountDistinct,
            (Kind::Min | Kind::Max, true) | (_, false) => kind,
            (_, true) => return Err(Diagnostic::new(position, format!("{}(DISTINCT …) is not supported yet", function.name))),
        };
        self.aggregates.push(Aggregate { kind, argument });
        Ok(Expression::Column(aggregate_name(self.aggregates.len() - 1), Vec::new()))
    }

    fn call(&mut self, function: &Function, name: &Ident, clause: Clause, position: Position) -> Bound {
        let Some(info) = self.functions.iter().find(|info| info.name.eq_ignore_ascii_case(&name.value)) else {
            let help = if self.functions.is_empty() {
                "the project has no functions".to_owned()
            } else {
                suggest(&name.value, self.functions.iter().map(|info| info.name.as_str()))
            };
            return Err(Diagnostic::new(position, format!("there is no function 'udf.{}'", name.value)).help(help));
        };
        if clause == Clause::Time || clause == Clause::GroupBy {
            return Err(Diagnostic::new(position, "a udf call cannot stand here"));
        }
        if self.keys.is_some() && !self.in_aggregate && clause != Clause::Where {
            let help = format!("put it inside an aggregate, for example AVG(udf.{}(…)), or call it in a step of its own", info.name);
            return Err(Diagnostic::new(position, "in a step with a window, a udf call belongs inside an aggregate").help(help));
        }
        if let Some(number) = self
            .written
            .iter()
            .position(|known| known.args == function.args && known.name.to_string().eq_ignore_ascii_case(&function.name.to_string()))
        {
            return Ok(Expression::Call(number));
        }
        let mut bound = Vec::new();
        for argument in arguments(function)? {
            let FunctionArgExpr::Expr(argument) = argument else { return Err(Diagnostic::new(position, "a udf does not take *")) };
            let before = self.calls.len();
            let expression = self.expr(argument, clause)?;
            if self.calls.len() > before {
                return Err(Diagnostic::new(position, "a udf call inside another one is not supported yet"));
            }
            if matches!(expression, Expression::Row) {
                if let Some(diagnostic) = check::record(info, self.scope.columns.as_deref(), &self.scope.alias, position) {
                    return Err(diagnostic);
                }
                bound.push(CallArgument::Record);
            } else {
                bound.push(CallArgument::Value(expression));
            }
        }
        self.calls.push(Call { name: info.name.clone(), arguments: bound });
        self.written.push(function.clone());
        Ok(Expression::Call(self.calls.len() - 1))
    }
}

pub(super) const WINDOWS: [&str; 9] =
    ["TUMBLINGWINDOW", "TUMBLING", "HOPPINGWINDOW", "HOPPING", "SLIDINGWINDOW", "SLIDING", "SESSIONWINDOW", "SESSION", "WINDOWS"];

/// Whether two expressions are written the same, but for places and the case of names.
fn same(left: &Expr, right: &Expr) -> bool {
    match (left, right) {
        (Expr::Identifier(left), Expr::Identifier(right)) => left.value.eq_ignore_ascii_case(&right.value),
        (Expr::CompoundIdentifier(parts), Expr::Identifier(one)) | (Expr::Identifier(one), Expr::CompoundIdentifier(parts)) => {
            parts.len() == 2 && parts[1].value.eq_ignore_ascii_case(&one.value)
        }
        _ => left == right,
    }
}

fn arguments(function: &Function) -> Result<Vec<&FunctionArgExpr>, Diagnostic> {
    match &function.args {
        FunctionArguments::List(list) => list
            .args
            .iter()
            .map(|argument| match argument {
                FunctionArg::Unnamed(argument) => Ok(argument),
                other => Err(Diagnostic::new(function.name.span(), format!("named arguments are not part of the language: {other}"))),
            })
            .collect(),
        FunctionArguments::None => Ok(Vec::new()),
        FunctionArguments::Subquery(_) => Err(Diagnostic::new(function.name.span(), "a query cannot be an argument")),
    }
}

fn not_yet(expr: &Expr, what: &str) -> Diagnostic {
    Diagnostic::new(expr.span(), format!("{what} is not supported yet: {expr}"))
}

fn negate(negated: bool, expression: Expression) -> Expression {
    if negated { Expression::Not(Box::new(expression)) } else { expression }
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
        _ => return None,
    })
}

fn literal(value: &Literal, position: Position) -> Bound {
    Ok(Expression::Constant(match value {
        Literal::Number(digits, _) => match digits.parse::<i64>() {
            Ok(value) => Value::BigInt(value),
            Err(_) => Value::Float(digits.parse().map_err(|_| Diagnostic::new(position, format!("'{digits}' is not a number")))?),
        },
        Literal::SingleQuotedString(text) | Literal::NationalStringLiteral(text) | Literal::DoubleQuotedString(text) => {
            Value::Text(text.as_str().into())
        }
        Literal::Boolean(value) => Value::Bit(*value),
        Literal::Null => Value::Null,
        other => return Err(Diagnostic::new(position, format!("{other} is not a value of the language"))),
    }))
}

/// `TumblingWindow(second, 10)`, `TumblingWindow(Duration(second, 10), Offset(…))`, and the same for Hopping.
pub(super) fn window(function: &Function) -> Result<WindowSpec, Diagnostic> {
    let position = Position::from(function.name.span());
    let name = function.name.to_string().to_uppercase();
    let hopping = match name.as_str() {
        "TUMBLINGWINDOW" | "TUMBLING" => false,
        "HOPPINGWINDOW" | "HOPPING" => true,
        _ => return Err(Diagnostic::new(position, format!("{} is not supported yet", function.name))),
    };
    let mut unit = None;
    let (mut size, mut hop, mut offset) = (None, None, 0);
    for argument in arguments(function)? {
        match argument {
            FunctionArgExpr::Expr(Expr::Identifier(word)) if unit.is_none() => unit = Some(ticks(word)?),
            FunctionArgExpr::Expr(Expr::Function(part)) => {
                let value = length(part)?;
                match part.name.to_string().to_uppercase().as_str() {
                    "DURATION" => size = Some(value),
                    "HOP" if hopping => hop = Some(value),
                    "OFFSET" => offset = value,
                    _ => return Err(Diagnostic::new(part.name.span(), format!("{} does not belong in {}", part.name, function.name))),
                }
            }
            FunctionArgExpr::Expr(value) => {
                let unit = unit.ok_or_else(|| Diagnostic::new(value.span(), "a unit is expected before the number, for example second"))?;
                let value = number(value)?.saturating_mul(unit);
                if size.is_none() {
                    size = Some(value);
                } else if hopping && hop.is_none() {
                    hop = Some(value);
                } else {
                    offset = value;
                }
            }
            _ => return Err(Diagnostic::new(position, format!("{} does not take *", function.name))),
        }
    }
    let size =
        size.ok_or_else(|| Diagnostic::new(position, format!("{} needs a unit and a length, for example (second, 10)", function.name)))?;
    let hop = if hopping { hop.ok_or_else(|| Diagnostic::new(position, "a hopping window needs its hop"))? } else { size };
    if size <= 0 || hop <= 0 {
        return Err(Diagnostic::new(position, "a window's length must be above zero"));
    }
    if size > WindowSpec::MAX {
        return Err(Diagnostic::new(position, "a window cannot be longer than 7 days"));
    }
    Ok(WindowSpec { size, hop, offset })
}

fn length(part: &Function) -> Result<i64, Diagnostic> {
    match arguments(part)?.as_slice() {
        [FunctionArgExpr::Expr(Expr::Identifier(unit)), FunctionArgExpr::Expr(count)] => Ok(number(count)?.saturating_mul(ticks(unit)?)),
        _ => Err(Diagnostic::new(part.name.span(), format!("{} needs a unit and a number, for example (second, 10)", part.name))),
    }
}

fn ticks(unit: &Ident) -> Result<i64, Diagnostic> {
    functions::date::unit_ticks(&unit.value).ok_or_else(|| {
        Diagnostic::new(unit.span, format!("'{}' is not a unit", unit.value))
            .help("units are day, hour, minute, second, millisecond, microsecond")
    })
}

fn number(expr: &Expr) -> Result<i64, Diagnostic> {
    let wrong = || Diagnostic::new(expr.span(), "a constant integer is expected");
    match expr {
        Expr::Value(value) => match &value.value {
            Literal::Number(digits, _) => digits.parse().map_err(|_| wrong()),
            _ => Err(wrong()),
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => Ok(-number(expr)?),
        _ => Err(wrong()),
    }
}
