"""Models for the general guest, each with golden rows by onnxruntime: `general.py FOLDER`.

`mlp_*`: nets of scikit-learn, which the small guest could run as well. `net_*`: graphs with operators that it does not take,
as exporters of deep learning write them. `refused_*`: what neither guest can run.
"""

import sys
from pathlib import Path

import numpy as np
import pandas as pd
from make import ROWS, TARGETS, TRAIN, WIDTH, X, matrix, rng, rows, write
from onnx import TensorProto, helper, numpy_helper
from skl2onnx import to_onnx
from skl2onnx.common.data_types import FloatTensorType, Int64TensorType, StringTensorType
from sklearn.compose import ColumnTransformer
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import SVR


def plain(model):
    """Random rows with edge values; none so great that a sum leaves what 32 bits can hold."""
    table = rows(model, False)
    return np.clip(table, -1e6, 1e6)


def nets(folder):
    for name, activation, kind in (("binary", "relu", MLPClassifier), ("three", "tanh", MLPClassifier), ("number", "logistic", MLPRegressor)):
        model = make_pipeline(StandardScaler(), kind(hidden_layer_sizes=(24, 12), activation=activation, max_iter=40)).fit(X, TARGETS[name])
        onnx = to_onnx(model, X[:1], options={id(model): {"zipmap": False}} if kind is MLPClassifier else None)
        matrix(folder, f"mlp_{name}", onnx, table=plain(onnx))


def columns(folder):
    """Named columns of texts and numbers before the net."""
    letters = ["a", "b", "c"]
    frame = pd.DataFrame({"amount": X[:, 0], "age": rng.integers(18, 90, TRAIN), "kind": rng.choice(letters, TRAIN)})
    target = ((frame.amount > 0) ^ (frame.kind == "a") | (frame.age > 70)).astype(int).to_numpy()
    joined = ColumnTransformer([("texts", OneHotEncoder(handle_unknown="ignore"), ["kind"]), ("numbers", StandardScaler(), ["amount", "age"])])
    model = make_pipeline(joined, MLPClassifier((16,), max_iter=60)).fit(frame, target)
    types = [("amount", FloatTensorType([None, 1])), ("age", Int64TensorType([None, 1])), ("kind", StringTensorType([None, 1]))]
    onnx = to_onnx(model, initial_types=types, options={id(model): {"zipmap": False}})
    given = {"amount": plain(onnx)[:, 0], "age": rng.integers(-5, 120, ROWS), "kind": rng.choice([*letters, "z", ""], ROWS)}
    kinds = {"amount": np.float32, "age": np.int64, "kind": object}
    feed = {key: np.array(values, dtype=kinds[key]).reshape(-1, 1) for key, values in given.items()}
    write(folder, "mlp_columns", onnx, given, feed)


def graph(name, nodes, weights, outputs=1):
    made = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", outputs])],
        [numpy_helper.from_array(np.asarray(value), key) for key, value in weights.items()],
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)


def weight(*shape):
    return (rng.normal(size=shape) / np.sqrt(shape[0])).astype(np.float32)


def gelu(name, x):
    """As PyTorch writes it: x / 2 * (1 + erf(x / sqrt 2))."""
    node = helper.make_node
    parts = [
        node("Div", [x, "root2"], [f"{name}_d"]),
        node("Erf", [f"{name}_d"], [f"{name}_e"]),
        node("Add", [f"{name}_e", "one"], [f"{name}_a"]),
        node("Mul", [x, f"{name}_a"], [f"{name}_m"]),
        node("Mul", [f"{name}_m", "half"], [name]),
    ]
    return parts, {"root2": np.float32(np.sqrt(2)), "one": np.float32(1), "half": np.float32(0.5)}


