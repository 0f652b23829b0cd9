//! Bakes a model into the guest by pre-initialisation: the guest is run here once, reads the model, lays its data out, and
//! its memory as it is then becomes the data of the new module. What comes out starts with everything in place.
//!
//! wasmtime-wizer does the same for modules in general, and refuses ones that can change a table, as wasm-bindgen's do.
//! This guest changes none before JavaScript calls it, so that memory is all there is to keep.

use std::sync::Mutex;

use tamis_frame::{Contract, PROGRAM_SECTION, SIGNATURE_SECTION, Signature};
use wasm_encoder::{ConstExpr, CustomSection, DataSection, ExportKind, ExportSection, MemorySection, MemoryType, RawSection};
use wasmparser::{ExternalKind, Parser, Payload};
use wasmtime::{Config, Engine, Instance, Linker, Module, OptLevel, Store};

use crate::{PackError, reach};

/// Zeros between two pieces of data that are worth a segment of their own.
const GAP: usize = 64;
const PAGE: usize = 65_536;
/// How the exports begin that only baking needs.
const BAKING: &str = "tamis_bake";

fn wrong(what: impl std::fmt::Display) -> PackError {
    PackError::Guest(what.to_string())
}

/// A guest, compiled once for all that is baked with it.
pub(crate) struct Oven<'g> {
    guest: &'g [u8],
    module: Module,
}

/// A module as it was baked, and the instance whose memory it is.
pub(crate) struct Baked {
    pub(crate) wasm: Vec<u8>,
    pub(crate) store: Store<()>,
    pub(crate) instance: Instance,
}

impl<'g> Oven<'g> {
    pub(crate) fn new(guest: &'g [u8]) -> Result<Self, PackError> {
        Ok(Self { guest, module: compiled(guest)? })
    }

    /// The guest with the model inside.
    pub(crate) fn bake(&self, signature: &Signature, program: &[u8]) -> Result<Baked, PackError> {
        let json = signature.to_json();
        let contract = Contract::of(signature).to_bytes();
        let parts = [json.as_bytes(), &contract, program];
        let Self { guest, module } = self;
        let mut linker = Linker::new(module.engine());
        linker.define_unknown_imports_as_traps(module).map_err(wrong)?;
        let mut store = Store::new(module.engine(), ());
        let instance = linker.instantiate(&mut store, module).map_err(wrong)?;
        let memory = instance.get_memory(&mut store, "memory").ok_or_else(|| wrong("it exports no memory"))?;
        let room = instance
            .get_typed_func::<(u32, u32), u32>(&mut store, "tamis_bake_room")
            .map_err(|_| wrong("it has a model inside already, or none of this version's exports; the generic guest is needed"))?;
        let bake = instance.get_typed_func::<(), u64>(&mut store, "tamis_bake").map_err(wrong)?;
        for (number, part) in parts.iter().enumerate() {
            let at = room.call(&mut store, (number as u32, part.len() as u32)).map_err(wrong)? as usize;
            if at == 0 {
                return Err(wrong("it has no memory for the model"));
            }
            memory.write(&mut store, at, part).map_err(wrong)?;
        }
        let failed = bake.call(&mut store, ()).map_err(|error| PackError::Model(format!("it stops at it ({})", error.root_cause())))?;
        let data = memory.data(&store);
        if failed != 0 {
            let (start, len) = ((failed >> 32) as usize, (failed & 0xFFFF_FFFF) as usize);
            let text = data.get(start..start.saturating_add(len)).unwrap_or_default();
            return Err(PackError::Model(String::from_utf8_lossy(text).into_owned()));
        }
        let mut data = data.to_vec();
        // Nothing runs any more, so that what lies on the stack is left over.
        let end = stack_end(guest).filter(|end| *end <= data.len()).unwrap_or(0);
        data[..end].fill(0);
        let wasm = rewrite(guest, &data, &json, program)?;
        Ok(Baked { wasm, store, instance })
    }
}

impl Baked {
    /// The module in the sandbox. A large one is not compiled again: its code and its memory are those of the instance that
    /// was baked.
    pub(crate) fn started(self) -> Result<(Store<()>, Instance), PackError> {
        if self.wasm.len() > LARGE {
            return Ok((self.store, self.instance));
        }
        let engine = Engine::default();
        let module = Module::new(&engine, &self.wasm).map_err(wrong)?;
        let mut linker = Linker::new(&engine);
        linker.define_unknown_imports_as_traps(&module).map_err(wrong)?;
        let mut store = Store::new(&engine, ());
        let instance = linker.instantiate(&mut store, &module).map_err(wrong)?;
        Ok((store, instance))
    }
}

/// The guest, compiled. A large one takes seconds: it is kept for the next model that is packed.
fn compiled(guest: &[u8]) -> Result<Module, PackError> {
    static LAST: Mutex<Option<(String, Module)>> = Mutex::new(None);
    let compile = || Module::new(&Engine::new(&config(guest))?, guest);
    if guest.len() <= LARGE {
        return compile().map_err(wrong);
    }
    let sha256 = crate::sha256(guest);
    let mut last = LAST.lock().map_err(wrong)?;
    match &*last {
        Some((known, module)) if *known == sha256 => Ok(module.clone()),
        _ => {
            let module = compile().map_err(wrong)?;
            *last = Some((sha256, module.clone()));
            Ok(module)
        }
    }
}

