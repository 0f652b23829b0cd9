"""How good a set of scores is, and what is good enough."""

import numpy as np
from sklearn.metrics import average_precision_score, confusion_matrix, log_loss, roc_auc_score

THRESHOLD = 0.5
AT_LEAST = {"accuracy": 0.9660, "average_precision": 0.899}
AT_MOST = {"log_loss": 0.0970}
# The project that this one replaces: what it reported. Rows of the confusion are the truth, columns the prediction.
ORIGINAL_CONFUSION = [[2373, 28], [92, 191]]


def measure(label: np.ndarray, score: np.ndarray) -> dict:
    """Accuracy and the like at the threshold, and what does not depend on a threshold."""
    probability = score.astype(np.float64)
    return at_threshold(confusion_matrix(label, probability >= THRESHOLD).tolist()) | {
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
        "precision": round(hit / (hit + false_alarm), 5),
        "recall": round(hit / (hit + missed), 5),
    }


def shortfalls(measured: dict) -> list[str]:
    """The floors and ceilings that are missed, in words."""
    low = [f"{key} {measured[key]} is below {floor}" for key, floor in AT_LEAST.items() if measured[key] < floor]
    high = [f"{key} {measured[key]} is above {ceiling}" for key, ceiling in AT_MOST.items() if measured[key] > ceiling]
    return low + high
