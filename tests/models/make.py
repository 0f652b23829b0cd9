"""Models of many libraries as ONNX, each with golden rows by onnxruntime: `make.py FOLDER`.

The rows are random and hold edge values: thresholds hit exactly, zeros of both signs, denormals, unknown categories, and
missing values where the model has a meaning for them.
"""

import csv
import sys
from pathlib import Path

import lightgbm
import numpy as np
import onnxruntime
import pandas as pd
import xgboost
from onnx import helper
from onnxmltools import convert_lightgbm, convert_xgboost
from onnxmltools.convert.common.data_types import FloatTensorType as MlFloat
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import Normalizer, OneHotEncoder, OrdinalEncoder, StandardScaler

ROWS, TRAIN, WIDTH = 10_000, 4_000, 6
rng = np.random.default_rng(7)
NAMES = [f"f{place}" for place in range(WIDTH)]
X = rng.normal(size=(TRAIN, WIDTH)).astype(np.float32)
RAW = X[:, 0] * 2 - X[:, 1] * X[:, 2] + np.sin(X[:, 3] * 2) + rng.normal(scale=0.5, size=TRAIN)
TARGETS = {"binary": (RAW > 0.3).astype(int), "three": np.digitize(RAW, [-1, 1]), "number": RAW.astype(np.float32)}


def thresholds(model):
    """The values at which a model's trees branch."""
    found = [np.float32(0)]
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name in ("nodes_values", "nodes_splits"):
                found += list(np.asarray(helper.get_attribute_value(attribute), dtype=np.float32).ravel()[:4000])
    return np.array(found, dtype=np.float32)


def rows(model, missing):
    """Random rows; in a third of them one value is an edge."""
    table = rng.normal(size=(ROWS, WIDTH)).astype(np.float32) * 1.5
    at = thresholds(model)
    edges = np.concatenate([at, np.nextafter(at, np.float32(9e9)), np.float32([0.0, -0.0, 1e-45, -1e-45, 1e-38, 3e30, -3e30])])
    edges = edges[np.isfinite(edges)]
    for row in range(0, ROWS, 3):
        table[row, rng.integers(WIDTH)] = rng.choice(edges)
    if missing:
        table[rng.random(table.shape) < 0.05] = np.nan
    return table


def scores(outputs):
    """The output of floats: of two classes the second one's."""
    for output in reversed(outputs):
        if isinstance(output, list):
            names = list(output[0])
            output = np.array([[row[name] for name in names] for row in output], dtype=np.float32)
        if output.dtype in (np.float32, np.float64):
            output = output.reshape(len(output), -1)
            return output[:, 1:] if output.shape[1] == 2 else output
    raise ValueError("no output of floats")


