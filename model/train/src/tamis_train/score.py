"""Scores rows with the exported model in onnxruntime, which is the reference for every other runner."""

import numpy as np
import onnxruntime
from tqdm import tqdm

from .schema import Schema

BATCH = 100_000
TYPES = {"float": np.float32, "int": np.int64, "text": object}


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """One thread, so that sums are taken in one order."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def columns(table: np.ndarray, schema: Schema) -> dict[str, np.ndarray]:
    """A table as columns of values, as an event would carry them."""

    def values(name: str) -> np.ndarray:
        column = table[:, schema.place[name]]
        known = schema.column(name)
        if known.kind == "text":
            # UNKNOWN is place -1, the last: a text that is nobody's.
            return np.array([*known.values, ""], dtype=object)[column.astype(int)]
        return column if known.kind == "float" else column.astype(np.int64)

    return {name: values(name) for name in schema.names}


def scores(session: onnxruntime.InferenceSession, rows: dict, schema: Schema) -> np.ndarray:
    """The float32 probability of fraud of each row."""
    tensors = {one.name: np.array(rows[one.name], dtype=TYPES[one.kind]).reshape(-1, 1) for one in schema.columns}
    return session.run(["probabilities"], tensors)[0][:, 1]


def score_table(session: onnxruntime.InferenceSession, table: np.ndarray, schema: Schema) -> np.ndarray:
    """The same for a large table, in batches."""
    starts = tqdm(range(0, len(table), BATCH), unit="batch", desc="Scoring", disable=len(table) <= BATCH)
    return np.concatenate([scores(session, columns(table[at : at + BATCH], schema), schema) for at in starts])
