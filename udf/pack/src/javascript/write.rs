//! The whole file: what it needs, the model's data, and one function around it all.

use tamis_frame::signature::{Class, Policy, Task};
use tamis_frame::{Function, Signature, Type};
use tamis_model::{Kind, Program};

use super::literal::{comment, number, text, texts};
use super::steps::{self, Combined, Needed};
use super::{JavaScriptError, Options};

const READ: &str = include_str!("parts/read.js");
const FLOAT: &str = include_str!("parts/float.js");
const BIGINT: &str = include_str!("parts/bigint.js");
const BIT: &str = include_str!("parts/bit.js");
const TEXT: &str = include_str!("parts/text.js");
const EXP: &str = include_str!("parts/exp.js");
const PIECE: &str = include_str!("parts/piece.js");
const LOOKUP: &str = include_str!("parts/lookup.js");
const TOGETHER: &str = include_str!("parts/together.js");
const SOFTMAX: &str = include_str!("parts/softmax.js");
const LEAF: &str = include_str!("parts/leaf.js");
const TREES: &str = include_str!("parts/trees.js");

/// A number whose upper half is this and whose lower half is 0: libm compares upper halves.
fn upper(half: u64) -> String {
    number(f64::from_bits(half << 32))
}

pub(super) fn part(needed: Needed) -> String {
    match needed {
        Needed::Exp => {
            let exp = EXP.replace("$HALF_LN2", &upper(0x3fd6_2e43)).replace("$THREE_HALF_LN2", &upper(0x3ff0_a2b2));
            exp.replace("$TINY", &upper(0x3e30_0001))
        }
        Needed::Piece => PIECE.to_owned(),
        Needed::Lookup => LOOKUP.to_owned(),
        Needed::Together => TOGETHER.to_owned(),
        Needed::Softmax => SOFTMAX.to_owned(),
        Needed::Leaf => LEAF.to_owned(),
        Needed::Trees(combined) => {
            let expression = match combined {
                Combined::Sum => "sum + weight",
                Combined::Min => "weight < sum ? weight : sum",
                Combined::Max => "weight > sum ? weight : sum",
            };
            TREES.replace("$NAME", &format!("trees{combined:?}")).replace("$COMBINED", expression)
        }
    }
}

/// The file's text.
pub(super) fn script(program: &Program, signature: &Signature, function: &Function, options: &Options) -> Result<String, JavaScriptError> {
    if program.columns.len() != signature.columns.len() {
        return Err(JavaScriptError::Differ("they have different numbers of columns"));
    }
    let statements = steps::write(program)?;
    let mut parts = READ.to_owned();
    let has = |ty| signature.columns.iter().any(|column| column.ty == ty);
    for (ty, part) in [(Type::Float, FLOAT), (Type::BigInt, BIGINT), (Type::Bit, BIT), (Type::Text, TEXT)] {
        if has(ty) {
            parts += part;
        }
    }
    for needed in &statements.needed {
        parts += &part(*needed);
    }
    let (mut columns, mut reads) = (Vec::new(), Vec::new());
    for (place, (column, kind)) in signature.columns.iter().zip(&program.columns).enumerate() {
        let mut fields =
            format!("name: {}, type: {}, missing: {}", text(&column.name), text(column.ty.name()), column.missing == Policy::Accept);
        let read = match (column.ty, kind) {
            (Type::Float, Kind::Float) => "readFloat",
            (Type::BigInt, Kind::BigInt) => "readBigint",
            (Type::Bit, Kind::BigInt) => "readBit",
            (Type::Text, Kind::Text { categories }) => {
                let known = texts(categories.iter().map(String::as_str));
                fields += &format!(", closed: {}, known: {known}, places: places({known})", column.unknown == Policy::Reject);
                "readText"
            }
            _ => return Err(JavaScriptError::Differ("a column has different types")),
        };
        columns.push(format!("            {{{fields}}}"));
        reads.push(format!("                {read}(row, columns[{place}])"));
    }
    let result = result(program, signature, function)?;
    let bad = if options.strict { "throw new Error(bad.reason);" } else { "return null;" };
    let indented: String = parts.lines().map(|line| if line.is_empty() { "\n".to_owned() } else { format!("        {line}\n") }).collect();
    Ok(format!(
        "// udf.{name}(step): {about}.
// {behaviour}
// Written by tamis from the model {model} {version} (module's SHA-256 {sha256}): the same values, bit for bit.
function main(row) {{
    \"use strict\";
    if (!main.score) main.score = (function () {{
{indented}        var columns = [
{columns}
        ];
{data}        function evaluate(v) {{
{body}{result}        }}
        return function (row) {{
            try {{
                if (row === null || typeof row !== \"object\" || kindOf.call(row) === \"[object Array]\") {{
                    throw new Reject(\"a row is expected, \" + (isAbsent(row) ? \"no value\" : described(row)) + \" was given\");
                }}
                return evaluate([
{reads}
                ]);
            }} catch (bad) {{
                if (!(bad instanceof Reject)) throw bad;
                {bad}
            }}
        }};
    }}());
    return main.score(row);
}}
",
        name = options.name,
        about = comment(&function.about),
        behaviour = if options.strict {
            "A row that does not fit is thrown as an Error that says why, which ends a job of Stream Analytics."
        } else {
            "A row that does not fit gives null."
        },
        model = comment(&signature.model.name),
        version = comment(&signature.model.version),
        sha256 = options.sha256,
        columns = columns.join(",\n"),
        data = statements.data,
        body = statements.body,
        reads = reads.join(",\n"),
    ))
}

/// The statements that make the function's value of the registers.
fn result(program: &Program, signature: &Signature, function: &Function) -> Result<String, JavaScriptError> {
    let registers: Vec<String> = program.scores.iter().map(|register| format!("r{register}")).collect();
    let all = format!("[{}]", registers.join(", "));
    let classes: Vec<String> = signature
        .classes
        .iter()
        .map(|class| match class {
            Class::BigInt(class) => class.to_string(),
            Class::Text(class) => text(class),
        })
        .collect();
    let (score, run) = match signature.task {
        Task::Regression | Task::Binary if registers.len() != 1 => return Err(JavaScriptError::Differ("there is more than one score")),
        Task::Regression => (registers[0].clone(), "score".to_owned()),
        Task::Binary => {
            let [no, yes] = [0, 1].map(|place| classes.get(place).cloned().unwrap_or_else(|| place.to_string()));
            (registers[0].clone(), format!("score >= {} ? {yes} : {no}", number(signature.threshold)))
        }
        Task::Multiclass if classes.len() != registers.len() => return Err(JavaScriptError::Differ("there are other classes than scores")),
        Task::Multiclass => (format!("most({all})"), format!("[{}][best({all})]", classes.join(", "))),
    };
    let value = if function.name == "run" { run } else { "score".to_owned() };
    Ok(format!(
        "            var score = {score};
            if (!isFinite(score)) throw new Reject(\"the function's result is \" + plain(score));
            return {value};
"
    ))
}
