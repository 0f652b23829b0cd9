"""The golden vectors hold what they promise, and what is in model/fraud belongs together."""

import hashlib
import json

import numpy as np
import onnx
import pytest

from tamis_train import golden, report
from tamis_train.card import markdown
from tamis_train.data import simulate
from tamis_train.ensemble import Ensemble, Tree
from tamis_train.quality import measure, shortfalls
from tamis_train.schema import FRAUD, SENSITIVE, TRANSACTION
from tamis_train.score import open_session, score_table, scores

FOLDERS = {"fraud": (FRAUD, TRANSACTION), "fraud-fair": (FRAUD / report.FAIR, TRANSACTION.without(SENSITIVE))}


class Shipped:
    """What is committed of one model."""

    def __init__(self, name):
        self.name = name
        self.folder, self.schema = FOLDERS[name]
        self.content = (self.folder / f"{name}.onnx").read_bytes()
        self.model = onnx.load_from_string(self.content)
        self.rows, self.score = golden.read(self.folder / "golden.csv", self.schema)
        self.card = json.loads((self.folder / "card.json").read_text(encoding="utf-8"))

    def thresholds(self, name):
        """As the file has them."""
        node = next(node for node in self.model.graph.node if node.op_type == "TreeEnsembleClassifier")
        given = {each.name: onnx.helper.get_attribute_value(each) for each in node.attribute}
        tree = Tree()
        for feature, at, mode in zip(
            *(given[f"nodes_{of}"] for of in ("featureids", "values", "modes")),
            strict=True,
        ):
            tree.append(feature, at, -1 if mode == b"LEAF" else 1, 0, 0.0, False)
        return Ensemble([tree]).thresholds(self.schema.place[name])


@pytest.fixture(scope="module", params=FOLDERS)
def shipped(request):
    return Shipped(request.param)


def test_the_scores_are_the_shipped_models(shipped):
    assert np.array_equal(scores(open_session(shipped.content), shipped.rows, shipped.schema), shipped.score)
    assert len(shipped.score) >= 10_000


def test_a_row_scores_the_same_alone_and_in_a_batch(shipped):
    session = open_session(shipped.content)
    for at in range(0, len(shipped.score), 97):
        alone = {name: values[at : at + 1] for name, values in shipped.rows.items()}
        assert scores(session, alone, shipped.schema)[0] == shipped.score[at]


def test_rows_are_distinct(shipped):
    lines = [tuple(map(repr, line)) for line in zip(*shipped.rows.values(), strict=True)]
    assert len(set(lines)) == len(lines)


def test_every_threshold_is_hit_and_missed_by_one_step(shipped):
    for name in shipped.schema.of_kind("float"):
        present = set(shipped.rows[name])
        thresholds = shipped.thresholds(name)
        assert len(thresholds) > 100
        for at in thresholds:
            assert {float(at), *(float(np.nextafter(at, np.float32(side))) for side in (-np.inf, np.inf))} <= present


def test_every_category_and_odd_value_is_there(shipped):
    for column in shipped.schema.columns:
        assert set(map(repr, golden.odd_values(column))) <= set(map(repr, shipped.rows[column.name]))


def test_floats_stay_finite_in_float32(shipped):
    for name in shipped.schema.of_kind("float"):
        with np.errstate(over="ignore"):
            assert np.isfinite(np.array(shipped.rows[name], dtype=np.float32)).all()


def test_the_card_describes_the_shipped_model(shipped):
    card = shipped.card
    assert card["sha256"] == hashlib.sha256(shipped.content).hexdigest()
    assert (shipped.folder / "CARD.md").read_text(encoding="utf-8") == markdown(card)
    assert [column["name"] for column in card["columns"]] == shipped.schema.names
    assert card["golden_rows"] == len(shipped.score)
    properties = {each.key: each.value for each in shipped.model.metadata_props}
    assert properties == {key: str(card[key]) for key in ("name", "version", "training_rows", "threshold", "missing")}


def test_the_card_keeps_the_limits(shipped):
    metrics = shipped.card["metrics"]
    assert metrics["model"]["rows"] >= 1_000_000
    assert shortfalls(metrics["model"], metrics["limit"], absolute=shipped.name == "fraud") == []


def test_the_shipped_model_is_as_good_as_its_card_says(shipped):
    """On other transactions than the card's."""
    table, label = simulate(100_000, np.random.default_rng(77))
    score = score_table(open_session(shipped.content), shipped.schema.select(table, TRANSACTION), shipped.schema)
    found, promised = measure(label, score), shipped.card["metrics"]["model"]
    assert abs(found["accuracy"] - promised["accuracy"]) < 0.0025
    assert abs(found["average_precision"] - promised["average_precision"]) < 0.012
    assert abs(found["log_loss"] - promised["log_loss"]) < 0.004


@pytest.mark.parametrize(
    ("measure", "value", "words"),
    [
        ("accuracy", 0.9661, "accuracy 0.9661 is below 0.9663"),
        ("average_precision", 0.8989, "average_precision 0.8989 is below 0.899"),
        ("log_loss", 0.0961, "log_loss 0.0961 is above 0.096"),
        ("accuracy", 0.96635, "accuracy 0.96635 is below 0.9665"),
        ("log_loss", 0.0954, "log_loss 0.0954 is above 0.0952"),
    ],
)
def test_a_worse_model_is_told_what_it_misses(measure, value, words):
    limit = {"accuracy": 0.9667, "average_precision": 0.9005, "log_loss": 0.0950}
    assert shortfalls(limit, limit, absolute=True) == []
    assert words in shortfalls(limit | {measure: value}, limit, absolute=True)
