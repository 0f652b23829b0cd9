//! Opens what each output's settings name.

mod bind;

use std::path::Path;

use tokio::runtime::Handle;

use crate::fault::Fault;
use crate::job::{CosmosLogin, OutputSettings, OutputTarget, Project};
use crate::query::Plan;
use crate::sink::cosmos::{CosmosSettings, CosmosSink, Login};
use crate::sink::feed::{BreakdownSettings, PageSettings, PredictionSettings};
use crate::sink::folder::FolderSink;
use crate::sink::http_push::HttpPush;
use crate::sink::kafka::KafkaSink;
use crate::sink::{JsonLines, Sink};
use crate::store::Store;

use super::kafka;

/// Where the rows of one output go.
#[derive(Debug)]
pub(super) enum Target {
    /// The embedded store: in the transaction that also holds the checkpoint.
    Store,
    /// The live page: counted in the same transaction, shown after it.
    Feed,
    /// Anything else: handed to a thread of its own, acknowledged before that transaction or kept in it.
    Sink(Box<dyn Sink>),
}

/// The same, once the sinks are with their threads.
#[derive(Debug)]
pub(super) enum Route {
    /// The embedded store.
    Store,
    /// The live page.
    Feed,
    /// The sink in that place.
    Sink(usize),
}

/// An output's name and where its rows go.
#[derive(Debug)]
pub(super) struct Routed {
    pub(super) name: String,
    pub(super) route: Route,
}

/// A sink and its output's name.
pub(super) type Named = (String, Box<dyn Sink>);

/// Parts the sinks from the rest.
pub(super) fn split(outputs: Vec<Output>) -> (Vec<Routed>, Vec<Named>) {
    let mut sinks = Vec::new();
    let routed = outputs.into_iter().map(|Output { name, target }| {
        let route = match target {
            Target::Store => Route::Store,
            Target::Feed => Route::Feed,
            Target::Sink(sink) => {
                sinks.push((name.clone(), sink));
                Route::Sink(sinks.len() - 1)
            }
        };
        Routed { name, route }
    });
    (routed.collect(), sinks)
}

/// One output of the query.
#[derive(Debug)]
pub(super) struct Output {
    pub(super) name: String,
    pub(super) target: Target,
}

/// The variable with the key of the Cosmos DB account; it comes before the one in the project's file.
const COSMOS_KEY: &str = "TAMIS_COSMOS_KEY";

/// Opens the outputs that the query names, in its order; must be called within the async runtime.
///
/// # Errors
/// When one cannot be reached or its settings cannot be used.
pub(super) fn open(project: &Project, plan: &Plan, data_dir: &Path, store: &Store) -> Result<Vec<Output>, Fault> {
    // A job that ran before is not kept from starting by an output that is down now.
    let known = store.checkpoint()?.is_some();
    let open = |name: &String| {
        // A project without outputs writes all of them to the store.
        let Some(settings) = project.output(name) else { return Ok(Output { name: name.clone(), target: Target::Store }) };
        let target = match &settings.target {
            OutputTarget::Store => Target::Store,
            OutputTarget::Feed(_) => Target::Feed,
            OutputTarget::JsonLines { path } => {
                let mark = store.state(&mark_key(&settings.name))?;
                Target::Sink(Box::new(JsonLines::open(&data_dir.join(path), mark.as_deref())?))
            }
            OutputTarget::Files(files) => {
                let mark = store.state(&mark_key(&settings.name))?;
                let files = bind::files(project, settings, files, data_dir)?;
                Target::Sink(Box::new(FolderSink::open(files, mark.as_deref())?))
            }
            OutputTarget::Push(push) => Target::Sink(Box::new(HttpPush::open(bind::push(project, settings, push)?, &Handle::current())?)),
            OutputTarget::Cosmos(_) => {
                let cosmos = cosmos(project, settings)?.ok_or_else(|| Fault::internal("not a Cosmos DB output").at(name.as_str()))?;
                Target::Sink(Box::new(CosmosSink::open(&cosmos, &plan.columns_into(name), known, &Handle::current())?))
            }
            OutputTarget::Kafka(_) => {
                let kafka = kafka::output(settings)?.ok_or_else(|| Fault::internal("not a topic").at(name.as_str()))?;
                Target::Sink(Box::new(KafkaSink::open(kafka)?))
            }
        };
        Ok(Output { name: settings.name.clone(), target })
    };
    plan.outputs.iter().map(open).collect()
}

/// The state's key for where an output stands.
pub(super) fn mark_key(output: &str) -> String {
    format!("output/{output}")
}

/// How an output reaches Cosmos DB; `None` when it goes elsewhere.
///
/// # Errors
/// When there is no key to log in with.
pub fn cosmos(project: &Project, output: &OutputSettings) -> Result<Option<CosmosSettings>, Fault> {
    let OutputTarget::Cosmos(cosmos) = &output.target else { return Ok(None) };
    let login = match &cosmos.login {
        CosmosLogin::EntraId => Login::EntraId,
        CosmosLogin::Key(in_file) => {
            let from_environment = std::env::var(COSMOS_KEY).ok().filter(|key| !key.trim().is_empty());
            let key = from_environment.or_else(|| in_file.clone()).ok_or_else(|| {
                Fault::job(format!(
                    "there is no key for Cosmos DB; set {COSMOS_KEY}, or DocumentDbProperties.AccountKey in the file, or AuthenticationMode 'Msi' to log in with Entra ID"
                ))
                .at(format!("{}: output '{}'", cosmos.file, output.name))
            })?;
            Login::key(key.trim())
        }
    };
    Ok(Some(CosmosSettings {
        output: output.name.clone(),
        file: cosmos.file.clone(),
        endpoint: cosmos.endpoint.clone(),
        login,
        database: cosmos.database.clone(),
        container: cosmos.container.clone(),
        partition_key: cosmos.partition_key.clone(),
        document_id: cosmos.document_id.clone(),
        policy: bind::policy(project),
    }))
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
