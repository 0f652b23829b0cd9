"""The ONNX scores as LightGBM does, has only the operators that the Rust reader takes, and is the same for the same seed."""

import numpy as np
import onnx
import pytest

from tamis_train.data import COLUMNS, FLOATS, PLACE, TEXTS, UNKNOWN, hide_categories, simulate
from tamis_train.export import float32_not_above, thresholds, to_onnx
from tamis_train.score import columns, open_session, scores
from tamis_train.train import train

from .conftest import PROPERTIES


@pytest.fixture(scope="module")
def session(model):
    return open_session(model.SerializeToString())


def test_onnx_gives_the_boosters_probabilities(booster, session):
    table, _ = simulate(100_000, np.random.default_rng(4))
    expected = booster.predict(table.astype(np.float32))
    assert np.abs(scores(session, columns(table)) - expected).max() < 1e-6


def test_an_unknown_category_is_the_hidden_one(booster, session):
    table, _ = simulate(1_000, np.random.default_rng(5))
    rows = columns(table)
    for name in TEXTS:
        unknown = rows | {name: ["never seen"] * len(table)}
        hidden = table.copy()
        hidden[:, PLACE[name]] = UNKNOWN
        assert np.abs(scores(session, unknown) - booster.predict(hidden.astype(np.float32))).max() < 1e-6


def test_thresholds_are_exact_on_float32(booster, model, session):
    base = simulate(1, np.random.default_rng(6))[0]
    for name in FLOATS:
        at = np.array(thresholds(model, name), dtype=np.float32)
        values = np.concatenate([at, np.nextafter(at, np.float32(-np.inf)), np.nextafter(at, np.float32(np.inf))])
        table = np.repeat(base, len(values), axis=0)
        table[:, PLACE[name]] = values
        assert np.abs(scores(session, columns(table)) - booster.predict(table.astype(np.float32))).max() < 1e-6


@pytest.mark.parametrize("value", [0.1, -0.1, 100.00000001, 1e-35, 16777217.0, 0.5])
def test_a_double_threshold_is_rounded_down(value):
    at = float32_not_above(value)
    assert at <= value < float(np.nextafter(np.float32(at), np.float32(np.inf)))


def test_the_graph_has_one_input_a_column_and_no_other_operators(model):
    assert [each.name for each in model.graph.input] == COLUMNS
    operators = [node.op_type for node in model.graph.node]
    assert sorted(set(operators)) == ["Cast", "Concat", "LabelEncoder", "TreeEnsembleClassifier"]
    assert operators[-2:] == ["Concat", "TreeEnsembleClassifier"]
    assert {each.key: each.value for each in model.metadata_props} == {key: str(value) for key, value in PROPERTIES.items()}


def test_the_same_seed_gives_the_same_bytes():
    def build() -> bytes:
        rng = np.random.default_rng(7)
        table, label = simulate(50_000, rng)
        booster = train(hide_categories(table, 0.005, rng), label, seed=7, rounds=30)
        return to_onnx(booster, PROPERTIES).SerializeToString(deterministic=True)

    first = build()
    onnx.load_from_string(first)
    assert build() == first
