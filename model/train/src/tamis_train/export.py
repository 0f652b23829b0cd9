"""Writes the booster as ONNX: one named input per column, encoders, one TreeEnsembleClassifier; nothing else."""

import lightgbm
import numpy as np
import onnx
from onnx import TensorProto, helper

from .data import CATEGORIES, COLUMNS, FLOATS, TEXTS, UNKNOWN

ONNX_OPSET, ML_OPSET, IR_VERSION = 17, 3, 8


def to_onnx(booster: lightgbm.Booster, properties: dict[str, object]) -> onnx.ModelProto:
    """The model; `properties` (name, version, threshold and so on) go into its metadata."""
    inputs, nodes, parts = [], [], []
    for column in COLUMNS:
        kind, part, node = _encode(column)
        inputs.append(helper.make_tensor_value_info(column, kind, [None, 1]))
        parts.append(part)
        nodes += [node] if node else []
    nodes.append(helper.make_node("Concat", parts, ["features"], axis=1))
    nodes.append(
        helper.make_node(
            "TreeEnsembleClassifier",
            ["features"],
            ["label", "probabilities"],
            domain="ai.onnx.ml",
            classlabels_int64s=[0, 1],
            post_transform="LOGISTIC",
            **_flatten(booster),
        )
    )
    outputs = [
        helper.make_tensor_value_info("label", TensorProto.INT64, [None]),
        helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2]),
    ]
    opsets = [helper.make_opsetid("", ONNX_OPSET), helper.make_opsetid("ai.onnx.ml", ML_OPSET)]
    graph = helper.make_graph(nodes, str(properties["name"]), inputs, outputs)
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION, producer_name="tamis-train")
    helper.set_model_props(model, {key: str(value) for key, value in properties.items()})
    onnx.checker.check_model(model)
    return model


def thresholds(model: onnx.ModelProto, column: str) -> list[np.float32]:
    """The distinct float32 values at which a column's trees branch, smallest first."""
    trees = next(node for node in model.graph.node if node.op_type == "TreeEnsembleClassifier")
    attribute = {each.name: helper.get_attribute_value(each) for each in trees.attribute}
    keys = ("nodes_featureids", "nodes_values", "nodes_modes")
    branches = zip(*(attribute[key] for key in keys), strict=True)
    return sorted({np.float32(at) for place, at, mode in branches if mode != b"LEAF" and place == COLUMNS.index(column)})


def _encode(column: str) -> tuple[int, str, onnx.NodeProto | None]:
    if column in FLOATS:
        return TensorProto.FLOAT, column, None
    if column not in TEXTS:
        part = f"{column}_float"
        return TensorProto.INT64, part, helper.make_node("Cast", [column], [part], to=TensorProto.FLOAT)
    part = f"{column}_place"
    node = helper.make_node(
        "LabelEncoder",
        [column],
        [part],
        domain="ai.onnx.ml",
        keys_strings=CATEGORIES[column],
        values_floats=[float(place) for place in range(len(CATEGORIES[column]))],
        default_float=UNKNOWN,
    )
    return TensorProto.STRING, part, node


def _flatten(booster: lightgbm.Booster) -> dict[str, list]:
    """The trees as the parallel lists of the operator; a node's children come after it."""
    nodes: dict[str, list] = {
        key: [] for key in ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids")
    }
    leaves: dict[str, list] = {key: [] for key in ("treeids", "nodeids", "ids", "weights")}

    def append(lists: dict[str, list], *row: object) -> None:
        for column, value in zip(lists.values(), row, strict=True):
            column.append(value)

    for tree, info in enumerate(booster.dump_model()["tree_info"]):
        queue, following = [(0, info["tree_structure"])], 1
        while queue:
            number, node = queue.pop(0)
            if "leaf_value" in node:
                append(nodes, tree, number, 0, 0.0, "LEAF", 0, 0)
                append(leaves, tree, number, 0, node["leaf_value"])
                continue
            yes, no = following, following + 1
            following += 2
            threshold = float32_not_above(node["threshold"])
            append(nodes, tree, number, node["split_feature"], threshold, "BRANCH_LEQ", yes, no)
            queue += [(yes, node["left_child"]), (no, node["right_child"])]
    return {f"nodes_{key}": value for key, value in nodes.items()} | {f"class_{key}": value for key, value in leaves.items()}


def float32_not_above(value: float) -> float:
    """LightGBM compares doubles; on float32 values `x <= t` is the same for the largest float32 that is not above t."""
    rounded = np.float32(value)
    return float(np.nextafter(rounded, np.float32(-np.inf)) if float(rounded) > value else rounded)
