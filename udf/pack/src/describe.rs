//! The signature of a compiled model.

use tamis_frame::signature::{Background, Class, Column, Explained, Function, Model, Policy, Task, Unit};
use tamis_frame::{ABI_VERSION, Signature, Type};
use tamis_model::Scorer;
use tamis_model::onnx::{self, Compiled, Kind};

use crate::{Options, PackError};

/// The columns' names as something beside the model tells them.
pub(crate) fn names(options: &Options, header: Option<&[String]>) -> Option<Vec<String>> {
    let card = || {
        let columns = options.card.as_ref()?.get("columns")?.as_array()?;
        columns.iter().map(|column| Some(column.get("name")?.as_str()?.to_owned())).collect::<Option<Vec<String>>>()
    };
    let golden = || header.map(|header| header.iter().filter(|name| !is_score(name)).cloned().collect());
    options.columns.clone().or_else(card).or_else(golden)
}

/// Whether a golden file's column holds expected scores.
pub(crate) fn is_score(name: &str) -> bool {
    name == "score" || name.starts_with("score:")
}

pub(crate) fn signature(compiled: &Compiled, sha256: &str, options: &Options) -> Result<Signature, PackError> {
    let metadata = |key: &str| compiled.metadata(key).map(str::to_owned);
    let threshold = match (options.threshold, metadata("threshold")) {
        (Some(threshold), _) => threshold,
        (None, Some(text)) => {
            let number = text.parse().ok().filter(|number: &f64| number.is_finite());
            number.ok_or_else(|| PackError::Options(format!("the model's 'threshold' is '{text}', which is not a number")))?
        }
        (None, None) => 0.5,
    };
    if !threshold.is_finite() {
        return Err(PackError::Options("the threshold is not finite".to_owned()));
    }
    let named = Some(compiled.name.clone()).filter(|name| !name.is_empty());
    let name = options.name.clone().or_else(|| metadata("name")).or(named).unwrap_or_else(|| "model".to_owned());
    let version = options.version.clone().or_else(|| metadata("version")).unwrap_or_else(|| "0".to_owned());
    let missing = match (options.missing, metadata("missing").as_deref()) {
        (Some(policy), _) => Some(policy),
        (None, None) => None,
        (None, Some("reject")) => Some(Policy::Reject),
        (None, Some("accept")) => Some(Policy::Accept),
        (None, Some(other)) => return Err(PackError::Options(format!("the model's 'missing' is '{other}'; reject or accept is expected"))),
    };
    let columns = compiled.inputs.iter().map(|input| Column {
        name: input.name.clone(),
        ty: match input.kind {
            Kind::Float => Type::Float,
            Kind::BigInt => Type::BigInt,
            Kind::Text => Type::Text,
            Kind::Bit => Type::Bit,
        },
        categories: input.categories.clone(),
        // A column without a path for missing values can accept none, whatever is asked for.
        missing: if input.missing { missing.unwrap_or(Policy::Accept) } else { Policy::Reject },
        unknown: policy(input.unknown),
    });
    let classes = compiled.classes.iter().map(|class| match class {
        onnx::Class::BigInt(class) => Class::BigInt(*class),
        onnx::Class::Text(class) => Class::Text(class.clone()),
    });
    let classes: Vec<Class> = classes.collect();
    let task = match classes.len() {
        0 => Task::Regression,
        1 | 2 => Task::Binary,
        _ => Task::Multiclass,
    };
    Ok(Signature {
        abi: ABI_VERSION,
        model: Model { name, version, sha256: sha256.to_owned() },
        threshold,
        columns: columns.collect(),
        functions: functions(task, &classes),
        task,
        classes,
        explain: None,
        parity: None,
        card: options.card.clone(),
    })
}

fn policy(accepted: bool) -> Policy {
    if accepted { Policy::Accept } else { Policy::Reject }
}

fn function(name: &str, returns: Type, about: String) -> Function {
    Function { name: name.to_owned(), returns, about, json: returns == Type::Text && name != "run" }
}

fn functions(task: Task, classes: &[Class]) -> Vec<Function> {
    let label = if classes.iter().any(|class| matches!(class, Class::Text(_))) { Type::Text } else { Type::BigInt };
    match (task, classes) {
        (Task::Binary, [first, second]) => vec![
            function("run", label, format!("{second} where the score is at or above the threshold, else {first}")),
            function("score", Type::Float, format!("the probability, from 0 to 1, that the row is of class {second}")),
        ],
        (Task::Regression, _) => {
            let about = "the number that the model expects".to_owned();
            vec![function("run", Type::Float, about.clone()), function("score", Type::Float, about)]
        }
        _ => vec![
            function("run", label, "the likeliest class".to_owned()),
            function("score", Type::Float, "the probability of the likeliest class".to_owned()),
            function("probabilities", Type::Text, "each class's probability, a record".to_owned()),
        ],
    }
}

/// Adds `explain` to a model that can.
pub(crate) fn explained(signature: &mut Signature, scorer: &Scorer, background: Background) {
    let (Some(base), Some(head)) = (scorer.explained_base(), &scorer.program().head) else { return };
    let unit = if head.log_odds { Unit::LogOdds } else { Unit::Score };
    let what = if head.log_odds { "log-odds" } else { "score" };
    let about = format!("the columns that move the {what} most: a record with base, value, rest and reasons");
    signature.functions.push(function("explain", Type::Text, about));
    signature.explain = Some(Explained { unit, base, background });
}
