//! From a project to a running job. Everything that can be wrong with a job is found here, before the first event.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc;
use std::thread;

use tokio::sync::{oneshot, watch};

use crate::fault::Fault;
use crate::job::{EventsPolicy, InputFormat, InputSettings, InputSource, Project};
use crate::query::{Catalog, Columns, InputPlan, Plan, Script, compile};
use crate::sink::feed::{Feed, JobState, RateMeter, Rates};
use crate::source::{Decoder, FileFormat, FileSource, Format, Header, HubSettings, Log, LogSettings, Wanted};
use crate::store::{Checkpoint, INPUTS_STATE, Store};
use crate::time::{Clock, SystemClock, Timestamp};
use crate::udf::{Function, Limits, Sandbox};

use super::commit::{Commit, ENGINE_STATE, PAGE_STATE, model_state};
use super::compute::{Compute, Unit};
use super::delivery::{self, Delivery};
use super::engine::{Engine, EngineSettings, OnError, TimeMode};
use super::functions::{CallSettings, Calls};
use super::kafka::{self, Decoding, Topic};
use super::reader::{Place, Reader};
use super::versions::{Check, Versions};
use super::{Job, Status, health, measure, outputs, references};

/// The state's key for what each input is read from.
const SOURCES_STATE: &str = "sources";
/// What it says of inputs that are on this machine.
const LOCAL: &str = "local log or file";

/// Units that may wait between the two halves.
const QUEUE: usize = 4;

/// How a job is run.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where its log and store are.
    pub data_dir: PathBuf,
    /// What its functions may cost.
    pub limits: Limits,
    /// What time it is.
    pub clock: Arc<dyn Clock>,
    /// What happens to a row that stops a job in Stream Analytics.
    pub on_error: OnError,
    /// Bytes that may wait in the store for outputs that are behind; beyond it reading waits, too.
    pub outbox_bytes: u64,
}

/// The usual room for outputs that are behind.
const OUTBOX: u64 = 1 << 30;

impl Settings {
    /// The usual ones.
    pub fn new(data_dir: impl Into<PathBuf>) -> Self {
        Self {
            data_dir: data_dir.into(),
            limits: Limits::default(),
            clock: Arc::new(SystemClock),
            on_error: OnError::default(),
            outbox_bytes: OUTBOX,
        }
    }
}

