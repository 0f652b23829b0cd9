"""What other engines take for the same rows, one thread: `peers.py FOLDER`.

Trains the two tree models once (LightGBM's default of 100 trees x 31 leaves; 20 trees of depth 5, the size of Spark's
default), writes each as FOLDER/NAME.onnx with 10,000 rows by onnxruntime in FOLDER/NAME.csv and compiles it to C, then says
`ready`. Each line `NAME ROWS` on the standard input is answered by one line of JSON: nanoseconds a row of each engine,
the best of a few rounds. The caller asks again and again, in turns with its own measurement.
"""

import csv
import json
import os
import sys
import time
from pathlib import Path

for threads in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[threads] = "1"

import lightgbm
import numpy as np
import onnxruntime
import tl2cgen
import treelite
from onnxmltools import convert_lightgbm
from onnxmltools.convert.common.data_types import FloatTensorType

root = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(root / "model/train/src"))
from tamis_train.data import simulate  # noqa: E402

TRAIN, ROWS = 200_000, 10_000
KINDS = {
    "lightgbm 100 x 31": {"n_estimators": 100, "num_leaves": 31},
    "20 trees, depth 5": {"n_estimators": 20, "max_depth": 5, "num_leaves": 32},
}


def session(model):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def make(folder, name, parameters):
    """Trains, exports and compiles a model, unless it was made by this very script."""
    stamp = folder / f"{name}.made-by.py"
    if stamp.exists() and stamp.read_bytes() == Path(__file__).read_bytes():
        return
    rng = np.random.default_rng(11)
    table, label = simulate(TRAIN, rng)
    model = lightgbm.LGBMClassifier(**parameters, verbose=-1, n_jobs=1).fit(table.astype(np.float32), label)
    model.booster_.save_model(folder / f"{name}.txt")
    onnx = convert_lightgbm(model, initial_types=[("x", FloatTensorType([None, table.shape[1]]))], zipmap=False)
    (folder / f"{name}.onnx").write_bytes(onnx.SerializeToString())
    fresh = simulate(ROWS, rng)[0].astype(np.float32)
    np.save(folder / f"{name}.npy", fresh)
    scores = session(onnx.SerializeToString()).run(None, {"x": fresh})[1][:, 1]
    with (folder / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow([*(f"f{place}" for place in range(fresh.shape[1])), "score"])
        writer.writerows([*map(repr, map(float, row)), repr(float(score))] for row, score in zip(fresh, scores, strict=True))
    trees = treelite.frontend.load_lightgbm_model(str(folder / f"{name}.txt"))
    tl2cgen.export_lib(trees, toolchain="gcc", libpath=str(folder / f"{name}.so"), params={}, options=["-O3"])
    stamp.write_bytes(Path(__file__).read_bytes())


def trees(folder, name):
    """Each engine as a function of the number of rows that gives what is to be timed."""
    table = np.load(folder / f"{name}.npy")
    onnx = session((folder / f"{name}.onnx").read_bytes())
    booster = lightgbm.Booster(model_file=folder / f"{name}.txt")
    compiled = tl2cgen.Predictor(str(folder / f"{name}.so"), nthread=1)

    def timed(rows):
        part = np.ascontiguousarray(table[:rows])
        # Its own form of a table is made before: only the trees are timed.
        matrix = tl2cgen.DMatrix(part, dtype="float32")
        return {
            "onnxruntime": lambda: onnx.run(None, {"x": part}),
            "LightGBM": lambda: booster.predict(part, num_threads=1),
            "trees in C": lambda: compiled.predict(matrix),
        }

    return timed


def fraud():
    onnx = session(root / "model/fraud/fraud.onnx")
    rows = list(csv.DictReader((root / "model/fraud/golden.csv").open(newline="")))
    types = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(string)": object}

    def column(given, count):
        values = [float(row[given.name]) if "string" not in given.type else row[given.name] for row in rows[:count]]
        return np.array(values).astype(types[given.type]).reshape(-1, 1)

    def timed(count):
        inputs = {given.name: column(given, count) for given in onnx.get_inputs()}
        return {"onnxruntime": lambda: onnx.run(None, inputs)}

    return timed


def best(work, rows):
    calls, least = max(1, 200 // rows), float("inf")
    for _ in range(3):
        # The processor's time, of one thread: what else runs on the machine counts little.
        start = time.process_time_ns()
        for _ in range(calls):
            work()
        least = min(least, (time.process_time_ns() - start) / calls / rows)
    return least


def main():
    # What the libraries say goes elsewhere.
    answers, sys.stdout = sys.stdout, sys.stderr
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, parameters in KINDS.items():
        make(folder, name, parameters)
    models = {"fraud": fraud(), **{name: trees(folder, name) for name in KINDS}}
    prepared = {}
    print("ready", file=answers, flush=True)
    for line in sys.stdin:
        name, _, rows = line.strip().rpartition(" ")
        engines = prepared.setdefault(line, models[name](int(rows)))
        print(json.dumps({engine: best(work, int(rows)) for engine, work in engines.items()}), file=answers, flush=True)


if __name__ == "__main__":
    main()
