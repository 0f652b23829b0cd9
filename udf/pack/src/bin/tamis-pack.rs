//! `tamis-pack GUEST MODEL.onnx OUT.wasm [--card FILE] [--golden FILE]`: packs without the host, for the scripts that make
//! the function that the host comes with. `tamis pack` does the same with the guest that it carries.

#![expect(clippy::print_stderr, reason = "a command talks to its terminal")]

use std::process::ExitCode;

use tamis_pack::{Options, pack};

fn run() -> Result<(), String> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [guest, onnx, out, rest @ ..] = arguments.as_slice() else {
        return Err("usage: tamis-pack GUEST MODEL.onnx OUT.wasm [--card FILE] [--golden FILE]".to_owned());
    };
    let read = |path: &String| std::fs::read(path).map_err(|error| format!("{path}: {error}"));
    let mut options = Options::default();
    for pair in rest.chunks(2) {
        match pair {
            [flag, path] if flag == "--card" => {
                options.card = Some(serde_json::from_slice(&read(path)?).map_err(|error| format!("{path}: {error}"))?);
            }
            [flag, path] if flag == "--golden" => options.golden = Some(read(path)?),
            _ => return Err(format!("unknown argument '{}'", pair[0])),
        }
    }
    let packed = pack(&read(guest)?, &read(onnx)?, &options).map_err(|error| format!("{onnx}: {error}"))?;
    std::fs::write(out, packed.wasm).map_err(|error| format!("{out}: {error}"))
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