impl Job {
    /// Starts a job; must be called within the async runtime.
    ///
    /// # Errors
    /// What is wrong with the project (with file, line and column), its functions, its outputs or its data.
    pub fn start(project: Project, settings: Settings) -> Result<Self, Fault> {
        measure::describe();
        let sandbox = Sandbox::new(settings.limits.clone())?;
        let stop = Arc::new(AtomicBool::new(false));
        let costs = CallSettings { stop: Arc::clone(&stop), ..CallSettings::default() };
        let calls = Calls::load(&project.functions, &project.folder, &sandbox, &costs)?;
        // The project by itself must be right, whatever version is used in the end.
        plan(&project, &catalog(&project, &calls))?;
        let page = outputs::page(&project)?;

        let mut store = Store::open(&settings.data_dir)?;
        let versions = versions(&project, &calls, &sandbox, &settings)?;
        let plan = plan(&project, &catalog(&project, &calls))?;
        let (shown, modules) = (calls.first(&project).cloned(), calls.modules());
        let called = (0..plan.steps.len()).map(|step| plan.functions(step)).collect();
        let checkpoint = store.checkpoint()?.unwrap_or_else(|| Checkpoint { partitions: Vec::new(), watermark: Timestamp::MIN });
        same_sources(&project, &plan, &mut store, &checkpoint)?;
        let log = open_log(&settings.data_dir, &hubs(&project)?, &settings.clock, &checkpoint, &|input: &str| match &project
            .input(input)?
            .source
        {
            InputSource::Log { hub, .. } => Some(hub.clone()),
            _ => None,
        })?;
        let readers = readers(&project, &plan, &log, &checkpoint, &settings)?;
        let (reached, told) = watch::channel(kafka::progress(&checkpoint));
        let (topics, pumps): (Vec<Topic>, Vec<_>) = topics(&project, &plan, &checkpoint, &settings, &told)?.into_iter().unzip();
        let mut arrivals = arrivals(&project, &plan, &log);
        arrivals.extend(topics.iter().map(Topic::arrivals));
        let mut tables = references::tables(&project, &plan)?;
        let references = tables.iter_mut().map(|table| table.read(&settings.clock)).collect::<Result<Vec<_>, _>>()?;
        let running = engine_settings(&project, &plan, &readers, &settings);
        let mut engine = Engine::new(plan, Box::new(calls), &references, running)?;
        if let Some(saved) = store.state(ENGINE_STATE)?
            && !engine.restore(&saved)?
        {
            tracing::warn!("The query or its partitions have changed since the last start: open windows and joins begin anew.");
        }
        note_inputs(&project, &mut store)?;
        let outputs = outputs::open(&project, engine.plan(), &settings.data_dir, &store)?;
        let feed = match store.state(PAGE_STATE)? {
            Some(saved) => Feed::restore(page, &saved)?,
            None => Feed::new(page)?,
        };

        let (status, status_seen) = watch::channel(Status::Running);
        let status_seen = health::merged(status_seen, topics.iter().map(Topic::trouble).collect());
        let champion = shown.as_ref().map(|bound| bound.live.pair().champion);
        let (shown_sender, shown_seen) = watch::channel(champion.clone());
        let (page, rows) = (feed.state(), feed.rows());
        let compute = Compute {
            engine,
            readers,
            topics,
            tables,
            looked: std::time::Instant::now(),
            clock: Arc::clone(&settings.clock),
            arrivals,
            save_at: std::time::Instant::now(),
            watermark: checkpoint.watermark,
            modules,
            called,
            versions,
            first: shown.as_ref().map(|bound| Arc::clone(&bound.live.functions)),
        };
        let job = JobState {
            name: project.name.clone(),
            started: settings.clock.now().to_string(),
            documents: store.documents()?,
            dead_letters: store.dead_letters()?,
        };
        let (outputs, sinks) = outputs::split(outputs);
        let limits = delivery::Limits { grace: delivery::GRACE, outbox: settings.outbox_bytes };
        let delivery = Delivery::start(sinks, &mut store, limits, &settings.clock)?;
        let commit = Commit {
            store,
            outputs,
            delivery,
            ahead: None,
            feed,
            clock: Arc::clone(&settings.clock),
            job,
            model: shown.as_ref().zip(champion.as_ref()).map(|(bound, module)| model_state(module, &bound.name)),
            shown: shown_sender,
            rate: RateMeter::default(),
            rates: Rates::default(),
            watermark: checkpoint.watermark,
            status: status.clone(),
            stop: Arc::clone(&stop),
            reached,
        };
        let done = run(compute, commit, pumps, &stop, status)?;
        Ok(Self {
            name: project.name,
            data_dir: settings.data_dir,
            log,
            shown: shown_seen,
            page,
            rows,
            status: status_seen,
            notes: project.notes,
            stop,
            done: Some(done),
        })
    }
}

/// Opens the log in a data directory; `hub` answers which hub an input reads.
pub(super) fn open_log(
    data_dir: &Path,
    hubs: &[HubSettings],
    clock: &Arc<dyn Clock>,
    checkpoint: &Checkpoint,
    hub: &dyn Fn(&str) -> Option<String>,
) -> Result<Log, Fault> {
    let floor = |name: &str, partition: u32| {
        let read = checkpoint.partitions.iter().filter(|read| read.partition == partition);
        let read = read.filter(|read| hub(&read.input).is_some_and(|hub| hub.eq_ignore_ascii_case(name)));
        read.map(|read| read.committed).max().unwrap_or(0)
    };
    Ok(Log::open_behind(&data_dir.join("log"), hubs, Arc::clone(clock), LogSettings::default(), &floor)?)
}

