"""LightGBM: boosted trees, by default of depth 1, whose log-odds is a sum of one small table a column."""

import lightgbm
import numpy as np
from tqdm import tqdm

from ..data import hide_categories
from ..ensemble import Ensemble, Tree, float32_not_above
from ..schema import Schema
from . import Settings, Trained

HIDDEN = 0.005
FEW_ROWS = 100_000
FIXED = {
    "objective": "binary",
    "use_missing": False,
    # The same seed gives the same file: fixed number of threads, fixed order of histogram sums.
    "deterministic": True,
    "force_row_wise": True,
    "verbosity": -1,
}
MANY = {"num_threads": 2, "rounds": 1000, "learning_rate": 0.4, "max_bin": 511, "min_data_in_leaf": 200}
# Threads would wait for each other more than they work.
FEW = {"num_threads": 1, "rounds": 1000, "learning_rate": 0.1, "max_bin": 255, "min_data_in_leaf": 20}


def train(table: np.ndarray, label: np.ndarray, schema: Schema, settings: Settings) -> Trained:
    """A booster over the columns."""
    chosen = dict(MANY if len(label) >= FEW_ROWS else FEW)
    rounds = chosen.pop("rounds")
    values = FIXED | chosen | {"seed": settings.seed, "num_leaves": settings.leaves}
    table = hide_categories(table, schema, HIDDEN, np.random.default_rng([settings.seed, 1]))
    data = lightgbm.Dataset(table, label, feature_name=schema.names, params=values)
    with tqdm(total=rounds, unit="tree", desc="LightGBM", disable=settings.quiet) as bar:
        booster = lightgbm.train(values, data, rounds, callbacks=[lambda _: bar.update() and None])
    trees = [_tree(info["tree_structure"]) for info in booster.dump_model()["tree_info"]]
    about = f"{rounds:,} boosted {settings.tree()} by LightGBM, learning rate {values['learning_rate']}"
    return Trained(Ensemble(trees), lambda rows: booster.predict(rows.astype(np.float32)), about, booster)


def _tree(root: dict) -> Tree:
    """A node's children come after it. LightGBM reads a missing value as 0 when told to use none."""
    tree, queue, following = Tree(), [root], 1
    while queue:
        node = queue.pop(0)
        if "leaf_value" in node:
            tree.append_leaf(node["leaf_value"], float(node.get("leaf_count", 0)))
            continue
        threshold = float32_not_above(node["threshold"])
        tree.append(
            node["split_feature"], threshold, following, following + 1, float(node["internal_count"]), threshold >= 0
        )
        queue += [node["left_child"], node["right_child"]]
        following += 2
    return tree
