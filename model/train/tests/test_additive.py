"""The additive trainer: near the limit with few rows, sums without rounding, neutral where it saw nothing."""

import numpy as np
import pytest

from tamis_train import limit
from tamis_train.data import simulate
from tamis_train.quality import measure
from tamis_train.schema import TRANSACTION, UNKNOWN
from tamis_train.trainers import Settings, additive, train


def test_with_the_originals_rows_it_comes_near_the_limit():
    fresh, truth = simulate(200_000, np.random.default_rng(8))
    best = measure(truth, limit.probability(fresh))
    found = []
    for draw in range(3):
        table, label = simulate(6_316, np.random.default_rng([8, draw]))
        trained = train("additive", table, label, TRANSACTION, Settings(1, quiet=True))
        found.append(measure(truth, trained.predict(fresh)))
    assert best["accuracy"] - np.mean([one["accuracy"] for one in found]) < 0.0026
    assert np.mean([one["log_loss"] for one in found]) - best["log_loss"] < 0.0075


def test_no_order_of_adding_the_weights_changes_a_float32_sum(made):
    trained, _, _ = made()
    trees, rng = trained.ensemble.trees, np.random.default_rng(1)
    assert all(float(weight / additive.QUANTUM).is_integer() for tree in trees for weight in tree.weight)
    row = simulate(1, rng)[0].astype(np.float32)[0]
    taken = [tree.weight[1 if row[tree.feature[0]] <= np.float32(tree.threshold[0]) else 2] for tree in trees]
    exact = np.float64(trained.ensemble.base) + np.sum(taken)
    for _ in range(20):
        total = np.float32(0)
        for weight in rng.permutation([trained.ensemble.base, *taken]):
            total = np.float32(total + np.float32(weight))
        assert float(total) == exact


def test_an_unknown_category_leaves_the_odds_where_the_other_columns_put_them(small):
    """Among the legitimate the factors that its categories put on the odds average to 1, and that is the unknown one's."""
    table, label = small
    trained = train("additive", table, label, TRANSACTION, Settings(1, quiet=True))
    odds = lambda rows: (lambda p: p / (1 - p))(trained.predict(rows))  # noqa: E731
    legit = table[label == 0]
    for name in TRANSACTION.of_kind("text"):
        hidden = legit.copy()
        hidden[:, TRANSACTION.place[name]] = UNKNOWN
        assert abs(np.mean(odds(legit) / odds(hidden)) - 1) < 1e-3, name


def test_odd_columns_are_fitted_too(small):
    """A constant, a number with few values, one far outlier."""
    table, label = small[0].copy(), small[1]
    amount, balance, income = (TRANSACTION.place[name] for name in ("amount", "old_balance", "income"))
    table[:, amount] = 7.0
    table[:, balance] = np.round(table[:, balance] / 50_000)
    table[0, income] = 1e12
    trained = train("additive", table, label, TRANSACTION, Settings(1, quiet=True))
    score = trained.predict(table)
    assert np.isfinite(score).all()
    assert not trained.ensemble.thresholds(amount)
    assert measure(label, score)["roc_auc"] > 0.85
    # Away from the outlier the column still says what it says.
    plain = train("additive", np.where(table == 1e12, 2000.0, table), label, TRANSACTION, Settings(1, quiet=True))
    assert np.abs(plain.predict(table[1:]) - score[1:]).mean() < 0.02


def test_more_leaves_are_refused():
    table, label = simulate(1_000, np.random.default_rng(1))
    with pytest.raises(ValueError, match="--leaves is for the other trainers"):
        train("additive", table, label, TRANSACTION, Settings(1, leaves=4, quiet=True))