/// Above, a guest is compiled for a short compilation, not for speed: baking runs it once.
const LARGE: usize = 2 << 20;

fn config(guest: &[u8]) -> Config {
    let mut config = Config::new();
    // What is made must be the same on every machine.
    config.cranelift_nan_canonicalization(true);
    config.wasm_relaxed_simd(false);
    if guest.len() > LARGE {
        config.cranelift_opt_level(OptLevel::None);
    }
    config
}

/// Where the stack ends, when it lies below all data, as Rust's linker puts it.
fn stack_end(guest: &[u8]) -> Option<usize> {
    let (mut end, mut least) = (None, usize::MAX);
    let constant = |expr: &wasmparser::ConstExpr<'_>| match expr.get_operators_reader().read() {
        Ok(wasmparser::Operator::I32Const { value }) => usize::try_from(value).ok(),
        _ => None,
    };
    for payload in Parser::new(0).parse_all(guest).flatten() {
        match payload {
            Payload::GlobalSection(section) => {
                let global = section.into_iter().flatten().find(|global| global.ty.mutable);
                end = global.and_then(|global| constant(&global.init_expr));
            }
            Payload::DataSection(section) => {
                for data in section.into_iter().flatten() {
                    if let wasmparser::DataKind::Active { offset_expr, .. } = &data.kind {
                        least = least.min(constant(offset_expr).unwrap_or(0));
                    }
                }
            }
            _ => {}
        }
    }
    end.filter(|end| *end <= least)
}

/// Runs of bytes that are not zero, with where they start.
fn pieces(memory: &[u8]) -> Vec<(usize, &[u8])> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(start) = memory[at..].iter().position(|byte| *byte != 0).map(|zeros| at + zeros) {
        let mut end = start;
        let mut next = start;
        while next < memory.len() && next - end <= GAP {
            if memory[next] != 0 {
                end = next + 1;
            }
            next += 1;
        }
        pieces.push((start, &memory[start..end]));
        at = end;
    }
    pieces
}

/// The guest's module, with other data, the exports for baking left out, and the two sections that tools read.
fn rewrite(guest: &[u8], memory: &[u8], signature: &str, program: &[u8]) -> Result<Vec<u8>, PackError> {
    let pieces = pieces(memory);
    let mut module = wasm_encoder::Module::new();
    for payload in Parser::new(0).parse_all(guest) {
        let payload = payload.map_err(wrong)?;
        match &payload {
            Payload::MemorySection(section) => {
                let mut out = MemorySection::new();
                for ty in section.clone() {
                    let ty = ty.map_err(wrong)?;
                    out.memory(MemoryType {
                        minimum: ty.initial.max(memory.len().div_ceil(PAGE) as u64),
                        maximum: ty.maximum,
                        memory64: ty.memory64,
                        shared: ty.shared,
                        page_size_log2: ty.page_size_log2,
                    });
                }
                module.section(&out);
            }
            Payload::GlobalSection(section) => {
                let globals = section.clone().into_iter().collect::<Result<Vec<_>, _>>().map_err(wrong)?;
                // The stack pointer, which every call leaves as it was.
                if globals.iter().filter(|global| global.ty.mutable).count() > 1 {
                    return Err(wrong("it keeps state outside of its memory"));
                }
                raw(&mut module, &payload, guest);
            }
            Payload::ExportSection(section) => {
                let mut out = ExportSection::new();
                for export in section.clone() {
                    let export = export.map_err(wrong)?;
                    let kind = match export.kind {
                        ExternalKind::Func if export.name.starts_with(BAKING) => continue,
                        ExternalKind::Func => ExportKind::Func,
                        ExternalKind::Table => ExportKind::Table,
                        ExternalKind::Memory => ExportKind::Memory,
                        ExternalKind::Global => ExportKind::Global,
                        _ => return Err(wrong(format!("its export '{}' is of a kind that is not known here", export.name))),
                    };
                    out.export(export.name, kind, export.index);
                }
                module.section(&out);
            }
            Payload::StartSection { .. } => return Err(wrong("it has a start function, which would run twice")),
            Payload::DataCountSection { .. } => {
                module.section(&wasm_encoder::DataCountSection { count: pieces.len() as u32 });
            }
            Payload::DataSection(_) => {
                let mut out = DataSection::new();
                for (start, bytes) in &pieces {
                    out.active(0, &ConstExpr::i32_const(*start as u32 as i32), bytes.iter().copied());
                }
                module.section(&out);
            }
            Payload::CodeSectionStart { .. } => {
                module.section(&reach::code(guest, |name| !name.starts_with(BAKING))?);
            }
            Payload::CustomSection(section) if [SIGNATURE_SECTION, PROGRAM_SECTION].contains(&section.name()) => {}
            _ => raw(&mut module, &payload, guest),
        }
    }
    for (name, data) in [(SIGNATURE_SECTION, signature.as_bytes()), (PROGRAM_SECTION, program)] {
        module.section(&CustomSection { name: name.into(), data: data.into() });
    }
    Ok(module.finish())
}

/// A section as it is.
fn raw(module: &mut wasm_encoder::Module, payload: &Payload<'_>, guest: &[u8]) {
    if let Some((id, range)) = payload.as_section() {
        module.section(&RawSection { id, data: &guest[range] });
    }
}
