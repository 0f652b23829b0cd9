//! What the program carries in itself: the function that comes with it, the guest for others, and the live page. `build.rs` puts them here.

use std::io::Read;

use include_dir::{Dir, include_dir};

/// The live page's files; empty when it was not built.
pub static SITE: Dir<'static> = include_dir!("$OUT_DIR/site");

static GUEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/function/guest.wasm"));
static GENERAL: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/function/general.wasm.gz"));
static FUNCTION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/function/tamis_udf.wasm"));
static FUNCTION_SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/function/tamis_udf.js"));
static FUNCTION_TYPES: &str = include_str!(concat!(env!("OUT_DIR"), "/function/tamis_udf.d.ts"));
static NODE_SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/function/tamis_udf.node.js"));
static NODE_TYPES: &str = include_str!(concat!(env!("OUT_DIR"), "/function/tamis_udf.node.d.ts"));

/// The name by which a project asks for it.
pub const FUNCTION_NAME: &str = "builtin:tamis_udf.wasm";

/// The generic guest that `tamis pack` bakes models into; `None` when it was not built.
pub fn guest() -> Option<&'static [u8]> {
    (!GUEST.is_empty()).then_some(GUEST)
}

/// The general guest, for models that the other one cannot run; `None` when it was not built.
pub fn general_guest() -> Option<Vec<u8>> {
    let mut wasm = Vec::new();
    let read = flate2::read::GzDecoder::new(GENERAL).read_to_end(&mut wasm);
    (!GENERAL.is_empty() && read.is_ok()).then_some(wasm)
}

/// The function's module; `None` when it was not built.
pub fn function() -> Option<&'static [u8]> {
    (!FUNCTION.is_empty()).then_some(FUNCTION)
}

/// The JavaScript that loads the module in a browser; `None` when it was not built.
pub fn function_script() -> Option<&'static str> {
    (!FUNCTION_SCRIPT.is_empty()).then_some(FUNCTION_SCRIPT)
}

/// The JavaScript that loads a module that was built or packed by this version, with its types.
#[derive(Debug, Clone, Copy)]
pub struct Scripts {
    /// For browsers, as an ECMAScript module.
    pub web: &'static str,
    /// Its types.
    pub web_types: &'static str,
    /// For Node, as a CommonJS module.
    pub node: &'static str,
    /// Its types.
    pub node_types: &'static str,
}

/// The scripts; `None` when they were not built.
pub fn scripts() -> Option<Scripts> {
    let scripts = Scripts { web: FUNCTION_SCRIPT, web_types: FUNCTION_TYPES, node: NODE_SCRIPT, node_types: NODE_TYPES };
    [scripts.web, scripts.web_types, scripts.node, scripts.node_types].iter().all(|text| !text.is_empty()).then_some(scripts)
}
