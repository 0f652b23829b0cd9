//! Opens what each output's settings name.

use std::path::Path;

use crate::fault::Fault;
use crate::job::{OutputTarget, Project};
use crate::sink::feed::{BreakdownSettings, PageSettings, PredictionSettings};
use crate::sink::{JsonLines, Sink};

/// Where the rows of one output go.
#[derive(Debug)]
pub(super) enum Target {
    /// The embedded store: in the transaction that also holds the checkpoint.
    Store,
    /// The live page: counted in the same transaction, shown after it.
    Feed,
    /// Anything else: written and flushed before that transaction.
    Sink(Box<dyn Sink>),
}

/// One output of the query.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) target: Target,
}

/// Opens the outputs that the query names, in its order.
///
/// # Errors
/// When one cannot be reached or its settings cannot be used.
pub(super) fn open(project: &Project, names: &[String], data_dir: &Path) -> Result<Vec<Output>, Fault> {
    let open = |name: &String| {
        // A project without outputs writes all of them to the store.
        let Some(settings) = project.output(name) else { return Ok(Output { name: name.clone(), target: Target::Store }) };
        let target = match &settings.target {
            OutputTarget::Store => Target::Store,
            OutputTarget::Feed(_) => Target::Feed,
            OutputTarget::JsonLines { path } => Target::Sink(Box::new(JsonLines::open(&data_dir.join(path))?)),
            OutputTarget::Cosmos(_) => return Err(Fault::internal("Cosmos DB is not linked in").at(name.as_str())),
        };
        Ok(Output { name: settings.name.clone(), target })
    };
    names.iter().map(open).collect()
}

/// What the live page shows: the `Page` block of the first feed output that has one. Without one, it counts the rows of
/// the first feed output by their `prediction`.
///
/// # Errors
/// When the block is not of its form.
pub(super) fn page(project: &Project) -> Result<PageSettings, Fault> {
    let mut first = None;
    for output in &project.outputs {
        let OutputTarget::Feed(page) = &output.target else { continue };
        first = first.or(Some(&output.name));
        if let Some(page) = page {
            return serde_json::from_value(page.clone())
                .map_err(|error| Fault::job(format!("the Page block cannot be used: {error}")).at(format!("output '{}'", output.name)));
        }
    }
    let predictions =
        PredictionSettings { output: first.cloned().unwrap_or_default(), flag: "prediction".to_owned(), score: Some("score".to_owned()) };
    Ok(PageSettings {
        title: None,
        words: Default::default(),
        predictions,
        histogram: Default::default(),
        breakdowns: Vec::<BreakdownSettings>::new(),
        latest: Default::default(),
        series: Vec::new(),
    })
}