def write(folder, name, model, columns, feed, classes=()):
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    score = scores(session.run(None, feed))
    (folder / f"{name}.onnx").write_bytes(model.SerializeToString())
    header = ["score"] if score.shape[1] == 1 else [f"score:{place}" for place in (classes or range(score.shape[1]))]
    with (folder / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow([*columns, *header])
        # Sums of squares of the greatest edges leave what 32 bits can hold.
        for row in np.flatnonzero(np.isfinite(score).all(axis=1)):
            cells = [values[row] for values in columns.values()]
            shown = ["" if isinstance(cell, float | np.floating) and np.isnan(cell) else repr(float(cell)) if isinstance(cell, np.floating) else cell for cell in cells]
            table.writerow([*shown, *(repr(float(value)) for value in score[row])])


def matrix(folder, name, model, missing=False, table=None):
    table = rows(model, missing) if table is None else table
    columns = {column: table[:, place] for place, column in enumerate(NAMES)}
    write(folder, name, model, columns, {model.graph.input[0].name: table})


def plain(folder):
    """Models over one matrix of numbers."""
    binary, three, number = TARGETS["binary"], TARGETS["three"], TARGETS["number"]
    options = {"zipmap": False}
    kinds = {
        "logistic": (LogisticRegression(), binary, False),
        "logistic_three": (LogisticRegression(), three, False),
        "scaled_logistic": (make_pipeline(StandardScaler(), Normalizer(), LogisticRegression()), binary, False),
        "imputed_forest": (make_pipeline(SimpleImputer(), RandomForestClassifier(20, max_depth=6)), binary, True),
        "forest": (RandomForestClassifier(30, max_depth=9), binary, False),
        "forest_three": (RandomForestClassifier(20, max_depth=5), three, False),
        "extra": (ExtraTreesClassifier(30, max_depth=8), binary, False),
        "boosting": (GradientBoostingClassifier(n_estimators=60), binary, False),
        "stumps": (GradientBoostingClassifier(n_estimators=100, max_depth=1), binary, False),
        "boosting_three": (GradientBoostingClassifier(n_estimators=30), three, False),
        "hist": (HistGradientBoostingClassifier(max_iter=60), binary, True),
        "mlp": (make_pipeline(StandardScaler(), MLPClassifier((16, 8), max_iter=60)), binary, False),
        "mlp_three": (MLPClassifier((16,), activation="tanh", max_iter=60), three, False),
    }
    for name, (model, target, missing) in kinds.items():
        train = X.copy()
        if missing:
            train[rng.random(train.shape) < 0.05] = np.nan
        model.fit(train, target)
        matrix(folder, f"sklearn_{name}", to_onnx(model, X[:1], options={id(model): options}), missing)
    zipped = RandomForestClassifier(5, max_depth=4).fit(X, binary)
    matrix(folder, "sklearn_zipmap", to_onnx(zipped, X[:1]))
    numbers = {
        "linear": LinearRegression(),
        "forest_number": RandomForestRegressor(20, max_depth=8),
        "boosting_number": GradientBoostingRegressor(n_estimators=40),
        "hist_number": HistGradientBoostingRegressor(max_iter=40),
    }
    for name, model in numbers.items():
        matrix(folder, f"sklearn_{name}", to_onnx(model.fit(X, number), X[:1]))


def boosters(folder):
    kinds = [("binary", TARGETS["binary"], False), ("three", TARGETS["three"], False), ("number", TARGETS["number"], False), ("missing", TARGETS["binary"], True)]
    for name, target, missing in kinds:
        train = X.copy()
        if missing:
            train[rng.random(train.shape) < 0.05] = np.nan
        kind = lightgbm.LGBMRegressor if name == "number" else lightgbm.LGBMClassifier
        model = kind(n_estimators=40, verbose=-1).fit(train, target)
        matrix(folder, f"lightgbm_{name}", convert_lightgbm(model, initial_types=[("x", MlFloat([None, WIDTH]))], zipmap=False), missing)
        kind = xgboost.XGBRegressor if name == "number" else xgboost.XGBClassifier
        model = kind(n_estimators=40, max_depth=5).fit(train, target)
        matrix(folder, f"xgboost_{name}", convert_xgboost(model, initial_types=[("x", MlFloat([None, WIDTH]))]), missing)


def pipelines(folder):
    """Models over named columns: texts, whole numbers, floats."""
    letters, towns = ["a", "b", "c"], ["oslo", "rome", "paris", "kyiv"]
    frame = pd.DataFrame({"amount": X[:, 0], "age": rng.integers(18, 90, TRAIN), "kind": rng.choice(letters, TRAIN), "town": rng.choice(towns, TRAIN)})
    target = ((frame.amount > 0) ^ (frame.kind == "a") | (frame.age > 70)).astype(int).to_numpy()
    types = [("amount", FloatTensorType([None, 1])), ("age", Int64TensorType([None, 1])), ("kind", StringTensorType([None, 1])), ("town", StringTensorType([None, 1]))]
    encoders = {
        "onehot": OneHotEncoder(handle_unknown="ignore"),
        "ordinal": OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1),
    }
    models = {"logistic": LogisticRegression(max_iter=500), "boosting": GradientBoostingClassifier(n_estimators=40)}
    for (encoder, encode), (name, model) in ((e, m) for e in encoders.items() for m in models.items()):
        joined = ColumnTransformer([("texts", encode, ["kind", "town"]), ("numbers", StandardScaler(), ["amount", "age"])])
        pipeline = make_pipeline(joined, model).fit(frame, target)
        onnx = to_onnx(pipeline, initial_types=types, options={id(pipeline): {"zipmap": False}})
        unknown = encoder == "onehot"
        columns = {
            "amount": rows(onnx, False)[:, 0],
            "age": rng.integers(-5, 120, ROWS),
            "kind": rng.choice([*letters, "z", ""] if unknown else letters, ROWS),
            "town": rng.choice([*towns, "Oslo"] if unknown else towns, ROWS),
        }
        kinds = {"amount": np.float32, "age": np.int64, "kind": object, "town": object}
        feed = {key: np.array(values, dtype=kinds[key]).reshape(-1, 1) for key, values in columns.items()}
        write(folder, f"pipeline_{encoder}_{name}", onnx, columns, feed)


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for part in (plain, boosters, pipelines):
        part(folder)


if __name__ == "__main__":
    main()
