//! The model inside: read once, when it is baked in; a packed module starts with it in place.

use std::sync::OnceLock;

use tamis_frame::{Column, Contract, Type};
use tamis_model::{Kind, Scorer};

static MODEL: OnceLock<Model> = OnceLock::new();

/// What a function does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// The prediction: a class, or a regression's number.
    Run,
    /// The score.
    Score,
    /// The probabilities of several classes.
    Probabilities,
    /// The reasons for the score.
    Explain,
}

impl Task {
    fn of(name: &str) -> Option<Self> {
        Some(match name {
            "run" => Self::Run,
            "score" => Self::Score,
            "probabilities" => Self::Probabilities,
            "explain" => Self::Explain,
            _ => return None,
        })
    }
}

/// A scorer with its signature.
#[derive(Debug)]
pub struct Model {
    /// What calls depend on.
    pub contract: Contract,
    /// How it scores.
    pub scorer: Scorer,
    /// The signature's JSON, as it was baked in.
    pub json: String,
    tasks: Vec<Task>,
}

impl Model {
    /// Reads a program's bytes and checks that they fit the contract; the signature's JSON is kept as it is.
    ///
    /// # Errors
    /// What is wrong with them.
    pub fn new(json: String, contract: Contract, program: &[u8]) -> Result<Self, String> {
        let scorer = scorer(program)?;
        let fits = |(kind, column): (&Kind, &Column)| match (kind, column.ty) {
            (Kind::Float, Type::Float) | (Kind::BigInt, Type::BigInt | Type::Bit) => true,
            (Kind::Text { categories }, Type::Text) => *categories == column.categories,
            _ => false,
        };
        let kinds = &scorer.program().columns;
        if kinds.len() != contract.columns.len() || !kinds.iter().zip(&contract.columns).all(fits) {
            return Err("the signature and the model have different columns".to_owned());
        }
        let outputs = scorer.outputs();
        if outputs != 1 && outputs != contract.classes.len() {
            return Err(format!("the model has {outputs} outputs and {} classes", contract.classes.len()));
        }
        let tasks = contract
            .functions
            .iter()
            .map(|name| Task::of(name).ok_or_else(|| format!("the signature has a function '{name}', which this guest does not know")));
        let tasks = tasks.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { contract, scorer, json, tasks })
    }

    /// The task of the signature's function number `function`.
    pub fn task(&self, function: u32) -> Option<Task> {
        self.tasks.get(function as usize).copied()
    }
}

#[cfg(not(all(feature = "general", target_arch = "wasm32")))]
fn scorer(program: &[u8]) -> Result<Scorer, String> {
    Scorer::from_bytes(program).map_err(|error| error.to_string())
}

/// The general guest runs graphs by tract.
#[cfg(all(feature = "general", target_arch = "wasm32"))]
fn scorer(program: &[u8]) -> Result<Scorer, String> {
    let program = tamis_model::Program::from_bytes(program).map_err(|error| error.to_string())?;
    Scorer::with_engine(program, &tamis_general::prepare)
}

/// The model that was baked in.
///
/// # Errors
/// When there is none: the module is the generic guest.
pub fn model() -> Result<&'static Model, &'static str> {
    MODEL.get().ok_or("this module has no model inside; `tamis pack` makes one that has")
}

/// Bakes a model in.
///
/// # Errors
/// When there is one already.
pub fn bake(model: Model) -> Result<(), String> {
    MODEL.set(model).map_err(|_| "there is a model inside already".to_owned())
}
