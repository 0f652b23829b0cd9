"""Simulates labelled card transactions, as model/fraud/transactions.json says (`tamis generate` reads the same file)."""

import numpy as np

from .schema import FACTS, TRANSACTION, UNKNOWN, Schema

ONSITE = FACTS["transaction_method"]["onsite"]


def weights(fact: dict, label: str) -> np.ndarray:
    """The probability of each value of a categorical field, for one class."""
    count = len(fact["values"])
    given = fact[label]
    return np.full(count, 1 / count) if given == "uniform" else np.array(given) / np.sum(given)


def simulate(rows: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """`rows` transactions as a table of TRANSACTION, and their labels (0 or 1)."""
    fraud = rng.random(rows) < FACTS["fraud_rate"]
    table = np.empty((rows, len(TRANSACTION.columns)))
    for label, which in (("fraud", fraud), ("legit", ~fraud)):
        table[which] = _simulate_class(label, int(which.sum()), rng)
    return table, fraud.astype(np.int64)


def _simulate_class(label: str, count: int, rng: np.random.Generator) -> np.ndarray:
    place = TRANSACTION.place
    part = np.empty((count, len(place)))
    for name, fact in FACTS["numeric"].items():
        mixture = np.array(fact[label])
        pick = rng.choice(len(mixture), count, p=mixture[:, 0])
        part[:, place[name]] = rng.normal(mixture[pick, 1], mixture[pick, 2])
    for name, fact in FACTS["categorical"].items():
        chosen = rng.choice(len(fact["values"]), count, p=weights(fact, label))
        text = TRANSACTION.column(name).kind == "text"
        part[:, place[name]] = chosen if text else np.array(fact["values"], dtype=float)[chosen]
    onsite_method = 1 + rng.choice(len(ONSITE["values"]), count, p=weights(ONSITE, label))
    online = part[:, place["transaction_type"]] == TRANSACTION.column("transaction_type").values.index("online")
    part[:, place["transaction_method"]] = np.where(online, 0, onsite_method)
    return part


def hide_categories(table: np.ndarray, schema: Schema, rate: float, rng: np.random.Generator) -> np.ndarray:
    """Replaces a few categories by UNKNOWN, so that a model learns a neutral weight for a category it never saw."""
    hidden = table.copy()
    for name in schema.of_kind("text"):
        hidden[rng.random(len(hidden)) < rate, schema.place[name]] = UNKNOWN
    return hidden


def split(label: np.ndarray, share: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The places of the rows to train on and of the rows to measure on, `share` of each class."""
    measured = np.zeros(len(label), dtype=bool)
    for kind in (0, 1):
        rows = rng.permutation(np.flatnonzero(label == kind))
        measured[rows[: round(share * len(rows))]] = True
    return np.flatnonzero(~measured), np.flatnonzero(measured)
