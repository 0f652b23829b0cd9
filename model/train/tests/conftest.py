"""A small booster and its ONNX, made once for all tests."""

import numpy as np
import pytest

from tamis_train.data import hide_categories, simulate
from tamis_train.export import to_onnx
from tamis_train.train import train

PROPERTIES = {"name": "test", "version": "0", "training_rows": 200_000, "threshold": 0.5}


@pytest.fixture(scope="session")
def booster():
    rng = np.random.default_rng(3)
    table, label = simulate(200_000, rng)
    return train(hide_categories(table, 0.005, rng), label, seed=3, rounds=200)


@pytest.fixture(scope="session")
def model(booster):
    return to_onnx(booster, PROPERTIES)
