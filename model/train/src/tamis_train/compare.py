"""How near each trainer comes to the limit, with few rows and with many: `train compare` writes comparison.json."""

import json
from pathlib import Path

import numpy as np
from scipy.special import expit
from sklearn.metrics import average_precision_score, log_loss
from tqdm import tqdm

from . import limit
from .data import simulate
from .quality import THRESHOLD
from .report import COMPARISON
from .schema import TRANSACTION
from .trainers import TRAINERS, Settings, train

# What the original project trained on.
SMALL = 6_316


def compare(folder: Path, draws: int, test_rows: int, large: int, seed: int) -> dict:
    """`draws` draws of SMALL rows and one of `large` rows for each trainer, all measured on the same fresh transactions."""
    fresh, truth = simulate(test_rows, np.random.default_rng([seed, 0]))
    results = []
    plan = [(SMALL, trainer, draws) for trainer in TRAINERS] + [(large, trainer, 1) for trainer in TRAINERS if large]
    values = fresh.astype(np.float32)
    with tqdm(total=sum(times for _, _, times in plan), unit="fit", desc="Comparing") as bar:
        for rows, trainer, times in plan:
            bar.set_postfix(trainer=trainer, rows=f"{rows:,}")
            results.append(_average(rows, trainer, times, seed, values, truth, bar))
    best = {key: round(value, 5) for key, value in _measured(truth, limit.probability(fresh)).items()}
    results.append({"training_rows": None, "trainer": "the limit", "draws": 1} | best)
    comparison = {"small": SMALL, "test_rows": test_rows, "seed": seed, "results": results}
    folder.mkdir(parents=True, exist_ok=True)
    (folder / COMPARISON).write_text(json.dumps(comparison, indent=2) + "\n", encoding="utf-8")
    return comparison


def _measured(truth: np.ndarray, score: np.ndarray) -> dict:
    return {
        "accuracy": float(np.mean((score >= THRESHOLD) == truth)),
        "average_precision": float(average_precision_score(truth, score)),
        "log_loss": float(log_loss(truth, score)),
    }


def _average(rows: int, trainer: str, draws: int, seed: int, fresh: np.ndarray, truth: np.ndarray, bar: tqdm) -> dict:
    measured = []
    for draw in range(draws):
        table, label = simulate(rows, np.random.default_rng([seed, 1, rows, draw]))
        trained = train(trainer, table, label, TRANSACTION, Settings(seed, quiet=True))
        measured.append(_measured(truth, expit(trained.ensemble.odds(fresh))))
        bar.update()
    mean = {key: round(float(np.mean([one[key] for one in measured])), 5) for key in measured[0]}
    spread = {
        "accuracy_lowest": round(min(one["accuracy"] for one in measured), 5),
        "accuracy_sd": round(float(np.std([one["accuracy"] for one in measured])), 5),
    }
    return {"training_rows": rows, "trainer": trainer, "draws": draws} | mean | spread
