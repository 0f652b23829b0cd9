"""Scores rows with the exported model in onnxruntime, which is the reference for every other runner."""

import numpy as np
import onnxruntime
from tqdm import tqdm

from .data import CATEGORIES, COLUMNS, FLOATS, PLACE, TEXTS

BATCH = 100_000


def open_session(model: bytes) -> onnxruntime.InferenceSession:
    """One thread, so that sums are taken in one order."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def columns(table: np.ndarray) -> dict[str, list]:
    """A simulated matrix as columns of Python values, as an event would carry them."""

    def values(name: str) -> list:
        column = table[:, PLACE[name]]
        if name in TEXTS:
            return [CATEGORIES[name][place] for place in column.astype(int)]
        return column.tolist() if name in FLOATS else column.astype(np.int64).tolist()

    return {name: values(name) for name in COLUMNS}


def scores(session: onnxruntime.InferenceSession, rows: dict[str, list]) -> np.ndarray:
    """The float32 probability of fraud of each row."""

    def tensor(name: str) -> np.ndarray:
        kind = object if name in TEXTS else np.float32 if name in FLOATS else np.int64
        return np.array(rows[name], dtype=kind).reshape(-1, 1)

    return session.run(["probabilities"], {name: tensor(name) for name in COLUMNS})[0][:, 1]


def score_table(session: onnxruntime.InferenceSession, table: np.ndarray) -> np.ndarray:
    """The same for a large simulated matrix, in batches."""
    starts = tqdm(range(0, len(table), BATCH), unit="batch", desc="Scoring", disable=len(table) <= BATCH)
    return np.concatenate([scores(session, columns(table[at : at + BATCH])) for at in starts])
