"""XGBoost (the CPU-only package): boosted trees, by default of depth 1."""

import json

import numpy as np
import xgboost
from tqdm import tqdm

from ..data import hide_categories
from ..ensemble import Ensemble, Tree
from ..schema import Schema
from . import Settings, Trained

HIDDEN = 0.005
FEW_ROWS = 100_000
FIXED = {
    "objective": "binary:logistic",
    "max_depth": 0,
    "grow_policy": "lossguide",
    "tree_method": "hist",
    "verbosity": 0,
}
MANY = {"nthread": 2, "rounds": 1000, "eta": 0.4, "max_bin": 512, "min_child_weight": 20}
# Threads would wait for each other more than they work.
FEW = {"nthread": 1, "rounds": 1000, "eta": 0.1, "max_bin": 256}


class _Progress(xgboost.callback.TrainingCallback):
    def __init__(self, bar: tqdm) -> None:
        self.bar = bar

    def after_iteration(self, model: xgboost.Booster, epoch: int, evals_log: dict) -> bool:
        self.bar.update()
        return False


def train(table: np.ndarray, label: np.ndarray, schema: Schema, settings: Settings) -> Trained:
    """A booster over the columns."""
    chosen = dict(MANY if len(label) >= FEW_ROWS else FEW)
    rounds = chosen.pop("rounds")
    values = FIXED | chosen | {"seed": settings.seed, "max_leaves": settings.leaves}
    table = hide_categories(table, schema, HIDDEN, np.random.default_rng([settings.seed, 1]))
    data = xgboost.QuantileDMatrix(
        table, label, feature_names=schema.names, max_bin=chosen["max_bin"], nthread=chosen["nthread"]
    )
    with tqdm(total=rounds, unit="tree", desc="XGBoost", disable=settings.quiet) as bar:
        booster = xgboost.train(values, data, rounds, callbacks=[_Progress(bar)])
    learner = json.loads(bytes(booster.save_raw("json")))["learner"]
    trees = [_tree(tree) for tree in learner["gradient_booster"]["model"]["trees"]]
    # Written as a number, or, by newer versions, as a list of one.
    prior = float(learner["learner_model_param"]["base_score"].strip("[]"))
    ensemble = Ensemble(trees, base=float(np.log(prior / (1 - prior))), mode="BRANCH_LT")

    def predict(rows: np.ndarray) -> np.ndarray:
        return booster.predict(xgboost.DMatrix(rows.astype(np.float32), feature_names=schema.names))

    about = f"{rounds:,} boosted {settings.tree()} by XGBoost, learning rate {values['eta']}"
    return Trained(ensemble, predict, about, booster)


def _tree(given: dict) -> Tree:
    """In XGBoost's JSON a leaf's weight stands where a branch has its threshold."""
    tree = Tree()
    for node, left in enumerate(given["left_children"]):
        value, cover = given["split_conditions"][node], given["sum_hessian"][node]
        if left < 0:
            tree.append_leaf(value, cover)
        else:
            right, missing_left = given["right_children"][node], bool(given["default_left"][node])
            tree.append(given["split_indices"][node], value, left, right, cover, missing_left)
    return tree
