"""The trainers: each takes a table and its labels and gives an ensemble of trees with the probabilities it stands for."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..ensemble import Ensemble
from ..schema import Schema


@dataclass
class Trained:
    """A trained model: its trees, and the trainer's own prediction, which the exported trees must give again."""

    ensemble: Ensemble
    predict: Callable[[np.ndarray], np.ndarray]
    # In words, for the card: what was fitted, with which settings.
    about: str
    # The trainer's own object, where it has one.
    model: object = None


@dataclass(frozen=True)
class Settings:
    """What all trainers take. With 2 leaves the model is additive; more let it see what columns say together."""

    seed: int
    leaves: int = 2
    quiet: bool = False

    def tree(self) -> str:
        """A tree of the model, in words."""
        return "trees of depth 1" if self.leaves == 2 else f"trees of up to {self.leaves} leaves"


def train(trainer: str, table: np.ndarray, label: np.ndarray, schema: Schema, settings: Settings) -> Trained:
    """Trains with the trainer's values for this many rows; the table is rounded to float32 first, as ONNX will see it."""
    from . import additive, lightgbm, sklearn, xgboost

    module = {"additive": additive, "lightgbm": lightgbm, "xgboost": xgboost, "sklearn": sklearn}[trainer]
    return module.train(table.astype(np.float32), label, schema, settings)


TRAINERS = ("additive", "lightgbm", "xgboost", "sklearn")
