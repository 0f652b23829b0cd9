//! A module as an npm package: the `.wasm`, the JavaScript that loads it in browsers and in Node, and types with the
//! model's own columns.

use std::fmt::Write;

use serde_json::json;
use tamis_frame::signature::Column;
use tamis_frame::{Signature, Type};

use crate::embedded::Scripts;
use crate::fault::Fault;
use crate::udf::Function;

/// What is said of the package.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Its name; made from the model's name when none is given.
    pub name: Option<String>,
    /// Its version; the model's, where npm accepts it, else `0.0.0-` with it.
    pub version: Option<String>,
    /// Its licence, as npm writes it; `UNLICENSED` when none is given.
    pub license: Option<String>,
}

/// The files of a package, by name.
#[derive(Debug)]
pub struct Package {
    /// The package's name.
    pub name: String,
    /// The package's version.
    pub version: String,
    /// Names and contents.
    pub files: Vec<(&'static str, Vec<u8>)>,
}

/// Node loads the CommonJS file, so that both kinds of import share one instance.
const NODE_MODULE: &str = "// In Node the model is ready at once; the default export is there so that the same code runs in a browser.
export * from \"./node.cjs\";
export default async function ready() {}
";
const NODE_TYPES: &str = "export * from \"./node.cjs\";
/** Nothing to wait for in Node; there so that the same code runs in a browser. */
export default function ready(): Promise<void>;
";

/// What `run` answers as long as the model is not known.
const ANY_ANSWER: &str = "run(data: Table): (number | string)[]";

/// Makes the package of a module.
///
/// # Errors
/// When the module was not made for JavaScript by this version, or the name or version is none that npm takes.
pub fn package(function: &Function, scripts: &Scripts, options: Options) -> Result<Package, Fault> {
    check_doors(function, scripts)?;
    let signature = function.signature();
    let name = match options.name {
        Some(name) if is_name(&name) => name,
        Some(name) => {
            return Err(Fault::job(format!("npm takes no package of the name '{name}': small letters, digits, '-', '_' and '.'")));
        }
        None => name_of(&signature.model.name),
    };
    let version = match options.version {
        Some(version) if is_version(&version) => version,
        Some(version) => return Err(Fault::job(format!("npm takes no version '{version}': three numbers as in 1.2.3 are expected"))),
        None => version_of(&signature.model.version),
    };
    let manifest = json!({
        "name": name,
        "version": version,
        "description": format!("The model {} {}, as one WebAssembly file", signature.model.name, signature.model.version),
        "license": options.license.as_deref().unwrap_or("UNLICENSED"),
        "type": "module",
        "main": "./node.cjs",
        "module": "./browser.js",
        "types": "./browser.d.ts",
        "sideEffects": false,
        "files": ["*.js", "*.cjs", "*.mjs", "*.ts", "*.mts", "*.cts", "*.wasm"],
        "exports": {
            ".": {
                "node": {
                    "import": { "types": "./node.d.mts", "default": "./node.mjs" },
                    "require": { "types": "./node.d.cts", "default": "./node.cjs" },
                },
                "default": { "types": "./browser.d.ts", "default": "./browser.js" },
            },
            "./tamis_udf_bg.wasm": "./tamis_udf_bg.wasm",
            "./package.json": "./package.json",
        },
    });
    let answers = match signature.function("run").map(|(_, run)| run.returns) {
        Some(Type::Text) => "run(data: Table): string[]",
        _ => "run(data: Table): number[]",
    };
    let typed = |types: &str| types.replace(ANY_ROW, &row_type(&signature.columns)).replace(ANY_ANSWER, answers).into_bytes();
    let files = vec![
        ("package.json", format!("{manifest:#}\n").into_bytes()),
        ("README.md", readme(&name, function).into_bytes()),
        ("browser.js", scripts.web.replace("./tamis_udf.d.ts", "./browser.d.ts").into_bytes()),
        ("browser.d.ts", typed(scripts.web_types)),
        ("node.cjs", scripts.node.replace("./tamis_udf.d.ts", "./node.d.cts").into_bytes()),
        ("node.d.cts", typed(scripts.node_types)),
        ("node.mjs", NODE_MODULE.as_bytes().to_vec()),
        ("node.d.mts", NODE_TYPES.as_bytes().to_vec()),
        ("tamis_udf_bg.wasm", function.bytes().to_vec()),
    ];
    Ok(Package { name, version, files })
}

/// The scripts fit the module when they give all that it imports, and it has all that they call.
fn check_doors(function: &Function, scripts: &Scripts) -> Result<(), Fault> {
    let (imports, exports) = function.doors();
    let missing = imports.iter().find(|name| !scripts.web.contains(&format!(" {name}:")));
    let called = scripts
        .web
        .split("wasm.")
        .skip(1)
        .map(|rest| rest.chars().take_while(|letter| letter.is_ascii_alphanumeric() || *letter == '_').collect::<String>());
    let absent = called.filter(|name| !name.is_empty()).find(|name| !exports.contains(name));
    match (missing, absent) {
        (None, None) => Ok(()),
        (Some(name), _) => {
            Err(Fault::function(format!("the module imports '{name}', which this version does not give: build or pack it again")))
        }
        (_, Some(name)) => {
            Err(Fault::function(format!("the module has no '{name}' for JavaScript: build or pack it again with this version")))
        }
    }
}

fn name_of(model: &str) -> String {
    let letters = model.to_ascii_lowercase();
    let name: String = letters.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let name = name.trim_matches('-');
    if name.is_empty() { "tamis-model".to_owned() } else { name.to_owned() }
}

fn is_name(name: &str) -> bool {
    let part = |part: &str| {
        part.starts_with(|first: char| first.is_ascii_lowercase() || first.is_ascii_digit())
            && part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte))
    };
    name.len() <= 214
        && match name.strip_prefix('@').map(|name| name.split_once('/')) {
            None => part(name),
            Some(Some((scope, name))) => part(scope) && part(name),
            Some(None) => false,
        }
}

