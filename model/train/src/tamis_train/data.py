"""Simulates labelled card transactions, as model/fraud/transactions.json says (`tamis generate` reads the same file)."""

import json
from pathlib import Path

import numpy as np

FRAUD = Path(__file__).resolve().parents[3] / "fraud"
FACTS = json.loads((FRAUD / "transactions.json").read_text(encoding="utf-8"))

COLUMNS = [name for name in FACTS["field_order"] if name not in ("id", "date", "isFraud")]
PLACE = {name: place for place, name in enumerate(COLUMNS)}
FLOATS = list(FACTS["numeric"])
ONSITE = FACTS["transaction_method"]["onsite"]
# The file says "internet_payement (spelled so; always)": the method's name, then a remark.
ONLINE_METHOD = FACTS["transaction_method"]["online"].split(" ")[0]
CATEGORIES = {name: fact["values"] for name, fact in FACTS["categorical"].items() if isinstance(fact["values"][0], str)}
CATEGORIES["transaction_method"] = [ONLINE_METHOD, *ONSITE["values"]]
TEXTS = list(CATEGORIES)
UNKNOWN = -1.0


def weights(fact: dict, label: str) -> np.ndarray:
    """The probability of each value of a categorical field, for one class."""
    count = len(fact["values"])
    given = fact[label]
    return np.full(count, 1 / count) if given == "uniform" else np.array(given) / np.sum(given)


def simulate(rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`rows` transactions as a float64 matrix in the order of COLUMNS (text as the category's place), and their labels."""
    fraud = rng.random(rows) < FACTS["fraud_rate"]
    table = np.empty((rows, len(COLUMNS)))
    for label, which in (("fraud", fraud), ("legit", ~fraud)):
        table[which] = _simulate_class(label, int(which.sum()), rng)
    return table, fraud.astype(np.int64)


def _simulate_class(label: str, count: int, rng: np.random.Generator) -> np.ndarray:
    part = np.empty((count, len(COLUMNS)))
    for name, fact in FACTS["numeric"].items():
        mixture = np.array(fact[label])
        pick = rng.choice(len(mixture), count, p=mixture[:, 0])
        part[:, PLACE[name]] = rng.normal(mixture[pick, 1], mixture[pick, 2])
    for name, fact in FACTS["categorical"].items():
        chosen = rng.choice(len(fact["values"]), count, p=weights(fact, label))
        part[:, PLACE[name]] = chosen if name in TEXTS else np.array(fact["values"], dtype=float)[chosen]
    onsite_method = 1 + rng.choice(len(ONSITE["values"]), count, p=weights(ONSITE, label))
    online = part[:, PLACE["transaction_type"]] == CATEGORIES["transaction_type"].index("online")
    part[:, PLACE["transaction_method"]] = np.where(online, 0, onsite_method)
    return part


def hide_categories(table: np.ndarray, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Replaces a few categories by UNKNOWN, so that the model learns a neutral weight for a category it never saw."""
    hidden = table.copy()
    for name in TEXTS:
        hidden[rng.random(len(hidden)) < rate, PLACE[name]] = UNKNOWN
    return hidden
