"""The best that any model can do: the simulation is known, so the exact log-odds of each transaction can be computed."""

import numpy as np

from .data import FACTS, ONSITE, PLACE, TEXTS, weights


def probability(table: np.ndarray) -> np.ndarray:
    """The true probability of fraud of each row: the prior and one log density ratio a field."""
    odds = np.full(len(table), np.log(FACTS["fraud_rate"] / (1 - FACTS["fraud_rate"])))
    for name, fact in FACTS["numeric"].items():
        value = table[:, PLACE[name]]
        odds += _log_density(value, fact["fraud"]) - _log_density(value, fact["legit"])
    for name, fact in FACTS["categorical"].items():
        # transaction_type follows from transaction_method and is counted there, once.
        if name != "transaction_type":
            value = table[:, PLACE[name]]
            place = value.astype(int) if name in TEXTS else np.searchsorted(fact["values"], value)
            odds += _log_ratio(fact)[place]
    odds += _method_log_ratio()[table[:, PLACE["transaction_method"]].astype(int)]
    return 1 / (1 + np.exp(-odds))


def _log_density(value: np.ndarray, mixture: list) -> np.ndarray:
    terms = [np.log(weight) - 0.5 * ((value - mean) / sd) ** 2 - np.log(sd) for weight, mean, sd in mixture]
    return np.logaddexp.reduce(terms, axis=0)


def _log_ratio(fact: dict) -> np.ndarray:
    return np.log(weights(fact, "fraud")) - np.log(weights(fact, "legit"))


def _method_log_ratio() -> np.ndarray:
    kind = FACTS["categorical"]["transaction_type"]
    online, onsite = (_log_ratio(kind)[kind["values"].index(value)] for value in ("online", "onsite"))
    return np.concatenate([[online], onsite + _log_ratio(ONSITE)])
