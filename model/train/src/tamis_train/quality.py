"""How good a set of scores is, what is good enough, and the counts that the report's pictures are drawn from."""

import numpy as np
from sklearn.metrics import average_precision_score, confusion_matrix, log_loss, roc_auc_score

THRESHOLD = 0.5
# What a model that replaces the committed one must reach on a million fresh transactions.
AT_LEAST = {"accuracy": 0.9663, "average_precision": 0.8990}
AT_MOST = {"log_loss": 0.0960}
# And how far from the limit on the same transactions it, and its sibling that reads fewer columns, may stay.
FROM_LIMIT = {"accuracy": 0.0002, "average_precision": 0.0010, "log_loss": 0.0002}
# The project that this one replaces: what it reported. Rows of the confusion are the truth, columns the prediction.
ORIGINAL_CONFUSION = [[2373, 28], [92, 191]]
# What the table shows, and between them even in log-odds, from 1 in 8,000 to 7,999 in 8,000.
SHOWN = (0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99)
GRID = np.unique(np.round([*(1 / (1 + np.exp(-np.linspace(-9, 9, 109)))), *SHOWN], 6))
BINS = 50


def measure(label: np.ndarray, score: np.ndarray, threshold: float = THRESHOLD) -> dict:
    """Accuracy and the like at the threshold, and what does not depend on a threshold."""
    probability = score.astype(np.float64)
    return at_threshold(confusion_matrix(label, probability >= threshold, labels=[0, 1]).tolist()) | {
        "roc_auc": round(float(roc_auc_score(label, probability)), 5),
        "average_precision": round(float(average_precision_score(label, probability)), 5),
        "log_loss": round(float(log_loss(label, probability)), 5),
    }


def at_threshold(confusion: list[list[int]]) -> dict:
    """What follows from a confusion matrix alone."""
    (right, false_alarm), (missed, hit) = confusion
    rows = right + false_alarm + missed + hit
    return {
        "rows": rows,
        "confusion": confusion,
        "accuracy": round((right + hit) / rows, 5),
        "precision": round(hit / max(1, hit + false_alarm), 5),
        "recall": round(hit / max(1, hit + missed), 5),
    }


def counts(label: np.ndarray, score: np.ndarray) -> dict:
    """Rows at or above each threshold of GRID, by class; and in BINS equal bins of the score: rows and their scores' sum."""
    probability = score.astype(np.float64)
    fraud, legit = probability[label == 1], probability[label == 0]

    def flagged(part: np.ndarray) -> list[int]:
        return (len(part) - np.searchsorted(np.sort(part), GRID)).tolist()

    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    return {
        "flagged_fraud": flagged(fraud),
        "flagged_legit": flagged(legit),
        "bin_fraud": np.bincount(place[label == 1], minlength=BINS).tolist(),
        "bin_legit": np.bincount(place[label == 0], minlength=BINS).tolist(),
        "bin_score": [round(total, 3) for total in np.bincount(place, weights=probability, minlength=BINS).tolist()],
    }


def shortfalls(measured: dict, limit: dict, absolute: bool) -> list[str]:
    """The floors and ceilings that are missed, in words; the `absolute` ones are for the model with all columns."""
    floors = [(key, floor, "below") for key, floor in AT_LEAST.items()] if absolute else []
    ceilings = [(key, ceiling, "above") for key, ceiling in AT_MOST.items()] if absolute else []
    for key, distance in FROM_LIMIT.items():
        if key in AT_MOST:
            ceilings.append((key, round(limit[key] + distance, 5), "above"))
        else:
            floors.append((key, round(limit[key] - distance, 5), "below"))
    low = [f"{key} {measured[key]} is {word} {floor}" for key, floor, word in floors if measured[key] < floor]
    high = [f"{key} {measured[key]} is {word} {ceiling}" for key, ceiling, word in ceilings if measured[key] > ceiling]
    return low + high
