//! The log as a whole, on a real disk.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use super::*;
use crate::time::{ManualClock, SystemClock};

const HUB: &str = "hub";

fn hubs(partitions: u32) -> Vec<HubSettings> {
    vec![HubSettings { name: HUB.to_owned(), partitions }]
}

fn open(dir: &Path, partitions: u32) -> Log {
    Log::open(dir, &hubs(partitions), Arc::new(SystemClock)).unwrap()
}

fn open_small(dir: &Path, segment_bytes: u64) -> Log {
    Log::open_with(dir, &hubs(1), Arc::new(SystemClock), LogSettings { segment_bytes }).unwrap()
}

fn events(bodies: impl IntoIterator<Item = String>) -> Vec<NewEvent> {
    bodies.into_iter().map(NewEvent::new).collect()
}

async fn append(log: &Log, bodies: impl IntoIterator<Item = String>) -> Appended {
    log.append(HUB, Place::Partition(0), events(bodies)).await.unwrap()
}

fn read_all(log: &Log, partition: u32) -> Vec<String> {
    let mut all = Vec::new();
    loop {
        let run = log.read(HUB, partition, all.len() as u64, 7, 1 << 20).unwrap();
        if run.events.is_empty() {
            return all;
        }
        assert_eq!(run.next_offset(), run.first_offset + run.events.len() as u64);
        all.extend(run.events.iter().map(|event| String::from_utf8(event.body.to_vec()).unwrap()));
    }
}

fn segments(dir: &Path) -> Vec<PathBuf> {
    let dir = dir.join(HUB).join("0");
    segment::list(&dir).unwrap().into_iter().map(|base| segment::path(&dir, base)).collect()
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|number| format!("event {number}")).collect()
}

#[tokio::test]
async fn everything_is_there_after_opening_again() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 2);
    let full = NewEvent { body: "x".into(), key: Some("k".to_owned()), properties: vec![("a".to_owned(), "b".to_owned())] };
    log.append(HUB, Place::Partition(1), vec![full.clone()]).await.unwrap();
    append(&log, numbers(0..5)).await;
    drop(log);
    let log = open(dir.path(), 2);
    assert_eq!(log.opened(), &Opened::default());
    append(&log, numbers(5..9)).await;
    assert_eq!(read_all(&log, 0), numbers(0..9));
    let run = log.read(HUB, 1, 0, 10, 1000).unwrap();
    let event = &run.events[0];
    assert_eq!((&event.body, &event.key, &event.properties), (&full.body, &full.key, &full.properties));
    assert_eq!((log.end(HUB, 0), log.end(HUB, 1), log.end("none", 0)), (9, 1, 0));
    assert_eq!(*log.subscribe(HUB).borrow(), 10);
}

#[tokio::test]
async fn a_torn_tail_is_cut_at_every_byte_of_the_last_record() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 1);
    append(&log, numbers(0..3)).await;
    let whole = std::fs::metadata(&segments(dir.path())[0]).unwrap().len();
    append(&log, numbers(3..4)).await;
    drop(log);
    let path = segments(dir.path()).remove(0);
    let bytes = std::fs::read(&path).unwrap();
    for length in whole + 1..bytes.len() as u64 {
        for fill in [0, 200] {
            // What a crash leaves: cut off, or room that was never written.
            let mut torn = bytes[..length as usize].to_vec();
            torn.resize(torn.len() + fill, 0);
            std::fs::write(&path, &torn).unwrap();
            let log = open(dir.path(), 1);
            assert_eq!(log.opened().cuts.len(), 1, "{length}");
            assert_eq!(log.opened().cuts[0].position, whole);
            assert_eq!(log.opened().damage, []);
            assert_eq!(std::fs::metadata(&path).unwrap().len(), whole);
            append(&log, ["after".to_owned()]).await;
            assert_eq!(read_all(&log, 0).last().unwrap(), "after");
            assert_eq!(log.end(HUB, 0), 4);
        }
    }
}

