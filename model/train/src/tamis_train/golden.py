"""Golden vectors: random and edge rows with onnxruntime's score; every other runner must agree with them."""

import csv
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from .data import CATEGORIES, COLUMNS, FLOATS, TEXTS, simulate
from .export import thresholds
from .score import columns, scores

RANDOM_ROWS = 10_000
# The greatest float32 and its neighbour in double, the smallest float32 and less, numbers that float32 must round.
ODD_FLOATS = [
    *(0.0, -0.0, 1.0, -1.0, 0.1, -250.5, -1e6, 5e-324, 1e-45, -1e-45, 1e-40, -1e-40, 1.1754943508222875e-38, 1e-35),
    *(100.00000001, 99.99999999, 20.000000001, 2000.0000000000002, 16777217.0, 123456789.12345679, 1e15, -1e15),
    *(1e30, -1e30, 3.4e38, -3.4e38, 3.4028234663852886e38, -3.4028234663852886e38, 3.402823466385288e38),
]
ODD_TEXTS = [
    *("", " ", "Monday", "MONDAY", " monday", "monday ", "mondays", "monda", "food_stor", "food_storee", "Online", "0"),
    *("null", "NaN", "épicerie", "e\u0301picerie", "レストラン", "💳", "a,b", 'a "quoted" word', 'a,"b"\nc', "line\nbreak"),
    *("tab\there", "'; --", "x" * 200, "é" * 200),
]
ODD_INTEGERS = [-(2**53), -(2**31), -99, -2, -1, 0, 1, 2, 3, 4, 5, 6, 12, 13, 99, 2**24 + 1, 2**31, 2**32, 2**53 - 1, 2**53]


def write(path: Path, model: onnx.ModelProto, session: onnxruntime.InferenceSession, rng: np.random.Generator) -> int:
    """Writes the vectors as CSV, checks that they read back to the same scores, and answers how many there are."""
    rows = columns(simulate(RANDOM_ROWS, rng)[0])
    edges = _edges(model, _undecided(session, rows), rng)
    seen = {tuple(map(repr, row)) for row in zip(*rows.values(), strict=True)}
    for row in edges:
        key = tuple(repr(row[name]) for name in COLUMNS)
        if key not in seen:
            seen.add(key)
            for name in COLUMNS:
                rows[name].append(row[name])
    score = scores(session, rows)
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*COLUMNS, "score"])
        for values in zip(*rows.values(), score, strict=True):
            table.writerow([str(value) for value in values])
    read_rows, read_score = read(path)
    if not (np.array_equal(read_score, score) and np.array_equal(scores(session, read_rows), score)):
        raise ValueError(f"{path} does not read back to the scores that were written")
    return len(score)


def read(path: Path) -> tuple[dict[str, list], np.ndarray]:
    """The rows as columns of Python values, and their float32 scores."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file, strict=True))
    kinds = {name: float if name in FLOATS else str if name in TEXTS else int for name in COLUMNS}
    rows = {name: [kind(line[name]) for line in lines] for name, kind in kinds.items()}
    return rows, np.array([line["score"] for line in lines], dtype=np.float32)


def _undecided(session: onnxruntime.InferenceSession, rows: dict[str, list]) -> list[dict]:
    """Rows whose score is far from 0 and 1: there a wrong weight shows most."""
    score = scores(session, rows)
    return [{name: rows[name][at] for name in COLUMNS} for at in np.flatnonzero((score > 0.2) & (score < 0.8))]


def _edges(model: onnx.ModelProto, bases: list[dict], rng: np.random.Generator) -> list[dict]:
    """One odd value a row, in a row that is otherwise ordinary."""
    odd = [(name, value) for name in FLOATS for at in thresholds(model, name) for value in _around(at)]
    for name in COLUMNS:
        odd += [(name, value) for value in _odd_values(name)]
    return [bases[rng.integers(len(bases))] | {name: value} for name, value in odd]


def _odd_values(name: str) -> list:
    if name in TEXTS:
        return CATEGORIES[name] + ODD_TEXTS
    return ODD_FLOATS if name in FLOATS else ODD_INTEGERS


def _around(threshold: np.float32) -> list[float]:
    """The threshold, its two float32 neighbours, and two doubles beside it that are the threshold once rounded."""
    at = float(threshold)
    above = float(np.nextafter(threshold, np.float32(np.inf)))
    below = float(np.nextafter(threshold, np.float32(-np.inf)))
    return [at, above, below, at + (above - at) / 4, at - (at - below) / 4]
