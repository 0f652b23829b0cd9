"""Golden vectors: random and edge rows with onnxruntime's score; every other runner must agree with them."""

import csv
from pathlib import Path

import numpy as np
import onnxruntime

from .ensemble import Ensemble
from .schema import Column, Schema
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


def write(
    path: Path,
    ensemble: Ensemble,
    schema: Schema,
    session: onnxruntime.InferenceSession,
    table: np.ndarray,
    rng: np.random.Generator,
) -> int:
    """Writes the rows of `table` and edge rows made from them as CSV, checks that they read back to the same scores."""
    rows = {name: values.tolist() for name, values in columns(table, schema).items()}
    edges = _edges(ensemble, schema, _undecided(session, rows, schema), rng)
    seen = {tuple(map(repr, row)) for row in zip(*rows.values(), strict=True)}
    for row in edges:
        key = tuple(repr(row[name]) for name in schema.names)
        if key not in seen:
            seen.add(key)
            for name in schema.names:
                rows[name].append(row[name])
    score = scores(session, rows, schema)
    with path.open("w", newline="", encoding="utf-8") as file:
        lines = csv.writer(file, lineterminator="\n")
        lines.writerow([*schema.names, "score"])
        for values in zip(*rows.values(), score, strict=True):
            lines.writerow([str(value) for value in values])
    read_rows, read_score = read(path, schema)
    if not (np.array_equal(read_score, score) and np.array_equal(scores(session, read_rows, schema), score)):
        raise ValueError(f"{path} does not read back to the scores that were written")
    return len(score)


def read(path: Path, schema: Schema) -> tuple[dict[str, list], np.ndarray]:
    """The rows as columns of Python values, and their float32 scores."""
    with path.open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file, strict=True))
    kinds = {"float": float, "int": int, "text": str}
    rows = {column.name: [kinds[column.kind](line[column.name]) for line in lines] for column in schema.columns}
    return rows, np.array([line["score"] for line in lines], dtype=np.float32)


def shuffled(table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """RANDOM_ROWS rows whose every column is drawn by itself from the table: plausible, distinct, and nobody's own."""
    drawn = [rng.choice(table[:, place], RANDOM_ROWS) for place in range(table.shape[1])]
    rows = np.stack(drawn, axis=1)
    return np.unique(rows, axis=0)


def _undecided(session: onnxruntime.InferenceSession, rows: dict[str, list], schema: Schema) -> list[dict]:
    """Rows whose score is far from 0 and 1: there a wrong weight shows most. The nearest to a half when there are few."""
    score = scores(session, rows, schema)
    chosen = np.flatnonzero((score > 0.2) & (score < 0.8))
    if len(chosen) < 100:
        chosen = np.argsort(np.abs(score - 0.5))[:100]
    return [{name: rows[name][at] for name in schema.names} for at in chosen]


def _edges(ensemble: Ensemble, schema: Schema, bases: list[dict], rng: np.random.Generator) -> list[dict]:
    """One odd value a row, in a row that is otherwise ordinary."""
    odd = [
        (name, value)
        for name in schema.of_kind("float")
        for at in ensemble.thresholds(schema.place[name])
        for value in _around(at)
    ]
    for column in schema.columns:
        odd += [(column.name, value) for value in odd_values(column)]
    return [bases[rng.integers(len(bases))] | {name: value} for name, value in odd]


def odd_values(column: Column) -> list:
    """Every known value, and values that nobody should send."""
    odd = {"text": ODD_TEXTS, "float": ODD_FLOATS, "int": ODD_INTEGERS}[column.kind]
    return [*column.values, *(value for value in odd if value not in column.values)]


def _around(threshold: np.float32) -> list[float]:
    """The threshold, its two float32 neighbours, and two doubles beside it that are the threshold once rounded."""
    at = float(threshold)
    above = float(np.nextafter(threshold, np.float32(np.inf)))
    below = float(np.nextafter(threshold, np.float32(-np.inf)))
    return [at, above, below, at + (above - at) / 4, at - (at - below) / 4]