#[tokio::test]
async fn a_crash_before_the_first_record_of_a_segment_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_small(dir.path(), 200);
    for number in 0..6 {
        append(&log, numbers(number..number + 1)).await;
    }
    drop(log);
    assert!(segments(dir.path()).len() > 1);
    for length in 0..segment::HEADER as usize {
        let torn = segment::path(&dir.path().join(HUB).join("0"), 6);
        std::fs::write(&torn, &b"TAMISLOG\x01\0\0\0\0\0\0\0\x06\0\0\0\0\0\0\0xxxxxxxx"[..length]).unwrap();
        let log = open_small(dir.path(), 200);
        assert_eq!((log.end(HUB, 0), read_all(&log, 0)), (6, numbers(0..6)));
    }
    let log = open_small(dir.path(), 200);
    append(&log, numbers(6..7)).await;
    assert_eq!(read_all(&log, 0), numbers(0..7));
}

#[tokio::test]
async fn a_flipped_bit_is_reported_and_the_events_around_it_are_read() {
    const RECORD: usize = 32;
    let second = segment::HEADER as usize + RECORD;
    // In the segment that grows, and in an older one; in the length, the checksum and the body.
    for (segment_bytes, position) in [(1 << 20, 0), (1 << 20, 3), (1 << 20, 5), (1 << 20, 31), (400, 0), (400, 3), (400, 31)] {
        let dir = tempfile::tempdir().unwrap();
        let log = open_small(dir.path(), segment_bytes);
        for number in 0..20 {
            append(&log, numbers(number..number + 1)).await;
        }
        drop(log);
        let path = segments(dir.path()).remove(0);
        let mut bytes = std::fs::read(&path).unwrap();
        bytes[second + position] ^= 0x10;
        std::fs::write(&path, &bytes).unwrap();

        let log = open_small(dir.path(), segment_bytes);
        assert_eq!(log.opened().cuts, []);
        assert_eq!(log.opened().damage.len(), usize::from(segment_bytes > 400));
        let before = log.read(HUB, 0, 0, 100, 1 << 20).unwrap();
        assert_eq!(before.next_offset(), 1);
        let Err(LogError::Damaged(damage)) = log.read(HUB, 0, 1, 100, 1 << 20) else { panic!("damage is told") };
        assert_eq!((&damage.path, damage.position, damage.offset, damage.resume), (&path, second as u64, 1, 2));
        assert!(damage.to_string().contains("offset 1;"), "{damage}");
        assert_eq!(log.verify(HUB).unwrap(), [damage]);
        append(&log, ["still works".to_owned()]).await;
        for from in 2..21 {
            assert_eq!(log.read(HUB, 0, from, 1, 1).unwrap().events[0].offset, from);
        }
    }
}

