//! The golden vectors as columns, as a frame and as JSON; and the guest in wasmtime.

use std::cell::RefCell;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use serde_json::{Map, Value, json};
use tamis_frame::{ColumnRef, Contract, Data, Type, encode_into, encoded_len};
use tamis_udf::{Block, Memory as Work, Model};
use wasmtime::{Engine, Instance, Linker, Memory, Module, Store, TypedFunc};

/// Where the project is.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A file that `scripts/build-udf` makes.
pub fn built(name: &str) -> Vec<u8> {
    let path = target().join("udf").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}; run ./scripts/build-udf", path.display()))
}

/// Cargo's target folder.
pub fn target() -> PathBuf {
    std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from)
}

/// The model inside the default function, for the native build.
pub fn model() -> &'static Model {
    static MODEL: OnceLock<Model> = OnceLock::new();
    MODEL.get_or_init(|| {
        let sections = tamis_pack::read(&built("tamis_udf.wasm")).unwrap();
        Model::new(sections.json, Contract::of(&sections.signature), &sections.bytes).unwrap()
    })
}

/// One call in the native build; like the raw door, it keeps its memory.
pub fn call(function: u32, frame: &[u8]) -> Option<Block> {
    thread_local! {
        static WORK: RefCell<Work> = RefCell::default();
    }
    WORK.with_borrow_mut(|work| tamis_udf::call(model(), work, function, frame, Block::new))
}

/// The values of one column.
#[derive(Debug, Clone)]
pub enum Values {
    /// Numbers.
    Float(Vec<f64>),
    /// Whole numbers, and bits.
    BigInt(Vec<i64>),
    /// Where each text starts and ends, and all texts.
    Text(Vec<i32>, Vec<u8>),
}

/// Rows as columns, with the scores that onnxruntime gave.
#[derive(Debug)]
pub struct Golden {
    /// Names and values, in the signature's order.
    pub columns: Vec<(String, Values)>,
    /// One score a row.
    pub scores: Vec<f64>,
}

impl Golden {
    /// Reads `model/fraud/golden.csv`.
    pub fn read() -> Self {
        let signature = &model().contract;
        let mut reader = csv::Reader::from_path(root().join("model/fraud/golden.csv")).unwrap();
        let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
        let mut columns: Vec<(String, Values)> = signature
            .columns
            .iter()
            .map(|column| {
                let values = match column.ty {
                    Type::Float => Values::Float(Vec::new()),
                    Type::BigInt | Type::Bit => Values::BigInt(Vec::new()),
                    Type::Text => Values::Text(vec![0], Vec::new()),
                };
                (column.name.clone(), values)
            })
            .collect();
        let mut scores = Vec::new();
        for record in reader.records() {
            let record = record.unwrap();
            let field = |name: &str| record.get(names.iter().position(|other| other == name).unwrap()).unwrap();
            for (name, values) in &mut columns {
                match values {
                    Values::Float(values) => values.push(field(name).parse().unwrap()),
                    Values::BigInt(values) => values.push(field(name).parse().unwrap()),
                    Values::Text(offsets, bytes) => {
                        bytes.extend_from_slice(field(name).as_bytes());
                        offsets.push(bytes.len() as i32);
                    }
                }
            }
            scores.push(field("score").parse().unwrap());
        }
        Self { columns, scores }
    }

    /// The first `rows` rows as a frame.
    pub fn frame(&self, rows: usize) -> Block {
        let columns: Vec<ColumnRef<'_>> = self
            .columns
            .iter()
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

    /// The columns as a JSON object of arrays.
    pub fn json(&self) -> Value {
        let columns = self.columns.iter().map(|(name, values)| {
            let values = match values {
                Values::Float(values) => json!(values),
                Values::BigInt(values) => json!(values),
                Values::Text(offsets, bytes) => {
                    let texts = offsets.windows(2).map(|span| std::str::from_utf8(&bytes[span[0] as usize..span[1] as usize]).unwrap());
                    texts.collect()
                }
            };
            (name.clone(), values)
        });
        Value::Object(columns.collect::<Map<_, _>>())
    }
}

/// Columns as a frame.
pub fn frame(columns: &[ColumnRef<'_>], rows: usize) -> Block {
    let mut block = Block::new(encoded_len(columns, rows)).unwrap();
    encode_into(columns, rows, block.bytes_mut());
    block
}

/// The guest in wasmtime, through its raw door.
pub struct Guest {
    /// What it lives in.
    pub store: Store<()>,
    /// Its memory.
    pub memory: Memory,
    /// `tamis_alloc`
    pub alloc: TypedFunc<u32, u32>,
    /// `tamis_free`
    pub free: TypedFunc<(u32, u32), ()>,
    /// `tamis_call`
    pub call: TypedFunc<(u32, u32, u32), u64>,
    instance: Instance,
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Guest").field("instance", &self.instance).finish_non_exhaustive()
    }
}

impl Default for Guest {
    fn default() -> Self {
        Self::new()
    }
}

impl Guest {
    /// The function that `scripts/build-udf` makes.
    pub fn new() -> Self {
        let engine = Engine::default();
        let module = Module::new(&engine, built("tamis_udf.wasm")).unwrap();
        Self::of(&module)
    }

    /// An instance of a compiled module.
    pub fn of(module: &Module) -> Self {
        let mut linker = Linker::new(module.engine());
        linker.define_unknown_imports_as_traps(module).unwrap();
        let mut store = Store::new(module.engine(), ());
        let instance = linker.instantiate(&mut store, module).unwrap();
        let memory = instance.get_memory(&mut store, "memory").unwrap();
        let alloc = instance.get_typed_func(&mut store, "tamis_alloc").unwrap();
        let free = instance.get_typed_func(&mut store, "tamis_free").unwrap();
        let call = instance.get_typed_func(&mut store, "tamis_call").unwrap();
        Self { store, memory, alloc, free, call, instance }
    }

    /// Calls an export without arguments.
    pub fn export<R: wasmtime::WasmResults>(&mut self, name: &str) -> R {
        self.instance.get_typed_func::<(), R>(&mut self.store, name).unwrap().call(&mut self.store, ()).unwrap()
    }

    /// The bytes that a packed pointer and length name.
    pub fn bytes(&self, packed: u64) -> Block {
        let (at, len) = ((packed >> 32) as usize, packed as u32 as usize);
        Block::copy_of(&self.memory.data(&self.store)[at..at + len]).unwrap()
    }

    /// One call over a frame, with both copies.
    pub fn run(&mut self, function: u32, frame: &[u8]) -> Block {
        let len = frame.len() as u32;
        let at = self.alloc.call(&mut self.store, len).unwrap();
        assert_ne!(at, 0);
        self.memory.write(&mut self.store, at as usize, frame).unwrap();
        let packed = self.call.call(&mut self.store, (function, at, len)).unwrap();
        let reply = self.bytes(packed);
        self.free.call(&mut self.store, (at, len)).unwrap();
        self.free.call(&mut self.store, ((packed >> 32) as u32, packed as u32)).unwrap();
        reply
    }
}
