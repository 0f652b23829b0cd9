//! Small guests in WebAssembly text, for what the fraud model cannot show.

use serde_json::json;
use tamis_frame::{ABI_VERSION, Signature};

/// The signature of a guest with these columns of numbers and one function `run`.
fn signature(columns: &[&str]) -> Signature {
    let columns: Vec<_> =
        columns.iter().map(|name| json!({ "name": name, "type": "float", "missing": "reject", "unknown": "accept" })).collect();
    let signature = json!({
        "abi": ABI_VERSION,
        "model": { "name": "sums", "version": "1", "sha256": "0".repeat(64) },
        "threshold": 0.5,
        "columns": columns,
        "functions": [{ "name": "run", "returns": "bigint", "about": "1 where the sum is above 0" }],
    });
    Signature::from_json(signature.to_string().as_bytes()).unwrap()
}

fn guest(columns: &[&str], call: &str) -> Vec<u8> {
    let json = signature(columns).to_json();
    let text = json.replace('\\', "\\\\").replace('"', "\\\"");
    let module = format!(
        r#"(module
  (memory (export "memory") 256)
  (data (i32.const 1024) "{text}")
  (func (export "tamis_abi") (result i32) i32.const {ABI_VERSION})
  (func (export "tamis_alloc") (param i32) (result i32) i32.const 65536)
  (func (export "tamis_free") (param i32 i32))
  (func (export "tamis_signature") (result i64) i64.const {place})
  (func (export "tamis_call") (param $function i32) (param $at i32) (param $len i32) (result i64)
    {call}))"#,
        place = 1024_u64 << 32 | json.len() as u64,
    );
    wat::parse_str(module).unwrap()
}

/// A guest whose `run` answers 1 where the sum of the row's columns is above 0.
pub fn sums(columns: &[&str]) -> Vec<u8> {
    // The reply at 8 MiB: header (24), one descriptor (40), the name at 64, i64 values from 72 on.
    let call = format!(
        r#"(local $rows i32) (local $row i32) (local $column i32) (local $sum f64) (local $out i32)
    (local.set $out (i32.const 8388608))
    (local.set $rows (i32.load offset=12 (local.get $at)))
    (i64.store (local.get $out) (i64.load (local.get $at)))
    (i32.store offset=8 (local.get $out) (i32.const 1))
    (i32.store offset=12 (local.get $out) (local.get $rows))
    (i64.store offset=16 (local.get $out) (i64.extend_i32_u (i32.add (i32.const 72) (i32.shl (local.get $rows) (i32.const 3)))))
    (memory.fill (i32.add (local.get $out) (i32.const 24)) (i32.const 0) (i32.const 48))
    (i32.store offset=24 (local.get $out) (i32.const 64))
    (i32.store offset=28 (local.get $out) (i32.const 6))
    (i32.store offset=32 (local.get $out) (i32.const 2))
    (i32.store offset=56 (local.get $out) (i32.const 72))
    (i32.store offset=60 (local.get $out) (i32.shl (local.get $rows) (i32.const 3)))
    (i64.store offset=64 (local.get $out) (i64.const {name}))
    (block $done (loop $next
      (br_if $done (i32.ge_u (local.get $row) (local.get $rows)))
      (local.set $sum (f64.const 0))
      (local.set $column (i32.const 0))
      (block $summed (loop $add
        (br_if $summed (i32.ge_u (local.get $column) (i32.const {columns})))
        (local.set $sum (f64.add (local.get $sum) (f64.load (i32.add (i32.shl (local.get $row) (i32.const 3))
          (i32.add (local.get $at)
            (i32.load offset=56 (i32.add (local.get $at) (i32.mul (local.get $column) (i32.const 40)))))))))
        (local.set $column (i32.add (local.get $column) (i32.const 1)))
        (br $add)))
      (i64.store offset=72 (i32.add (local.get $out) (i32.shl (local.get $row) (i32.const 3)))
        (i64.extend_i32_u (f64.gt (local.get $sum) (f64.const 0))))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br $next)))
    (i64.or (i64.shl (i64.extend_i32_u (local.get $out)) (i64.const 32))
      (i64.extend_i32_u (i32.add (i32.const 72) (i32.shl (local.get $rows) (i32.const 3)))))"#,
        name = i64::from_le_bytes(*b"result\0\0"),
        columns = columns.len(),
    );
    guest(columns, &call)
}

/// A guest whose calls never end.
pub fn endless() -> Vec<u8> {
    guest(&["x"], "(loop $on (br $on)) unreachable")
}
