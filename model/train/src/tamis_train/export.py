"""Writes an ensemble as ONNX: one named input per column, encoders, one TreeEnsembleClassifier; nothing else."""

import onnx
from onnx import TensorProto, helper

from .ensemble import Ensemble
from .schema import UNKNOWN, Column, Schema

ONNX_OPSET, ML_OPSET, IR_VERSION = 17, 3, 8


def to_onnx(ensemble: Ensemble, schema: Schema, properties: dict[str, object]) -> onnx.ModelProto:
    """The model; `properties` (name, version, threshold and so on) go into its metadata."""
    inputs, nodes, parts = [], [], []
    for column in schema.columns:
        kind, part, node = _encode(column)
        inputs.append(helper.make_tensor_value_info(column.name, kind, [None, 1]))
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
            **_flatten(ensemble),
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


def _encode(column: Column) -> tuple[int, str, onnx.NodeProto | None]:
    if column.kind == "float":
        return TensorProto.FLOAT, column.name, None
    if column.kind == "int":
        part = f"{column.name}_float"
        return TensorProto.INT64, part, helper.make_node("Cast", [column.name], [part], to=TensorProto.FLOAT)
    part = f"{column.name}_place"
    node = helper.make_node(
        "LabelEncoder",
        [column.name],
        [part],
        domain="ai.onnx.ml",
        keys_strings=list(column.values),
        values_floats=[float(place) for place in range(len(column.values))],
        default_float=UNKNOWN,
    )
    return TensorProto.STRING, part, node


def _flatten(ensemble: Ensemble) -> dict[str, list]:
    """The trees as the parallel lists of the operator; the hit rates carry each node's cover."""
    keys = ("treeids", "nodeids", "featureids", "values", "modes", "truenodeids", "falsenodeids", "hitrates")
    nodes: dict[str, list] = {f"nodes_{key}": [] for key in (*keys, "missing_value_tracks_true")}
    leaves: dict[str, list] = {f"class_{key}": [] for key in ("treeids", "nodeids", "ids", "weights")}

    def append(lists: dict[str, list], *row: object) -> None:
        for column, value in zip(lists.values(), row, strict=True):
            column.append(value)

    for number, tree in enumerate(ensemble.trees):
        for node, left in enumerate(tree.left):
            leaf = left < 0
            mode, when_true, when_false = ("LEAF", 0, 0) if leaf else (ensemble.mode, left, tree.right[node])
            branch = (tree.feature[node], tree.threshold[node], mode, when_true, when_false)
            append(nodes, number, node, *branch, tree.cover[node], int(tree.missing_left[node]))
            if leaf:
                append(leaves, number, node, 0, tree.weight[node])
    base = {"base_values": [ensemble.base]} if ensemble.base else {}
    return nodes | leaves | base
