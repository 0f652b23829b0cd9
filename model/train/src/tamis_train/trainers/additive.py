"""An additive model smoother than stumps: penalised splines over the numbers, one weight a category, written as stumps.

The log-odds is a sum of one function a column. A number's function is a cubic spline on many knots, whose second
differences are penalised, with penalties of their own for seven stretches of its range, because a function may be flat here
and bend sharply there. The data choose the strengths of all penalties (Wood and Fasiolo, "A generalized Fellner-Schall
method for smoothing parameter optimization", Biometrics 2017). Rows are binned first, so that a step of the fit costs a few
histograms however many rows there are, and so that the function *is* its steps: nothing is lost when they become stumps.
"""

import numpy as np
from scipy.interpolate import BSpline
from scipy.special import expit
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from ..ensemble import Ensemble, Tree
from ..schema import UNKNOWN, Column, Schema
from . import Settings, Trained

CELLS = 320
MANY_ROWS, MANY_KNOTS, FEW_KNOTS = 100_000, 100, 40
STRETCHES = 7
# Fitted on so many rows first; the rest then takes a few steps. A penalty that goes to nothing, or to infinity, never stops.
FIRST_ROWS = 200_000
MOST_STEPS, MOST_LAST_STEPS = 60, 15
# All weights are multiples of this, and no sum reaches 2**24 of them: float32 adds them without rounding, in any order.
QUANTUM = 2.0**-14


class _Part:
    """One column: where its cells end, what is in them, and the functions that it may take."""

    def __init__(self, column: Column, values: np.ndarray, label: np.ndarray, knots: int) -> None:
        if column.kind == "float":
            self.edges = _even(values, label, CELLS, share=0.75)
        else:
            known = [UNKNOWN, *range(len(column.values))] if column.kind == "text" else sorted(column.values)
            self.edges = (np.array(known[1:], dtype=np.float32) + np.array(known[:-1], dtype=np.float32)) / 2
        cell = self.cells(values)
        size = len(self.edges) + 1
        self.count = np.bincount(cell, minlength=size)
        self.legit = np.bincount(cell[label == 0], minlength=size)
        self.smooth = column.kind == "float" and size > knots
        if self.smooth:
            centre = np.bincount(cell, weights=values, minlength=size) / np.maximum(self.count, 1)
            around = np.concatenate([[values.min()], self.edges, [values.max()]]).astype(np.float64)
            centre = np.where(self.count > 0, centre, (around[1:] + around[:-1]) / 2)
            basis = _splines(centre, _even(values, label, knots, share=0.5, ends=True))
            bends = np.diff(np.eye(basis.shape[1]), 2, axis=0)
            self.penalties = [bends.T @ (stretch[:, None] * bends) for stretch in _stretches(len(bends))]
        else:
            basis = np.eye(size)
            self.penalties = [np.eye(size)]
        self.basis = basis - self.count @ basis / self.count.sum()

    def cells(self, values: np.ndarray) -> np.ndarray:
        return np.searchsorted(self.edges, values, side="left")

    def table(self, weights: np.ndarray) -> np.ndarray:
        """The fitted function, cell by cell. A category without rows leaves the odds to the other columns."""
        table = self.basis @ weights
        if not self.smooth:
            neutral = np.log(self.legit @ np.exp(table) / self.legit.sum())
            table = np.where(self.count > 0, table, neutral)
        return np.round(table / QUANTUM) * QUANTUM


def _even(values: np.ndarray, label: np.ndarray, pieces: int, share: float, ends: bool = False) -> np.ndarray:
    """Cuts the range where both classes, counted alike, have even shares; `1 - share` of the cuts are even in the value."""
    order = np.argsort(values, kind="stable")
    weight = np.where(label == 1, 0.5 / max(1, label.sum()), 0.5 / max(1, (1 - label).sum()))[order]
    ranked = values[order].astype(np.float64)
    spread = ranked[-1] - ranked[0]
    if spread == 0:
        return np.array([], dtype=np.float32)
    mixed = share * np.cumsum(weight) / weight.sum() + (1 - share) * (ranked - ranked[0]) / spread
    at = np.interp(np.linspace(mixed[0], mixed[-1], pieces + 1), mixed, ranked)
    return np.unique((at if ends else at[1:-1]).astype(np.float32))


