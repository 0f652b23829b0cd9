//! `bindgen IN.wasm OUT`: writes `OUT/web` and `OUT/nodejs`, the JavaScript beside the wasm that both share.

use std::path::Path;

use wasm_bindgen_cli_support::Bindgen;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, input, out] = arguments.as_slice() else { return Err("usage: bindgen IN.wasm OUT".into()) };
    for target in ["web", "nodejs"] {
        let mut bindgen = Bindgen::new();
        bindgen
            .input_path(input)
            .out_name("tamis_udf")
            .typescript(true)
            .remove_name_section(true)
            .remove_producers_section(true)
            .omit_default_module_path(false);
        if target == "web" {
            bindgen.web(true)?
        } else {
            bindgen.nodejs(true)?
        };
        bindgen.generate(Path::new(out).join(target))?;
    }
    Ok(())
}