#[tokio::test]
async fn a_missing_segment_is_damage_with_a_place_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let log = open_small(dir.path(), 200);
    for number in 0..12 {
        append(&log, numbers(number..number + 1)).await;
    }
    drop(log);
    let paths = segments(dir.path());
    std::fs::remove_file(&paths[1]).unwrap();
    let log = open_small(dir.path(), 200);
    let damage = log.verify(HUB).unwrap();
    assert_eq!(damage.len(), 1);
    let after: u64 = paths[2].file_stem().unwrap().to_str().unwrap().parse().unwrap();
    assert_eq!(damage[0].resume, after);
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_appends_keep_their_order_and_are_seen_only_when_acknowledged() {
    let dir = tempfile::tempdir().unwrap();
    let log = Log::open_with(dir.path(), &hubs(3), Arc::new(SystemClock), LogSettings { segment_bytes: 20_000 }).unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let reader = std::thread::spawn({
        let (log, done) = (log.clone(), Arc::clone(&done));
        move || {
            let mut seen = [0; 3];
            while !done.load(Ordering::SeqCst) {
                for partition in 0..3 {
                    let run = log.read(HUB, partition, seen[partition as usize], 1000, 1 << 20).unwrap();
                    assert!(run.next_offset() <= log.end(HUB, partition));
                    seen[partition as usize] = run.next_offset();
                }
            }
            seen.iter().sum::<u64>()
        }
    });
    let mut senders = tokio::task::JoinSet::new();
    for sender in 0..8 {
        let log = log.clone();
        senders.spawn(async move {
            for round in 0..50 {
                let bodies = (0..5).map(|number| format!("{sender} {round} {number}"));
                let appended = log.append(HUB, Place::Key(sender.to_string()), events(bodies)).await.unwrap();
                assert!(log.end(HUB, appended.partition) >= appended.first_offset + 5);
            }
        });
    }
    senders.join_all().await;
    done.store(true, Ordering::SeqCst);
    reader.join().unwrap();
    drop(log);
    let log = open(dir.path(), 3);
    let mut next = std::collections::HashMap::new();
    for partition in 0..3 {
        let mut times = Vec::new();
        for body in read_all(&log, partition) {
            let (sender, rest) = body.split_once(' ').unwrap();
            let (round, number) = rest.split_once(' ').unwrap();
            let place = round.parse::<usize>().unwrap() * 5 + number.parse::<usize>().unwrap();
            let expected = next.entry(sender.to_owned()).or_insert((partition, 0));
            assert_eq!(*expected, (partition, place));
            expected.1 += 1;
        }
        let run = log.read(HUB, partition, 0, usize::MAX, usize::MAX >> 1).unwrap();
        times.extend(run.events.iter().map(|event| event.enqueued));
        assert!(times.is_sorted());
    }
    assert_eq!(next.values().map(|(_, count)| count).sum::<usize>(), 8 * 50 * 5);
}

#[tokio::test]
async fn time_never_goes_back() {
    let dir = tempfile::tempdir().unwrap();
    let clock = ManualClock::new(Timestamp(1000));
    let log = Log::open(dir.path(), &hubs(1), Arc::<ManualClock>::clone(&clock)).unwrap();
    assert_eq!(append(&log, numbers(0..1)).await.enqueued, Timestamp(1000));
    clock.set(Timestamp(500));
    assert_eq!(append(&log, numbers(1..2)).await.enqueued, Timestamp(1000));
    drop(log);
    let log = Log::open(dir.path(), &hubs(1), clock).unwrap();
    assert_eq!(append(&log, numbers(2..3)).await.enqueued, Timestamp(1000));
}

#[tokio::test]
async fn a_second_host_is_refused_and_the_partition_count_stays() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 2);
    let error = Log::open(dir.path(), &hubs(2), Arc::new(SystemClock)).unwrap_err();
    assert!(matches!(error, LogError::Locked { .. }));
    assert!(error.to_string().contains(&std::process::id().to_string()), "{error}");
    drop(log);
    assert_eq!(open(dir.path(), 5).hubs()[0].partitions(), 2);
}

#[tokio::test]
async fn what_cannot_be_is_refused_with_words() {
    let dir = tempfile::tempdir().unwrap();
    for (name, partitions) in [("", 1), ("../up", 1), ("a/b", 1), (".hidden", 1), ("ok", 0), ("ok", 5000)] {
        let hubs = [HubSettings { name: name.to_owned(), partitions }];
        let error = Log::open(dir.path(), &hubs, Arc::new(SystemClock)).unwrap_err();
        assert!(matches!(error, LogError::Settings { .. }), "{name}");
    }
    let log = open(dir.path(), 2);
    let error = log.append("hubb", Place::Any, events(numbers(0..1))).await.unwrap_err();
    assert_eq!(error.to_string(), "no hub is named 'hubb'; the hubs are hub");
    let error = log.append("HUB", Place::Partition(2), events(numbers(0..1))).await.unwrap_err();
    assert_eq!(error.to_string(), "hub 'hub' has no partition 2; its partitions are 0 to 1");
    let error = log.append(HUB, Place::Any, vec![NewEvent::new(vec![0; 33 << 20])]).await.unwrap_err();
    assert!(matches!(error, LogError::TooLarge { .. }));
    assert!(matches!(log.read(HUB, 0, 5, 1, 1), Err(LogError::Ahead { end: 0, .. })));
    assert_eq!(log.append(HUB, Place::Partition(0), Vec::new()).await.unwrap().count, 0);
}

