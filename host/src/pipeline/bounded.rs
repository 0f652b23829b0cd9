//! A query over finished inputs: files or rows at hand, read to their end, every window flushed. For `tamis query`,
//! `tamis test` and the conformance tests; a file replay never waits.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use crate::batch::{Batch, Column, Value};
use crate::fault::{Fault, Rejected};
use crate::job::{Folder, FunctionSettings};
use crate::query::{Catalog, Columns, Script, compile};
use crate::source::{Decoder, FileFormat, FileSource, Wanted};
use crate::time::{Clock, ManualClock, Timestamp};
use crate::udf::{Limits, Sandbox};
use crate::window::time::{OnViolation, Policies};

use super::engine::{Engine, EngineSettings, OnError, Results, TimeMode};
use super::explain::{self, ExplainedEvent};
use super::functions::{CallSettings, Calls};

/// The column of an input row that says when it arrived. The query does not see it.
const ARRIVAL: &str = "_arrival";
/// Events that are decoded together.
const RUN: usize = 8192;
/// How long an endpoint that fails is asked again. A job does it for ever; who runs a query wants to hear of it.
const PATIENCE: Duration = Duration::from_secs(20);

/// The rows of an input or of reference data.
#[derive(Debug, Clone)]
pub struct BoundedInput {
    /// Its name in the query.
    pub name: String,
    /// How it is written.
    pub format: FileFormat,
    /// Where it is.
    pub data: Data,
}

/// Where rows are.
#[derive(Debug, Clone)]
pub enum Data {
    /// JSON lines, a JSON array or CSV, at hand.
    Bytes(Arc<[u8]>),
    /// The same in a file.
    File(PathBuf),
    /// There are none on this machine.
    Nothing,
}

/// How rows are cut into batches. The results are the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cut {
    /// As they come.
    #[default]
    Whole,
    /// One row at a time.
    EachRow,
    /// One row at a time, and between two rows the state is saved and restored.
    Saved,
}

/// A query and what it runs over.
#[derive(Debug)]
pub struct Bounded<'a> {
    /// The script.
    pub script: Script<'a>,
    /// Its outputs; `None`: any.
    pub outputs: Option<Vec<String>>,
    /// Its stream inputs.
    pub inputs: Vec<BoundedInput>,
    /// Its reference inputs.
    pub references: Vec<BoundedInput>,
    /// Its functions; files are relative to `folder`.
    pub functions: Vec<FunctionSettings>,
    /// Where the functions' files are.
    pub folder: Folder,
    /// The policies that are asked for. `None`: rows are sorted, and none is late; with rows that carry `_arrival`, `policies` apply.
    pub ordering: Option<Policies>,
    /// The job's own policies.
    pub policies: Policies,
    /// What happens to a row that fails.
    pub on_error: OnError,
    /// Whether to tell what happened to each event's time.
    pub explain: bool,
    /// How rows are cut into batches.
    pub cut: Cut,
    /// The time of rows without a time, and of the clock.
    pub now: Timestamp,
    /// What functions may cost.
    pub limits: Limits,
}

/// What came of it besides the rows.
#[derive(Debug, Default)]
pub struct Summary {
    /// The outputs that the query names.
    pub outputs: Vec<String>,
    /// How many rows were read.
    pub rows: u64,
    /// Rows and events that went no further.
    pub rejected: Vec<Rejected>,
    /// How many events were early, late or out of order.
    pub adjusted: u64,
    /// What happened to each event's time.
    pub explained: Vec<ExplainedEvent>,
}

/// A job's defaults: 5 s late, not out of order, adjusted.
pub fn default_policies() -> Policies {
    Policies::new(5, 0, OnViolation::Adjust)
}

fn costs() -> CallSettings {
    CallSettings { retry_for: Some(PATIENCE), ..CallSettings::default() }
}

