//! The JavaScript function that `tamis export asa-javascript` writes, in two engines on all golden vectors: the bits of the
//! module in wasmtime, and its words for odd rows.

#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(clippy::print_stdout, reason = "one line a runner")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Instant;

use rquickjs::{Context, Runtime};
use serde_json::{Map, Value, json};
use tamis_frame::{RESULT, Reply, Values};
use tamis_tests::golden::{Golden, Guest, root, target};
use tamis_tests::guests;
use tamis_tests::host::tamis;

const SCORE: u32 = 1;

fn golden() -> &'static Golden {
    static GOLDEN: OnceLock<Golden> = OnceLock::new();
    GOLDEN.get_or_init(Golden::read)
}

/// The golden rows as objects, as a query hands them to a function.
fn rows() -> Vec<Map<String, Value>> {
    let columns = golden().json();
    let columns = columns.as_object().unwrap();
    (0..golden().scores.len()).map(|row| columns.iter().map(|(name, values)| (name.clone(), values[row].clone())).collect()).collect()
}

/// The scores of the golden rows, by the raw door in wasmtime.
fn expected() -> Vec<f64> {
    let reply = Guest::new().run(SCORE, golden().frame(golden().scores.len()).bytes());
    let Reply::Columns(frame) = Reply::parse(reply.bytes()).unwrap() else { panic!("an error reply") };
    let Values::Float(values) = frame.column(RESULT).unwrap().values else { panic!("not floats") };
    values.to_vec()
}

/// Writes the built-in function; answers where its script is.
fn export(dir: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let exported = tamis(&[&["export", "asa-javascript", "-o", dir.to_str().unwrap(), "--name", name], arguments].concat());
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    dir.join(format!("{name}.js"))
}

fn assert_same_bits(runner: &str, scores: &[Option<f64>], seconds: f64) {
    let expected = expected();
    let same = scores.iter().zip(&expected).filter(|(a, b)| a.is_some_and(|a| a.to_bits() == b.to_bits())).count();
    println!("{runner}: {same} of {} rows bit-equal, {:.0} rows/s", expected.len(), expected.len() as f64 / seconds);
    assert_eq!((scores.len(), same), (expected.len(), expected.len()), "{runner} differs");
}

