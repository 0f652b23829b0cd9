//! What the program carries in itself: the function that comes with it, the guest for others, and the live page. `build.rs` puts them here.

use include_dir::{Dir, include_dir};

/// The live page's files; empty when it was not built.
pub static SITE: Dir<'static> = include_dir!("$OUT_DIR/site");

static GUEST: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/function/guest.wasm"));
static FUNCTION: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/function/tamis_udf.wasm"));
static FUNCTION_SCRIPT: &str = include_str!(concat!(env!("OUT_DIR"), "/function/tamis_udf.js"));

/// The name by which a project asks for it.
pub const FUNCTION_NAME: &str = "builtin:tamis_udf.wasm";

/// The generic guest that `tamis pack` bakes models into; `None` when it was not built.
pub fn guest() -> Option<&'static [u8]> {
    (!GUEST.is_empty()).then_some(GUEST)
}

/// The function's module; `None` when it was not built.
pub fn function() -> Option<&'static [u8]> {
    (!FUNCTION.is_empty()).then_some(FUNCTION)
}

/// The JavaScript that loads the module in a browser; `None` when it was not built.
pub fn function_script() -> Option<&'static str> {
    (!FUNCTION_SCRIPT.is_empty()).then_some(FUNCTION_SCRIPT)
}
