"""What both scoring scripts share: the sample's data frame, and the model in onnxruntime."""

import json
import os
from pathlib import Path

import numpy as np
import onnxruntime
import pandas as pd

SIGNATURE = json.loads(Path(os.environ["TAMIS_SIGNATURE"]).read_text())
MODEL = Path(__file__).resolve().parents[3] / "model/fraud/fraud.onnx"
ZERO = {"float": 0.0, "bigint": 0, "bit": False, "nvarchar(max)": ""}
TENSOR = {"float": np.float32, "bigint": np.int64, "nvarchar(max)": object}

session = None


def sample() -> pd.DataFrame:
    """One row: the first category of a text, nothing of a number."""
    row = {column["name"]: column.get("categories", [ZERO[column["type"]]])[0] for column in SIGNATURE["columns"]}
    return pd.DataFrame([row])


def init() -> None:
    global session
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(MODEL, options, providers=["CPUExecutionProvider"])


def predict(frame: pd.DataFrame) -> np.ndarray:
    """The prediction of each row, 0 or 1."""
    columns = SIGNATURE["columns"]
    inputs = {column["name"]: frame[column["name"]].to_numpy().astype(TENSOR[column["type"]]).reshape(-1, 1) for column in columns}
    scores = session.run(["probabilities"], inputs)[0][:, 1]
    return (scores >= SIGNATURE["threshold"]).astype(np.int64)
