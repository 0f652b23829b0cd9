"""Trains the classifier: boosted trees of depth 1, whose log-odds is a sum of one small table a column."""

import lightgbm
import numpy as np
from tqdm import tqdm

from .data import COLUMNS

ROUNDS = 1000
SETTINGS = {
    "objective": "binary",
    "num_leaves": 2,
    "max_depth": 1,
    "learning_rate": 0.4,
    "max_bin": 511,
    "min_data_in_leaf": 200,
    "use_missing": False,
    # The same seed gives the same file: fixed number of threads, fixed order of histogram sums.
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 2,
    "verbosity": -1,
}


def train(table: np.ndarray, label: np.ndarray, seed: int, rounds: int = ROUNDS) -> lightgbm.Booster:
    """A booster over the columns; values are rounded to float32 first, as ONNX will see them."""
    settings = SETTINGS | {"seed": seed}
    data = lightgbm.Dataset(table.astype(np.float32), label, feature_name=COLUMNS, params=settings)
    with tqdm(total=rounds, unit="tree", desc="Training") as bar:
        return lightgbm.train(settings, data, rounds, callbacks=[lambda _: bar.update() and None])
