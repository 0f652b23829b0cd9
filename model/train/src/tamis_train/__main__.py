"""Trains a fraud model, measures it and writes it with its card, golden vectors and report.

train            trains; without --data, on simulated transactions
train report     writes a report again from its card, with other costs
train compare    measures all trainers, with few rows and with many
"""

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np

from . import report
from .build import NotGoodEnoughError, Order, Rows, build, say
from .card import SIMULATED
from .compare import compare
from .data import simulate, split
from .decisions import Costs
from .golden import RANDOM_ROWS, shuffled
from .quality import THRESHOLD
from .read import DataError, read
from .schema import FRAUD, SENSITIVE, TRANSACTION
from .trainers import TRAINERS

NAME, VERSION = "fraud", "1.1.0"
# Below these there is nothing to learn from, or to measure.
FEWEST_FRAUDS = 50


def main(given: list[str] | None = None) -> int:
    """Runs one command; answers the exit code."""
    chosen = _arguments().parse_args(given)
    try:
        costs = {name: cost for name in asdict(Costs()) if (cost := getattr(chosen, f"cost_{name}", None)) is not None}
        return {"report": _report, "compare": _compare, None: _train}[chosen.command](chosen, costs)
    except (DataError, NotGoodEnoughError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


def _arguments() -> argparse.ArgumentParser:
    raw = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="train", description=__doc__, formatter_class=raw)
    _cost_arguments(parser)
    parser.add_argument("--data", metavar="FILE", help="labelled rows: CSV, Parquet, JSON lines; - is JSON lines from stdin")
    parser.add_argument("--unknown", choices=("error", "hide"), default="error", help="for unknown categories (%(default)s)")
    parser.add_argument("--test-share", type=float, default=0.3, help="share of --data to measure on (%(default)s)")
    parser.add_argument("--rows", type=int, default=3_000_000, help="simulated rows to train on (%(default)s)")
    parser.add_argument("--test-rows", type=int, default=1_000_000, help="simulated rows to measure on (%(default)s)")
    parser.add_argument("--trainer", choices=TRAINERS, default=TRAINERS[0], help="(%(default)s)")
    parser.add_argument("--leaves", type=int, default=2, help="of each tree; above 2 columns act together (%(default)s)")
    parser.add_argument("--seed", type=int, default=20, help="the same seed gives the same model (%(default)s)")
    parser.add_argument("--threshold", type=float, default=THRESHOLD, help="a score from here on is fraud (%(default)s)")
    parser.add_argument("--name", default=NAME, help="(%(default)s)")
    parser.add_argument("--model-version", default=VERSION, help="(%(default)s)")
    parser.add_argument("--fair-without", nargs="*", default=SENSITIVE, metavar="COLUMN", help="left out of a second model")
    parser.add_argument("--out", type=Path, help="folder to write to (simulated: model/fraud, where floors must be reached)")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND")
    again = commands.add_parser("report", help="write a report again")
    _cost_arguments(again)
    again.add_argument("folder", type=Path, nargs="?", default=FRAUD)
    again.add_argument("--to", type=Path, help="write it here instead")
    other = commands.add_parser("compare", help="measure all trainers")
    other.add_argument("--draws", type=int, default=20, help="of the original project's size (%(default)s)")
    other.add_argument("--test-rows", type=int, default=1_000_000, help="(%(default)s)")
    other.add_argument("--large", type=int, default=100_000, help="rows of one larger draw, 0 for none (%(default)s)")
    other.add_argument("--seed", type=int, default=20, help="(%(default)s)")
    other.add_argument("--out", type=Path, default=FRAUD)
    return parser


def _cost_arguments(parser: argparse.ArgumentParser) -> None:
    for name, default in asdict(Costs()).items():
        flag, what = f"--cost-{name.replace('_', '-')}", name.replace("_", " ")
        parser.add_argument(flag, type=float, help=f"what one {what} costs (new models: {default:g})")


def _report(chosen: argparse.Namespace, costs: dict[str, float]) -> int:
    report.write(chosen.folder, costs, chosen.to)
    say(f"{chosen.to or chosen.folder}/{report.REPORT} is written")
    return 0


def _compare(chosen: argparse.Namespace, _: dict[str, float]) -> int:
    for row in compare(chosen.out, chosen.draws, chosen.test_rows, chosen.large, chosen.seed)["results"]:
        print(" ".join(f"{key}={value}" for key, value in row.items()))
    return 0


def _train(chosen: argparse.Namespace, costs: dict[str, float]) -> int:
    if not 0 < chosen.threshold < 1:
        raise ValueError(f"--threshold {chosen.threshold}: a number between 0 and 1 is expected")
    if chosen.leaves < 2:
        raise ValueError(f"--leaves {chosen.leaves}: at least 2 are needed")
    fair = TRANSACTION.without(chosen.fair_without)
    rows = _given(chosen) if chosen.data else _simulated(chosen)
    floors = chosen.out is None
    out = FRAUD if floors else chosen.out
    order = Order(
        name=chosen.name,
        version=chosen.model_version,
        trainer=chosen.trainer,
        schema=TRANSACTION,
        threshold=chosen.threshold,
        seed=chosen.seed,
        costs=Costs(**costs),
        leaves=chosen.leaves,
        floors=floors,
        absolute=True,
    )
    build(order, rows, out)
    if chosen.fair_without:
        second = replace(order, name=f"{chosen.name}-fair", schema=fair, absolute=False)
        build(second, rows, out / report.FAIR)
    report.write(out, {})
    say(f"{out / report.REPORT} says how good it is")
    return 0


def _simulated(chosen: argparse.Namespace) -> Rows:
    say(f"Simulating {chosen.rows + chosen.test_rows:,} transactions")
    rngs = [np.random.default_rng([chosen.seed, part]) for part in range(3)]
    sizes = (chosen.rows, chosen.test_rows, RANDOM_ROWS)
    (table, label), (fresh, truth), (vectors, _) = (simulate(size, rng) for size, rng in zip(sizes, rngs, strict=True))
    _enough(label, "to train on")
    _enough(truth, "to measure on")
    return Rows(SIMULATED, table, label, fresh, truth, vectors)


def _given(chosen: argparse.Namespace) -> Rows:
    if chosen.out is None:
        raise DataError("--out FOLDER is needed with --data: the committed model is not overwritten by one of your own data")
    if not 0 < chosen.test_share < 1:
        raise ValueError(f"--test-share {chosen.test_share}: a number between 0 and 1 is expected")
    say(f"Reading {chosen.data}")
    table, label = read(chosen.data, TRANSACTION, chosen.unknown)
    rng = np.random.default_rng(chosen.seed)
    training, measured = split(label, chosen.test_share, rng)
    _enough(label[training], "to train on")
    _enough(label[measured], "to measure on")
    name = "standard input" if chosen.data == "-" else Path(chosen.data).name
    vectors = shuffled(table[measured], rng)
    return Rows(f"rows of {name}", table[training], label[training], table[measured], label[measured], vectors)


def _enough(label: np.ndarray, what: str) -> None:
    frauds = int(label.sum())
    if min(frauds, len(label) - frauds) < FEWEST_FRAUDS:
        raise DataError(
            f"{frauds:,} frauds among {len(label):,} rows {what}: at least {FEWEST_FRAUDS} of each class are needed"
        )


if __name__ == "__main__":
    sys.exit(main())
