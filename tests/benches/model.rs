//! What scoring costs beside its peers, in one run, one thread: a call in wasmtime (copies in and out counted), the same code
//! native, onnxruntime, LightGBM's own predict and trees compiled to C (treelite with tl2cgen, gcc -O3); module sizes; the
//! start of an instance. `./scripts/bench model` runs it.
//!
//! Machines are noisy, so what counts are the ratios within one run. All take turns; each figure is the best of its rounds, in
//! the processor's time of the one thread that works.

#![expect(clippy::unwrap_used, reason = "a bench")]
#![expect(clippy::print_stdout, reason = "a bench")]

use std::collections::BTreeMap;
use std::hint::black_box;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Instant;

use cpu_time::ThreadTime;
use tamis_frame::{ColumnRef, Contract, Data};
use tamis_pack::{Golden, Options, Values, pack, read};
use tamis_tests::golden::{Guest, built, frame, root, target};
use tamis_udf::{Block, Memory, Model};
use wasmtime::{Config, Engine, InstanceAllocationStrategy, InstancePre, Linker, Module, PoolingAllocationConfig, Store};

const ROWS: usize = 10_000;
const ROUNDS: usize = 12;
const FRAUD: &str = "fraud";
const DEEP: &str = "lightgbm 100 x 31";
const SHALLOW: &str = "20 trees, depth 5";

