"""What every trainer makes: trees over the columns, whose sum is the log-odds of fraud."""

from dataclasses import dataclass, field

import numpy as np


@dataclass
class Tree:
    """One tree as parallel lists, node 0 the root. A leaf has `left` -1; only its `weight` counts."""

    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    weight: list[float] = field(default_factory=list)
    # Training rows that reached the node (XGBoost: the sum of their hessians), as the trainer's own TreeSHAP uses them.
    cover: list[float] = field(default_factory=list)
    missing_left: list[bool] = field(default_factory=list)

    def append(self, feature: int, threshold: float, left: int, right: int, cover: float, missing_left: bool) -> None:
        """A branch."""
        self._append(feature, threshold, left, right, 0.0, cover, missing_left)

    def append_leaf(self, weight: float, cover: float) -> None:
        self._append(0, 0.0, -1, -1, weight, cover, False)

    def _append(self, *row: object) -> None:
        for column, value in zip(vars(self).values(), row, strict=True):
            column.append(value)


@dataclass
class Ensemble:
    """Trees and the log-odds that they start from. A branch goes left where its column's float32 is `<=` (or `<`)."""

    trees: list[Tree]
    base: float = 0.0
    mode: str = "BRANCH_LEQ"

    def additive(self) -> bool:
        """Whether no tree reads two columns, so that the log-odds is a sum of one table a column."""
        read = ({tree.feature[node] for node, left in enumerate(tree.left) if left >= 0} for tree in self.trees)
        return all(len(features) <= 1 for features in read)

    def odds(self, table: np.ndarray) -> np.ndarray:
        """The log-odds of each row of a float32 table, when all trees are of depth 1: one sorted table a column."""
        total = np.full(len(table), self.base)
        for feature in range(table.shape[1]):
            stumps = [tree for tree in self.trees if tree.left[0] >= 0 and tree.feature[0] == feature]
            stumps.sort(key=lambda tree: tree.threshold[0])
            ends = np.array([tree.threshold[0] for tree in stumps], dtype=np.float32)
            lefts = np.array([tree.weight[tree.left[0]] for tree in stumps])
            rights = np.array([tree.weight[tree.right[0]] for tree in stumps])
            sums = np.concatenate([[0.0], np.cumsum(rights)]) + np.concatenate([np.cumsum(lefts[::-1])[::-1], [0.0]])
            total += sums[np.searchsorted(ends, table[:, feature], side="left" if self.mode == "BRANCH_LEQ" else "right")]
        return total + sum(tree.weight[0] for tree in self.trees if tree.left[0] < 0)

    def thresholds(self, feature: int) -> list[np.float32]:
        """The distinct float32 values at which a column's branches part, smallest first."""
        nodes = ((tree, node) for tree in self.trees for node, left in enumerate(tree.left) if left >= 0)
        return sorted({np.float32(tree.threshold[node]) for tree, node in nodes if tree.feature[node] == feature})


def float32_not_above(value: float) -> float:
    """For trainers that compare doubles: on float32 `x <= t` is the same for the largest float32 that is not above t."""
    rounded = np.float32(value)
    return float(np.nextafter(rounded, np.float32(-np.inf)) if float(rounded) > value else rounded)
