"""Reads labelled transactions that were not simulated: the host's history (JSON lines), CSV or Parquet.

A value that does not fit is an error that names file, line or row, column and value; nothing is guessed or left out.
"""

import csv
import json
import math
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import numpy as np
import pyarrow
from pyarrow import parquet

from .schema import LABEL, UNKNOWN, Column, Schema

HISTORY = "`tamis documents --output outputHistory` prints labelled history"
# Integers up to here are exact as doubles.
EXACT = 2**53


class DataError(Exception):
    """What is wrong with the data, where, and what is expected."""


def read(path: str, schema: Schema, unknown: str = "error") -> tuple[np.ndarray, np.ndarray]:
    """The rows of a file as a table of the schema, and their labels. `-` is standard input, as JSON lines.

    `unknown`: what a category becomes that the schema does not have, an "error" or "hide" (as if it were not told).
    """
    kind = Path(path).suffix.lower()
    readers = {".csv": _csv, ".parquet": _parquet, ".jsonl": _json_lines, ".ndjson": _json_lines, ".json": _json_lines}
    reader = _json_lines if path == "-" else readers.get(kind)
    if reader is None:
        raise DataError(
            f"{path}: a file of this kind cannot be read; {', '.join(readers)} can, and - for JSON lines from stdin"
        )
    columns = {column.name: _parser(column, kind == ".csv", unknown) for column in schema.columns}
    columns[LABEL] = _label
    values: dict[str, list[float]] = {name: [] for name in columns}
    try:
        for where, row in reader(path, list(columns)):
            for name, parse in columns.items():
                try:
                    values[name].append(parse(row[name]))
                except KeyError:
                    hint = f"; {HISTORY}" if name == LABEL else ""
                    raise DataError(f"{where}: column '{name}' is missing{hint}") from None
                except ValueError as error:
                    raise DataError(f"{where}, column '{name}': {error}") from None
    except OSError as error:
        raise DataError(f"{path}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: it is not UTF-8 text ({error.reason} at byte {error.start})") from error
    label = np.array(values.pop(LABEL), dtype=np.int64)
    if not len(label):
        raise DataError(f"{path}: it has no rows")
    return np.array([values[name] for name in schema.names], dtype=np.float64).T.copy(), label


def _csv(path: str, names: list[str]) -> Iterator[tuple[str, dict]]:
    with open(path, newline="", encoding="utf-8-sig") as file:
        lines = csv.reader(file, strict=True)
        try:
            header = next(lines, [])
            _check_header(path, names, header)
            for row in lines:
                where = f"{path}, line {lines.line_num}"
                if len(row) != len(header):
                    raise DataError(f"{where}: it has {len(row)} values, the header has {len(header)}")
                yield where, dict(zip(header, row, strict=True))
        except csv.Error as error:
            raise DataError(f"{path}, line {lines.line_num}: it is not CSV: {error}") from error


def _check_header(path: str, names: list[str], header: Iterable[str]) -> None:
    for name in names:
        if name not in header:
            known = ", ".join(header) or "none"
            raise DataError(f"{path}: column '{name}' is missing; the file's columns are {known}")


def _json_lines(path: str, _: list[str]) -> Iterator[tuple[str, dict]]:
    name = "standard input" if path == "-" else path
    with open(sys.stdin.fileno() if path == "-" else path, encoding="utf-8", closefd=path != "-") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except ValueError as error:
                raise DataError(f"{name}, line {number}: it is not JSON ({error}); one object a line is expected") from error
            if not isinstance(row, dict):
                raise DataError(f"{name}, line {number}: one JSON object a line is expected, {_shown(row)} was found")
            yield f"{name}, line {number}", row


def _parquet(path: str, names: list[str]) -> Iterator[tuple[str, dict]]:
    try:
        with parquet.ParquetFile(path) as file:
            _check_header(path, names, file.schema_arrow.names)
            number = 0
            for batch in file.iter_batches(columns=names):
                for row in batch.to_pylist():
                    number += 1
                    yield f"{path}, row {number}", row
    except pyarrow.ArrowInvalid as error:
        raise DataError(f"{path}: it is not Parquet: {error}") from error


def _parser(column: Column, textual: bool, unknown: str) -> Callable[[object], float]:
    """What turns a value into a number of the table; `textual` says that numbers come as text."""
    if column.kind == "text":
        places = {name: float(place) for place, name in enumerate(column.values)}

        def category(value: object) -> float:
            if not isinstance(value, str):
                raise ValueError(f"a text is expected, {_shown(value)} was found")
            if value not in places and unknown == "error":
                raise ValueError(f"{_shown(value)} is no known category; {', '.join(places)} are")
            return places.get(value, UNKNOWN)

        return category
    return lambda value: _number(value, textual, column.kind == "int")


def _number(value: object, textual: bool, whole: bool) -> float:
    kind = "a whole number" if whole else "a number"
    try:
        if textual != isinstance(value, str) or isinstance(value, bool) or value is None:
            raise ValueError
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{kind} is expected, {_shown(value)} was found") from None
    if not math.isfinite(number) or abs(number) > (EXACT if whole else float(np.finfo(np.float32).max)):
        raise ValueError(
            f"{kind} that a {'53-bit integer' if whole else '32-bit float'} can hold is expected, {value} was found"
        )
    if whole and not number.is_integer():
        raise ValueError(f"a whole number is expected, {_shown(value)} was found")
    return number


def _label(value: object) -> float:
    if str(value).lower() in ("0", "0.0", "false"):
        return 0.0
    if str(value).lower() in ("1", "1.0", "true"):
        return 1.0
    raise ValueError(f"0 or 1 is expected, {_shown(value)} was found")


def _shown(value: object) -> str:
    text = "null" if value is None else json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 60 else text[:57] + "…"