def deep(folder):
    node = helper.make_node
    parts, constants = gelu("g", "l")
    layered = graph(
        "layered",
        [
            node("Gemm", ["x", "w1", "b1"], ["h"], transB=0),
            node("LayerNormalization", ["h", "scale", "shift"], ["l"], axis=-1, epsilon=1e-5),
            *parts,
            node("Gemm", ["g", "w2", "b2"], ["z"]),
            node("Sigmoid", ["z"], ["y"]),
        ],
        {"w1": weight(WIDTH, 16), "b1": weight(16), "scale": weight(16) + 1, "shift": weight(16), "w2": weight(16, 1), "b2": weight(1), **constants},
    )
    normed = graph(
        "normed",
        [
            node("MatMul", ["x", "w1"], ["h"]),
            node("BatchNormalization", ["h", "scale", "shift", "mean", "spread"], ["n"]),
            node("LeakyRelu", ["n"], ["r"], alpha=0.1),
            node("MatMul", ["r", "w2"], ["z"]),
            node("HardSigmoid", ["z"], ["y"]),
        ],
        {"w1": weight(WIDTH, 12), "scale": weight(12) + 1, "shift": weight(12), "mean": weight(12), "spread": np.abs(weight(12)) + 1, "w2": weight(12, 1)},
    )
    # Each column becomes a token, as in a transformer for tables: attention over the tokens, then their mean.
    attention = graph(
        "attention",
        [
            node("Unsqueeze", ["x", "last"], ["c"]),
            node("Mul", ["c", "embed"], ["e"]),
            node("Add", ["e", "bias"], ["t"]),
            node("MatMul", ["t", "q"], ["tq"]),
            node("MatMul", ["t", "k"], ["tk"]),
            node("MatMul", ["t", "v"], ["tv"]),
            node("Transpose", ["tk"], ["tkt"], perm=[0, 2, 1]),
            node("MatMul", ["tq", "tkt"], ["s"]),
            node("Mul", ["s", "scale"], ["ss"]),
            node("Softmax", ["ss"], ["p"], axis=-1),
            node("MatMul", ["p", "tv"], ["o"]),
            node("ReduceMean", ["o"], ["m"], axes=[1], keepdims=0),
            node("Gemm", ["m", "w", "b"], ["y"]),
        ],
        {
            "last": np.array([2], dtype=np.int64),
            "embed": weight(WIDTH, 8),
            "bias": weight(WIDTH, 8),
            **{name: weight(8, 8) for name in "qkv"},
            "scale": np.float32(1 / np.sqrt(8)),
            "w": weight(8, 1),
            "b": weight(1),
        },
    )
    for made in (layered, normed, attention):
        # Farther out, what 32 bits leave of an attention differs from one order of summing to the next.
        matrix(folder, f"net_{made.graph.name}", made, table=np.clip(plain(made), -4, 4))


def refused(folder):
    svr = to_onnx(SVR().fit(X[:300], TARGETS["number"][:300]), X[:1])
    (folder / "refused_svm.onnx").write_bytes(svr.SerializeToString())
    node = helper.make_node
    foreign = graph("foreign", [node("LeakyRelu", ["x"], ["r"]), node("Spiral", ["r"], ["y"], domain="com.example", name="twist")], {}, WIDTH)
    foreign.graph.output[0].type.tensor_type.shape.dim[1].dim_value = 1
    foreign.opset_import.append(helper.make_opsetid("com.example", 1))
    (folder / "refused_foreign.onnx").write_bytes(foreign.SerializeToString())
    shapeless = graph("shapeless", [node("Elu", ["x"], ["y"])], {})
    del shapeless.graph.output[0].type.tensor_type.shape.dim[:]
    (folder / "refused_shapeless.onnx").write_bytes(shapeless.SerializeToString())
    stiff = graph("stiff", [node("Elu", ["x"], ["r"]), node("Gemm", ["r", "w"], ["y"])], {"w": weight(WIDTH + 1, 1)})
    (folder / "refused_stiff.onnx").write_bytes(stiff.SerializeToString())


def main():
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for part in (nets, columns, deep, refused):
        part(folder)


if __name__ == "__main__":
    main()