/// Notes what each input reads, for those who send a dead letter again.
fn note_inputs(project: &Project, store: &mut Store) -> Result<(), Fault> {
    let of = |input: &InputSettings| match &input.source {
        InputSource::Log { hub, .. } => serde_json::Value::from(hub.as_str()),
        _ => serde_json::Value::Null,
    };
    let inputs: serde_json::Map<_, _> = project.inputs.iter().map(|input| (input.name.clone(), of(input))).collect();
    let mut unit = store.begin()?;
    unit.set_state(INPUTS_STATE, serde_json::Value::from(inputs).to_string().as_bytes())?;
    Ok(unit.commit()?)
}

/// How the project's settings and inputs let the query run.
fn engine_settings(project: &Project, plan: &Plan, readers: &[Reader], settings: &Settings) -> EngineSettings {
    let config = &project.config;
    let time = TimeMode::arriving(
        config.events_late_arrival_max_delay_in_seconds,
        config.events_out_of_order_max_delay_in_seconds,
        config.events_out_of_order_policy == EventsPolicy::Drop,
    );
    let inputs = plan.inputs.len();
    let of = |input: usize| readers.iter().filter(move |reader| reader.input == input);
    let format = |input: usize| project.input(&plan.inputs[input].name).map(|input| input.format);
    EngineSettings {
        on_error: settings.on_error,
        // A topic's partitions are not known yet: it begins with one, and the engine grows with it.
        partitions: (0..inputs).map(|input| of(input).count().max(1)).collect(),
        finished: (0..inputs).map(|input| of(input).any(|reader| matches!(reader.place, Place::File { .. }))).collect(),
        text: (0..inputs).map(|input| matches!(format(input), Some(InputFormat::Csv { .. }))).collect(),
        now: settings.clock.now(),
        ..EngineSettings::new(time)
    }
}

/// Takes over what the registry says of each module, and starts to look for new wishes.
fn versions(project: &Project, calls: &Calls, sandbox: &Sandbox, settings: &Settings) -> Result<Versions, Fault> {
    let modules = calls.modules();
    let own: Vec<(String, Function)> =
        modules.all().into_iter().map(|(functions, live)| (functions.to_string(), live.pair().champion)).collect();
    let (of_project, of_calls) = (project.clone(), calls.clone());
    let check: Check = Box::new(move |functions, module| {
        let functions = of_calls.infos_with(functions, module)?;
        let catalog = Catalog { functions, ..catalog(&of_project, &of_calls) };
        plan(&of_project, &catalog).map(drop).map_err(|fault| fault.to_string())
    });
    for takeover in Versions::first(&settings.data_dir, &own, sandbox, &check, settings.clock.as_ref())? {
        modules.take_over(&takeover);
    }
    let functions = own.into_iter().map(|(functions, _)| functions).collect();
    Versions::watch(&settings.data_dir, functions, sandbox.clone(), check, Arc::clone(&settings.clock))
}

/// The names that the project's script may use. A project without outputs may write to any.
pub(super) fn catalog(project: &Project, calls: &Calls) -> Catalog {
    let named = |reference: bool| project.inputs.iter().filter(move |input| input.reference == reference).map(|input| input.name.clone());
    let outputs: Vec<String> = project.outputs.iter().map(|output| output.name.clone()).collect();
    Catalog {
        inputs: Some(named(false).collect()),
        references: named(true).collect(),
        outputs: Some(outputs).filter(|outputs| !outputs.is_empty()),
        functions: calls.infos(),
        aggregates: calls.aggregates(),
    }
}

/// Compiles the project's script against its inputs, outputs and functions.
fn plan(project: &Project, catalog: &Catalog) -> Result<Plan, Fault> {
    Ok(compile(Script { file: &project.script.file, text: &project.script.text }, catalog)?)
}

