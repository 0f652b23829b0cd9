//! What one call of the function costs: per call + per row. One thread; the best of several rounds; copies into and
//! out of the guest counted. `cargo bench --bench udf` after `scripts/build-udf`.

#![expect(clippy::unwrap_used, reason = "a bench")]
#![expect(clippy::print_stdout, reason = "a bench")]
#![expect(missing_docs, reason = "a bench")]


use std::hint::black_box;
use std::time::Instant;

use tamis_tests::golden::{Golden, Guest, built};
use wasmtime::{Engine, Module};

const SCORE: u32 = 1;

/// Nanoseconds of the best of the rounds.
fn best(rounds: usize, mut work: impl FnMut()) -> f64 {
    let times = (0..rounds).map(|_| {
        let start = Instant::now();
        work();
        start.elapsed().as_secs_f64() * 1e9
    });
    times.fold(f64::INFINITY, f64::min)
}

fn main() {
    let golden = Golden::read();
    let module = Module::new(&Engine::default(), built("tamis_udf.wasm")).unwrap();
    let mut guest = Guest::of(&module);
    println!("{:>8} {:>14} {:>14} {:>8}", "rows", "native", "wasmtime", "ratio");
    for rows in [1, 100, 1_000, 10_000] {
        let frame = golden.frame(rows);
        let calls = (20_000 / rows).max(1);
        let per_row = |nanoseconds: f64| nanoseconds / (calls * rows) as f64;
        let native = per_row(best(40, || {
            for _ in 0..calls {
                black_box(tamis_udf::call(SCORE, black_box(frame.bytes())));
            }
        }));
        let wasm = per_row(best(40, || {
            for _ in 0..calls {
                black_box(guest.run(SCORE, black_box(frame.bytes())));
            }
        }));
        println!("{rows:>8} {native:>11.1} ns {wasm:>11.1} ns {:>8.2}", wasm / native);
    }
    let one = golden.frame(1);
    let instantiate = best(50, || drop(black_box(Guest::of(&module))));
    let first = best(50, || {
        black_box(Guest::of(&module).run(SCORE, one.bytes()));
    });
    println!("instantiate {:.1} us; instantiate and first score {:.1} us", instantiate / 1e3, first / 1e3);
}
