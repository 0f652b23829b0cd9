//! `tamis models`: the versions of a job's functions: which decides, which is watched, and how to go back.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use comfy_table::{Table, presets};

use crate::fault::Fault;
use crate::models::{Module, Registry, Version};
use crate::store;
use crate::time::{Clock, SystemClock};
use crate::udf::{Limits, Sandbox};

/// How long a running job may take to take a wish over.
const PATIENCE: Duration = Duration::from_secs(15);
const LOOK: Duration = Duration::from_millis(50);

/// Arguments of `tamis models`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the host keeps its data.
    #[arg(long, global = true, default_value = super::run::DATA_DIR, env = "TAMIS_DATA_DIR")]
    data_dir: PathBuf,
    /// The function, when the job has several.
    #[arg(long, global = true)]
    function: Option<String>,
    #[command(subcommand)]
    action: Option<Action>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Lists the versions with their hashes and what they do (the default).
    List {
        /// One JSON object a line, with the signature and the model's card.
        #[arg(long)]
        json: bool,
    },
    /// Adds a module as a version; it does nothing until it is made champion or challenger.
    Add {
        /// The module.
        wasm: PathBuf,
        /// Make it the challenger at once.
        #[arg(long, conflicts_with = "promote")]
        challenge: bool,
        /// Make it the champion at once.
        #[arg(long)]
        promote: bool,
    },
    /// Makes a version the champion: its answers are the query's. A challenger goes on unless it is this one.
    Promote {
        /// The start of its hash, its version, or NAME@VERSION.
        version: String,
    },
    /// Makes a version the challenger: it is asked the same, and its answers are stored beside the champion's.
    Challenge {
        /// The start of its hash, its version, or NAME@VERSION.
        version: String,
    },
    /// Ends the challenge.
    Unchallenge,
    /// Makes the champion before the present one the champion again.
    Rollback,
}

pub(super) fn run(args: &Args) -> Result<(), Fault> {
    let registry = Registry::existing(&args.data_dir)?;
    let of = args.function.as_deref();
    match args.action.as_ref().unwrap_or(&Action::List { json: false }) {
        Action::List { json } => list(&registry, *json),
        Action::Add { wasm, challenge, promote } => {
            let sandbox = Sandbox::new(Limits::default())?;
            let module = super::inspect::load(&sandbox, Some(wasm))?;
            let function = registry.function(of)?;
            let (model, signature) = (&module.signature().model, module.signature().to_json());
            let given = Module {
                sha256: module.sha256(),
                name: &model.name,
                version: &model.version,
                signature: &signature,
                bytes: module.bytes(),
            };
            registry.add(&function, given, SystemClock.now())?;
            println!("added {}@{} {} to udf.{function}", model.name, model.version, module.sha256());
            match (challenge, promote) {
                (true, _) => challenge_with(args, &registry, &registry.find(module.sha256(), Some(&function))?),
                (_, true) => promote_to(args, &registry, &registry.find(module.sha256(), Some(&function))?),
                (false, false) => Ok(()),
            }
        }
        Action::Promote { version } => promote_to(args, &registry, &registry.find(version, of)?),
        Action::Challenge { version } => challenge_with(args, &registry, &registry.find(version, of)?),
        Action::Unchallenge => {
            let function = registry.function(of)?;
            let champion = champion(&registry, &function)?;
            let wish = registry.wish(&function, &champion, None, SystemClock.now())?;
            settle(args, &registry, wish)
        }
        Action::Rollback => {
            let wish = registry.wish_back(&registry.function(of)?, SystemClock.now())?;
            settle(args, &registry, wish)
        }
    }
}

fn champion(registry: &Registry, function: &str) -> Result<String, Fault> {
    let current = registry.current(function)?;
    current.map(|change| change.champion).ok_or_else(|| Fault::job(format!("udf.{function} has no champion yet; start the job once")))
}

fn promote_to(args: &Args, registry: &Registry, version: &Version) -> Result<(), Fault> {
    let challenger = registry.current(&version.function)?.and_then(|change| change.challenger);
    let challenger = challenger.filter(|challenger| *challenger != version.sha256);
    let wish = registry.wish(&version.function, &version.sha256, challenger.as_deref(), SystemClock.now())?;
    settle(args, registry, wish)
}

fn challenge_with(args: &Args, registry: &Registry, version: &Version) -> Result<(), Fault> {
    let champion = champion(registry, &version.function)?;
    let wish = registry.wish(&version.function, &champion, Some(&version.sha256), SystemClock.now())?;
    settle(args, registry, wish)
}

/// Waits until the running job took the wish over, and says what came of it.
fn settle(args: &Args, registry: &Registry, wish: i64) -> Result<(), Fault> {
    let started = Instant::now();
    loop {
        let Some(change) = registry.change(wish)? else { return Err(Fault::internal("the wish is gone")) };
        if let Some(reason) = change.refused {
            return Err(Fault::job(format!("the job did not take it over: {reason}")));
        }
        let function = &change.function;
        if let Some(taken) = change.taken {
            println!("udf.{function}: taken over at {taken}");
            return list(registry, false);
        }
        if !store::in_use(&args.data_dir) {
            println!("udf.{function}: no job runs here; it holds from the next start on");
            return list(registry, false);
        }
        if started.elapsed() > PATIENCE {
            return Err(Fault::outside(format!(
                "the job did not take it over within {PATIENCE:?}; it will when it reaches its next batch"
            ))
            .never());
        }
        std::thread::sleep(LOOK);
    }
}

fn list(registry: &Registry, json: bool) -> Result<(), Fault> {
    let versions = registry.versions()?;
    if json {
        for version in versions {
            let signature: serde_json::Value = serde_json::from_str(&version.signature).unwrap_or_default();
            println!(
                "{}",
                serde_json::json!({
                    "function": version.function, "role": version.role.name(), "name": version.name, "version": version.version,
                    "sha256": version.sha256, "bytes": version.bytes, "added": version.added.to_string(), "signature": signature,
                })
            );
        }
        return Ok(());
    }
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_header(["function", "role", "model", "version", "sha256", "bytes", "added"]);
    for version in versions {
        table.add_row([
            format!("udf.{}", version.function.replace(',', ", udf.")),
            version.role.name().to_owned(),
            version.name,
            version.version,
            version.sha256.chars().take(12).collect(),
            version.bytes.to_string(),
            version.added.to_string().chars().take(19).collect(),
        ]);
    }
    println!("{table}");
    Ok(())
}
