//! Functions that do everything wrong, in the sandbox: each has its exact outcome, costs at most its deadline and its memory,
//! and no other row suffers from it. The guests: `tests/hostile/guest.wat`. `tests/dead_letters.rs` has some of them in the
//! real program.

#![expect(clippy::unwrap_used, reason = "tests")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use tamis::batch::{Batch, Column, Origin, Value};
use tamis::time::Timestamp;
use tamis::udf::{Called, Function, Limits, Sandbox};
use tamis_tests::hostile::{Guest, LOOP, signature, when};

const DEADLINE: Duration = Duration::from_millis(100);
/// A machine with other work may be late by so much.
const LATE: Duration = Duration::from_millis(1500);

fn limits() -> Limits {
    Limits { deadline: DEADLINE, memory_bytes: 16 << 20, search: Duration::from_secs(2), ..Limits::default() }
}

fn load(guest: &Guest) -> Result<Function, String> {
    Sandbox::new(limits()).unwrap().load(&guest.wasm(), "guest").map_err(|error| error.to_string())
}

fn batch(values: &[f64]) -> Batch {
    Batch {
        names: ["x"].map(Arc::from).into(),
        columns: vec![Column::Float(values.to_vec().into())],
        times: vec![Timestamp(0); values.len()].into(),
        origin: Origin::Derived,
    }
}

fn run(guest: &Guest, values: &[f64]) -> Called {
    load(guest).unwrap().call("run", &batch(values)).unwrap()
}

/// The function answers nothing but this reason, whatever it is asked.
fn always(guest: &Guest, reason: &str) {
    let called = run(guest, &[1.0, 2.0]);
    let reasons: Vec<_> = called.rejected.iter().map(|(row, reason)| (*row, reason.as_str())).collect();
    assert_eq!(reasons, [(0, reason), (1, reason)]);
    assert_eq!((called.column.value(0), called.column.value(1)), (Value::Null, Value::Null));
}

/// Of many rows only these are rejected, for this reason; all others get their own value.
fn only(guest: &Guest, values: &[f64], bad: &[usize], reason: &str) {
    let called = run(guest, values);
    let odd = called.rejected.iter().find(|(row, said)| !bad.contains(row) || said != reason);
    assert!(odd.is_none(), "{odd:?}");
    assert_eq!(called.rejected.len(), bad.len());
    for (row, value) in values.iter().enumerate() {
        let expected = if bad.contains(&row) { Value::Null } else { Value::Float(*value) };
        assert_eq!(called.column.value(row), expected, "row {row}");
    }
}

const TOO_LONG: &str = "the function took longer than its deadline of 100ms";
const TRAPPED: &str = "the function trapped: wasm trap: wasm `unreachable` instruction executed";
const NESTED: &str = "the function trapped: its calls are nested too deeply";

#[test]
fn the_harmless_guest_answers() {
    only(&Guest::new(), &[1.0, 2.5, -3.0], &[], "");
}

