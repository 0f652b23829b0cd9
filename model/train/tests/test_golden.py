"""The golden vectors hold what they promise, and what is in model/fraud belongs together."""

import hashlib
import json

import numpy as np
import onnx
import pytest

from tamis_train import golden
from tamis_train.data import CATEGORIES, COLUMNS, FLOATS, FRAUD, TEXTS
from tamis_train.export import thresholds
from tamis_train.score import open_session, scores


@pytest.fixture(scope="module")
def shipped():
    content = (FRAUD / "fraud.onnx").read_bytes()
    return content, onnx.load_from_string(content), *golden.read(FRAUD / "golden.csv")


def test_the_scores_are_the_shipped_models(shipped):
    content, _, rows, score = shipped
    assert np.array_equal(scores(open_session(content), rows), score)
    assert len(score) >= 10_000


def test_a_row_scores_the_same_alone_and_in_a_batch(shipped):
    content, _, rows, score = shipped
    session = open_session(content)
    for at in range(0, len(score), 97):
        assert scores(session, {name: values[at : at + 1] for name, values in rows.items()})[0] == score[at]


def test_rows_are_distinct(shipped):
    rows = shipped[2]
    lines = [tuple(map(repr, line)) for line in zip(*rows.values(), strict=True)]
    assert len(set(lines)) == len(lines)


@pytest.mark.parametrize("name", FLOATS)
def test_every_threshold_is_hit_and_missed_by_one_step(shipped, name):
    _, model, rows, _ = shipped
    present = set(rows[name])
    for at in thresholds(model, name):
        assert {float(at), *(float(np.nextafter(at, np.float32(side))) for side in (-np.inf, np.inf))} <= present


@pytest.mark.parametrize("name", COLUMNS)
def test_every_category_and_odd_value_is_there(shipped, name):
    texts = CATEGORIES[name] + golden.ODD_TEXTS if name in TEXTS else None
    odd = texts or (golden.ODD_FLOATS if name in FLOATS else golden.ODD_INTEGERS)
    assert set(map(repr, odd)) <= set(map(repr, shipped[2][name]))


def test_floats_stay_finite_in_float32(shipped):
    for name in FLOATS:
        with np.errstate(over="ignore"):
            assert np.isfinite(np.array(shipped[2][name], dtype=np.float32)).all()


def test_the_card_describes_the_shipped_model(shipped):
    content, _, _, score = shipped
    card = json.loads((FRAUD / "card.json").read_text(encoding="utf-8"))
    assert card["sha256"] == hashlib.sha256(content).hexdigest()
    assert card["sha256"] in (FRAUD / "CARD.md").read_text(encoding="utf-8")
    assert [column["name"] for column in card["columns"]] == COLUMNS
    assert card["golden_rows"] == len(score)