impl Bounded<'_> {
    /// Runs it. Each batch of an output is handed to `write` with the output's name.
    ///
    /// # Errors
    /// What is wrong with the query, its functions or its files, or a row that stops the job.
    pub fn run(&self, write: &mut dyn FnMut(&str, &Batch) -> Result<(), Fault>) -> Result<Summary, Fault> {
        let sandbox = Sandbox::new(self.limits.clone())?;
        let calls = Calls::load(&self.functions, &self.folder, &sandbox, &costs())?;
        let plan = self.plan(&calls)?;
        let clock = ManualClock::new(self.now);
        let mut summary = Summary { outputs: plan.outputs.clone(), ..Summary::default() };
        let mut inputs = Vec::new();
        for (place, input) in plan.inputs.iter().enumerate() {
            let found = self.inputs.iter().find(|known| known.name.eq_ignore_ascii_case(&input.name));
            let found = found.ok_or_else(|| Fault::job(format!("the query reads '{}', which has no rows here", input.name)))?;
            inputs.push(read(found, &input.columns, place, &clock, &mut summary)?);
        }
        let mut references = Vec::new();
        for (name, columns) in &plan.references {
            let found = self.references.iter().find(|known| known.name.eq_ignore_ascii_case(name));
            let found = found.ok_or_else(|| Fault::job(format!("the query reads the reference data '{name}', which has no rows here")))?;
            let rows = read(found, columns, 0, &clock, &mut Summary::default())?;
            references.push(rows.batch);
        }
        let arrives = inputs.iter().any(|input| input.arrives);
        let time = match (self.ordering, arrives) {
            (None, false) => TimeMode::Sorted,
            (ordering, _) => TimeMode::Arriving(ordering.unwrap_or(self.policies)),
        };
        let settings = EngineSettings {
            on_error: self.on_error,
            finished: inputs.iter().map(|input| !input.arrives).collect(),
            text: inputs.iter().map(|input| input.text).collect(),
            now: inputs.iter().filter_map(|input| input.batch.times.iter().min()).min().copied().unwrap_or(self.now),
            explain: self.explain,
            ..EngineSettings::new(time)
        };
        let names: Vec<String> = plan.inputs.iter().map(|input| input.name.clone()).collect();
        let feeds: Vec<usize> = plan.feeds.iter().map(|feed| feed.input).collect();
        let windows = explain::windows(&plan);
        let mut engine = Engine::new(plan, Box::new(calls.clone()), &references, settings.clone())?;
        let mut take = |results: Results, place: Option<usize>, summary: &mut Summary| -> Result<(), Fault> {
            summary.rejected.extend(results.rejected.into_iter().map(|rejected| match place {
                Some(place) if rejected.origin.is_some() => of_input(rejected, &names[place]),
                _ => rejected,
            }));
            summary.adjusted += results.adjusted;
            summary.explained.extend(results.explained.into_iter().map(|(feed, times)| {
                let time = times.time;
                let holding = |time| windows[feed].iter().map(move |(step, form)| explain::holding(step, form, time));
                let windows = time.into_iter().flat_map(holding).collect();
                ExplainedEvent { input: names[feeds[feed]].clone(), times, windows }
            }));
            let outputs = summary.outputs.clone();
            results.rows.iter().try_for_each(|rows| write(&outputs[rows.output], &rows.batch))
        };
        for (place, batch) in merged(inputs, self.cut) {
            let now = batch.times.iter().max().copied().unwrap_or(self.now);
            take(engine.push(place, 0, batch, now)?, Some(place), &mut summary)?;
            if self.cut == Cut::Saved {
                let saved = engine.save()?;
                engine = Engine::new(self.plan(&calls)?, Box::new(calls.clone()), &references, settings.clone())?;
                if !engine.restore(&saved)? {
                    return Err(Fault::internal("the state of a query does not fit the same query"));
                }
            }
        }
        take(engine.finish()?, None, &mut summary)?;
        Ok(summary)
    }

    /// Loads the functions and compiles the query, and runs nothing.
    ///
    /// # Errors
    /// What is wrong with the query or its functions.
    pub fn compiles(&self) -> Result<(), Fault> {
        let sandbox = Sandbox::new(self.limits.clone())?;
        let calls = Calls::load(&self.functions, &self.folder, &sandbox, &costs())?;
        self.plan(&calls).map(drop)
    }

    fn plan(&self, calls: &Calls) -> Result<crate::query::Plan, Fault> {
        let catalog = Catalog {
            inputs: Some(self.inputs.iter().map(|input| input.name.clone()).collect()),
            references: self.references.iter().map(|input| input.name.clone()).collect(),
            outputs: self.outputs.clone(),
            functions: calls.infos(),
            aggregates: calls.aggregates(),
        };
        Ok(compile(self.script, &catalog)?)
    }
}

