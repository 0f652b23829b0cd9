"""scikit-learn's HistGradientBoostingClassifier: boosted trees, by default of depth 1."""

import numpy as np
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ..data import hide_categories
from ..ensemble import Ensemble, Tree, float32_not_above
from ..schema import Schema
from . import Settings, Trained

HIDDEN = 0.005
FEW_ROWS = 100_000
MANY = {"max_iter": 1000, "learning_rate": 0.4, "min_samples_leaf": 200}
FEW = {"max_iter": 1000, "learning_rate": 0.1, "min_samples_leaf": 20}


def train(table: np.ndarray, label: np.ndarray, schema: Schema, settings: Settings) -> Trained:
    """A classifier over the columns."""
    chosen = MANY if len(label) >= FEW_ROWS else FEW
    table = hide_categories(table, schema, HIDDEN, np.random.default_rng([settings.seed, 1]))
    values = chosen | {"max_leaf_nodes": settings.leaves, "early_stopping": False, "warm_start": True}
    model = HistGradientBoostingClassifier(**values, random_state=settings.seed)
    rounds = chosen["max_iter"]
    # It has no callbacks: it is told to go on, a tenth at a time, so that progress can be shown.
    threads = threadpool_limits(2 if chosen is MANY else 1)
    with threads, tqdm(total=rounds, unit="tree", desc="scikit-learn", disable=settings.quiet) as bar:
        for until in np.linspace(rounds / 10, rounds, 10).astype(int):
            model.set_params(max_iter=int(until)).fit(table, label)
            bar.update(int(until) - bar.n)
    # No public attribute has the trees; the converters to ONNX read these too.
    trees = [_tree(predictors[0].nodes) for predictors in model._predictors]
    ensemble = Ensemble(trees, base=float(np.ravel(model._baseline_prediction)[0]))
    about = f"{rounds:,} boosted {settings.tree()} by scikit-learn, learning rate {values['learning_rate']}"
    return Trained(ensemble, lambda rows: model.predict_proba(rows.astype(np.float32))[:, 1], about, model)


def _tree(nodes: np.ndarray) -> Tree:
    tree = Tree()
    for node in nodes:
        if node["is_leaf"]:
            tree.append_leaf(float(node["value"]), float(node["count"]))
        else:
            left, right, missing_left = int(node["left"]), int(node["right"]), bool(node["missing_go_to_left"])
            threshold = float32_not_above(float(node["num_threshold"]))
            tree.append(int(node["feature_idx"]), threshold, left, right, float(node["count"]), missing_left)
    return tree
