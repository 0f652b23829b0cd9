"""The simulated data follow the facts; the limit computed on them is the known one."""

import numpy as np
import pytest

from tamis_train import limit
from tamis_train.data import ONSITE, hide_categories, simulate, split, weights
from tamis_train.quality import measure
from tamis_train.schema import FACTS, SENSITIVE, TRANSACTION, UNKNOWN

ROWS = 400_000
PLACE, TEXTS = TRANSACTION.place, TRANSACTION.of_kind("text")


@pytest.fixture(scope="module")
def simulated():
    return simulate(ROWS, np.random.default_rng(1))


def test_one_transaction_in_ten_is_fraud(simulated):
    assert abs(simulated[1].mean() - FACTS["fraud_rate"]) < 0.002


@pytest.mark.parametrize(("label", "kind"), [(1, "fraud"), (0, "legit")])
@pytest.mark.parametrize("name", FACTS["numeric"])
def test_numbers_have_the_mean_and_spread_of_their_mixture(simulated, name, label, kind):
    table, labels = simulated
    column = table[labels == label, PLACE[name]]
    weight, mean, sd = np.array(FACTS["numeric"][name][kind]).T
    centre = weight @ mean
    spread = np.sqrt(weight @ (sd**2 + mean**2) - centre**2)
    assert abs(column.mean() - centre) < 5 * spread / np.sqrt(len(column))
    assert abs(column.std() / spread - 1) < 0.02


@pytest.mark.parametrize(("label", "kind"), [(1, "fraud"), (0, "legit")])
@pytest.mark.parametrize("name", FACTS["categorical"])
def test_categories_have_their_frequencies(simulated, name, label, kind):
    table, labels = simulated
    fact = FACTS["categorical"][name]
    column = table[labels == label, PLACE[name]]
    places = column if name in TEXTS else np.searchsorted(fact["values"], column)
    found = np.bincount(places.astype(int), minlength=len(fact["values"])) / len(column)
    assert np.abs(found - weights(fact, kind)).max() < 0.012


@pytest.mark.parametrize(("label", "kind"), [(1, "fraud"), (0, "legit")])
def test_the_method_depends_on_the_type(simulated, label, kind):
    table, labels = simulated
    rows = table[labels == label]
    online = rows[:, PLACE["transaction_type"]] == TRANSACTION.column("transaction_type").values.index("online")
    method = rows[:, PLACE["transaction_method"]].astype(int)
    assert (method[online] == 0).all() and (method[~online] > 0).all()
    found = np.bincount(method[~online] - 1, minlength=4) / (~online).sum()
    assert np.abs(found - weights(ONSITE, kind)).max() < 0.012


def test_each_text_column_is_hidden_independently(simulated):
    hidden = hide_categories(simulated[0], TRANSACTION, 0.005, np.random.default_rng(2)) == UNKNOWN
    for name in TRANSACTION.names:
        assert abs(hidden[:, PLACE[name]].mean() - (0.005 if name in TEXTS else 0)) < 0.001, name
    assert (hidden.sum(axis=1) > 1).mean() < 0.001


def test_the_limit_is_the_known_one():
    table, label = simulate(1_000_000, np.random.default_rng(2))
    measured = measure(label, limit.probability(table))
    # Known to five digits on other events; a million of them leave this much to chance.
    assert abs(measured["accuracy"] - 0.96658) < 0.0007
    assert abs(measured["roc_auc"] - 0.97618) < 0.001
    assert abs(measured["average_precision"] - 0.90091) < 0.004
    assert abs(measured["log_loss"] - 0.09509) < 0.0012


def test_without_a_column_the_limit_is_what_the_other_columns_know(simulated):
    table, label = simulated
    fair = TRANSACTION.without(SENSITIVE)
    known = limit.probability(fair.select(table, TRANSACTION), fair)
    # A probability is right on average wherever it is read, and knows less than one from more columns.
    for low in (0.05, 0.2, 0.5, 0.8):
        rows = (known >= low) & (known < low + 0.1)
        assert abs(label[rows].mean() - known[rows].mean()) < 4 * np.sqrt(0.25 / rows.sum())
    assert measure(label, known)["log_loss"] > measure(label, limit.probability(table))["log_loss"] + 0.005


def test_a_column_that_is_not_there_cannot_be_left_out():
    with pytest.raises(ValueError, match="there is no column 'age' to leave out; the columns are amount"):
        TRANSACTION.without(["age"])


def test_a_split_keeps_the_share_of_each_class():
    label = np.array([1] * 50 + [0] * 450)
    training, measured = split(label, 0.3, np.random.default_rng(1))
    assert sorted([*training, *measured]) == list(range(500))
    assert (label[measured].sum(), len(measured)) == (15, 150)