/// All rows of an input.
struct AllRows {
    batch: Batch,
    /// Whether rows say when they arrived.
    arrives: bool,
    /// Whether all values are text.
    text: bool,
}

fn read(input: &BoundedInput, columns: &Columns, place: usize, clock: &Arc<ManualClock>, summary: &mut Summary) -> Result<AllRows, Fault> {
    let mut source = match &input.data {
        Data::Nothing => {
            let message =
                format!("the query reads '{}', which has no rows here: FilePath in Local_{}.json can name a file", input.name, input.name);
            return Err(Fault::job(message));
        }
        Data::File(path) => FileSource::open(path, input.format, clock.as_ref())?,
        Data::Bytes(bytes) => {
            let reader: Box<dyn Read + Send> = Box::new(std::io::Cursor::new(bytes.to_vec()));
            FileSource::read(input.name.clone(), reader, input.format, clock.as_ref())?
        }
    };
    let wanted = match columns {
        Columns::All => Wanted::All,
        Columns::Named(names) => Wanted::Columns(names.iter().cloned().chain([ARRIVAL.to_owned()]).collect()),
    };
    let clock: Arc<dyn Clock> = Arc::clone(clock) as _;
    let mut decoder = Decoder::new(wanted, source.format().clone(), place).with_clock(clock);
    let mut batches = Vec::new();
    while let Some(run) = source.next(RUN)? {
        let decoded = decoder.decode(&run);
        summary.rows += decoded.rejected.len() as u64;
        summary.rejected.extend(decoded.rejected.into_iter().map(|rejected| of_input(rejected, &input.name)));
        batches.push(decoded.batch);
    }
    let mut batch = Batch::union(&batches)
        .unwrap_or_else(|| decoder.decode(&crate::source::Run { partition: 0, first_offset: 0, events: Vec::new() }).batch);
    summary.rows += batch.rows() as u64;
    let arrival = batch.position(ARRIVAL).map(|position| {
        let column = batch.columns.remove(position);
        batch.names = batch.names.iter().enumerate().filter(|(index, _)| *index != position).map(|(_, name)| Arc::clone(name)).collect();
        column
    });
    let moments = arrival.map(|column| (0..column.len()).map(|row| moment(&column, row)).collect::<Vec<_>>()).unwrap_or_default();
    let arrives = moments.iter().any(Option::is_some);
    if arrives {
        let mut last = Timestamp::MIN;
        let times = moments.into_iter().map(|moment| {
            last = moment.unwrap_or(last);
            last
        });
        batch.times = times.collect();
    }
    Ok(AllRows { batch, arrives, text: matches!(input.format, FileFormat::Csv { .. }) })
}

/// Rows of several inputs have the same numbers: the step says which it is.
fn of_input(rejected: Rejected, input: &str) -> Rejected {
    Rejected { step: format!("{}, input {input}", rejected.step), ..rejected }
}

fn moment(column: &Column, row: usize) -> Option<Timestamp> {
    match column.value(row) {
        Value::DateTime(moment) => Some(moment),
        Value::Text(text) => Timestamp::parse(&text),
        _ => None,
    }
}

/// The rows of all inputs in the order of their arrival, in batches of one input.
fn merged(inputs: Vec<AllRows>, cut: Cut) -> Vec<(usize, Batch)> {
    let whole = cut == Cut::Whole;
    if whole && (inputs.len() == 1 || !inputs.iter().any(|input| input.arrives)) {
        return inputs.into_iter().map(|input| input.batch).enumerate().collect();
    }
    let mut order: Vec<(Timestamp, usize, usize)> = Vec::new();
    for (place, input) in inputs.iter().enumerate() {
        // Rows are listed in the order of their arrival, whatever they say.
        let mut last = Timestamp::MIN;
        order.extend(input.batch.times.iter().enumerate().map(|(row, time)| {
            last = last.max(*time);
            (last, place, row)
        }));
    }
    order.sort();
    let mut batches = Vec::new();
    let mut start = 0;
    while start < order.len() {
        let (_, place, row) = order[start];
        let length = if whole { order[start..].iter().take_while(|(_, other, _)| *other == place).count() } else { 1 };
        batches.push((place, inputs[place].batch.slice(row, length)));
        start += length;
    }
    batches
}