#[test]
fn a_module_that_cannot_be_used_is_refused_with_the_reason_within_its_deadline() {
    let start = |deed: &str| Guest::new().put("declare", &format!("(func $go {deed}) (start $go)"));
    let deep = serde_json::from_str::<serde_json::Value>(&signature().to_string()).unwrap();
    let nested = format!("{},\"card\":{}{}}}", deep.to_string().strip_suffix('}').unwrap(), "[".repeat(50_000), "]".repeat(50_000));
    let many = |count: usize| {
        let mut signature = signature();
        signature["columns"] = (0..count)
            .map(|number| json!({ "name": format!("c{number}"), "type": "float", "missing": "reject", "unknown": "accept" }))
            .collect();
        signature
    };
    let mut escape = signature();
    escape["model"]["name"] = json!("\u{1b}[2Jfraud");
    let mut long = signature();
    long["model"]["version"] = json!("v".repeat(300));
    let mut twice = many(2);
    twice["columns"][1]["name"] = json!("C0");
    let cases: Vec<(&str, Guest, &str)> = vec![
        ("endless start", start(LOOP), "guest: it does not start: the function took longer than its deadline of 100ms"),
        ("endless abi", Guest::new().put("abi", LOOP), "guest: it does not start: the function took longer than its deadline of 100ms"),
        (
            "endless signature",
            Guest::new().put("signature", LOOP),
            "guest: it does not start: the function took longer than its deadline of 100ms",
        ),
        (
            "endless fill",
            start("(loop $on (memory.fill (i32.const 65536) (i32.const 1) (i32.const 8000000)) (br $on))"),
            "guest: it does not start: the function took longer than its deadline of 100ms",
        ),
        (
            "trap in start",
            start("unreachable"),
            "guest: it does not start: the function trapped: wasm trap: wasm `unreachable` instruction executed",
        ),
        (
            "recursion in start",
            start("(drop (call $deep (i32.const 0)))"),
            "guest: it does not start: the function trapped: its calls are nested too deeply",
        ),
        (
            "a call of an import in start",
            start("(call $secret)").put("imports", r#"(import "env" "secret" (func $secret))"#),
            "guest: it does not start: the function trapped: unknown import: `env::secret` has not been defined",
        ),
        (
            "data out of range",
            Guest::new().put("declare", r#"(data (i32.const 99999999) "x")"#),
            "guest: it does not start: the function trapped: wasm trap: out of bounds memory access",
        ),
        (
            "a memory of others",
            Guest::new().put("imports", r#"(import "env" "m" (global $m i32))"#),
            "guest: it imports the global 'env.m'; a module gets nothing from outside but functions that trap",
        ),
        (
            "a table of others",
            Guest::new().put("imports", r#"(import "env" "t" (table 1 funcref))"#),
            "guest: it imports the table 'env.t'; a module gets nothing from outside but functions that trap",
        ),
        (
            "another contract",
            Guest::new().put("abi", "(return (i32.const 7))"),
            "guest: it speaks contract version 7, this host speaks 1; update tamis",
        ),
        (
            "no call",
            Guest::new().replace("\"tamis_call\"", "\"call\""),
            "guest: the export 'tamis_call' is missing or has another type; the module must be built with Tamis' contract",
        ),
        (
            "another type",
            Guest::new().replace("(param $ptr i32) (param $len i32) (;free;)", "(;free;)"),
            "guest: the export 'tamis_free' is missing or has another type; the module must be built with Tamis' contract",
        ),
        (
            "no memory",
            Guest::new().replace("(export \"memory\") (;memory;)", ""),
            "guest: the export 'memory' is missing or has another type; the module must be built with Tamis' contract",
        ),
        (
            "huge signature",
            Guest::new().put("signature", "(return (i64.const 4398047559681))"),
            "guest: its signature has 1048577 bytes, at most 1048576 are allowed",
        ),
        (
            "signature out of range",
            Guest::new().put("signature", "(return (i64.const -4294967286))"),
            "guest: its signature lies outside its memory",
        ),
        (
            "empty signature",
            Guest::new().put("signature", "(return (i64.const 0))"),
            "guest: signature has 0 bytes, between 1 and 1048576 are allowed",
        ),
        ("no JSON", Guest::new().signature_bytes(b"\xff\xfe"), "guest: signature cannot be read: expected value at line 1 column 1"),
        (
            "nested JSON",
            Guest::new().signature_bytes(nested.as_bytes()),
            "guest: signature cannot be read: recursion limit exceeded at line 1 column",
        ),
        ("many columns", Guest::new().signature(&many(2000)), "guest: signature has 2000 columns, between 1 and 1024 are allowed"),
        ("the same name twice", Guest::new().signature(&twice), "guest: signature names 'C0' twice"),
        (
            "a name that steers a terminal",
            Guest::new().signature(&escape),
            "guest: signature has the name \"\\u{1b}[2Jfraud\"; control characters are not allowed in names",
        ),
        ("an overlong name", Guest::new().signature(&long), "guest: signature has 300 bytes in a name, between 1 and 256 are allowed"),
    ];
    for (what, guest, expected) in cases {
        let started = Instant::now();
        let error = load(&guest).map(drop).unwrap_err();
        assert!(error.starts_with(expected) && error.len() < expected.len() + 20, "{what}: {error}");
        assert!(started.elapsed() < 2 * DEADLINE + LATE, "{what}: {:?}", started.elapsed());
    }
}

#[test]
fn a_module_that_asks_for_too_much_is_refused() {
    for (what, guest, words) in [
        ("memory", Guest::new().replace("(;memory;) 128", "8192"), "memory"),
        ("a large table", Guest::new().put("declare", "(table 100000 funcref)"), "table"),
        ("many tables", Guest::new().put("declare", &"(table 1 funcref)".repeat(9)), "tables"),
        ("two memories", Guest::new().put("declare", "(memory 1)"), "memories"),
        ("a shared memory", Guest::new().put("imports", r#"(import "env" "m" (memory 1 1 shared))"#), "threads"),
        ("a memory of 64 bits", Guest::new().replace("(memory (export \"memory\")", "(memory (export \"memory\") i64"), ""),
    ] {
        let error = match std::panic::catch_unwind(|| guest.wasm()) {
            Ok(wasm) => Sandbox::new(limits()).unwrap().load(&wasm, "guest").map(drop).unwrap_err().to_string(),
            Err(_) => continue,
        };
        assert!(error.starts_with("guest: ") && error.contains(words), "{what}: {error}");
    }
    let small = Sandbox::new(Limits { module_bytes: 100, ..limits() }).unwrap();
    let wasm = Guest::new().wasm();
    let error = small.load(&wasm, "guest").map(drop).unwrap_err().to_string();
    assert_eq!(error, format!("guest: the module has {} bytes, at most 100 are allowed", wasm.len()));
}

#[test]
fn an_endless_loop_in_any_call_costs_a_deadline_each_and_is_told() {
    for place in ["alloc", "free", "before", "after"] {
        let started = Instant::now();
        always(&Guest::new().put(place, LOOP), TOO_LONG);
        // The whole, then each of the two rows.
        assert!(started.elapsed() < 3 * DEADLINE + LATE, "{place}: {:?}", started.elapsed());
    }
    // Bulk instructions have no loop of their own to be stopped in.
    let fill = "(loop $on (memory.fill (i32.const 131072) (i32.const 1) (i32.const 8000000)) (br $on))";
    always(&Guest::new().put("before", fill), TOO_LONG);
}

#[test]
fn a_function_that_always_loops_costs_the_time_of_the_search_and_no_more() {
    let values = vec![1.0; 5000];
    let started = Instant::now();
    let called = run(&Guest::new().put("before", LOOP), &values);
    let took = started.elapsed();
    assert_eq!(called.rejected.len(), 5000);
    assert!(called.rejected.iter().all(|(_, reason)| reason.starts_with(TOO_LONG)), "{:?}", called.rejected.last());
    assert!(called.rejected[4999].1.contains("calls over parts of this batch failed, the rest was not tried"));
    assert!(took < limits().search + DEADLINE + LATE, "{took:?}");
}

#[test]
fn a_row_that_is_at_fault_is_found_among_many() {
    let mut values: Vec<f64> = (0..1000).map(f64::from).collect();
    values[777] = -1.0;
    only(&Guest::new().put("row", &when(-1.0, "unreachable")), &values, &[777], TRAPPED);
    only(&Guest::new().put("row", &when(-1.0, "(drop (call $deep (i32.const 0)))")), &values, &[777], NESTED);
    only(&Guest::new().put("row", &when(-1.0, LOOP)), &values, &[777], TOO_LONG);
    let secret = Guest::new().put("imports", r#"(import "wasi_snapshot_preview1" "fd_write" (func $secret))"#);
    let reason = "the function trapped: unknown import: `wasi_snapshot_preview1::fd_write` has not been defined";
    only(&secret.put("row", &when(-1.0, "(call $secret)")), &values, &[777], reason);
    let outside = when(-1.0, "(drop (i32.load (i32.const -8)))");
    only(&Guest::new().put("row", &outside), &values, &[777], "the function trapped: wasm trap: out of bounds memory access");
}

#[test]
fn thousands_of_rows_that_trap_do_not_take_the_others_with_them() {
    let values: Vec<f64> = (0..6000).map(|row| if row % 3 == 0 { -1.0 } else { f64::from(row) }).collect();
    let bad: Vec<usize> = (0..6000).step_by(3).collect();
    only(&Guest::new().put("row", &when(-1.0, "unreachable")), &values, &bad, TRAPPED);
}

#[test]
fn results_that_are_no_numbers_reject_their_row() {
    let mut values: Vec<f64> = (0..50).map(f64::from).collect();
    values[7] = -1.0;
    for (given, said) in [("nan", "NaN"), ("inf", "inf"), ("-inf", "-inf")] {
        let guest = Guest::new().put("row", &when(-1.0, &format!("(local.set $y (f64.const {given}))")));
        only(&guest, &values, &[7], &format!("the function's result is {said}"));
    }
}

/// Instructions that turn the reply into texts: one letter a row, and `long` bytes in each row where `x` is -1.
fn texts(long: u32) -> Guest {
    let mut says = signature();
    says["functions"][0]["returns"] = json!("nvarchar(max)");
    let after = format!(
        r#"(i32.store offset=32 (local.get $out) (i32.const 3))
    (i32.store offset=48 (local.get $out) (i32.const 1024))
    (i32.store offset=52 (local.get $out) (i32.shl (i32.add (local.get $rows) (i32.const 1)) (i32.const 2)))
    (i32.store offset=56 (local.get $out) (i32.const 65536))
    (local.set $row (i32.const 0)) (local.set $len (i32.const 0))
    (block $texts (loop $text
      (i32.store offset=1024 (i32.add (local.get $out) (i32.shl (local.get $row) (i32.const 2))) (local.get $len))
      (br_if $texts (i32.ge_u (local.get $row) (local.get $rows)))
      (local.set $len (i32.add (local.get $len)
        (select (i32.const {long}) (i32.const 1) (f64.eq (f64.const -1)
          (f64.load (i32.add (i32.shl (local.get $row) (i32.const 3)) (i32.add (local.get $at) (i32.load offset=56 (local.get $at)))))))))
      (local.set $row (i32.add (local.get $row) (i32.const 1)))
      (br $text)))
    (i32.store offset=60 (local.get $out) (local.get $len))
    (memory.fill (i32.add (local.get $out) (i32.const 65536)) (i32.const 97) (local.get $len))
    (local.set $size (i32.add (i32.const 65536) (local.get $len)))
    (i64.store offset=16 (local.get $out) (i64.extend_i32_u (local.get $size)))"#
    );
    Guest::new().signature(&says).put("after", &after)
}

#[test]
fn overlong_texts_reject_their_row_and_overlong_replies_all() {
    let called = run(&texts(2 << 20), &[1.0, -1.0, 3.0]);
    assert_eq!(called.rejected, [(1, "the function's result has 2097152 bytes, at most 1048576 are allowed".to_owned())]);
    assert_eq!((called.column.value(0), called.column.value(2)), (Value::Text("a".into()), Value::Text("a".into())));
    let small = Sandbox::new(Limits { max_reply_bytes: 70_000, ..limits() }).unwrap();
    let called = small.load(&texts(10_000).wasm(), "guest").unwrap().call("run", &batch(&[1.0, -1.0, 3.0])).unwrap();
    assert_eq!(called.rejected, [(1, "the function's reply is wrong: it has 75536 bytes, at most 70000 are allowed".to_owned())]);
}

#[test]
fn a_message_of_the_function_is_cut_and_is_one_line() {
    // The reply says of itself that it is an error, with one text of 100,000 letters.
    let error = "(i32.store16 offset=6 (local.get $out) (i32.const 1)) (i32.store offset=12 (local.get $out) (i32.const 1))
      (i32.store offset=1028 (local.get $out) (i32.const 100000)) (i32.store offset=60 (local.get $out) (i32.const 100000))
      (i32.store offset=52 (local.get $out) (i32.const 8))
      (memory.fill (i32.add (local.get $out) (i32.const 65536)) (i32.const 10) (i32.const 100000))
      (local.set $size (i32.const 165536)) (i64.store offset=16 (local.get $out) (i64.const 165536))";
    let called = run(&texts(1).put("after", error), &[1.0]);
    let reason = format!("the function failed: {}… (100000 bytes)", " ".repeat(1000));
    assert_eq!(called.rejected, [(0, reason)]);
}

#[test]
fn replies_that_break_the_contract_are_refused_before_they_cost_anything() {
    let wrong = |what: &str| format!("the function's reply is wrong: {what}");
    let memory = "the function ran out of its memory of 16777216 bytes";
    let store = |offset: u32, value: i64| format!("(i32.store offset={offset} (local.get $out) (i32.const {value}))");
    let rows = |more: i32| format!("(i32.store offset=12 (local.get $out) (i32.add (local.get $rows) (i32.const {more})))");
    let cases: Vec<(&str, &str, String, String)> = vec![
        ("no memory for the frame", "alloc", "(return (i32.const 0))".into(), memory.into()),
        ("a frame out of range", "alloc", "(return (i32.const -8))".into(), wrong("tamis_alloc answered a place outside the memory")),
        (
            "a frame that is not aligned",
            "alloc",
            "(return (i32.const 65537))".into(),
            wrong("tamis_alloc answered memory that is not aligned"),
        ),
        ("no reply", "before", "(return (i64.const 0))".into(), memory.into()),
        ("a reply out of range", "before", "(return (i64.const -34359738336))".into(), wrong("it lies outside the memory")),
        ("a reply that is not aligned", "before", "(return (i64.const 4294967396))".into(), wrong("it is not aligned")),
        (
            "a reply that is too short",
            "before",
            "(return (i64.const 34359738369))".into(),
            wrong("frame is cut off: 24 bytes are needed, 1 are there"),
        ),
        (
            "a reply that is too long",
            "before",
            "(return (i64.const 38654705663))".into(),
            wrong("it has 4294967295 bytes, at most 67108864 are allowed"),
        ),
        (
            "the frame itself as reply",
            "before",
            "(return (i64.or (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32)) (i64.extend_i32_u (local.get $len))))".into(),
            wrong("it has no column 'result'"),
        ),
        ("no frame", "after", store(0, 7), wrong("not a frame of version 1: it starts with 0x00000007, version 1")),
        ("more rows than there are bytes for", "after", rows(1), String::new()),
        ("many columns", "after", store(8, 2000), wrong("frame has 2000 columns, at most 1024 are allowed")),
        ("a length beyond the reply", "after", store(16, 1 << 20), String::new()),
        ("a name out of range", "after", store(24, 0x7FFF_FFF8), wrong("frame column 0: its name is out of range")),
        ("values out of range", "after", store(56, 0x7FFF_FFF8), wrong("frame column 0: its values are out of range")),
        ("values that are not aligned", "after", store(56, 71), wrong("frame column 0: a buffer is not aligned")),
        (
            "values over the header are numbers like others, but too few",
            "after",
            store(60, 0),
            wrong("frame column 0: it has another number of values than rows"),
        ),
        ("an unknown type", "after", store(32, 9), wrong("frame column 0: its type is unknown")),
        ("a type that the signature does not say", "after", store(32, 2), wrong("its result is bigint, the signature says float")),
        ("another column", "after", store(64, -1), wrong("frame column 0: its name is not UTF-8")),
    ];
    for (what, place, deed, reason) in cases {
        let called = run(&Guest::new().put(place, &deed), &[1.0]);
        let [(0, said)] = called.rejected.as_slice() else { panic!("{what}: {called:?}") };
        assert!(*said == reason || reason.is_empty() && said.starts_with("the function's reply is wrong: "), "{what}: {said}");
    }
    for more in [-1, 1] {
        let called = run(&Guest::new().put("after", &rows(more)), &[1.0, 2.0]);
        assert!(
            called.rejected.iter().all(|(_, said)| *said == wrong(&format!("it has {} rows, 1 were asked for", 1 + more))),
            "{called:?}"
        );
    }
    // Sixteen million rows in a thousand columns that all lie over each other: seconds of checking, if they were looked at.
    let huge = format!("{}{}", store(8, 1024), store(12, 1 << 24));
    let started = Instant::now();
    always(&Guest::new().put("after", &huge), &wrong("it has 16777216 rows, 1 were asked for"));
    assert!(started.elapsed() < DEADLINE + LATE, "{:?}", started.elapsed());
}

#[test]
fn memory_and_tables_grow_up_to_their_limits_and_no_further() {
    // Grows while it can: 16 MiB are 256 pages. What it got is its answer.
    let grow = "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 1)) (i32.const -1))))
      (local.set $y (f64.convert_i32_u (memory.size)))";
    let called = run(&Guest::new().put("row", grow), &[1.0, 2.0]);
    assert_eq!((called.rejected.len(), called.column.value(1)), (0, Value::Float(256.0)));
    let table = "(loop $more (br_if $more (i32.ne (table.grow $t (ref.null func) (i32.const 100)) (i32.const -1))))
      (local.set $y (f64.convert_i32_u (table.size $t)))";
    let called = run(&Guest::new().put("declare", "(table $t 1 funcref)").put("row", table), &[1.0]);
    assert_eq!(called.column.value(0), Value::Float(19_901.0));
    // One that leaks a page a call is replaced before it runs out.
    let leak = "(if (i32.eq (memory.grow (i32.const 10)) (i32.const -1)) (then unreachable))";
    let function = load(&Guest::new().put("before", leak)).unwrap();
    for call in 0..200 {
        let called = function.call("run", &batch(&[f64::from(call)])).unwrap();
        assert_eq!((called.rejected.len(), called.column.value(0)), (0, Value::Float(f64::from(call))));
    }
}

#[test]
fn what_a_call_leaves_behind_harms_no_row_of_the_next() {
    // From its third call on, an instance is broken: it traps, loops, or answers nonsense.
    for deed in ["unreachable", LOOP, "(return (i64.const 0))"] {
        let broken = format!("(if (i32.gt_u (global.get $calls) (i32.const 2)) (then {deed}))");
        let function = load(&Guest::new().put("before", &broken)).unwrap();
        for call in 0..10 {
            let called = function.call("run", &batch(&[f64::from(call)])).unwrap();
            assert_eq!((called.rejected.len(), called.column.value(0)), (0, Value::Float(f64::from(call))), "{deed}, call {call}");
        }
    }
}

#[test]
fn a_good_function_answers_beside_an_endless_one() {
    let sandbox = Sandbox::new(limits()).unwrap();
    let endless = sandbox.load(&Guest::new().put("before", LOOP).wasm(), "endless").unwrap();
    let good = sandbox.load(&Guest::new().wasm(), "good").unwrap();
    let done = Arc::new(AtomicBool::new(false));
    let (other, ended) = (endless.clone(), Arc::clone(&done));
    let hostile = std::thread::spawn(move || {
        let called = other.call("run", &batch(&[1.0; 64])).unwrap();
        ended.store(true, Ordering::SeqCst);
        called.rejected.len()
    });
    let mut calls = 0;
    let mut slowest = Duration::ZERO;
    while !done.load(Ordering::SeqCst) {
        let started = Instant::now();
        let called = good.call("run", &batch(&[1.0, 2.0])).unwrap();
        assert!(called.rejected.is_empty());
        slowest = slowest.max(started.elapsed());
        calls += 1;
    }
    assert_eq!(hostile.join().unwrap(), 64);
    assert!(calls > 1000 && slowest < DEADLINE + LATE, "{calls} calls, the slowest took {slowest:?}");
}