def _splines(values: np.ndarray, knots: np.ndarray, degree: int = 3) -> np.ndarray:
    ends = np.concatenate([np.repeat(knots[:1], degree), knots, np.repeat(knots[-1:], degree)]).astype(np.float64)
    return BSpline.design_matrix(np.clip(values, knots[0], knots[-1]), ends, degree).toarray()


def _stretches(length: int) -> np.ndarray:
    """Overlapping triangles over the range, which add up to 1 everywhere."""
    centres = np.linspace(0, length - 1, STRETCHES)
    return np.maximum(0, 1 - np.abs(np.arange(length) - centres[:, None]) / centres[1])


class _Fit:
    """The weights of all parts and the strengths of their penalties."""

    def __init__(self, parts: list[_Part], prior: float) -> None:
        self.parts = parts
        sizes = [part.basis.shape[1] for part in parts]
        starts = 1 + np.concatenate([[0], np.cumsum(sizes)])
        self.places = [slice(start, start + size) for start, size in zip(starts, sizes, strict=False)]
        self.weights = np.zeros(1 + sum(sizes))
        self.weights[0] = np.log(prior / (1 - prior))
        self.strength = [np.ones(len(part.penalties)) for part in parts]

    def penalty(self) -> np.ndarray:
        total = np.zeros((len(self.weights),) * 2)
        for place, part, strength in zip(self.places, self.parts, self.strength, strict=True):
            total[place, place] = np.tensordot(strength, part.penalties, axes=1)
        return total

    def odds(self, cells: list[np.ndarray]) -> np.ndarray:
        odds = np.full(len(cells[0]), self.weights[0])
        for place, part, cell in zip(self.places, self.parts, cells, strict=True):
            odds += (part.basis @ self.weights[place])[cell]
        return odds

    def step(self, cells: list[np.ndarray], label: np.ndarray) -> tuple[float, float]:
        """One Newton step and one of the strengths; answers the greatest change of each: log-odds, log of a strength."""
        chance = expit(self.odds(cells))
        penalty = self.penalty()
        curvature = self._curvature(cells, np.maximum(chance * (1 - chance), 1e-9)) + penalty
        rest = label - chance
        slope = [[rest.sum()]]
        for part, cell in zip(self.parts, cells, strict=True):
            slope.append(part.basis.T @ np.bincount(cell, weights=rest, minlength=len(part.basis)))
        inverse = np.linalg.inv(curvature + 1e-7 * np.eye(len(curvature)))
        move = inverse @ (np.concatenate(slope) - penalty @ self.weights)
        reach = max(np.abs(part.basis @ move[place]).max() for place, part in zip(self.places, self.parts, strict=True))
        self.weights += move * min(1.0, 2 / max(reach, 1e-12))
        return float(reach), self._strengthen(penalty, inverse)

    def _curvature(self, cells: list[np.ndarray], weight: np.ndarray) -> np.ndarray:
        total = np.zeros((len(self.weights),) * 2)
        total[0, 0] = weight.sum()
        for one, (place, part, cell) in enumerate(zip(self.places, self.parts, cells, strict=True)):
            alone = np.bincount(cell, weights=weight, minlength=len(part.basis))
            total[0, place] = total[place, 0] = alone @ part.basis
            total[place, place] = part.basis.T @ (alone[:, None] * part.basis)
            for other in range(one):
                basis = self.parts[other].basis
                shape = (len(basis), len(part.basis))
                pairs = np.bincount(cells[other] * shape[1] + cell, weights=weight, minlength=shape[0] * shape[1])
                block = basis.T @ pairs.reshape(shape) @ part.basis
                total[self.places[other], place] = block
                total[place, self.places[other]] = block.T
        return total

    def _strengthen(self, penalty: np.ndarray, inverse: np.ndarray) -> float:
        change = 0.0
        for place, part, strength in zip(self.places, self.parts, self.strength, strict=True):
            spread = np.linalg.pinv(penalty[place, place], rcond=1e-10, hermitian=True) - inverse[place, place]
            weights = self.weights[place]
            for at, given in enumerate(part.penalties):
                freedom, bend = max(np.sum(spread * given), 1e-7), max(weights @ given @ weights, 1e-12)
                new = np.clip(strength[at] * freedom / bend, 1e-4, 1e6)
                change = max(change, abs(np.log(new / strength[at])))
                strength[at] = new
        return change


