//! `tamis serve`: a module as the HTTP endpoint of an ML function, until Ctrl-C.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

use crate::fault::Fault;
use crate::serve::Token;
use crate::serve::score::{Endpoint, Envelope, RowForm, Settings};
use crate::udf::{Limits, Sandbox};

/// Arguments of `tamis serve`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The module; the built-in one when none is named.
    wasm: Option<PathBuf>,
    /// The address of the endpoint.
    #[arg(long, default_value = "127.0.0.1:5001", env = "TAMIS_LISTEN")]
    listen: SocketAddr,
    #[command(flatten)]
    guarding: super::listening::Guarding,
    /// What callers must show, as 'Authorization: Bearer KEY'; needed to listen on other addresses than this machine's own.
    #[arg(long, env = "TAMIS_KEY", hide_env_values = true)]
    key: Option<super::listening::Secret>,
    /// Shows /swagger.json also to those without the key.
    #[arg(long)]
    open_swagger: bool,
    /// The function of the module that is called: run for predictions, score for probabilities.
    #[arg(long, default_value = "run")]
    function: String,
    /// Fails a request that has a bad row, as the inference server does; otherwise the row's answer is null and the
    /// header x-tamis-reasons says why.
    #[arg(long)]
    strict: bool,
    /// Reads a text as a number where a number is expected, as pandas does in the inference server: for jobs whose fields
    /// come from CSV.
    #[arg(long)]
    text_numbers: bool,
    /// The form of request that /swagger.json describes; both are accepted.
    #[arg(long, value_enum, default_value_t = EnvelopeArg::Data)]
    envelope: EnvelopeArg,
    /// The form of row that /swagger.json describes; both are accepted.
    #[arg(long, value_enum, default_value_t = RowsArg::Records)]
    rows: RowsArg,
    /// The largest body, in bytes. Stream Analytics sends up to 4 MB.
    #[arg(long, default_value_t = 8 << 20, value_name = "BYTES")]
    max_body: usize,
    /// The time of one request, in seconds. Stream Analytics waits for 100.
    #[arg(long, default_value_t = 100.0, value_name = "SECONDS", value_parser = seconds)]
    time_limit: f64,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum EnvelopeArg {
    /// {"data": [rows]} gives [values]
    Data,
    /// {"Inputs": {"WebServiceInput0": [rows]}} gives {"Results": [values]}
    Inputs,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum RowsArg {
    /// Objects: columns by name.
    Records,
    /// Arrays: columns by place.
    Arrays,
}

pub(super) fn seconds(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(seconds) if (0.001..=86_400.0).contains(&seconds) => Ok(seconds),
        _ => Err("seconds from 0.001 to 86400 are expected".to_owned()),
    }
}

pub(super) async fn run(args: Args) -> Result<(), Fault> {
    let time_limit = Duration::from_secs_f64(args.time_limit);
    let limits = Limits::default();
    let sandbox = Sandbox::new(Limits { deadline: limits.deadline.min(time_limit), ..limits })?;
    let function = super::inspect::load(&sandbox, args.wasm.as_deref())?;
    let settings = Settings {
        listening: args.guarding.listening(args.listen),
        key: super::listening::from_file(args.key, "TAMIS_KEY", Token::new)?,
        open_swagger: args.open_swagger,
        function: args.function,
        strict: args.strict,
        text_numbers: args.text_numbers,
        envelope: match args.envelope {
            EnvelopeArg::Data => Envelope::Data,
            EnvelopeArg::Inputs => Envelope::Inputs,
        },
        rows: match args.rows {
            RowsArg::Records => RowForm::Records,
            RowsArg::Arrays => RowForm::Arrays,
        },
        max_body: args.max_body,
        time_limit,
    };
    let (model, sha256) = (function.signature().model.clone(), function.sha256().to_owned());
    let called = settings.function.clone();
    let endpoint = Endpoint::open(function, settings).await?;
    tracing::info!(
        url = format!("{}score", endpoint.url()),
        function = called,
        model = model.name,
        version = model.version,
        sha256,
        "Endpoint answers. Ctrl-C stops it."
    );
    super::run::asked_to_stop().await;
    endpoint.close().await;
    Ok(())
}
