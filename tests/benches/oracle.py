"""Nanoseconds a row of onnxruntime on the golden rows: `oracle.py ROWS...`, one thread, best of the rounds."""

import csv
import sys
import time
from pathlib import Path

import numpy as np
import onnxruntime

root = Path(__file__).resolve().parents[2]
options = onnxruntime.SessionOptions()
options.intra_op_num_threads = 1
session = onnxruntime.InferenceSession(root / "model/fraud/fraud.onnx", options, providers=["CPUExecutionProvider"])
rows = list(csv.DictReader((root / "model/fraud/golden.csv").open(newline="")))
types = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(string)": object}


def feed(count):
    """The first rows as the model's inputs: one column each."""
    return {
        column.name: np.array([float(row[column.name]) if "string" not in column.type else row[column.name] for row in rows[:count]])
        .astype(types[column.type])
        .reshape(-1, 1)
        for column in session.get_inputs()
    }


for count in map(int, sys.argv[1:]):
    inputs = feed(count)
    calls = max(1, 2_000 // count)
    best = float("inf")
    for _ in range(15):
        start = time.perf_counter_ns()
        for _ in range(calls):
            session.run(None, inputs)
        best = min(best, (time.perf_counter_ns() - start) / calls / count)
    print(best)