#[tokio::test]
async fn a_log_of_the_future_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 1);
    append(&log, numbers(0..1)).await;
    drop(log);
    let path = segments(dir.path()).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[8] = 9;
    std::fs::write(&path, bytes).unwrap();
    let error = Log::open(dir.path(), &hubs(1), Arc::new(SystemClock)).unwrap_err();
    assert!(error.to_string().contains("format is 9"), "{error}");
}

#[tokio::test]
async fn an_event_larger_than_what_was_asked_for_is_still_read() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 1);
    let large = "x".repeat(1 << 20);
    append(&log, ["small".to_owned(), large.clone(), "small".to_owned()]).await;
    assert_eq!(log.read(HUB, 0, 1, 10, 100).unwrap().events[0].body.len(), large.len());
    assert_eq!(log.read(HUB, 0, 0, 10, 100).unwrap().events.len(), 1);
    assert_eq!(log.read(HUB, 0, 2, 10, 100).unwrap().events.len(), 1);
    assert_eq!(log.read(HUB, 0, 3, 10, 100).unwrap().events.len(), 0);
}

#[tokio::test]
async fn a_damaged_header_is_told_and_loses_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 1);
    append(&log, numbers(0..3)).await;
    drop(log);
    let path = segments(dir.path()).remove(0);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[1] ^= 1;
    std::fs::write(&path, &bytes).unwrap();
    let log = open(dir.path(), 1);
    assert_eq!((log.opened().damage.len(), log.opened().cuts.len()), (1, 0));
    assert_eq!(read_all(&log, 0), numbers(0..3));
    drop(log);
    // Nothing but rubbish: it is cut, and that is told.
    std::fs::write(&path, [7; 500]).unwrap();
    let log = open(dir.path(), 1);
    assert_eq!(log.opened().cuts[0].bytes, 468);
    append(&log, numbers(0..3)).await;
    assert_eq!(read_all(&log, 0), numbers(0..3));
}

#[tokio::test]
async fn a_log_that_lost_its_end_goes_on_where_its_readers_are() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), 1);
    append(&log, numbers(0..10)).await;
    drop(log);
    // The last three records are gone, and all ten were processed.
    let path = segments(dir.path()).remove(0);
    let bytes = std::fs::read(&path).unwrap();
    let record = (bytes.len() - 32) / 10;
    std::fs::write(&path, &bytes[..bytes.len() - 3 * record + 5]).unwrap();
    let behind =
        |floor: u64| Log::open_behind(dir.path(), &hubs(1), Arc::new(SystemClock), LogSettings::default(), &move |_, _| floor).unwrap();
    let log = behind(10);
    let [damage] = log.opened().damage.as_slice() else { panic!("{:?}", log.opened()) };
    assert_eq!((damage.offset, damage.resume, log.end(HUB, 0)), (7, 10, 10));
    assert_eq!(log.opened().cuts.len(), 1);
    assert_eq!(append(&log, ["new".to_owned()]).await.first_offset, 10);
    assert_eq!(log.read(HUB, 0, 10, 1, 1).unwrap().events[0].body, "new");
    let Err(LogError::Damaged(damage)) = log.read(HUB, 0, 7, 9, 99) else { panic!("no damage") };
    assert_eq!((damage.offset, damage.resume), (7, 10));
    drop(log);
    // The next start finds nothing new.
    let log = behind(11);
    assert_eq!(log.opened(), &Opened::default());
    assert_eq!(log.read(HUB, 0, 10, 5, 99).unwrap().events.len(), 1);
}
