//! `tamis dead-letters`: what was rejected and why, and how to send it again after a fix; also while the host runs.

use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};

use comfy_table::{ContentArrangement, Table, presets};
use reqwest::Url;

use crate::fault::Fault;
use crate::pipeline::replay::{Door, Replay, Replayed};
use crate::store::{DeadLetter, Letters, Only};
use crate::time::{Clock, SystemClock, Timestamp};

use super::listening::{Secret, access_keys};

/// Arguments of `tamis dead-letters`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where the host keeps its data.
    #[arg(long, global = true, default_value = super::run::DATA_DIR, env = "TAMIS_DATA_DIR")]
    data_dir: PathBuf,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Lists them, oldest first: a table on a terminal, JSON lines elsewhere.
    List {
        #[command(flatten)]
        which: Which,
        /// Also those that were sent again.
        #[arg(long)]
        replayed: bool,
        /// JSON lines also on a terminal.
        #[arg(long)]
        json: bool,
    },
    /// Shows one with everything that is known of it.
    Show {
        /// Its number in the list.
        id: i64,
        /// Only the original bytes, as they are.
        #[arg(long)]
        body: bool,
    },
    /// Sends the original events again: through the running job's door, or into its log while none runs.
    Replay(ReplayArgs),
}

/// Which dead letters.
#[derive(Debug, clap::Args)]
struct Which {
    /// Of this input.
    #[arg(long)]
    input: Option<String>,
    /// Rejected by this step: decode, udf.prediction, 'output NAME'.
    #[arg(long)]
    step: Option<String>,
    /// Recorded since: a time (2026-11-24T10:00:00Z), or so long ago (90s, 10m, 2h, 3d).
    #[arg(long, value_parser = since)]
    since: Option<Timestamp>,
    /// The last so many.
    #[arg(long)]
    limit: Option<usize>,
}

#[derive(Debug, clap::Args)]
struct ReplayArgs {
    /// Their numbers in the list; without any, the filters choose.
    ids: Vec<i64>,
    #[command(flatten)]
    which: Which,
    /// All that were not sent again.
    #[arg(long)]
    all: bool,
    /// The address of the running job.
    #[arg(long, value_name = "URL")]
    to: Option<Url>,
    /// A key of the door, as NAME=KEY, when it has some.
    #[arg(long, env = "TAMIS_ACCESS_KEYS", hide_env_values = true, value_delimiter = ',')]
    access_keys: Vec<Secret>,
    /// The door's certificate (PEM), when it is one that no authority vouches for.
    #[arg(long, env = "TAMIS_TLS_CERT", value_name = "FILE")]
    tls_cert: Option<PathBuf>,
}

impl Which {
    fn only(&self, replayed: bool) -> Only {
        Only { input: self.input.clone(), step: self.step.clone(), since: self.since, replayed, limit: self.limit }
    }

    fn is_empty(&self) -> bool {
        self.input.is_none() && self.step.is_none() && self.since.is_none() && self.limit.is_none()
    }
}

fn since(text: &str) -> Result<Timestamp, String> {
    if let Some(time) = Timestamp::parse(text) {
        return Ok(time);
    }
    let (number, unit) = text.split_at(text.len() - text.chars().next_back().map_or(0, char::len_utf8));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => 0,
    };
    match number.parse::<i64>() {
        Ok(number) if seconds > 0 && number >= 0 => {
            Ok(Timestamp(SystemClock.now().0.saturating_sub(number.saturating_mul(seconds * crate::time::TICKS_PER_SECOND))))
        }
        _ => Err("a time such as 2026-11-24T10:00:00Z, or 90s, 10m, 2h, 3d is expected".to_owned()),
    }
}

pub(super) async fn run(args: Args) -> Result<(), Fault> {
    let Args { data_dir, action } = args;
    match action {
        Action::List { which, replayed, json } => {
            let letters = Letters::open(&data_dir)?;
            let listed = letters.list(&which.only(replayed))?;
            if json || !io::stdout().is_terminal() {
                return lines(&listed);
            }
            println!("{}", table(&listed));
            let (all, replayed) = letters.counts()?;
            println!("{} shown; {} open, {replayed} sent again", listed.len(), all.saturating_sub(replayed));
            Ok(())
        }
        Action::Show { id, body } => show(&Letters::open(&data_dir)?, id, body),
        Action::Replay(args) => replay(&data_dir, args).await,
    }
}

