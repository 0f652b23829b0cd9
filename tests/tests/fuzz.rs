//! Odd scripts and odd events: whatever comes, the answer is a result or an error that says where, never a panic. Scripts and
//! events of the conformance cases are cut, joined and bent at random. A few seconds here; `./scripts/fuzz` goes on for
//! minutes. A failure prints what was fed, and its seed.

#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "tests")]

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use bytes::Bytes;
use rand::rngs::SmallRng;
use rand::seq::IndexedRandom;
use rand::{RngExt, SeedableRng};
use tamis::job::Folder;
use tamis::pipeline::bounded::{Bounded, BoundedInput, Cut, Data, default_policies};
use tamis::pipeline::engine::OnError;
use tamis::query::Script;
use tamis::source::{Decoder, Event, FileFormat, Format, Run, Wanted};
use tamis::time::Timestamp;
use tamis::udf::Limits;

/// How long each test goes on: `TAMIS_FUZZ_SECONDS`, else 3.
fn patience() -> Duration {
    let seconds = std::env::var("TAMIS_FUZZ_SECONDS").ok().and_then(|text| text.parse().ok());
    Duration::from_secs(seconds.unwrap_or(3))
}

/// The first seed: `TAMIS_FUZZ_SEED`, else the clock's.
fn first_seed() -> u64 {
    let given = std::env::var("TAMIS_FUZZ_SEED").ok().and_then(|text| text.parse().ok());
    given.unwrap_or_else(|| std::time::UNIX_EPOCH.elapsed().unwrap().as_secs())
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
        if entry.path().is_dir() {
            files(&entry.path(), found);
        } else {
            found.push(entry.path());
        }
    }
}

/// The texts of the conformance cases' files of one kind.
fn corpus(wanted: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("conformance"), &mut found);
    found.sort();
    let texts: Vec<String> = found.iter().filter(|path| wanted(path)).map(|path| std::fs::read_to_string(path).unwrap()).collect();
    assert!(texts.len() > 20, "the corpus is {} files", texts.len());
    texts
}

