"""The best that any model can do: the simulation is known, so the exact log-odds of each transaction can be computed."""

import numpy as np

from .data import ONSITE, weights
from .schema import FACTS, TRANSACTION, Schema


def probability(table: np.ndarray, schema: Schema = TRANSACTION) -> np.ndarray:
    """The true probability of fraud of each row, given the schema's columns: the prior and one log density ratio a field."""
    odds = np.full(len(table), np.log(FACTS["fraud_rate"] / (1 - FACTS["fraud_rate"])))
    for name in schema.names:
        # transaction_type follows from transaction_method and is counted there, once.
        if name != "transaction_type" or "transaction_method" not in schema.place:
            odds += log_ratio(name, table[:, schema.place[name]])
    return 1 / (1 + np.exp(-odds))


def log_ratio(name: str, value: np.ndarray) -> np.ndarray:
    """What one field adds to the log-odds: the log of its density among frauds over that among the others."""
    if name in FACTS["numeric"]:
        fact = FACTS["numeric"][name]
        return _log_density(value, fact["fraud"]) - _log_density(value, fact["legit"])
    if name == "transaction_method":
        return _method_log_ratio()[value.astype(int)]
    fact = FACTS["categorical"][name]
    text = TRANSACTION.column(name).kind == "text"
    return _log_ratio(fact)[value.astype(int) if text else np.searchsorted(fact["values"], value)]


def _log_density(value: np.ndarray, mixture: list) -> np.ndarray:
    terms = [np.log(weight) - 0.5 * ((value - mean) / sd) ** 2 - np.log(sd) for weight, mean, sd in mixture]
    return np.logaddexp.reduce(terms, axis=0)


def _log_ratio(fact: dict) -> np.ndarray:
    return np.log(weights(fact, "fraud")) - np.log(weights(fact, "legit"))


def _method_log_ratio() -> np.ndarray:
    kind = FACTS["categorical"]["transaction_type"]
    online, onsite = (_log_ratio(kind)[kind["values"].index(value)] for value in ("online", "onsite"))
    return np.concatenate([[online], onsite + _log_ratio(ONSITE)])