fn quickjs<R>(script: &Path, run: impl FnOnce(rquickjs::Ctx<'_>) -> R) -> R {
    let context = Context::full(&Runtime::new().unwrap()).unwrap();
    context.with(|context| {
        let only = "['WebAssembly', 'BigInt', 'SharedArrayBuffer', 'Atomics', 'TextDecoder'].forEach(function (name) { delete globalThis[name]; });";
        context.eval::<(), _>(only).unwrap();
        context.eval::<(), _>(std::fs::read(script).unwrap()).unwrap();
        run(context)
    })
}

#[test]
fn quickjs_gives_the_modules_bits_on_all_golden_rows() {
    let dir = tempfile::tempdir().unwrap();
    let script = export(dir.path(), "score", &["--function", "score"]);
    let rows = json!(rows()).to_string();
    let (scores, seconds) = quickjs(&script, |context| {
        context.globals().set("request", rows).unwrap();
        let start = Instant::now();
        let scores: Vec<Option<f64>> = context.eval("JSON.parse(request).map(main)").unwrap();
        (scores, start.elapsed().as_secs_f64())
    });
    assert_same_bits("quickjs", &scores, seconds);
    let run = export(dir.path(), "run", &[]);
    let classes: Vec<i64> = quickjs(&run, |context| {
        context.globals().set("request", json!(self::rows()).to_string()).unwrap();
        context.eval("JSON.parse(request).map(main)").unwrap()
    });
    let signature: Value = serde_json::from_slice(&tamis(&["inspect", "--json"]).stdout).unwrap();
    let threshold = signature["threshold"].as_f64().unwrap();
    assert!(classes.iter().zip(expected()).all(|(class, score)| *class == i64::from(score >= threshold)));
}

/// Golden rows with one value set to something else; `{"$": …}` stands for what JSON cannot say.
fn odd_rows() -> Vec<Value> {
    let good = rows().remove(0);
    let values = [
        json!({ "$": "undefined" }),
        Value::Null,
        json!("abc"),
        json!(""),
        json!("Ünbekannt, \"quoted\"\n🙂"),
        json!("x".repeat(100_000)),
        json!("__proto__"),
        json!("toString"),
        json!(3),
        json!(-7),
        json!(2.5),
        json!(1e300),
        json!(-1e-310),
        json!(1.25e21),
        json!(9_007_199_254_740_992_i64),
        json!(9_007_199_254_740_994_i64),
        json!({ "$": "NaN" }),
        json!({ "$": "Infinity" }),
        json!({ "$": "-Infinity" }),
        json!(true),
        json!([1]),
        json!({ "a": 1 }),
    ];
    let mut odd: Vec<Value> = Vec::new();
    for column in good.keys() {
        for value in &values {
            let mut row = good.clone();
            row[column] = value.clone();
            odd.push(row.into());
        }
        let mut row = good.clone();
        row.remove(column);
        odd.push(row.clone().into());
        row.insert(column.to_uppercase(), good[column].clone());
        odd.push(row.into());
    }
    odd
}

#[test]
fn node_gives_the_modules_bits_and_words() {
    let dir = tempfile::tempdir().unwrap();
    let script = export(dir.path(), "score", &["--function", "score"]);
    let strict = export(dir.path(), "strict", &["--function", "score", "--strict"]);
    let odd = odd_rows();
    let request = json!({ "rows": rows(), "odd": odd }).to_string();
    let mut child = Command::new("node")
        .arg(root().join("tests/parity/asa.mjs"))
        .args([&script, &strict, &target().join("udf")])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("node 20 or newer runs the JavaScript side");
    child.stdin.take().unwrap().write_all(request.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success());
    let answers: Value = serde_json::from_slice(&output.stdout).unwrap();
    let bits = |hex: &Value| hex.as_str().map(|hex| f64::from_bits(u64::from_str_radix(hex, 16).unwrap()));
    let scores: Vec<Option<f64>> = answers["scores"].as_array().unwrap().iter().map(bits).collect();
    assert_same_bits("node", &scores, answers["seconds"].as_f64().unwrap());
    let (mut thrown, mut scored) = (0, 0);
    for (row, answer) in odd.iter().zip(answers["odd"].as_array().unwrap()) {
        assert_eq!(answer["thrown"], answer["door"], "{}", row.to_string().chars().take(600).collect::<String>());
        let rejected = answer["thrown"]["error"].is_string();
        assert_eq!(answer["null"].is_null(), rejected, "{row}");
        if rejected { thrown += 1 } else { scored += 1 }
    }
    println!("node: {thrown} odd rows rejected with the module's words, {scored} scored with its bits");
    assert!(thrown > 100 && scored > 50);
}

#[test]
fn the_files_are_those_of_a_project_in_plain_ecmascript_2015() {
    let dir = tempfile::tempdir().unwrap();
    let script = std::fs::read_to_string(export(dir.path(), "fraud_score", &["--function", "score"])).unwrap();
    assert!(script.is_ascii());
    let code: String = script.lines().filter(|line| !line.trim_start().starts_with("//")).map(|line| format!("{line}\n")).collect();
    assert!(code.starts_with("function main(row) {\n") && code.ends_with("}\n"), "one function and nothing around it");
    for word in [
        "WebAssembly",
        "BigInt",
        "TextDecoder",
        "Buffer",
        "require",
        "import ",
        "globalThis",
        "=>",
        "?.",
        "??",
        "**",
        "console",
        "Date(",
        "random",
    ] {
        assert!(!code.contains(word), "{word}");
    }
    let description: Value = serde_json::from_slice(&std::fs::read(dir.path().join("fraud_score.js.json")).unwrap()).unwrap();
    let expected = json!({
        "Name": "fraud_score",
        "Type": "Scalar",
        "ScriptType": "JSFunction",
        "FunctionInputs": [{ "DataType": "record", "IsConfigurationParameter": null }],
        "OutputType": "float",
    });
    assert_eq!(description, expected);
}

#[test]
fn what_cannot_be_written_is_refused_with_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("out");
    let guest = dir.path().join("sums.wasm");
    std::fs::write(&guest, guests::sums(&["a"])).unwrap();
    let cases: [(&[&str], &str); 4] = [
        (&[guest.to_str().unwrap()], "pack it again"),
        (&["--name", "a-b"], "'a-b' cannot be a function's name"),
        (&["--function", "explain"], "there is no function 'explain' that can be written as JavaScript; there are run, score"),
        (&["nowhere.wasm"], "nowhere.wasm: the module cannot be read"),
    ];
    for (arguments, words) in cases {
        let refused = tamis(&[&["export", "asa-javascript", "-o", out.to_str().unwrap()], arguments].concat());
        let message = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && message.contains(words), "{message}");
        assert!(!out.exists());
    }
}
