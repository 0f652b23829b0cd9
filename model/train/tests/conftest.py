"""Models of each trainer on a small data set, made once for all tests."""

import numpy as np
import pytest

from tamis_train.data import simulate
from tamis_train.export import to_onnx
from tamis_train.schema import TRANSACTION
from tamis_train.score import open_session
from tamis_train.trainers import Settings, lightgbm, sklearn, train, xgboost

PROPERTIES = {"name": "test", "version": "0", "training_rows": 6_000, "threshold": 0.5}
ROUNDS = 40


@pytest.fixture(scope="session", autouse=True)
def few_rounds():
    """The boosters' own numbers of trees take minutes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(lightgbm.FEW, "rounds", ROUNDS)
        patch.setitem(xgboost.FEW, "rounds", ROUNDS)
        patch.setitem(sklearn.FEW, "max_iter", ROUNDS)
        yield


@pytest.fixture(scope="session")
def small():
    return simulate(6_000, np.random.default_rng(3))


@pytest.fixture(scope="session")
def made(small):
    """Gives a trained model, its ONNX and its session: `made(trainer, leaves, schema)`."""
    kept = {}

    def make(trainer="additive", leaves=2, schema=TRANSACTION):
        key = (trainer, leaves, schema)
        if key not in kept:
            table, label = small
            trained = train(trainer, schema.select(table, TRANSACTION), label, schema, Settings(3, leaves, quiet=True))
            model = to_onnx(trained.ensemble, schema, PROPERTIES)
            kept[key] = trained, model, open_session(model.SerializeToString())
        return kept[key]

    return make