/// Three numbers without leading zeros, and what may follow them.
fn is_version(version: &str) -> bool {
    let (numbers, rest) = version.split_at(version.find(['-', '+']).unwrap_or(version.len()));
    let number = |text: &str| (text == "0" || !text.starts_with('0')) && text.parse::<u64>().is_ok();
    let identifier = |text: &str| {
        let numeric = text.bytes().all(|byte| byte.is_ascii_digit());
        !text.is_empty()
            && (!numeric || text == "0" || !text.starts_with('0'))
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    numbers.split('.').count() == 3
        && numbers.split('.').all(number)
        && (rest.is_empty() || (rest.starts_with('-') && rest[1..].split('.').all(identifier)))
}

fn version_of(model: &str) -> String {
    if is_version(model) {
        return model.to_owned();
    }
    let letters: String = model.chars().map(|letter| if letter.is_ascii_alphanumeric() { letter } else { '-' }).collect();
    let version = format!("0.0.0-model.{letters}");
    if is_version(&version) { version } else { format!("0.0.0-model-{letters}") }
}

/// The line of the types that says of a row only that it has columns.
const ANY_ROW: &str = "export type Row = Record<string, unknown>;";

fn row_type(columns: &[Column]) -> String {
    let mut text = String::from("export interface Row {\n");
    for column in columns {
        let ty = match column.ty {
            Type::Float => "number".to_owned(),
            Type::BigInt => "number | bigint".to_owned(),
            Type::Bit => "boolean".to_owned(),
            // The known ones are proposed, any other text is allowed.
            Type::Text if !column.categories.is_empty() => {
                let known: Vec<String> = column.categories.iter().map(|category| json!(category).to_string()).collect();
                format!("{} | (string & {{}})", known.join(" | "))
            }
            Type::Text => "string".to_owned(),
        };
        let optional = column.missing == tamis_frame::signature::Policy::Accept;
        let (mark, null) = if optional { ("?", " | null") } else { ("", "") };
        let _written = writeln!(text, "    {}{mark}: {ty}{null};", json!(column.name));
    }
    text.push_str("    /** Other columns are ignored. */\n    [column: string]: unknown;\n}");
    text
}

fn example_row(signature: &Signature) -> String {
    let value = |column: &Column| match column.ty {
        Type::Float | Type::BigInt => json!(1),
        Type::Bit => json!(true),
        Type::Text => json!(column.categories.first().map_or("", String::as_str)),
    };
    let fields: Vec<String> = signature.columns.iter().map(|column| format!("{}: {}", json!(column.name), value(column))).collect();
    // Four columns a line, so that the example stays short.
    fields.chunks(fields.len().div_ceil(4).max(1)).map(|part| part.join(", ")).collect::<Vec<_>>().join(",\n  ")
}

fn readme(name: &str, function: &Function) -> String {
    let signature = function.signature();
    let mut text = format!(
        "# {name}

The model {} {} as one WebAssembly file: the same scores, bit for bit, in browsers, in Node and in every host that runs the file.
No dependencies, nothing leaves the machine.

```js
import ready, {{ run, score }} from \"{name}\";

await ready(); // in a browser this loads the .wasm; in Node there is nothing to wait for
const rows = [{{
  {}
}}];
console.log(run(rows), score(rows));
```

With CommonJS: `const {{ run, score }} = require(\"{name}\");`

A row that does not fit throws an Error that names the row and the column.

| function | gives, for each row |
| --- | --- |
",
        signature.model.name,
        signature.model.version,
        example_row(signature),
    );
    for function in &signature.functions {
        let _written = writeln!(text, "| `{}` | {}: {} |", function.name, function.returns, function.about);
    }
    text.push_str("\n| column | type | known values |\n| --- | --- | --- |\n");
    for column in &signature.columns {
        let known = column.categories.join(", ").replace('|', "\\|").replace('\n', " ");
        let _written = writeln!(text, "| `{}` | {} | {known} |", column.name, column.ty);
    }
    let _written = write!(
        text,
        "\n`tamis_udf_bg.wasm` has the SHA-256 `{}`; its model was made from an ONNX file with `{}`.\n",
        function.sha256(),
        signature.model.sha256
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_versions_are_ones_that_npm_takes() {
        assert_eq!(name_of("Fraud (cards)"), "fraud--cards");
        assert_eq!(name_of("日本"), "tamis-model");
        for name in ["fraud", "@acme/fraud-2", "a.b_c"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", "Fraud", "../x", "@acme", "@acme/", ".x", "a b", "a/b"] {
            assert!(!is_name(name), "{name}");
        }
        assert_eq!(version_of("1.2.3"), "1.2.3");
        assert_eq!(version_of("7"), "0.0.0-model.7");
        assert_eq!(version_of("2026-11-24"), "0.0.0-model.2026-11-24");
        assert_eq!(version_of("007"), "0.0.0-model-007");
        assert_eq!(version_of(""), "0.0.0-model-");
        for version in ["1.2", "01.2.3", "1.2.3.4", "v1.2.3", "1.2.3-", "1.2.3-01", "1.2.3-a..b", "1.2.x"] {
            assert!(!is_version(version), "{version}");
        }
        assert!(is_version("1.0.0-rc.1"));
    }
}
