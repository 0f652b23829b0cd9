"""Thresholds and bands are the cheapest there are, by counting the cost row by row."""

import numpy as np
import pytest

from tamis_train.decisions import Costs, Decisions
from tamis_train.quality import GRID, counts, measure


@pytest.fixture(scope="module")
def scored():
    """Calibrated scores: the label is drawn with the score as its chance."""
    rng = np.random.default_rng(5)
    score = rng.beta(0.3, 2.0, 20_000)
    return (rng.random(len(score)) < score).astype(int), score


def paid(label, score, review, block, costs):
    """The cost of all rows, one by one."""
    total = 0.0
    for fraud, at in zip(label, score, strict=True):
        if at >= block:
            total += 0 if fraud else costs.false_alarm
        elif at >= review:
            total += costs.review
        else:
            total += costs.missed if fraud else 0
    return total / len(label) * 1000


COSTS = [Costs(), Costs(missed=1000, false_alarm=1, review=0.5), Costs(missed=10, false_alarm=100, review=2)]


@pytest.mark.parametrize("costs", COSTS, ids=str)
def test_costs_are_what_the_rows_cost(scored, costs):
    label, score = scored
    table = Decisions(GRID.tolist(), counts(label, score), costs)
    for place in (0, 20, 60, len(GRID) - 1):
        assert table.cost[place] == pytest.approx(paid(label, score, GRID[place], GRID[place], costs))
    choice = table.bands()
    assert choice.cost == pytest.approx(paid(label, score, choice.review, choice.block, costs))
    assert choice.reviewed == pytest.approx(np.mean((score >= choice.review) & (score < choice.block)))
    assert choice.blocked == pytest.approx(np.mean(score >= choice.block))
    assert choice.caught == pytest.approx(np.mean(score[label == 1] >= choice.review))


@pytest.mark.parametrize("costs", COSTS, ids=str)
def test_no_other_thresholds_cost_less(scored, costs):
    label, score = scored
    table = Decisions(GRID.tolist(), counts(label, score), costs)
    choice = table.bands()
    assert table.cost.min() == table.cost[table.cheapest()] >= choice.cost
    rng = np.random.default_rng(1)
    for _ in range(40):
        review, block = sorted(rng.choice(GRID, 2))
        assert paid(label, score, review, block, costs) >= choice.cost - 1e-9


def test_with_calibrated_scores_the_costs_alone_give_the_bands(scored):
    label, score = scored
    choice = Decisions(GRID.tolist(), counts(label, score), Costs(missed=100, false_alarm=50, review=5)).bands()
    assert abs(choice.review - 0.05) < 0.03
    assert abs(choice.block - 0.9) < 0.06


def test_a_dear_review_leaves_no_review(scored):
    label, score = scored
    choice = Decisions(GRID.tolist(), counts(label, score), Costs(missed=10, false_alarm=10, review=50)).bands()
    assert choice.review == choice.block
    assert abs(choice.block - 0.5) < 0.1


@pytest.mark.parametrize("cost", [0.0, -1.0, float("nan"), float("inf")])
def test_a_cost_must_be_a_number_above_0(cost):
    with pytest.raises(ValueError, match="the cost 'review' must be a number above 0"):
        Costs(review=cost)


def test_counts_and_measures_agree(scored):
    label, score = scored
    counted, place = counts(label, score), int(np.searchsorted(GRID, 0.5))
    assert GRID[place] == 0.5
    (_, alarms), (_, hits) = measure(label, score)["confusion"]
    assert (counted["flagged_legit"][place], counted["flagged_fraud"][place]) == (alarms, hits)
    assert sum(counted["bin_fraud"]) == label.sum()
    assert sum(counted["bin_score"]) == pytest.approx(score.sum(), abs=0.1)