/// Starts the two threads and a third that waits for both.
fn run(
    compute: Compute,
    commit: Commit,
    pumps: Vec<thread::JoinHandle<()>>,
    stop: &Arc<AtomicBool>,
    status: watch::Sender<Status>,
) -> Result<oneshot::Receiver<Result<(), Fault>>, Fault> {
    let (units, waiting) = mpsc::sync_channel::<Unit>(QUEUE);
    let (done, ended) = oneshot::channel();
    let runtime = tokio::runtime::Handle::current();
    let cannot = |error: std::io::Error| Fault::internal(format!("a thread cannot be started: {error}"));
    let stop = Arc::clone(stop);
    let reading = thread::Builder::new().name("compute".to_owned()).spawn(move || compute.run(&units, &stop, &runtime)).map_err(cannot)?;
    let writing = thread::Builder::new().name("commit".to_owned()).spawn(move || commit.run(&waiting)).map_err(cannot)?;
    let wait = move || {
        // When one half ends, the queue closes and the other ends, too.
        let written = joined(writing);
        let result = joined(reading).and(written);
        for pump in pumps {
            if pump.join().is_err() {
                tracing::error!("A thread that reads Kafka ended in a panic; please report it.");
            }
        }
        status.send_replace(match &result {
            Ok(()) => Status::Ended,
            Err(fault) => Status::Failed(fault.to_string()),
        });
        let _nobody_waits = done.send(result);
    };
    thread::Builder::new().name("job".to_owned()).spawn(wait).map_err(cannot)?;
    Ok(ended)
}

fn joined(half: thread::JoinHandle<Result<(), Fault>>) -> Result<(), Fault> {
    half.join().unwrap_or_else(|panic| {
        let what = panic.downcast_ref::<&str>().map(|text| (*text).to_owned()).or_else(|| panic.downcast_ref::<String>().cloned());
        Err(Fault::internal(format!("a thread of the job panicked: {}; please report it", what.unwrap_or_default())))
    })
}

/// The hubs of all inputs; two inputs may read the same one.
fn hubs(project: &Project) -> Result<Vec<HubSettings>, Fault> {
    let mut hubs: Vec<HubSettings> = Vec::new();
    for input in &project.inputs {
        let InputSource::Log { hub, partitions } = &kafka::source_of(input) else { continue };
        match hubs.iter().find(|known| known.name.eq_ignore_ascii_case(hub)) {
            Some(known) if known.partitions != *partitions => {
                let message = format!(
                    "input '{}' wants hub '{hub}' with {partitions} partitions, another input with {}",
                    input.name, known.partitions
                );
                return Err(Fault::job(message));
            }
            Some(_) => {}
            None => hubs.push(HubSettings { name: hub.clone(), partitions: *partitions }),
        }
    }
    Ok(hubs)
}

fn readers(project: &Project, plan: &Plan, log: &Log, checkpoint: &Checkpoint, settings: &Settings) -> Result<Vec<Reader>, Fault> {
    let mut readers = Vec::new();
    for (index, input) in plan.inputs.iter().enumerate() {
        let from = input_settings(project, input)?;
        let mut add = |partition, place, format| {
            let known = checkpoint.partition(&from.name, partition);
            let committed = known.map_or(0, |known| known.committed);
            let next = known.map_or(0, |known| known.replay_from);
            let decoder = Decoder::new(wanted(&input.columns), format, index);
            let decoder = decoder.with_clock(Arc::clone(&settings.clock)).with_beside(&input.beside);
            readers.push(Reader { input: index, name: from.name.clone(), partition, place, decoder, next, committed });
        };
        match &kafka::source_of(from) {
            InputSource::Log { hub, .. } => {
                let partitions = log.hub(hub)?.partitions();
                for partition in 0..partitions {
                    add(partition, Place::Log { log: log.clone(), hub: hub.clone() }, log_format(from.format));
                }
            }
            InputSource::File { path } => {
                let path = project.folder.path(path).ok_or_else(|| Fault::job(format!("input '{}' has no file here", from.name)))?;
                let source = FileSource::open(&path, file_format(from.format), settings.clock.as_ref())?;
                let format = source.format().clone();
                add(0, Place::File { source: Box::new(source), finished: false }, format);
            }
            InputSource::Kafka(_) => {}
            InputSource::Nothing => return Err(Fault::job(format!("input '{}' has no rows here", from.name))),
        }
    }
    Ok(readers)
}

