//! One that refuses holds up no other, and nothing is lost or turned around.

use parking_lot::Mutex;
use tempfile::TempDir;

use super::*;
use crate::batch::{Column, Origin};
use crate::sink::{Refused, Sink};
use crate::store::Reader;
use crate::time::{SystemClock, Timestamp};

/// A sink that does what the test says.
#[derive(Debug, Clone, Default)]
struct Double(Arc<Mutex<Said>>);

#[derive(Debug, Default)]
struct Said {
    refuses: bool,
    ends: bool,
    /// Taken and not flushed; flushed.
    open: Vec<i64>,
    rows: Vec<i64>,
    kept: Vec<u8>,
    finished: bool,
}

impl Double {
    fn rows(&self) -> Vec<i64> {
        self.0.lock().rows.clone()
    }

    fn refuse(&self, refuses: bool) {
        self.0.lock().refuses = refuses;
    }
}

impl Sink for Double {
    fn write(&mut self, batch: &Batch, _keys: &DocumentKeys) -> Result<Vec<Refused>, Fault> {
        let mut said = self.0.lock();
        if said.ends {
            return Err(Fault::outside("the login is wrong").never());
        }
        if said.refuses {
            return Err(Fault::outside("busy"));
        }
        let Column::BigInt(values) = &batch.columns[0] else { panic!("{batch:?}") };
        let odd = |row: &usize| values.value(*row) < 0;
        said.open.extend(values.values().iter().filter(|value| **value >= 0));
        Ok((0..batch.rows()).filter(odd).map(|row| Refused { row, reason: "negative".into() }).collect())
    }

    fn flush(&mut self) -> Result<(), Fault> {
        let mut said = self.0.lock();
        let open = std::mem::take(&mut said.open);
        said.rows.extend(open);
        Ok(())
    }

    fn mark(&self) -> Option<Vec<u8>> {
        Some(vec![self.0.lock().rows.len() as u8])
    }

    fn kept(&mut self, mark: &[u8]) -> Result<(), Fault> {
        self.0.lock().kept = mark.to_vec();
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Fault> {
        self.0.lock().finished = true;
        Ok(())
    }
}

struct Bench {
    directory: TempDir,
    store: Option<Store>,
    quick: Double,
    slow: Double,
    delivery: Option<Delivery>,
    letters: Vec<DeadLetter>,
}

impl Bench {
    fn new() -> Self {
        let mut bench = Self {
            directory: tempfile::tempdir().unwrap(),
            store: None,
            quick: Double::default(),
            slow: Double::default(),
            delivery: None,
            letters: Vec::new(),
        };
        bench.start();
        bench
    }

    fn start(&mut self) {
        // As a kill: nothing is closed.
        self.delivery = None;
        self.store = None;
        let mut store = Store::open(self.directory.path()).unwrap();
        let sinks: Vec<Named> = vec![("quick".into(), Box::new(self.quick.clone())), ("slow".into(), Box::new(self.slow.clone()))];
        let limits = Limits { grace: Duration::from_millis(100), outbox: 2000 };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        self.delivery = Some(Delivery::start(sinks, &mut store, limits, &clock).unwrap());
        self.store = Some(store);
    }

    fn delivery(&mut self) -> &mut Delivery {
        self.delivery.as_mut().unwrap()
    }

    fn write(&mut self, changes: Changes) {
        let (delivery, store) = (self.delivery.as_mut().unwrap(), self.store.as_mut().unwrap());
        let mut unit = store.begin().unwrap();
        let removed = delivery.write(&changes, &mut unit).unwrap();
        unit.commit().unwrap();
        self.letters.extend(changes.letters.iter().cloned());
        delivery.committed(changes, &removed);
    }

    /// One unit of the same rows for both.
    fn unit(&mut self, values: &[i64], checkpoint: bool) {
        let batch = Batch {
            names: vec!["a".into()].into(),
            columns: vec![Column::BigInt(values.to_vec().into())],
            times: vec![Timestamp(0); values.len()].into(),
            origin: Origin::Events { input: 0, partition: 0, offsets: values.iter().map(|value| value.unsigned_abs()).collect() },
        };
        let rows = (0..2).map(|lane| (lane, DocumentKeys::of(&batch, 0), batch.clone())).collect();
        let handed = self.delivery().hand_over(rows);
        let changes = self.delivery().settle(&handed, checkpoint).unwrap();
        self.write(changes);
    }

    fn until(&mut self, mut condition: impl FnMut(&mut Self) -> bool) {
        let start = Instant::now();
        while !condition(self) {
            assert!(start.elapsed() < Duration::from_secs(20), "{:?}", self.delivery().states());
            let changes = self.delivery().acknowledged(Duration::from_millis(20)).unwrap();
            if !changes.is_empty() {
                self.write(changes);
            }
        }
    }