/// The Python side: it answers what its engines take for so many rows of a model.
struct Peers {
    process: Child,
    asked: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peers {
    fn start(folder: &Path) -> Self {
        let mut process = Command::new(root().join("tests/models/python"))
            .arg(root().join("tests/benches/peers.py"))
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (asked, answers) = (process.stdin.take().unwrap(), BufReader::new(process.stdout.take().unwrap()));
        let mut peers = Self { process, asked, answers };
        assert_eq!(peers.line(), "ready", "its errors are above");
        peers
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.answers.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn ask(&mut self, model: &str, rows: usize) -> BTreeMap<String, f64> {
        writeln!(self.asked, "{model} {rows}").unwrap();
        serde_json::from_str(&self.line()).unwrap()
    }
}

impl Drop for Peers {
    fn drop(&mut self) {
        let _gone = self.process.kill();
        let _reaped = self.process.wait();
    }
}

/// A packed module with rows for it.
struct Subject {
    name: &'static str,
    wasm: Vec<u8>,
    native: Model,
    golden: Golden,
    score: u32,
}

impl Subject {
    fn new(name: &'static str, wasm: Vec<u8>, golden: &[u8]) -> Self {
        let sections = read(&wasm).unwrap();
        let native = Model::new(sections.json, Contract::of(&sections.signature), &sections.bytes).unwrap();
        let mut signature = sections.signature;
        let golden = Golden::read(golden, &mut signature).unwrap();
        Self { name, wasm, native, golden, score: signature.function("score").unwrap().0 }
    }

    fn fraud() -> Self {
        Self::new(FRAUD, built("tamis_udf.wasm"), &std::fs::read(root().join("model/fraud/golden.csv")).unwrap())
    }

    fn made(folder: &Path, name: &'static str) -> Self {
        let file = |extension: &str| std::fs::read(folder.join(format!("{name}.{extension}"))).unwrap();
        let golden = file("csv");
        let options = Options { golden: Some(golden.clone()), ..Options::default() };
        let packed = pack(&built("guest.wasm"), &file("onnx"), &options).unwrap();
        Self::new(name, packed.wasm, &golden)
    }

    fn frame(&self, rows: usize) -> Block {
        let columns: Vec<ColumnRef<'_>> = self
            .golden
            .columns()
            .map(|(name, values)| {
                let data = match values {
                    Values::Float(values) => Data::Float(&values[..rows]),
                    Values::BigInt(values) => Data::BigInt(&values[..rows]),
                    Values::Text(offsets, bytes) => Data::Text { offsets: &offsets[..=rows], bytes },
                };
                ColumnRef { name, validity: None, data }
            })
            .collect();
        frame(&columns, rows)
    }

    /// Nanoseconds a row of every engine.
    fn measure(&self, peers: &mut Peers, rows: usize) -> BTreeMap<String, f64> {
        let mut guest = Guest::of(&Module::new(&Engine::default(), &self.wasm).unwrap());
        let (frame, mut memory) = (self.frame(rows), Memory::default());
        let calls = (1_000 / rows).max(1);
        let mut least: BTreeMap<String, f64> = BTreeMap::new();
        for _ in 0..ROUNDS {
            let mut round = peers.ask(self.name, rows);
            round.insert(
                "native".to_owned(),
                each(calls, rows, || {
                    drop(black_box(tamis_udf::call(&self.native, &mut memory, self.score, black_box(frame.bytes()), Block::new)));
                }),
            );
            round.insert("wasmtime".to_owned(), each(calls, rows, || drop(black_box(guest.run(self.score, black_box(frame.bytes()))))));
            for (engine, nanoseconds) in round {
                least.entry(engine).and_modify(|least| *least = least.min(nanoseconds)).or_insert(nanoseconds);
            }
        }
        least
    }
}

/// Nanoseconds a row of this thread's own time, the best of several.
fn each(calls: usize, rows: usize, mut work: impl FnMut()) -> f64 {
    let times = (0..10).map(|_| {
        let start = ThreadTime::now();
        (0..calls).for_each(|_| work());
        start.elapsed().as_secs_f64() * 1e9 / (calls * rows) as f64
    });
    times.fold(f64::INFINITY, f64::min)
}

fn goal(what: &str, figure: String, goal: &str, met: bool) {
    println!("{what:<56} {figure:>12}   {goal:<14} {}", if met { "met" } else { "MISSED" });
}

fn shown(subject: &Subject, rows: usize, figures: &BTreeMap<String, f64>) {
    let ours = figures["wasmtime"];
    let mut line = format!("{:<20} {rows:>7} rows", subject.name);
    for engine in ["wasmtime", "native", "onnxruntime", "LightGBM", "trees in C"] {
        if let Some(nanoseconds) = figures.get(engine) {
            line += &format!("   {engine} {nanoseconds:.1} ns ({:.2} x)", nanoseconds / ours);
        }
    }
    println!("{line}");
}

fn sizes(subject: &Subject) {
    let mut gzip = Command::new("gzip").args(["-9", "-c"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut to = gzip.stdin.take().unwrap();
    let wasm = subject.wasm.clone();
    let writer = std::thread::spawn(move || to.write_all(&wasm).unwrap());
    let compressed = gzip.wait_with_output().unwrap().stdout.len();
    writer.join().unwrap();
    println!("{:<20} module of {} bytes, {compressed} compressed", subject.name, subject.wasm.len());
}

/// Microseconds to make an instance with pooling, and with its first score, the best of many.
fn start(subject: &Subject) -> (f64, f64) {
    let mut pool = PoolingAllocationConfig::new();
    pool.total_core_instances(4).total_memories(4).total_tables(16).max_tables_per_module(4).table_elements(20_000);
    let mut config = Config::new();
    config.allocation_strategy(InstanceAllocationStrategy::Pooling(pool));
    let engine = Engine::new(&config).unwrap();
    let module = Module::new(&engine, &subject.wasm).unwrap();
    let mut linker: Linker<()> = Linker::new(&engine);
    linker.define_unknown_imports_as_traps(&module).unwrap();
    let pre: InstancePre<()> = linker.instantiate_pre(&module).unwrap();
    let one = subject.frame(1);
    let (mut made, mut scored) = (f64::INFINITY, f64::INFINITY);
    for _ in 0..200 {
        let begin = Instant::now();
        let mut store = Store::new(&engine, ());
        let instance = pre.instantiate(&mut store).unwrap();
        made = made.min(begin.elapsed().as_secs_f64() * 1e6);
        let alloc = instance.get_typed_func::<u32, u32>(&mut store, "tamis_alloc").unwrap();
        let call = instance.get_typed_func::<(u32, u32, u32), u64>(&mut store, "tamis_call").unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let len = one.bytes().len() as u32;
        let at = alloc.call(&mut store, len).unwrap();
        memory.write(&mut store, at as usize, one.bytes()).unwrap();
        assert_ne!(call.call(&mut store, (subject.score, at, len)).unwrap(), 0);
        scored = scored.min(begin.elapsed().as_secs_f64() * 1e6);
    }
    (made, scored)
}

fn main() {
    let folder: PathBuf = target().join("bench-models");
    let mut peers = Peers::start(&folder);
    let subjects = [Subject::fraud(), Subject::made(&folder, DEEP), Subject::made(&folder, SHALLOW)];
    println!("one thread, the best of {ROUNDS} rounds in turns; in brackets: how many times what wasmtime takes\n");
    let mut all = BTreeMap::new();
    for subject in &subjects {
        for rows in [1, ROWS] {
            let figures = subject.measure(&mut peers, rows);
            shown(subject, rows, &figures);
            all.insert((subject.name, rows), figures);
        }
    }
    println!();
    subjects.iter().for_each(sizes);
    println!();
    let ratio = |name: &'static str, over: &str, under: &str| {
        let figures = &all[&(name, ROWS)];
        figures[over] / figures[under]
    };
    let fraud = ratio(FRAUD, "onnxruntime", "wasmtime");
    goal("fraud: onnxruntime over wasmtime", format!("{fraud:.0} x"), ">= 150 x", fraud >= 150.0);
    let beside = ratio(FRAUD, "wasmtime", "native");
    goal("fraud: wasmtime over native", format!("{beside:.2} x"), "<= 1.5 x", beside <= 1.5);
    let one = all[&(FRAUD, 1)]["wasmtime"];
    goal("fraud: one row in wasmtime", format!("{one:.0} ns"), "<= 300 ns", one <= 300.0);
    for name in [DEEP, SHALLOW] {
        let theirs = ratio(name, "onnxruntime", "wasmtime");
        goal(&format!("{name}: onnxruntime over wasmtime"), format!("{theirs:.2} x"), ">= 2 x", theirs >= 2.0);
        let compiled = ratio(name, "trees in C", "wasmtime");
        goal(&format!("{name}: trees in C over wasmtime"), format!("{compiled:.2} x"), ">= 1 x", compiled >= 1.0);
    }
    for subject in &subjects {
        let (made, scored) = start(subject);
        goal(&format!("{}: an instance, with pooling", subject.name), format!("{made:.1} us"), "<= 100 us", made <= 100.0);
        println!("{:<56} {scored:>9.1} us", format!("{}: the same and its first score", subject.name));
    }
}