fn lines(letters: &[(i64, DeadLetter)]) -> Result<(), Fault> {
    let mut out = BufWriter::new(io::stdout().lock());
    let written = letters.iter().try_for_each(|(id, letter)| writeln!(out, "{}", letter.json(*id)));
    let written = match written {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Fault::outside(format!("standard output cannot be written: {error}")).never())
        }
        _ => Ok(()),
    };
    super::documents::finish(written, &mut out)
}

fn table(letters: &[(i64, DeadLetter)]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic);
    table.set_header(["id", "recorded", "input", "place", "step", "reason", "body"]);
    for (id, letter) in letters {
        let place = letter.origin.map_or_else(String::new, |origin| format!("{}/{}", origin.partition, origin.offset));
        table.add_row([
            id.to_string(),
            letter.recorded.to_string().chars().take(19).collect(),
            plain(&letter.input, 40),
            place,
            plain(&letter.step, 40),
            plain(&letter.reason, 200),
            plain(&String::from_utf8_lossy(&letter.body), 80),
        ]);
    }
    table
}

/// A text of others, for a terminal: on one line, without what a terminal would obey, and not too long.
fn plain(text: &str, most: usize) -> String {
    let mut plain: String = text.chars().take(most).map(|letter| if letter.is_control() { '\u{b7}' } else { letter }).collect();
    if text.chars().nth(most).is_some() {
        plain.push('…');
    }
    plain
}

fn show(letters: &Letters, id: i64, body: bool) -> Result<(), Fault> {
    let letter = letters.get(id)?.ok_or_else(|| Fault::job(format!("there is no dead letter {id}")))?;
    if body {
        let mut out = io::stdout().lock();
        let written = out.write_all(&letter.body).map_err(|error| Fault::outside(format!("standard output cannot be written: {error}")));
        return super::documents::finish(written, &mut out);
    }
    if !io::stdout().is_terminal() {
        return lines(&[(id, letter)]);
    }
    let serde_json::Value::Object(fields) = letter.json(id) else { return Ok(()) };
    for (name, value) in fields.iter().filter(|(_, value)| !value.is_null()) {
        let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        println!("{name:<12}{}", plain(&text, usize::MAX));
    }
    Ok(())
}

async fn replay(data_dir: &Path, args: ReplayArgs) -> Result<(), Fault> {
    if args.ids.is_empty() && args.which.is_empty() && !args.all {
        return Err(Fault::job("which ones? Name their numbers, or choose by --input, --step, --since or --limit, or take --all"));
    }
    let address = match args.to {
        Some(address) => address,
        None => super::run::address(data_dir),
    };
    let certificate = args.tls_cert.as_deref().map(std::fs::read).transpose();
    let certificate = certificate.map_err(|error| Fault::job(format!("the certificate cannot be read: {error}")).at("--tls-cert"))?;
    let door = Door { address, key: access_keys(&args.access_keys)?.into_iter().next(), certificate };
    let mut replay = Replay::open(data_dir, door)?;
    let ids = if args.ids.is_empty() {
        replay.letters().list(&args.which.only(false))?.into_iter().map(|(id, _)| id).collect()
    } else {
        args.ids
    };
    let (mut sent, mut cannot) = (0, 0);
    for id in ids {
        match replay.send(id).await? {
            Replayed::Sent(letters) => {
                sent += 1;
                let others = if letters > 1 { format!(", with {} more of the same event", letters - 1) } else { String::new() };
                println!("{id}: sent again{others}");
            }
            Replayed::Before => println!("{id}: was sent before"),
            Replayed::Cannot(why) => {
                cannot += 1;
                println!("{id}: not sent: {why}");
            }
        }
    }
    println!("{sent} sent again, {cannot} that cannot be");
    if cannot > 0 && sent == 0 { Err(Fault::job("none of them can be sent again")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn since_takes_times_and_how_long_ago() {
        assert_eq!(since("1970-01-01T00:00:01Z"), Ok(Timestamp(10_000_000)));
        let (ago, now) = (since("2h").unwrap(), SystemClock.now());
        assert!((now.0 - ago.0 - 72_000_000_000).abs() < 100_000_000, "{ago}");
        for wrong in ["", "soon", "5", "-5m", "m", "5é"] {
            assert!(since(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_others_wrote_cannot_steer_a_terminal() {
        assert_eq!(plain("a\u{1b}[2Jb\n", 80), "a·[2Jb·");
        assert_eq!(plain("long text", 4), "long…");
    }
}
