"""Models of trees with the reasons that the shap package gives for their rows: `reasons.py FOLDER`.

For each model: NAME.onnx; NAME.csv, the very rows that it was trained on, as golden rows; NAME.shap.csv, some hundred fresh
rows, and for each what shap.TreeExplainer says without a background of its own (path-dependent): the base and what each
column adds. XGBoost counts hessians instead of rows, so that its numbers are written into the ONNX file's hit rates.
"""

import csv
import json
import sys
from pathlib import Path

import lightgbm
import numpy as np
import shap
import xgboost
from make import NAMES, TARGETS, WIDTH, X, matrix, rng
from onnx import helper
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as MlFloat
from skl2onnx import to_onnx
from sklearn.ensemble import ExtraTreesClassifier, GradientBoostingClassifier, GradientBoostingRegressor, RandomForestClassifier
from sklearn.tree import DecisionTreeRegressor

ASKED = 300
BINARY, NUMBER = TARGETS["binary"], TARGETS["number"]
TYPES = [("x", MlFloat([None, WIDTH]))]
TRAIN = X[:1500]


def covers(booster):
    """The cover of each node of each tree, first the branch for true, by the path to it."""
    found = []
    for tree in booster.get_dump(dump_format="json", with_stats=True):
        own, open_ = {}, [("", json.loads(tree))]
        while open_:
            path, node = open_.pop()
            own[path] = float(node["cover"])
            for child in node.get("children", ()):
                open_.append((path + ("y" if child["nodeid"] == node["yes"] else "n"), child))
        found.append(own)
    return found


def with_covers(onnx, booster):
    """Writes them into the ONNX file."""
    known = covers(booster)
    for node in onnx.graph.node:
        lists = {attribute.name: attribute for attribute in node.attribute}
        if "nodes_treeids" not in lists:
            continue
        ints = {name: list(lists[name].ints) for name in ("nodes_treeids", "nodes_nodeids", "nodes_truenodeids", "nodes_falsenodeids")}
        leaf = [mode == b"LEAF" for mode in lists["nodes_modes"].strings]
        place = {key: at for at, key in enumerate(zip(ints["nodes_treeids"], ints["nodes_nodeids"], strict=True))}
        rates = [0.0] * len(leaf)
        for tree, own in enumerate(known):
            open_ = [("", min(at for at, of in enumerate(ints["nodes_treeids"]) if of == tree))]
            while open_:
                path, at = open_.pop()
                rates[at] = own[path]
                if not leaf[at]:
                    open_.append((path + "y", place[tree, ints["nodes_truenodeids"][at]]))
                    open_.append((path + "n", place[tree, ints["nodes_falsenodeids"][at]]))
        node.attribute.append(helper.make_attribute("nodes_hitrates", rates))
    return onnx


def write(folder, name, model, onnx):
    matrix(folder, name, onnx, table=TRAIN)
    asked = (rng.normal(size=(ASKED, WIDTH)) * 1.5).astype(np.float32)
    explainer = shap.TreeExplainer(model, feature_perturbation="tree_path_dependent")
    values = explainer(asked)
    given, base = np.asarray(values.values), np.asarray(values.base_values)
    # Where there is one list a class, the second one's is the score's.
    if given.ndim == 3:
        given, base = given[:, :, 1], base[:, 1]
    base = np.broadcast_to(base.ravel() if base.size > 1 else base.ravel()[0], ASKED)
    with (folder / f"{name}.shap.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*NAMES, "base", *(f"shap:{column}" for column in NAMES)])
        for row in range(ASKED):
            table.writerow([repr(float(cell)) for cell in (*asked[row], base[row], *given[row])])


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, kind, target in (("binary", lightgbm.LGBMClassifier, BINARY), ("number", lightgbm.LGBMRegressor, NUMBER)):
        model = kind(n_estimators=40, verbose=-1).fit(TRAIN, target[: len(TRAIN)])
        write(folder, f"lightgbm_{name}", model, convert_lightgbm(model, initial_types=TYPES, zipmap=False))
    for name, kind, target in (("binary", xgboost.XGBClassifier, BINARY), ("number", xgboost.XGBRegressor, NUMBER)):
        model = kind(n_estimators=30, max_depth=4).fit(TRAIN, target[: len(TRAIN)])
        write(folder, f"xgboost_{name}", model, with_covers(convert_xgboost(model, initial_types=TYPES), model.get_booster()))
    kinds = {
        "boosting": (GradientBoostingClassifier(n_estimators=40), BINARY),
        "boosting_number": (GradientBoostingRegressor(n_estimators=40), NUMBER),
        "extra": (ExtraTreesClassifier(20, max_depth=6), BINARY),
        # Every tree sees all rows: the golden ones are then what it learned from.
        "forest": (RandomForestClassifier(20, max_depth=6, bootstrap=False), BINARY),
        "tree": (DecisionTreeRegressor(max_depth=7), NUMBER),
    }
    for name, (model, target) in kinds.items():
        model.fit(TRAIN, target[: len(TRAIN)])
        write(folder, f"sklearn_{name}", model, to_onnx(model, X[:1], options={id(model): {"zipmap": False}} if "Classifier" in type(model).__name__ else None))


if __name__ == "__main__":
    main()
