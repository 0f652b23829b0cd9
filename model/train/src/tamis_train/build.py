"""From rows to what is committed: training, export, measurement, golden vectors, card."""

import hashlib
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from . import card, golden, limit
from .decisions import Costs
from .export import to_onnx
from .quality import counts, measure, shortfalls
from .report import REPORT
from .schema import TRANSACTION, Schema
from .score import open_session, score_table
from .trainers import Settings, train

# onnxruntime adds a thousand float32 weights, the trainers doubles: the probabilities differ by rounding only.
ROUNDING = 1e-6
STARTED = time.monotonic()


class NotGoodEnoughError(Exception):
    """The trained model misses what it must reach; nothing was written."""


@dataclass
class Rows:
    """Tables of TRANSACTION's columns with their labels; `golden` are the random rows of the golden vectors."""

    source: str
    table: np.ndarray
    label: np.ndarray
    fresh: np.ndarray
    truth: np.ndarray
    golden: np.ndarray


@dataclass
class Order:
    """What to make."""

    name: str
    version: str
    trainer: str
    schema: Schema
    threshold: float
    seed: int
    costs: Costs = field(default_factory=Costs)
    leaves: int = 2
    # It must reach the floors of a committed model; `absolute` as well as those beside the limit.
    floors: bool = False
    absolute: bool = False


def say(text: str) -> None:
    """A line of progress."""
    print(f"[{time.monotonic() - STARTED:4.0f} s] {text}", file=sys.stderr)


def build(order: Order, rows: Rows, folder: Path) -> dict:
    """Trains, measures and writes one model; answers its card."""
    schema, simulated = order.schema, rows.source == card.SIMULATED
    table = schema.select(rows.table, TRANSACTION)
    say(f"{order.name}: training on {len(table):,} rows of {len(schema.columns)} columns with {order.trainer}")
    trained = train(order.trainer, table, rows.label, schema, Settings(order.seed, order.leaves))
    properties = {"name": order.name, "version": order.version, "training_rows": len(table), "threshold": order.threshold}
    # No row that it learned from lacked a value: a score of such a row would be a guess.
    properties["missing"] = "reject"
    content = to_onnx(trained.ensemble, schema, properties).SerializeToString(deterministic=True)
    session = open_session(content)

    say(f"{order.name}: measuring on {len(rows.truth):,} rows that were not trained on")
    fresh = schema.select(rows.fresh, TRANSACTION)
    given = {"model": score_table(session, fresh, schema)} | (
        {"limit": limit.probability(fresh, schema)} if simulated else {}
    )
    metrics = {name: measure(rows.truth, score, order.threshold) for name, score in given.items()}
    for name, measured in metrics.items():
        say(f"{name}: {', '.join(f'{key} {value}' for key, value in measured.items())}")
    difference = float(np.abs(given["model"] - trained.predict(fresh)).max())
    say(f"onnxruntime and the trainer differ by {difference:.1e} at most")
    missed = shortfalls(metrics["model"], metrics["limit"], order.absolute) if order.floors else []
    if difference > ROUNDING:
        missed.append(f"the exported model scores otherwise than the trained one, by up to {difference:.1e}")
    if missed:
        raise NotGoodEnoughError("; ".join(missed))

    folder.mkdir(parents=True, exist_ok=True)
    file = f"{order.name}.onnx"
    (folder / file).write_bytes(content)
    rng = np.random.default_rng([order.seed, 3])
    vectors = schema.select(rows.golden, TRANSACTION)
    facts = properties | {
        "file": file,
        "sha256": hashlib.sha256(content).hexdigest(),
        "date": time.strftime("%Y-%m"),
        "source": rows.source,
        "trainer": order.trainer,
        "about": trained.about,
        "trees": len(trained.ensemble.trees),
        "additive": trained.ensemble.additive(),
        "prior": round(float(rows.label.mean()), 6),
        "seed": order.seed,
        "golden_rows": golden.write(folder / "golden.csv", trained.ensemble, schema, session, vectors, rng),
        "left_out": [name for name in TRANSACTION.names if name not in schema.place],
        "report": REPORT if schema == TRANSACTION else f"../{REPORT}",
    }
    counted = {name: counts(rows.truth, score) for name, score in given.items()}
    written = card.write(folder, facts, schema, metrics, counted, order.costs)
    say(f"{folder / file}: {len(content):,} bytes, sha256 {facts['sha256']}")
    return written
