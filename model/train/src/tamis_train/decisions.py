"""What a threshold costs, and where to allow, review and block; computed from the counts in the card."""

from dataclasses import asdict, dataclass

import numpy as np


@dataclass(frozen=True)
class Costs:
    """What one of each costs, in any one unit. A reviewer is taken to be right."""

    missed: float = 150.0
    false_alarm: float = 25.0
    review: float = 5.0

    def __post_init__(self) -> None:
        for name, cost in asdict(self).items():
            if not (np.isfinite(cost) and cost > 0):
                raise ValueError(f"the cost '{name}' must be a number above 0, {cost} was given")


@dataclass(frozen=True)
class Choice:
    """Scores from `review` on are looked at, scores from `block` on are blocked. Costs are for 1,000 transactions."""

    review: float
    block: float
    reviewed: float
    blocked: float
    caught: float
    cost: float


class Decisions:
    """The table of one model's counts at each threshold."""

    def __init__(self, thresholds: list[float], counts: dict, costs: Costs) -> None:
        self.thresholds = np.array(thresholds)
        self.fraud, self.legit = (np.array(counts[f"flagged_{kind}"]) for kind in ("fraud", "legit"))
        self.frauds, self.legits = sum(counts["bin_fraud"]), sum(counts["bin_legit"])
        self.rows = self.frauds + self.legits
        self.costs = costs

    @property
    def cost(self) -> np.ndarray:
        """The cost of 1,000 transactions at each threshold, when all that is flagged is blocked and nothing reviewed."""
        lost = self.costs.missed * (self.frauds - self.fraud) + self.costs.false_alarm * self.legit
        return lost / self.rows * 1000

    def cheapest(self) -> int:
        """The place of the threshold that costs least without reviews."""
        return int(np.argmin(self.cost))

    def bands(self) -> Choice:
        """The cheapest two thresholds: below the first allow, from the second on block, review between them."""
        below = self.costs.missed * (self.frauds - self.fraud) + self.costs.review * (self.fraud + self.legit)
        above = self.costs.false_alarm * self.legit - self.costs.review * (self.fraud + self.legit)
        best, cheapest = (0, 0), np.inf
        for block in range(len(self.thresholds)):
            review = int(np.argmin(below[: block + 1]))
            if below[review] + above[block] < cheapest:
                best, cheapest = (review, block), below[review] + above[block]
        review, block = best
        flagged = self.fraud + self.legit
        return Choice(
            review=float(self.thresholds[review]),
            block=float(self.thresholds[block]),
            reviewed=float((flagged[review] - flagged[block]) / self.rows),
            blocked=float(flagged[block] / self.rows),
            caught=float(self.fraud[review] / max(1, self.frauds)),
            cost=float(cheapest / self.rows * 1000),
        )