def train(table: np.ndarray, label: np.ndarray, schema: Schema, settings: Settings) -> Trained:
    """Fits the additive model and writes its steps as trees of depth 1."""
    if settings.leaves != 2:
        raise ValueError("--leaves is for the other trainers: an additive model has trees of 2")
    knots = MANY_KNOTS if len(label) >= MANY_ROWS else FEW_KNOTS
    columns = [np.ascontiguousarray(table[:, place]) for place in range(len(schema.columns))]
    parts = [_Part(column, values, label, knots) for column, values in zip(schema.columns, columns, strict=True)]
    cells = [part.cells(values) for part, values in zip(parts, columns, strict=True)]
    fit = _Fit(parts, label.mean())
    first = np.random.default_rng(settings.seed).permutation(len(label))[:FIRST_ROWS]
    stages = [first, slice(None)] if len(label) > 2 * FIRST_ROWS else [slice(None)]
    # One thread: sums in one order, so that the same seed gives the same file; and the matrices are too small for more.
    with threadpool_limits(1), tqdm(unit="step", desc="Additive", disable=settings.quiet) as bar:
        for rows, most in zip(stages, (MOST_STEPS, MOST_LAST_STEPS), strict=False):
            chosen, truth = [cell[rows] for cell in cells], label[rows].astype(np.float64)
            bar.set_postfix(rows=f"{len(truth):,}")
            for _ in range(most):
                moved, strengthened = fit.step(chosen, truth)
                bar.update()
                if moved < 1e-3 and strengthened < 0.1:
                    break
    tables = [part.table(fit.weights[place]) for part, place in zip(parts, fit.places, strict=True)]
    base = float(np.round(fit.weights[0] / QUANTUM) * QUANTUM)

    def predict(rows: np.ndarray) -> np.ndarray:
        rows = rows.astype(np.float32)
        shares = (table[part.cells(rows[:, at])] for at, (part, table) in enumerate(zip(parts, tables, strict=True)))
        return expit(sum(shares, np.full(len(rows), base)))

    ensemble = _stumps(parts, tables, base)
    about = f"one additive model of penalised splines and categories, written as {len(ensemble.trees):,} trees of depth 1"
    return Trained(ensemble, predict, about)


def _stumps(parts: list[_Part], tables: list[np.ndarray], base: float) -> Ensemble:
    trees = []
    for feature, (part, table) in enumerate(zip(parts, tables, strict=True)):
        base += float(table[0])
        below = np.cumsum(part.count)
        for cell, (edge, rise) in enumerate(zip(part.edges, np.diff(table), strict=True)):
            if rise:
                tree = Tree()
                tree.append(feature, float(edge), 1, 2, float(below[-1]), edge >= 0)
                tree.append_leaf(0.0, float(below[cell]))
                tree.append_leaf(float(rise), float(below[-1] - below[cell]))
                trees.append(tree)
    most = abs(base) + sum(float(np.abs(np.diff(table)).sum()) for table in tables)
    if most >= 2**24 * QUANTUM:
        raise ValueError(f"the fitted functions rise and fall by {most:.0f} in all: too much for exact sums in float32")
    return Ensemble(trees, base)
