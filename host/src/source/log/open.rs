//! Opens the log's folder: the lock, each hub's settings and its partitions.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

use serde::{Deserialize, Serialize};
use tokio::sync::{Semaphore, watch};

use super::partition::Partition;
use super::writer::{Queue, Writer};
use super::{Hub, HubSettings, LogError, LogSettings, Opened, QUEUE_BYTES, segment};
use crate::time::Clock;

const MAX_PARTITIONS: u32 = 1024;

pub(super) fn lock(dir: &Path) -> Result<File, LogError> {
    let path = dir.join("LOCK");
    let mut options = std::fs::OpenOptions::new();
    let mut file = options.read(true).write(true).create(true).truncate(false).open(&path).map_err(LogError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(std::fs::TryLockError::WouldBlock) => {
            let mut holder = String::new();
            let _unread = file.read_to_string(&mut holder);
            let holder = holder.trim();
            return Err(LogError::Locked { holder: if holder.is_empty() { String::new() } else { format!(" by process {holder}") }, path });
        }
        Err(std::fs::TryLockError::Error(error)) => return Err(LogError::io("lock", &path)(error)),
    }
    // Only for the words of the next one's error: a full disk does not stop a host that wants to read.
    let _unwritten = file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(std::process::id().to_string().as_bytes()));
    Ok(file)
}

pub(super) fn check_name(hub: &HubSettings, open: &[Hub]) -> Result<(), LogError> {
    let settings = |what: String| Err(LogError::Settings { hub: hub.name.clone(), what });
    let name = &hub.name;
    let plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '.' | '-' | '_');
    if name.is_empty() || name.len() > 200 || !name.starts_with(|first: char| first.is_ascii_alphanumeric()) || !name.chars().all(plain) {
        return settings("a hub's name starts with a letter or digit and has letters, digits, '.', '-' and '_', at most 200".to_owned());
    }
    if open.iter().any(|other| other.name.eq_ignore_ascii_case(name)) {
        return settings("this hub is named twice".to_owned());
    }
    if !(1..=MAX_PARTITIONS).contains(&hub.partitions) {
        return settings(format!("1 to {MAX_PARTITIONS} partitions are possible, {} were given", hub.partitions));
    }
    Ok(())
}

/// What `hub.json` remembers.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    partitions: u32,
}

pub(super) fn open_hub(
    dir: &Path,
    settings: &HubSettings,
    clock: &Arc<dyn Clock>,
    files: LogSettings,
    floor: &dyn Fn(&str, u32) -> u64,
    opened: &mut Opened,
    writers: &mut Vec<Writer>,
) -> Result<Hub, LogError> {
    let dir = dir.join(&settings.name);
    std::fs::create_dir_all(&dir).map_err(LogError::io("create", &dir))?;
    let partitions = kept_partitions(&dir, settings)?;
    let mut hub = Hub {
        name: settings.name.clone(),
        partitions: Vec::new(),
        queues: Vec::new(),
        next: AtomicU32::new(0),
        grown: Arc::new(watch::channel(0).0),
    };
    let mut events = 0;
    for number in 0..partitions {
        let floor = floor(&settings.name, number);
        let (partition, tail) = Partition::open(&settings.name, number, &dir.join(number.to_string()), floor, opened)?;
        let (partition, queue) = (Arc::new(partition), Arc::new(Queue::default()));
        events += partition.end();
        writers.push(Writer {
            number,
            partition: Arc::clone(&partition),
            queue: Arc::clone(&queue),
            tail,
            clock: Arc::clone(clock),
            grown: Arc::clone(&hub.grown),
            segment_bytes: files.segment_bytes,
            buffer: Vec::new(),
            failed: None,
        });
        hub.partitions.push(partition);
        hub.queues.push((queue, Arc::new(Semaphore::new(QUEUE_BYTES))));
    }
    hub.grown.send_replace(events);
    segment::sync_dir(&dir)?;
    Ok(hub)
}

/// The number of partitions on disk; for a new hub the one that was asked for, kept durably before anything else.
fn kept_partitions(dir: &Path, settings: &HubSettings) -> Result<u32, LogError> {
    let path = dir.join("hub.json");
    match std::fs::read(&path) {
        Ok(bytes) => {
            let kept: Kept = serde_json::from_slice(&bytes)
                .map_err(|error| LogError::Format { path: path.clone(), what: format!("the hub's settings cannot be read: {error}") })?;
            if !(1..=MAX_PARTITIONS).contains(&kept.partitions) {
                return Err(LogError::Format { path, what: format!("{} partitions cannot be", kept.partitions) });
            }
            if kept.partitions != settings.partitions {
                let (kept, asked) = (kept.partitions, settings.partitions);
                tracing::warn!(hub = settings.name, kept, asked, "The hub keeps the number of partitions that it was made with.");
            }
            Ok(kept.partitions)
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let kept = Kept { partitions: settings.partitions };
            let text = serde_json::to_vec(&kept).map_err(|error| LogError::io("write", &path)(error.into()))?;
            let fresh = dir.join("hub.json.new");
            let write = || {
                let mut file = File::create(&fresh)?;
                file.write_all(&text)?;
                file.sync_all()?;
                std::fs::rename(&fresh, &path)
            };
            write().map_err(LogError::io("write", &path))?;
            segment::sync_dir(dir)?;
            Ok(settings.partitions)
        }
        Err(error) => Err(LogError::io("read", &path)(error)),
    }
}
