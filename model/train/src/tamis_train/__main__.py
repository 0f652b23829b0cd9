"""Trains the default model, measures it and writes it with its card; fails when it is not good enough."""

import argparse
import hashlib
import sys
import time

import numpy as np

from . import card, golden, limit
from .data import FRAUD, hide_categories, simulate
from .export import to_onnx
from .quality import THRESHOLD, measure, shortfalls
from .score import open_session, score_table
from .train import ROUNDS, train

NAME, VERSION, DATE = "fraud", "1.0.0", "2026-11"
HIDDEN = 0.005
# onnxruntime adds a thousand float32 weights, LightGBM doubles: the probabilities differ by rounding only.
ROUNDING = 1e-6


def main() -> int:
    """Data, training, export, measurement, golden vectors, card."""
    arguments = argparse.ArgumentParser(prog="train", description=__doc__)
    arguments.add_argument("--rows", type=int, default=3_000_000, help="training rows (%(default)s)")
    arguments.add_argument("--test-rows", type=int, default=1_000_000, help="fresh rows to measure on (%(default)s)")
    arguments.add_argument("--seed", type=int, default=20, help="the same seed gives the same file (%(default)s)")
    chosen = arguments.parse_args()
    started = time.monotonic()

    def say(text: str) -> None:
        print(f"[{time.monotonic() - started:4.0f} s] {text}", file=sys.stderr)

    train_rng, test_rng, golden_rng = (np.random.default_rng([chosen.seed, part]) for part in range(3))
    say(f"Simulating {chosen.rows:,} transactions to train on")
    table, label = simulate(chosen.rows, train_rng)
    booster = train(hide_categories(table, HIDDEN, train_rng), label, chosen.seed)
    properties = {"name": NAME, "version": VERSION, "training_rows": chosen.rows, "threshold": THRESHOLD}
    model = to_onnx(booster, properties)
    content = model.SerializeToString(deterministic=True)
    session = open_session(content)

    say(f"Measuring on {chosen.test_rows:,} fresh transactions")
    fresh, truth = simulate(chosen.test_rows, test_rng)
    score = score_table(session, fresh)
    metrics = {"model": measure(truth, score), "limit": measure(truth, limit.probability(fresh))}
    for name, measured in metrics.items():
        say(f"{name}: {', '.join(f'{key} {value}' for key, value in measured.items())}")
    difference = float(np.abs(score - booster.predict(fresh.astype(np.float32))).max())
    say(f"onnxruntime and LightGBM differ by {difference:.1e} at most")
    missed = shortfalls(metrics["model"])
    if difference > ROUNDING:
        missed.append("the exported model does not score as the trained one")
    if missed:
        print(f"error: the model is not good enough, nothing is written: {'; '.join(missed)}", file=sys.stderr)
        return 1

    say("Writing the model, its golden vectors and its card")
    (FRAUD / "fraud.onnx").write_bytes(content)
    facts = {
        "name": NAME,
        "version": VERSION,
        "sha256": hashlib.sha256(content).hexdigest(),
        "date": DATE,
        "threshold": THRESHOLD,
        "trees": ROUNDS,
        "training_rows": chosen.rows,
        "hidden_categories": HIDDEN,
        "seed": chosen.seed,
        "golden_rows": golden.write(FRAUD / "golden.csv", model, session, golden_rng),
    }
    card.write(FRAUD, facts, metrics)
    say(f"fraud.onnx: {len(content):,} bytes, sha256 {facts['sha256']}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