    fn behind(&mut self) -> Vec<u64> {
        self.delivery().states().iter().map(|state| state.behind).collect()
    }
}

#[test]
fn rows_go_straight_to_sinks_that_take_them() {
    let mut bench = Bench::new();
    bench.unit(&[1, -2, 3], true);
    bench.unit(&[4], false);
    assert_eq!((bench.quick.rows(), bench.slow.rows()), (vec![1, 3, 4], vec![1, 3, 4]));
    assert_eq!(bench.behind(), [0, 0]);
    assert_eq!(bench.letters.iter().map(|letter| letter.step.as_str()).collect::<Vec<_>>(), ["output quick", "output slow"]);
    assert_eq!(bench.letters[0].body, b"{\"a\":-2}");
    // The mark counts with a checkpoint only.
    let mark = |bench: &Bench| bench.store.as_ref().unwrap().state("output/slow").unwrap();
    assert_eq!(mark(&bench), Some(vec![2]));
    bench.unit(&[5], true);
    assert_eq!(mark(&bench), Some(vec![4]));
    bench.until(|bench| bench.slow.0.lock().kept == [4]);
    bench.delivery().close().unwrap();
    assert!(bench.slow.0.lock().finished);
}

#[test]
fn one_that_refuses_holds_up_no_other_and_gets_its_rows_in_order_later() {
    let mut bench = Bench::new();
    bench.unit(&[1], true);
    bench.slow.refuse(true);
    bench.unit(&[2, -3], true);
    let start = Instant::now();
    for value in 4..8 {
        bench.unit(&[value], true);
    }
    assert!(start.elapsed() < Duration::from_millis(100), "once it is behind, nobody waits for it");
    assert_eq!((bench.quick.rows(), bench.slow.rows()), (vec![1, 2, 4, 5, 6, 7], vec![1]));
    assert_eq!(bench.behind(), [0, 6]);
    let refuses = bench.delivery().states()[1].refuses.clone();
    assert_eq!(refuses.as_deref(), Some("busy"));
    assert_eq!(bench.letters.len(), 1, "the quick one's");
    bench.slow.refuse(false);
    bench.until(|bench| bench.delivery().is_done());
    assert_eq!(bench.slow.rows(), [1, 2, 4, 5, 6, 7]);
    assert_eq!((bench.behind(), bench.letters.len()), (vec![0, 0], 2));
    assert_eq!(bench.delivery().states()[1].refuses, None);
    assert_eq!(bench.store.as_ref().unwrap().state("output/slow").unwrap(), Some(vec![6]), "the mark went with the rows");
    // Straight again.
    bench.unit(&[8], false);
    assert_eq!(bench.slow.rows().last(), Some(&8));
    assert_eq!(bench.behind(), [0, 0]);
}

#[test]
fn what_no_checkpoint_covers_is_not_in_the_outbox_after_a_kill() {
    let mut bench = Bench::new();
    bench.slow.refuse(true);
    bench.unit(&[1], true);
    bench.unit(&[2], false);
    bench.unit(&[3], false);
    assert_eq!(bench.behind(), [0, 3]);
    bench.start();
    // 2 and 3 come again from the log, and only from there.
    assert_eq!(bench.behind(), [0, 1]);
    bench.unit(&[2], true);
    bench.slow.refuse(false);
    bench.until(|bench| bench.delivery().is_done());
    assert!(bench.slow.rows().starts_with(&[1, 2]), "{:?}", bench.slow.rows());
    let reader = Reader::open(bench.directory.path()).unwrap();
    assert_eq!(reader.parcels("slow", 0, u64::MAX >> 1, 1 << 20).unwrap(), []);
}

#[test]
fn a_parcel_is_delivered_from_the_outbox_once_a_checkpoint_covers_it() {
    let mut bench = Bench::new();
    bench.slow.refuse(true);
    bench.unit(&[1], false);
    bench.unit(&[2], false);
    bench.slow.refuse(false);
    // The first was handed over; the second waits for a checkpoint.
    bench.until(|bench| bench.slow.rows() == [1]);
    std::thread::sleep(Duration::from_millis(200));
    let changes = bench.delivery().acknowledged(Duration::ZERO).unwrap();
    assert!(changes.is_empty(), "its row comes again after a crash: {changes:?}");
    assert_eq!(bench.slow.rows(), [1]);
    bench.unit(&[3], true);
    bench.until(|bench| bench.delivery().is_done());
    assert_eq!(bench.slow.rows(), [1, 2, 3]);
}

#[test]
fn the_outbox_has_a_limit_and_says_who_fills_it() {
    let mut bench = Bench::new();
    bench.slow.refuse(true);
    assert!(bench.delivery().has_room());
    bench.unit(&(0..100).collect::<Vec<_>>(), true);
    assert!(!bench.delivery().has_room());
    let full = bench.delivery().full();
    assert!(full.contains("'slow' is 100 rows behind (busy)") && !full.contains("quick"), "{full}");
    bench.slow.refuse(false);
    bench.until(|bench| bench.delivery().has_room());
    assert_eq!(bench.slow.rows().len(), 100);
}

#[test]
fn one_that_can_never_go_on_ends_the_job() {
    let mut bench = Bench::new();
    bench.slow.0.lock().ends = true;
    let batch = Batch {
        names: vec!["a".into()].into(),
        columns: vec![Column::BigInt(vec![1].into())],
        times: vec![Timestamp(0)].into(),
        origin: Origin::Derived,
    };
    let handed = bench.delivery().hand_over(vec![(1, DocumentKeys::of(&batch, 0), batch)]);
    let fault = bench.delivery().settle(&handed, true).unwrap_err();
    assert!(fault.to_string().contains("the login is wrong"), "{fault}");
}
