"""Rows from the host's history, CSV and Parquet; what is wrong with a file is said with its place."""

import csv
import json
import sys

import numpy as np
import pyarrow
import pytest
from pyarrow import parquet

from tamis_train.read import DataError, read
from tamis_train.schema import LABEL, TRANSACTION, UNKNOWN
from tamis_train.score import columns


@pytest.fixture
def rows(small):
    """Twenty transactions as `tamis documents --output outputHistory` prints them."""
    table, label = small[0][:20], small[1][:20]
    values = {name: column.tolist() for name, column in columns(table, TRANSACTION).items()}
    return [
        {"id": 1001000 + at, "date": "25/11/2026 03:11:15"}
        | {name: column[at] for name, column in values.items()}
        | {LABEL: int(label[at]), "_output": "outputHistory", "_key": f"2-1-0-{at}-0"}
        for at in range(20)
    ]


def write(folder, kind, rows):
    path = folder / f"rows.{kind}"
    if kind == "csv":
        with path.open("w", newline="", encoding="utf-8") as file:
            lines = csv.DictWriter(file, rows[0].keys())
            lines.writeheader()
            lines.writerows(rows)
    elif kind == "parquet":
        parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    else:
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return str(path)


KINDS = ("jsonl", "csv", "parquet")


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_file_gives_the_same_table(tmp_path, rows, small, kind):
    table, label = read(write(tmp_path, kind, rows), TRANSACTION)
    assert np.array_equal(table, small[0][:20])
    assert np.array_equal(label, small[1][:20])


def test_history_comes_through_standard_input(monkeypatch, tmp_path, rows, small):
    with open(write(tmp_path, "jsonl", rows), encoding="utf-8") as file:
        monkeypatch.setattr(sys, "stdin", file)
        table, _ = read("-", TRANSACTION)
    assert np.array_equal(table, small[0][:20])


def test_columns_may_stand_in_any_order_and_labels_be_true_or_false(tmp_path, rows, small):
    turned = [dict(reversed(row.items())) | {LABEL: bool(row[LABEL])} for row in rows]
    for kind in KINDS:
        table, label = read(write(tmp_path, kind, turned), TRANSACTION)
        assert np.array_equal(table, small[0][:20]) and np.array_equal(label, small[1][:20])


WRONG = [
    ("amount", "abc", 'a number is expected, "abc" was found'),
    ("amount", None, "a number is expected, "),
    ("month", 2.5, "a whole number is expected, "),
    ("day_of_week", "Monday", '"Monday" is no known category; monday, tuesday, '),
    (LABEL, 2, "0 or 1 is expected, "),
]
# A Parquet column has one type: a text among numbers cannot be.
PLACES = [("jsonl", "line 7", WRONG), ("csv", "line 8", WRONG), ("parquet", "row 7", WRONG[1:])]
EACH = [(kind, where, *wrong) for kind, where, wrongs in PLACES for wrong in wrongs]


@pytest.mark.parametrize(("kind", "where", "column", "value", "words"), EACH)
def test_a_wrong_value_is_told_with_its_row_and_column(tmp_path, rows, kind, where, column, value, words):
    rows[6] = rows[6] | {column: value}
    with pytest.raises(DataError) as error:
        read(write(tmp_path, kind, rows), TRANSACTION)
    assert f"rows.{kind}, {where}, column '{column}': {words}" in str(error.value)


def test_a_text_column_in_parquet_is_no_number(tmp_path, rows):
    rows = [row | {"amount": str(row["amount"])} for row in rows]
    with pytest.raises(DataError, match="row 1, column 'amount': a number is expected, "):
        read(write(tmp_path, "parquet", rows), TRANSACTION)


@pytest.mark.parametrize("text", ["NaN", "inf", "-Infinity", "1e39"])
def test_a_number_that_float32_cannot_hold_is_refused(tmp_path, rows, text):
    rows[0]["income"] = text
    with pytest.raises(DataError, match=r"line 2, column 'income': a number .* is expected"):
        read(write(tmp_path, "csv", rows), TRANSACTION)


def test_a_number_as_text_is_refused_in_json(tmp_path, rows):
    rows[0]["amount"] = "12.5"
    with pytest.raises(DataError, match=r"line 1, column 'amount': a number is expected, .12\.5. was found"):
        read(write(tmp_path, "jsonl", rows), TRANSACTION)


def test_an_unknown_category_can_be_hidden(tmp_path, rows):
    rows[3]["category_recipient"] = "casino"
    path = write(tmp_path, "jsonl", rows)
    with pytest.raises(DataError, match='"casino" is no known category'):
        read(path, TRANSACTION)
    table, _ = read(path, TRANSACTION, unknown="hide")
    assert table[3, TRANSACTION.place["category_recipient"]] == UNKNOWN


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("column", ["old_balance", LABEL])
def test_a_missing_column_is_named(tmp_path, rows, kind, column):
    for row in rows:
        del row[column]
    with pytest.raises(DataError, match=f"column '{column}' is missing"):
        read(write(tmp_path, kind, rows), TRANSACTION)


BAD = [
    ("a.jsonl", b'{"amount": 1', "a.jsonl, line 1: it is not JSON"),
    ("a.jsonl", b"\n[1, 2]\n", "a.jsonl, line 2: one JSON object a line is expected, [1, 2] was found"),
    ("a.jsonl", b"", "a.jsonl: it has no rows"),
    ("a.jsonl", b'{"amount": "\xff"}', "a.jsonl: it is not UTF-8 text"),
    ("a.csv", b"", "a.csv: column 'amount' is missing; the file's columns are none"),
    ("a.csv", b"HEADER\n", "a.csv: it has no rows"),
    ("a.csv", b"HEADER\n1,2\n", "a.csv, line 2: it has 2 values, the header has 13"),
    ("a.csv", b'HEADER\n"1" x,2\n', "a.csv, line 2: it is not CSV"),
    ("a.parquet", b"no", "a.parquet: it is not Parquet"),
    ("a.xlsx", b"", "a.xlsx: a file of this kind cannot be read; .csv, .parquet"),
]


@pytest.mark.parametrize(("name", "content", "words"), BAD, ids=[words for _, _, words in BAD])
def test_a_bad_file_is_told(tmp_path, name, content, words):
    header = ",".join([*TRANSACTION.names, LABEL]).encode()
    (tmp_path / name).write_bytes(content.replace(b"HEADER", header))
    with pytest.raises(DataError) as error:
        read(str(tmp_path / name), TRANSACTION)
    assert words in str(error.value)


def test_a_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(DataError, match=r"none\.csv: No such file"):
        read(str(tmp_path / "none.csv"), TRANSACTION)


def test_a_very_long_value_is_shown_in_part(tmp_path, rows):
    rows[0]["day_of_week"] = "x" * 100_000
    with pytest.raises(DataError) as error:
        read(write(tmp_path, "jsonl", rows), TRANSACTION)
    assert len(str(error.value)) < 400
