//! The npm package from its packed tarball, installed into a project of its own: in Node by `import` and by `require`, in
//! Chromium, and its types in the TypeScript compiler.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stdout, reason = "one line a runner")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};
use tamis_frame::{RESULT, Reply, Values};
use tamis_tests::golden::{Golden, Guest, root};
use tamis_tests::guests;
use tamis_tests::host::tamis;

const SCORE: u32 = 1;

fn done(command: &mut Command, input: &str) -> Output {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let (out, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{command:?}\n{out}\n{errors}");
    output
}

fn text(command: &mut Command, input: &str) -> String {
    String::from_utf8(done(command, input).stdout).unwrap()
}

/// A project with the packed tarball of the built-in function installed, and the package's folder in it.
fn project() -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let package = dir.path().join("package");
    let exported = tamis(&["export", "npm", "-o", package.to_str().unwrap(), "--name", "@acme/fraud", "--package-version", "1.2.3"]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let packed = text(Command::new("npm").args(["pack", "--json", "--pack-destination", ".."]).current_dir(&package), "");
    let packed: Value = serde_json::from_str(&packed).unwrap();
    let mut names: Vec<&str> = packed[0]["files"].as_array().unwrap().iter().map(|file| file["path"].as_str().unwrap()).collect();
    names.sort_unstable();
    let expected = [
        "README.md",
        "browser.d.ts",
        "browser.js",
        "node.cjs",
        "node.d.cts",
        "node.d.mts",
        "node.mjs",
        "package.json",
        "tamis_udf_bg.wasm",
    ];
    assert_eq!(names, expected);
    let tarball = dir.path().join(packed[0]["filename"].as_str().unwrap());
    let project = dir.path().join("project");
    std::fs::create_dir(&project).unwrap();
    std::fs::write(project.join("package.json"), r#"{ "private": true }"#).unwrap();
    done(Command::new("npm").args(["install", "--offline", "--no-audit", "--no-fund"]).arg(tarball).current_dir(&project), "");
    let installed = project.join("node_modules/@acme/fraud");
    assert!(installed.join("node.cjs").is_file());
    (dir, installed)
}

fn project_of(installed: &Path) -> &Path {
    installed.ancestors().nth(3).unwrap()
}

/// The scores of the golden rows, by the raw door in wasmtime.
fn scores(golden: &Golden) -> Vec<f64> {
    let reply = Guest::new().run(SCORE, golden.frame(golden.scores.len()).bytes());
    let Reply::Columns(frame) = Reply::parse(reply.bytes()).unwrap() else { panic!("an error reply") };
    let Values::Float(values) = frame.column(RESULT).unwrap().values else { panic!("not floats") };
    values.to_vec()
}

fn assert_same_bits(runner: &str, answers: &Value, expected: &[f64]) {
    let bits = |hex: &Value| u64::from_str_radix(hex.as_str().unwrap(), 16).unwrap();
    let scores: Vec<u64> = answers["scores"].as_array().unwrap().iter().map(bits).collect();
    let same = scores.iter().zip(expected).filter(|(a, b)| **a == b.to_bits()).count();
    println!("{runner}: {same} of {} rows bit-equal", expected.len());
    assert_eq!((scores.len(), same), (expected.len(), expected.len()), "{runner}");
    assert_eq!(answers["same_by_row"], true);
}

#[test]
fn the_installed_tarball_scores_with_the_same_bits_in_node_and_chromium() {
    let (_dir, installed) = project();
    let project = project_of(&installed);
    let golden = Golden::read();
    let expected = scores(&golden);
    let request = json!({ "columns": golden.json(), "odd": [] }).to_string();
    let helper = root().join("tests/parity/answers.mjs");
    let run = |name: &str, loads: &str| {
        let script = format!(
            "import {{ readFileSync }} from 'node:fs';\nimport {{ answers }} from {};\n{loads}\n\
             process.stdout.write(JSON.stringify(answers(udf, JSON.parse(readFileSync(0, 'utf8')))));\n",
            json!(helper)
        );
        std::fs::write(project.join(name), script).unwrap();
        serde_json::from_str::<Value>(&text(Command::new("node").arg(name).current_dir(project), &request)).unwrap()
    };
    let imported = run("imported.mjs", "import * as udf from '@acme/fraud';\nawait udf.default();");
    assert_same_bits("node, import", &imported, &expected);
    let required =
        run("required.mjs", "import { createRequire } from 'node:module';\nconst udf = createRequire(import.meta.url)('@acme/fraud');");
    assert_same_bits("node, require", &required, &expected);
    assert_eq!(imported["signature"], required["signature"]);
    let chromium = text(Command::new("node").arg(root().join("tests/parity/chromium.mjs")).arg(&installed).arg("browser.js"), &request);
    assert_same_bits("chromium", &serde_json::from_str(&chromium).unwrap(), &expected);
}

#[test]
fn the_example_in_its_readme_runs_as_it_stands() {
    let (_dir, installed) = project();
    let readme = std::fs::read_to_string(installed.join("README.md")).unwrap();
    let example = readme.split("```js\n").nth(1).unwrap().split("```").next().unwrap();
    assert!(example.lines().count() <= 10, "{example}");
    let project = project_of(&installed);
    std::fs::write(project.join("example.mjs"), example).unwrap();
    let printed = text(Command::new("node").arg("example.mjs").current_dir(project), "");
    let mut numbers = printed.split(|letter: char| !(letter.is_ascii_digit() || ".e-".contains(letter))).filter(|part| !part.is_empty());
    let (class, score): (i64, f64) = (numbers.next().unwrap().parse().unwrap(), numbers.next().unwrap().parse().unwrap());
    assert!((0..=1).contains(&class) && (0.0..=1.0).contains(&score) && numbers.next().is_none(), "{printed}");
    let required = "const { run, score } = require('@acme/fraud'); console.log(run([]).length + score([]).length)";
    assert_eq!(text(Command::new("node").args(["-e", required]).current_dir(project), "").trim(), "0");
}

#[test]
fn its_types_know_the_models_columns() {
    let compiler = root().join("tests/peers/node_modules/typescript/bin/tsc");
    assert!(compiler.is_file(), "{}: not there; run ./scripts/test rust, which installs it", compiler.display());
    let (_dir, installed) = project();
    let project = project_of(&installed);
    let signature: Value = serde_json::from_slice(&tamis(&["inspect", "--json"]).stdout).unwrap();
    let values = signature["columns"].as_array().unwrap().iter().map(|column| {
        let value = match column["type"].as_str().unwrap() {
            "nvarchar(max)" => json!("anything else"),
            "bit" => json!(true),
            _ => json!(1),
        };
        (column["name"].as_str().unwrap().to_owned(), value)
    });
    let row = Value::Object(values.collect());
    let program = format!(
        "import ready, {{ init, run, score, signature, type Row, type Signature }} from \"@acme/fraud\";
await ready();
init();
const row: Row = {row};
const classes: number[] = run([row, {{ ...row, more: null }}]);
const scores: number[] = score({{ data: [row] }});
const said: Signature = signature();
console.log(classes.length, scores.length, said.model.version, said.columns[0]?.categories?.length);
// @ts-expect-error a column is missing
const short: Row = {{}};
// @ts-expect-error a column has another type
const wrong: Row = {{ ...row, amount: \"12\" }};
// @ts-expect-error rows are not numbers
run(5);
export {{ short, wrong }};
"
    );
    std::fs::write(project.join("program.mts"), &program).unwrap();
    std::fs::write(
        project.join("program.cts"),
        "import udf = require(\"@acme/fraud\");\nconst scores: number[] = udf.score([]);\nexport = scores;\n",
    )
    .unwrap();
    std::fs::write(project.join("page.ts"), program.replace("init();", "")).unwrap();
    let check = |arguments: &[&str], files: &[&str]| {
        let mut command = Command::new("node");
        command.arg(&compiler).args(["--noEmit", "--strict", "--target", "es2022", "--lib", "es2022,dom", "--types", ""]);
        text(command.args(arguments).args(files).current_dir(project), "")
    };
    check(&["--module", "nodenext"], &["program.mts", "program.cts"]);
    // As a page's build sees it.
    check(&["--module", "esnext", "--moduleResolution", "bundler"], &["page.ts"]);
}

#[test]
fn what_cannot_be_a_package_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let out = out.to_str().unwrap();
    let guest = dir.path().join("sums.wasm");
    std::fs::write(&guest, guests::sums(&["a"])).unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&[guest.to_str().unwrap()], "for JavaScript: build or pack it again with this version"),
        (&["--name", "Fraud Model"], "npm takes no package of the name 'Fraud Model'"),
        (&["--package-version", "1.0"], "three numbers as in 1.2.3 are expected"),
        (&["nowhere.wasm"], "nowhere.wasm: the module cannot be read"),
    ];
    for (arguments, words) in cases {
        let refused = tamis(&[&["export", "npm", "-o", out], arguments].concat());
        let message = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && message.contains(words), "{message}");
        assert!(!Path::new(out).exists());
    }
}