/// Words, numbers, signs and the blanks between, as pieces that join to the text.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let kind = |letter: char| (letter.is_alphanumeric() || letter == '_', letter.is_whitespace());
        let same = |letter: &char| kind(*letter) == kind(first) && kind(first) != (false, false);
        let len: usize = rest.chars().take_while(same).map(char::len_utf8).sum();
        let (piece, behind) = rest.split_at(len.max(first.len_utf8()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}

const ODD: &[&str] = &[
    "(",
    ")",
    "((((((((",
    "))))))))",
    ",",
    ";",
    ".",
    "'",
    "\"",
    "[",
    "]",
    "*",
    "-",
    "--",
    "/*",
    "*/",
    "\0",
    "\u{feff}",
    "é",
    "😀",
    "NULL",
    "SELECT ",
    " FROM ",
    " WHERE ",
    " GROUP BY ",
    " JOIN ",
    " ON ",
    " CASE ",
    " WHEN ",
    " END ",
    " OVER ",
    " INTO ",
    " WITH ",
    "0",
    "-1",
    "1e400",
    "1e-400",
    "99999999999999999999999999",
    "9223372036854775807",
    "-9223372036854775808",
    "0.1",
    "NaN",
    "true",
    "{}",
    "[]",
    "{\"a\":",
    "[[[[[[",
    "\\u0000",
    "\\ud800",
    "\\",
    "TumblingWindow(second, 0)",
    "HoppingWindow(day, 7, 1)",
    "System.Timestamp()",
    "udf.",
    "uda.x(1)",
    "DATEDIFF(day, a, b)",
    "'2024-02-30'",
    "'9999-12-31T23:59:59.9999999Z'",
    "CAST('x' AS bigint)",
    "LAG(1) OVER (LIMIT DURATION(hour, 1))",
    "%",
    "_",
    "DISTINCT ",
];

/// One of the texts, bent a few times.
fn bent(random: &mut SmallRng, corpus: &[String]) -> String {
    let mut text: Vec<String> = pieces(corpus.choose(random).unwrap()).into_iter().map(str::to_owned).collect();
    for _ in 0..random.random_range(1..6) {
        let at = random.random_range(0..=text.len());
        let end = (at + random.random_range(0..8)).min(text.len());
        match random.random_range(0..7) {
            0 => drop(text.drain(at..end)),
            1 => text.insert(at, (*ODD.choose(random).unwrap()).to_owned()),
            2 => {
                let copied = text[at..end].to_vec();
                let to = random.random_range(0..=text.len());
                drop(text.splice(to..to, copied));
            }
            3 => {
                let other = pieces(corpus.choose(random).unwrap());
                let from = random.random_range(0..other.len());
                let taken = other[from..(from + random.random_range(1..12)).min(other.len())].iter().map(|piece| (*piece).to_owned());
                drop(text.splice(at..end, taken));
            }
            4 if at < text.len() => text[at] = (*ODD.choose(random).unwrap()).to_owned(),
            5 if at < text.len() => {
                let many = random.random_range(2..400);
                text[at] = text[at].repeat(many);
            }
            _ => text.truncate(at),
        }
    }
    text.concat()
}

/// Feeds bent texts until the time is up; a panic tells the text and its seed.
fn feed(corpus: &[String], mut take: impl FnMut(&str) -> bool) {
    let (first, start) = (first_seed(), Instant::now());
    let (mut fed, mut taken) = (0_u64, 0_u64);
    while start.elapsed() < patience() {
        let seed = first.wrapping_add(fed);
        let text = bent(&mut SmallRng::seed_from_u64(seed), corpus);
        let result = catch_unwind(AssertUnwindSafe(|| take(&text)));
        let Ok(was_taken) = result else { panic!("TAMIS_FUZZ_SEED={seed} panics, fed with:\n{text}") };
        taken += u64::from(was_taken);
        fed += 1;
    }
    eprintln!("{fed} fed, {taken} taken");
    // Were all refused, nothing behind the parser would be tried.
    assert!(taken > 0 && taken < fed, "{taken} of {fed} were taken");
}

/// Compiles a script and, when that works, runs it over some rows.
fn runs(script: &str, rows: &str) -> bool {
    let input = |name: &str| BoundedInput { name: name.to_owned(), format: FileFormat::Json, data: Data::Bytes(rows.as_bytes().into()) };
    let bounded = Bounded {
        script: Script { file: "query.asaql", text: script },
        outputs: None,
        inputs: ["t", "payments", "readings", "loans", "challenges", "pays", "orders", "a", "b"].iter().map(|name| input(name)).collect(),
        references: vec![input("shops"), input("owners")],
        functions: Vec::new(),
        folder: Folder::on_disk("."),
        ordering: None,
        policies: default_policies(),
        on_error: OnError::DeadLetter,
        explain: false,
        cut: Cut::Whole,
        now: Timestamp::parse("2025-01-01T00:00:00Z").unwrap(),
        limits: Limits::default(),
    };
    bounded.run(&mut |_, _| Ok(())).is_ok()
}

#[test]
fn odd_scripts_never_panic() {
    let scripts = corpus(|path| path.extension().is_some_and(|kind| kind == "asaql"));
    let rows = corpus(|path| {
        path.parent().is_some_and(|folder| folder.ends_with("inputs")) && path.extension().is_some_and(|kind| kind == "jsonl")
    });
    let rows: String = rows.iter().flat_map(|text| text.lines().take(2)).map(|line| format!("{line}\n")).collect();
    feed(&scripts, |script| runs(script, &rows));
}

#[test]
fn odd_events_never_panic_and_none_is_lost() {
    let bodies = corpus(|path| path.parent().is_some_and(|folder| folder.ends_with("inputs")));
    let mut lines: Vec<String> = bodies.iter().flat_map(|text| text.lines()).map(str::to_owned).collect();
    lines.push("{'id': 1, 'ok': True, 'none': None, 'list': (1, 2.5e3, 'x\\'y'), 'set': {1: 2}}".to_owned());
    lines.push(format!("{}1{}", "[".repeat(3000), "]".repeat(3000)));
    let wanted = [Wanted::All, Wanted::Columns(vec!["id".into(), "amount".into(), "at".into()])];
    feed(&lines, |text| {
        let mut fine = false;
        for wanted in &wanted {
            let body = Bytes::from(text.to_owned());
            let event = Event { offset: 7, enqueued: Timestamp::from_millis(1_700_000_000_000), body, key: None, properties: Vec::new() };
            let decoded = Decoder::new(wanted.clone(), Format::Json, 0).decode(&Run { partition: 0, first_offset: 7, events: vec![event] });
            // An array is several events; anything else is one, or one that is rejected.
            assert!(decoded.batch.rows() + decoded.rejected.len() > 0 || text.trim_start().starts_with('['), "the event is gone");
            fine = decoded.rejected.is_empty();
        }
        fine
    });
}
