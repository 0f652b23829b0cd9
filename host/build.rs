//! Copies what the program carries in itself to where it can be included: the function and the live page.
//! Both are made by `scripts/build`; a build without them works too, and says at run time what is missing.

use std::path::{Path, PathBuf};
use std::{env, fs, io};

fn main() -> io::Result<()> {
    let out = PathBuf::from(env::var_os("OUT_DIR").unwrap_or_default());
    let here = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").unwrap_or_default());
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_DIR");
    let target = env::var_os("CARGO_TARGET_DIR").map_or_else(|| here.join("../target"), PathBuf::from);
    let function = out.join("function");
    fs::create_dir_all(&function)?;
    for (from, to) in [
        ("udf/guest.wasm", "guest.wasm"),
        ("udf/tamis_udf.wasm", "tamis_udf.wasm"),
        ("udf/web/tamis_udf.js", "tamis_udf.js"),
        ("udf/web/tamis_udf.d.ts", "tamis_udf.d.ts"),
        ("udf/nodejs/tamis_udf.js", "tamis_udf.node.js"),
        ("udf/nodejs/tamis_udf.d.ts", "tamis_udf.node.d.ts"),
        ("general/guest.wasm.gz", "general.wasm.gz"),
    ] {
        let from = target.join(from);
        println!("cargo::rerun-if-changed={}", from.display());
        let bytes = if from.is_file() { fs::read(&from)? } else { Vec::new() };
        fs::write(function.join(to), bytes)?;
    }
    let page = here.join("dashboard/dist");
    println!("cargo::rerun-if-changed={}", page.display());
    let site = out.join("site");
    if site.exists() {
        fs::remove_dir_all(&site)?;
    }
    fs::create_dir_all(&site)?;
    if page.is_dir() { copy(&page, &site) } else { Ok(()) }
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let place = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &place)?;
        } else {
            fs::copy(entry.path(), place)?;
        }
    }
    Ok(())
}
