//! Kills a host again and again while events come in, and counts what is left: every event that was answered 201 must be in the
//! output once. What sends the events and what reads the output are arguments, so that other sources and sinks fit in.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use rusqlite::Connection;

use crate::host::{Host, PATIENCE};

/// What a run came to.
#[derive(Debug, Clone, Copy, Default)]
pub struct Tally {
    /// SIGKILLs.
    pub kills: usize,
    /// Other things that went wrong on purpose.
    pub faults: usize,
    /// Events that were sent.
    pub sent: usize,
    /// Events that were answered 201.
    pub accepted: usize,
    /// Accepted events that are nowhere in the output.
    pub lost: usize,
    /// Events that are in the output more than once.
    pub duplicates: usize,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { kills, faults, sent, accepted, lost, duplicates } = self;
        write!(f, "kills {kills}, faults {faults}, events sent {sent}, accepted {accepted}, lost {lost}, duplicates {duplicates}")
    }
}

/// How often hosts are killed in one run: `TAMIS_CRASH_KILLS` in a long one, else `usual`.
pub fn kills(usual: usize) -> usize {
    std::env::var("TAMIS_CRASH_KILLS").ok().map_or(usual, |kills| kills.parse().unwrap())
}

/// The random numbers of a run: the seed is `TAMIS_CRASH_SEED`, or 1.
pub fn random() -> Xoshiro256PlusPlus {
    let seed = std::env::var("TAMIS_CRASH_SEED").ok().map_or(1, |seed| seed.parse().unwrap());
    Xoshiro256PlusPlus::seed_from_u64(seed)
}

/// Senders that go on sending numbered events while the host comes and goes.
#[derive(Debug)]
pub struct Senders {
    tasks: Vec<tokio::task::JoinHandle<Vec<usize>>>,
    next: Arc<AtomicUsize>,
    stop: Arc<AtomicBool>,
}

impl Senders {
    /// Starts so many senders. `send` sends the event of a number and answers whether it was accepted; it is not sent again.
    pub fn start<S, F>(count: usize, pause: Duration, send: S) -> Self
    where
        S: Fn(usize) -> F + Clone + Send + 'static,
        F: Future<Output = bool> + Send,
    {
        let (next, stop) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let task = |_| {
            let (send, next, stop) = (send.clone(), Arc::clone(&next), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut accepted = Vec::new();
                while !stop.load(Ordering::SeqCst) {
                    let event = next.fetch_add(1, Ordering::SeqCst);
                    if send(event).await {
                        accepted.push(event);
                        tokio::time::sleep(pause).await;
                    } else {
                        // It is down: a few more may meet it on its way up.
                        tokio::time::sleep(Duration::from_millis(120)).await;
                    }
                }
                accepted
            })
        };
        Self { tasks: (0..count).map(task).collect(), next: Arc::clone(&next), stop }
    }

    /// Ends them; answers how many events were sent, and which were accepted.
    pub async fn end(self) -> (usize, Vec<usize>) {
        self.stop.store(true, Ordering::SeqCst);
        let mut accepted = Vec::new();
        for task in self.tasks {
            accepted.extend(task.await.unwrap());
        }
        accepted.sort_unstable();
        (self.next.load(Ordering::SeqCst), accepted)
    }
}

/// Posts a body to the hub's door; answers whether it was accepted. Anything but 201 or a cut connection is an error of the host.
pub async fn post(client: &reqwest::Client, address: &str, body: String) -> bool {
    match client.post(address).body(body).timeout(Duration::from_secs(20)).send().await {
        Ok(answer) if answer.status() == 201 => true,
        Ok(answer) => panic!("{}: {}", answer.status(), answer.text().await.unwrap_or_default()),
        Err(_) => false,
    }
}