fn arrivals(project: &Project, plan: &Plan, log: &Log) -> Vec<watch::Receiver<u64>> {
    let mut hubs: Vec<String> = Vec::new();
    for input in &plan.inputs {
        if let Some(InputSource::Log { hub, .. }) = project.input(&input.name).map(kafka::source_of)
            && !hubs.contains(&hub)
        {
            hubs.push(hub);
        }
    }
    hubs.into_iter().map(|hub| log.subscribe(&hub)).collect()
}

/// The inputs that are topics, each with its thread.
fn topics(
    project: &Project,
    plan: &Plan,
    checkpoint: &Checkpoint,
    settings: &Settings,
    told: &kafka::Told,
) -> Result<Vec<(Topic, thread::JoinHandle<()>)>, Fault> {
    let mut topics = Vec::new();
    for (index, input) in plan.inputs.iter().enumerate() {
        let from = input_settings(project, input)?;
        if let InputSource::Kafka(topic) = kafka::source_of(from) {
            let clock = Arc::clone(&settings.clock);
            let (wanted, beside) = (wanted(&input.columns), input.beside.clone());
            let decoding = Decoding { input: index, wanted, beside, format: log_format(from.format), clock };
            topics.push(Topic::open(from, &topic, checkpoint, decoding, told.clone())?);
        }
    }
    Ok(topics)
}

/// A checkpoint counts the events of one source: with another one its offsets would mean other events.
fn same_sources(project: &Project, plan: &Plan, store: &mut Store, checkpoint: &Checkpoint) -> Result<(), Fault> {
    let saved = store.state(SOURCES_STATE)?.unwrap_or_default();
    let mut known: std::collections::BTreeMap<String, String> = serde_json::from_slice(&saved).unwrap_or_default();
    for input in &plan.inputs {
        let from = input_settings(project, input)?;
        let now = match kafka::source_of(from) {
            InputSource::Kafka(topic) => format!("topic {}", kafka::topic_of(from, &topic)?),
            _ => LOCAL.to_owned(),
        };
        let began = checkpoint.partitions.iter().any(|known| known.input == from.name);
        let before = known.insert(from.name.clone(), now.clone()).unwrap_or_else(|| LOCAL.to_owned());
        if began && before != now {
            let message = format!("this data directory has read it from the {before}, now it is the {now}; start with another --data-dir");
            return Err(Fault::job(message).at(format!("input '{}'", from.name)));
        }
    }
    let mut unit = store.begin()?;
    unit.set_state(SOURCES_STATE, &serde_json::to_vec(&known).unwrap_or_default())?;
    Ok(unit.commit()?)
}

fn input_settings<'a>(project: &'a Project, input: &InputPlan) -> Result<&'a InputSettings, Fault> {
    project.input(&input.name).ok_or_else(|| Fault::internal(format!("input '{}' has no settings", input.name)))
}

pub(super) fn wanted(columns: &Columns) -> Wanted {
    match columns {
        Columns::Named(names) => Wanted::Columns(names.clone()),
        Columns::All => Wanted::All,
    }
}

fn log_format(format: InputFormat) -> Format {
    match format {
        InputFormat::Json => Format::Json,
        InputFormat::Csv { delimiter } => Format::Csv { header: Header::First, delimiter },
    }
}

pub(super) fn file_format(format: InputFormat) -> FileFormat {
    match format {
        InputFormat::Json => FileFormat::Json,
        InputFormat::Csv { delimiter } => FileFormat::Csv { delimiter },
    }
}
