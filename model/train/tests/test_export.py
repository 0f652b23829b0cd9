"""The ONNX scores as its trainer does, has only the operators that the Rust reader takes, and carries covers."""

import numpy as np
import pytest
import xgboost
from onnx import helper
from scipy.special import expit

from tamis_train.data import simulate
from tamis_train.ensemble import float32_not_above
from tamis_train.export import to_onnx
from tamis_train.schema import SENSITIVE, TRANSACTION, UNKNOWN
from tamis_train.score import columns, scores
from tamis_train.trainers import TRAINERS, Settings, train

from .conftest import PROPERTIES

FAIR = TRANSACTION.without(SENSITIVE)
BOOSTERS = [name for name in TRAINERS if name != "additive"]
KINDS = [(name, 2) for name in TRAINERS] + [(name, 9) for name in BOOSTERS]


def trees_of(model):
    node = next(node for node in model.graph.node if node.op_type == "TreeEnsembleClassifier")
    return {each.name: helper.get_attribute_value(each) for each in node.attribute}


@pytest.mark.parametrize(("trainer", "leaves"), KINDS)
def test_onnx_gives_the_trainers_probabilities(made, trainer, leaves):
    trained, _, session = made(trainer, leaves)
    table, _ = simulate(20_000, np.random.default_rng(4))
    assert np.abs(scores(session, columns(table, TRANSACTION), TRANSACTION) - trained.predict(table)).max() < 1e-6


@pytest.mark.parametrize("trainer", TRAINERS)
def test_an_unknown_category_scores_as_in_the_trainer(made, trainer):
    trained, _, session = made(trainer)
    table, _ = simulate(1_000, np.random.default_rng(5))
    rows = columns(table, TRANSACTION)
    for name in TRANSACTION.of_kind("text"):
        unknown = rows | {name: ["never seen"] * len(table)}
        hidden = table.copy()
        hidden[:, TRANSACTION.place[name]] = UNKNOWN
        assert np.abs(scores(session, unknown, TRANSACTION) - trained.predict(hidden)).max() < 1e-6


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_tables_of_trees_of_depth_1_give_the_trainers_probabilities(made, trainer):
    trained = made(trainer)[0]
    table = simulate(20_000, np.random.default_rng(7))[0].astype(np.float32)
    table[:1000, 0] = np.resize(trained.ensemble.thresholds(0), 1000)
    assert np.abs(expit(trained.ensemble.odds(table)) - trained.predict(table)).max() < 1e-6


@pytest.mark.parametrize(("trainer", "leaves"), KINDS)
def test_thresholds_are_exact_on_float32(made, trainer, leaves):
    trained, _, session = made(trainer, leaves)
    base = simulate(1, np.random.default_rng(6))[0]
    columns_read = [name for name in TRANSACTION.of_kind("float") if trained.ensemble.thresholds(TRANSACTION.place[name])]
    assert columns_read
    for name in columns_read:
        at = np.array(trained.ensemble.thresholds(TRANSACTION.place[name])[:200], dtype=np.float32)
        values = np.concatenate([at, np.nextafter(at, np.float32(-np.inf)), np.nextafter(at, np.float32(np.inf))])
        table = np.repeat(base, len(values), axis=0)
        table[:, TRANSACTION.place[name]] = values
        assert np.abs(scores(session, columns(table, TRANSACTION), TRANSACTION) - trained.predict(table)).max() < 1e-6


@pytest.mark.parametrize("trainer", ["lightgbm", "xgboost"])
def test_covers_give_the_trainers_own_contributions(made, small, trainer):
    """With trees of depth 1 a column's share is, tree by tree, the leaf less the mean of both leaves by cover."""
    trained, model, _ = made(trainer)
    table = small[0][:300].astype(np.float32)
    if trainer == "lightgbm":
        expected = trained.model.predict(table, pred_contrib=True)
    else:
        expected = trained.model.predict(xgboost.DMatrix(table, feature_names=TRANSACTION.names), pred_contribs=True)
    given = trees_of(model)
    shares = np.zeros((len(table), len(TRANSACTION.names)))
    branches = [node for node, mode in enumerate(given["nodes_modes"]) if mode != b"LEAF"]
    leaves = np.array(given["class_weights"]).reshape(-1, 2)
    for branch, (when_true, when_false) in zip(branches, leaves, strict=True):
        feature, threshold = given["nodes_featureids"][branch], given["nodes_values"][branch]
        _, cover_true, cover_false = given["nodes_hitrates"][branch : branch + 3]
        value = table[:, feature]
        below = value <= threshold if given["nodes_modes"][branch] == b"BRANCH_LEQ" else value < threshold
        mean = (cover_true * when_true + cover_false * when_false) / (cover_true + cover_false)
        shares[:, feature] += np.where(below, when_true, when_false) - mean
    assert np.abs(shares - expected[:, :-1]).max() < 1e-4
    assert np.abs(shares).max() > 0.1


@pytest.mark.parametrize(("trainer", "leaves"), KINDS)
def test_a_branchs_cover_is_its_childrens(made, trainer, leaves):
    for tree in made(trainer, leaves)[0].ensemble.trees:
        for node, left in enumerate(tree.left):
            if left >= 0:
                both = tree.cover[left] + tree.cover[tree.right[node]]
                assert both > 0 and abs(tree.cover[node] / both - 1) < 1e-5


@pytest.mark.parametrize("value", [0.1, -0.1, 100.00000001, 1e-35, 16777217.0, 0.5])
def test_a_double_threshold_is_rounded_down(value):
    at = float32_not_above(value)
    assert at <= value < float(np.nextafter(np.float32(at), np.float32(np.inf)))


@pytest.mark.parametrize("schema", [TRANSACTION, FAIR], ids=["all columns", "fewer columns"])
@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_graph_has_one_input_a_column_and_no_other_operators(made, trainer, schema):
    model = made(trainer, schema=schema)[1] if trainer == "additive" else made(trainer)[1]
    expected = schema if trainer == "additive" else TRANSACTION
    assert [each.name for each in model.graph.input] == expected.names
    operators = [node.op_type for node in model.graph.node]
    assert sorted(set(operators)) == ["Cast", "Concat", "LabelEncoder", "TreeEnsembleClassifier"]
    assert operators[-2:] == ["Concat", "TreeEnsembleClassifier"]
    assert {each.key: each.value for each in model.metadata_props} == {key: str(value) for key, value in PROPERTIES.items()}


@pytest.mark.parametrize("trainer", TRAINERS)
def test_the_same_seed_gives_the_same_bytes(made, small, trainer):
    table, label = small
    again = train(trainer, table, label, TRANSACTION, Settings(3, quiet=True))
    content = to_onnx(again.ensemble, TRANSACTION, PROPERTIES).SerializeToString(deterministic=True)
    assert made(trainer)[1].SerializeToString(deterministic=True) == content
