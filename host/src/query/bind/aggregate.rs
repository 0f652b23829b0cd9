//! Aggregate functions in a SELECT with GROUP BY.

use sqlparser::ast::{DuplicateTreatment, Expr, Function, FunctionArguments, Ident, OrderByExpr, OrderBySort, Spanned, WindowType};

use super::{Binder, Bound, Clause, constant};
use crate::batch::Value;
use crate::query::diagnostic::{Diagnostic, Position, suggest};
use crate::query::expression::Expression;
use crate::query::windowed::aggregate_name;
use crate::query::{AggregateForm, AggregateFunction, AggregateSpec, KnownAggregate, OrderKey};

impl Binder<'_> {
    /// Refuses an aggregate where none can stand.
    fn allow_aggregate(&self, clause: Clause, position: Position) -> Result<(), Diagnostic> {
        if self.in_aggregate {
            return Err(Diagnostic::new(position, "an aggregate cannot stand inside another one"));
        }
        if self.in_analytic {
            return Err(Diagnostic::new(position, "an aggregate cannot stand inside an analytic function"));
        }
        if self.groups.is_some() && !self.rows && matches!(clause, Clause::Select | Clause::Having) {
            return Ok(());
        }
        let (message, help) = match clause {
            Clause::Where => ("an aggregate cannot stand in WHERE", "filter groups with HAVING"),
            Clause::GroupBy => ("an aggregate cannot stand in GROUP BY", "compute it in a step before"),
            Clause::On => ("an aggregate cannot stand in ON", "compute it in a step before"),
            _ => (
                "an aggregate needs a GROUP BY with a window, or OVER (… LIMIT DURATION(…))",
                "add for example GROUP BY TumblingWindow(second, 10)",
            ),
        };
        Err(Diagnostic::new(position, message).help(help))
    }

    pub(super) fn aggregate(&mut self, function: &Function, known: &KnownAggregate, clause: Clause, position: Position) -> Bound {
        self.allow_aggregate(clause, position)?;
        if !takes_order(known) && function.over.is_some() {
            return Err(Diagnostic::new(position, format!("{} OVER needs LIMIT DURATION(unit, number)", known.name)));
        }
        let spec = self.aggregate_spec(function, known, clause, position)?;
        Ok(self.push(spec))
    }

    /// An aggregate with its arguments over single rows.
    pub(super) fn aggregate_spec(
        &mut self,
        function: &Function,
        known: &KnownAggregate,
        clause: Clause,
        position: Position,
    ) -> Result<AggregateSpec, Diagnostic> {
        let arguments = constant::arguments(function)?;
        let distinct =
            matches!(&function.args, FunctionArguments::List(list) if list.duplicate_treatment == Some(DuplicateTreatment::Distinct));
        let order = order_by(function);
        if takes_order(known) && order.is_empty() {
            return Err(Diagnostic::new(position, format!("{} needs OVER (ORDER BY …)", known.name)));
        }
        let wrong = |expected: &str| Diagnostic::new(position, format!("{} takes {expected}, {} were given", known.name, arguments.len()));
        // The expression that is aggregated; `Some(None)` is `*`.
        let (argument, constant) = match (known.form, arguments.as_slice()) {
            (AggregateForm::Count, [argument]) => (Some(*argument), None),
            (AggregateForm::Value, [Some(argument)]) => (Some(Some(*argument)), None),
            (AggregateForm::Value, [None]) => return Err(Diagnostic::new(position, format!("{} does not take *", known.name))),
            (AggregateForm::Count | AggregateForm::Value, _) => return Err(wrong("one argument")),
            (AggregateForm::Rows | AggregateForm::OrderedRows, []) => (None, None),
            (AggregateForm::Rows | AggregateForm::OrderedRows, [argument]) => (Some(*argument), None),
            (AggregateForm::CountedRows, [Some(count)]) => (None, Some(*count)),
            (AggregateForm::CountedRows, [Some(count), argument]) => (Some(*argument), Some(*count)),
            (AggregateForm::Percentile, [Some(fraction)]) => (None, Some(*fraction)),
            (AggregateForm::Separated, [Some(argument), Some(separator)]) => (Some(Some(*argument)), Some(*separator)),
            (AggregateForm::Rows | AggregateForm::OrderedRows, _) => return Err(wrong("no argument or one")),
            (AggregateForm::CountedRows, _) => return Err(wrong("how many rows, and an expression")),
            (AggregateForm::Percentile, _) => return Err(wrong("one constant")),
            (AggregateForm::Separated, _) => return Err(wrong("an expression and a constant")),
        };
        let constant = constant.map(|expr| self.constant(expr)).transpose()?;
        let text = argument.flatten().is_some_and(is_text_cast);
        let descending = order.first().is_some_and(|key| key.options.sort == Some(OrderBySort::Desc));
        let made = known.function(constant.as_ref(), text, descending).map_err(|message| Diagnostic::new(position, message))?;
        let mut keys = Vec::new();
        for key in order {
            keys.push(OrderKey { expression: self.inside(&key.expr, clause)?, descending: key.options.sort == Some(OrderBySort::Desc) });
        }
        let mut argument = argument.flatten().map(|expr| self.inside(expr, clause)).transpose()?;
        match known.form {
            // COUNT(source) counts rows; of a joined source, those that are there.
            AggregateForm::Count if !distinct && matches!(argument, Some(Expression::Row)) => argument = None,
            AggregateForm::Percentile => argument = keys.drain(..).next().map(|key| key.expression),
            _ => {}
        }
        let spec = AggregateSpec { function: made, distinct, argument, order_by: keys };
        // Whole rows of a join: those of its first source.
        let whole = (self.scope.joined && spec.argument.is_none() && spec.takes_rows()).then(|| self.scope.row(0));
        Ok(AggregateSpec { argument: spec.argument.or(whole), ..spec })
    }

    pub(super) fn user_aggregate(&mut self, function: &Function, name: &Ident, clause: Clause, position: Position) -> Bound {
        let catalog = self.names.catalog;
        let Some(known) = catalog.aggregates.iter().find(|known| known.eq_ignore_ascii_case(&name.value)) else {
            let diagnostic = Diagnostic::new(name.span, format!("there is no aggregate function 'uda.{}'", name.value));
            let help = match catalog.functions.iter().find(|info| info.name.eq_ignore_ascii_case(&name.value)) {
                Some(info) => format!("'{}' is a function of single rows: write udf.{}(…)", info.name, info.name),
                None if catalog.aggregates.is_empty() => "the job has no aggregate functions".to_owned(),
                None => suggest(&name.value, catalog.aggregates.iter().map(String::as_str)),
            };
            return Err(diagnostic.help(help));
        };
        self.allow_aggregate(clause, position)?;
        let arguments = constant::plain_arguments(function)?;
        let [argument] = arguments.as_slice() else {
            return Err(Diagnostic::new(position, format!("uda.{known} takes one argument, {} were given", arguments.len())));
        };
        let argument = self.inside(argument, clause)?;
        let spec = AggregateSpec {
            function: AggregateFunction::User(known.clone()),
            distinct: false,
            argument: Some(argument),
            order_by: Vec::new(),
        };
        Ok(self.push(spec))
    }

    /// Binds what stands inside an aggregate: it is over single rows.
    fn inside(&mut self, expr: &Expr, clause: Clause) -> Bound {
        self.in_aggregate = true;
        let bound = self.row(expr, clause);
        self.in_aggregate = false;
        bound
    }

    fn constant(&mut self, expr: &Expr) -> Result<Value, Diagnostic> {
        match self.row(expr, Clause::Select)? {
            Expression::Constant(value) => Ok(value),
            _ => Err(Diagnostic::new(expr.span(), "a constant is expected")),
        }
    }

    /// The same aggregate is computed once.
    fn push(&mut self, spec: AggregateSpec) -> Expression {
        let same = |left: &AggregateSpec, right: &AggregateSpec| {
            left.function == right.function
                && left.distinct == right.distinct
                && match (&left.argument, &right.argument) {
                    (Some(left), Some(right)) => left.same(right),
                    (None, None) => true,
                    _ => false,
                }
                && left.order_by.len() == right.order_by.len()
                && left
                    .order_by
                    .iter()
                    .zip(&right.order_by)
                    .all(|(left, right)| left.descending == right.descending && left.expression.same(&right.expression))
        };
        let number = self.aggregates.iter().position(|known| same(known, &spec)).unwrap_or_else(|| {
            self.aggregates.push(spec);
            self.aggregates.len() - 1
        });
        Expression::column(aggregate_name(number))
    }
}

fn takes_order(known: &KnownAggregate) -> bool {
    matches!(known.form, AggregateForm::OrderedRows | AggregateForm::CountedRows | AggregateForm::Percentile)
}

/// ORDER BY of a function's OVER.
pub(super) fn order_by(function: &Function) -> &[OrderByExpr] {
    match &function.over {
        Some(WindowType::WindowSpec(spec)) => &spec.order_by,
        _ => &[],
    }
}

/// Whether an expression is a cast to text.
fn is_text_cast(expr: &Expr) -> bool {
    match expr {
        Expr::Nested(inner) => is_text_cast(inner),
        Expr::Cast { data_type, .. } => data_type.to_string().to_lowercase().starts_with("nvarchar"),
        _ => false,
    }
}