/// Kills the host `kills` times, each after a random while, and starts it again; `between` may do more harm while it is down
/// and answers how much it did.
pub async fn kill_again_and_again(
    host: &mut Host,
    kills: usize,
    random: &mut Xoshiro256PlusPlus,
    mut between: impl FnMut(&mut Xoshiro256PlusPlus) -> usize,
) -> Tally {
    let mut tally = Tally::default();
    for _ in 0..kills {
        // From before the first event is read to well into the work.
        tokio::time::sleep(Duration::from_millis(random.random_range(1..350))).await;
        host.kill();
        tally.kills += 1;
        tally.faults += between(random);
        host.start_again();
    }
    tally
}

/// Waits until every accepted event is in the output, or as long as anybody would.
pub async fn settle(accepted: &[usize], mut read: impl FnMut() -> Vec<usize>) {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        let found: HashSet<usize> = read().into_iter().collect();
        if accepted.iter().all(|id| found.contains(id)) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Compares what was accepted with the ids in the output, and notes it.
pub fn compare(tally: &mut Tally, sent: usize, accepted: &[usize], found: impl IntoIterator<Item = usize>) {
    let mut times: HashMap<usize, usize> = HashMap::new();
    found.into_iter().for_each(|id| *times.entry(id).or_default() += 1);
    (tally.sent, tally.accepted) = (sent, accepted.len());
    tally.lost = accepted.iter().filter(|id| !times.contains_key(id)).count();
    tally.duplicates = times.values().filter(|times| **times > 1).count();
    let foreign: Vec<_> = times.keys().filter(|id| **id >= sent).collect();
    assert!(foreign.is_empty(), "never sent: {foreign:?}");
}

/// Holds the store so that no checkpoint can be written: sinks acknowledge meanwhile.
#[derive(Debug)]
pub struct Held(Connection);

impl Held {
    /// Takes hold of a data directory's store.
    pub fn hold(data: &Path) -> Self {
        let connection = Connection::open(data.join("documents.db")).unwrap();
        connection.busy_timeout(PATIENCE).unwrap();
        connection.execute_batch("BEGIN IMMEDIATE").unwrap();
        Self(connection)
    }

    /// Lets go of it.
    pub fn release(self) {
        self.0.execute_batch("ROLLBACK").unwrap();
    }
}

/// The newest segment file of each partition of a hub that has events.
pub fn segments(data: &Path, hub: &str) -> Vec<PathBuf> {
    let mut newest = Vec::new();
    for partition in std::fs::read_dir(data.join("log").join(hub)).unwrap() {
        let partition = partition.unwrap().path();
        if !partition.is_dir() {
            continue;
        }
        let files = std::fs::read_dir(partition).unwrap().map(|file| file.unwrap().path());
        let last = files.filter(|path| path.extension().is_some_and(|extension| extension == "log")).max();
        newest.extend(last.filter(|path| std::fs::metadata(path).unwrap().len() > 32));
    }
    newest.sort();
    newest
}

/// Where each record of a segment starts and ends: a header of 32 bytes, then length and checksum before each record.
pub fn records(bytes: &[u8]) -> Vec<std::ops::Range<usize>> {
    let mut found = Vec::new();
    let mut at = 32;
    while let Some(length) = bytes.get(at..at + 4) {
        let end = at + 8 + u32::from_le_bytes(length.try_into().unwrap()) as usize;
        if end > bytes.len() {
            break;
        }
        found.push(at..end);
        at = end;
    }
    found
}

/// What a crash may leave at the end of a segment: the first part of a record that was never finished.
pub fn tear(path: &Path, random: &mut Xoshiro256PlusPlus) {
    let mut bytes = std::fs::read(path).unwrap();
    let last = records(&bytes).pop().unwrap();
    let part = last.start..random.random_range(last.start + 1..last.end);
    bytes.extend_from_within(part);
    std::fs::write(path, bytes).unwrap();
}

/// Waits until `enough` says so.
pub async fn until(what: &str, host: &Host, mut enough: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !enough().await {
        assert!(start.elapsed() < PATIENCE, "{what} did not come:\n{}", host.log());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
