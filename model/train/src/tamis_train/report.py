"""REPORT.md and its pictures, from card.json and curves.json (and the cards and comparisons beside them)."""

import json
from dataclasses import asdict
from pathlib import Path

from . import pictures
from .card import SIMULATED, TITLES, quality_table
from .decisions import Costs, Decisions
from .quality import SHOWN

REPORT, PICTURES, FAIR, COMPARISON = "REPORT.md", "pictures", "fair", "comparison.json"


def write(folder: Path, costs: dict[str, float], out: Path | None = None) -> None:
    """Writes the report on the card in `folder`, there or in `out`; `costs` are those that differ from the card's."""
    out = out or folder
    card = _card(folder)
    if card is None:
        raise FileNotFoundError(f"{folder}: there is no card.json with its curves.json; `train` writes them")
    costs = Costs(**card["costs"] | costs)
    fair, comparison = _card(folder / FAIR), _load(folder / COMPARISON)
    drawn = pictures.draw(out / PICTURES, card, fair, costs)
    text = {name: f"![{name}]({PICTURES}/{name}.png)" for name in drawn}
    parts = [_head(card), _quality(card, fair, text), _curves(text), _calibration(card, text)]
    parts += [_thresholds(card, costs, text), _bands(card, costs)]
    parts += [_second(card, fair)] if fair else []
    parts += [_comparison(comparison)] if comparison else []
    parts += [_prior(card), _again(card, costs)]
    (out / REPORT).write_text("\n\n".join(parts) + "\n", encoding="utf-8")


def _card(folder: Path) -> dict | None:
    """The card, with the curves under `counts`."""
    card, curves = _load(folder / "card.json"), _load(folder / "curves.json")
    return None if card is None or curves is None else card | {"counts": curves}


def _load(path: Path) -> dict | None:
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def _head(card: dict) -> str:
    return f"""# Report: {card["name"]} {card["version"]}

- model: `{card["file"]}`, sha-256 `{card["sha256"]}`
- {card["about"]}
- trained on {card["training_rows"]:,} {card["source"]}, measured with onnxruntime on {card["metrics"]["model"]["rows"]:,} others
- [CARD.md](CARD.md) says what the model is for"""


def _quality(card: dict, fair: dict | None, text: dict) -> str:
    metrics = {name: measured for name, measured in card["metrics"].items() if name in TITLES}
    titles = dict(TITLES)
    if fair:
        metrics = {"model": metrics.pop("model"), "fair": fair["metrics"]["model"]} | metrics
        titles["fair"] = f"without {' and '.join(fair['left_out'])}"
    limit = ""
    if "limit" in metrics:
        gap = metrics["limit"]["accuracy"] - metrics["model"]["accuracy"]
        loss = metrics["model"]["log_loss"] - metrics["limit"]["log_loss"]
        limit = f"""The limit is what the true probability of each of these same transactions scores: the simulation is known, so the
best that any model can do is known. This model is {gap:.5f} of accuracy and {loss:.5f} of log-loss away from it. On other
million transactions the limit itself moves by about 0.0002 of accuracy (0.96658 on average)."""
    original = card["metrics"]["original"]
    return f"""## Quality

{quality_table(metrics, card["threshold"], titles)}

{limit}
The original's figure comes from {original["rows"]:,} rows: on so few, chance alone moves an accuracy by 0.004 to either side.

{text["quality"]}

{text["confusion"]}""".replace("\n\n\n", "\n\n")


def _curves(text: dict) -> str:
    return f"""## ROC, precision and recall

{text["curves"]}

{text["scores"]}"""


def _calibration(card: dict, text: dict) -> str:
    """Ten bins of the score, made of the card's fifty."""
    counts = card["counts"]["model"]
    step = len(counts["bin_fraud"]) // 10
    lines = ["| score | rows | mean score | share of fraud |", "| --- | --- | --- | --- |"]
    for place in range(10):
        fraud, legit, score = (
            sum(counts[f"bin_{kind}"][place * step : (place + 1) * step]) for kind in ("fraud", "legit", "score")
        )
        rows = fraud + legit
        shown = f"{score / rows:.4f} | {fraud / rows:.4f}" if rows else "- | -"
        lines.append(f"| {place / 10:.1f} to {(place + 1) / 10:.1f} | {rows:,} | {shown} |")
    table = "\n".join(lines)
    return f"""## Calibration

A score is a probability: where it says 0.3, three in ten should be fraud.

{table}

{text["calibration"]}"""


def _decisions(card: dict, costs: Costs) -> Decisions:
    return Decisions(card["counts"]["thresholds"], card["counts"]["model"], costs)


def _thresholds(card: dict, costs: Costs, text: dict) -> str:
    table = _decisions(card, costs)
    cheapest = table.cheapest()
    lines = [
        "| threshold | flagged | precision | recall | false alarms per fraud caught | cost of 1,000 transactions |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    places = [place for place, at in enumerate(card["counts"]["thresholds"]) if at in SHOWN or place == cheapest]
    for place in places:
        at, fraud, legit = (float(column[place]) for column in (table.thresholds, table.fraud, table.legit))
        flagged = max(1.0, fraud + legit)
        name = f"**{at:.4g}** (cheapest)" if place == cheapest else f"{at:.4g}"
        lines.append(
            f"| {name} | {(fraud + legit) / table.rows:.2%} | {fraud / flagged:.3f} | {fraud / max(1, table.frauds):.3f} "
            f"| {legit / max(1.0, fraud):.2f} | {table.cost[place]:,.0f} |"
        )
    lines = "\n".join(lines)
    doing_nothing = costs.missed * table.frauds / table.rows * 1000
    return f"""## Thresholds by cost

A missed fraud costs {costs.missed:g}, a false alarm {costs.false_alarm:g} (change them: see the end). All that is flagged is blocked, nothing is
reviewed. To let everything pass costs {doing_nothing:,.0f} for 1,000 transactions.

{lines}

{text["thresholds"]}"""


def _bands(card: dict, costs: Costs) -> str:
    table = _decisions(card, costs)
    choice = table.bands()
    saved = table.cost[table.cheapest()] - choice.cost
    missed, alarm, price = costs.missed, costs.false_alarm, costs.review
    review = "nobody reviews" if choice.review == choice.block else f"a reviewer, at {price:g} a transaction, decides"
    if price / missed < 1 - price / alarm:
        rule = f"review from {price:g} / {missed:g} = {price / missed:.3g} on, block from 1 - {price:g} / {alarm:g} = {1 - price / alarm:.3g} on"
    else:
        rule = f"a review costs too much here; block from {alarm:g} / ({alarm:g} + {missed:g}) = {alarm / (alarm + missed):.3g} on"
    return f"""## Decision bands

| score | decision | transactions |
| --- | --- | --- |
| below {choice.review:.4g} | allow | {1 - choice.reviewed - choice.blocked:.2%} |
| from {choice.review:.4g}, below {choice.block:.4g} | review: {review} | {choice.reviewed:.2%} |
| from {choice.block:.4g} | block | {choice.blocked:.2%} |

These are the cheapest two thresholds at these costs: {choice.cost:,.0f} for 1,000 transactions, {saved:,.0f} less than the best single
threshold; {choice.caught:.1%} of the frauds are blocked or reviewed. The reviewer is taken to be right always; where he is not, his
mistakes belong into the cost of a review. With calibrated scores the costs alone give the thresholds: {rule}."""


def _second(card: dict, fair: dict) -> str:
    left_out = " and ".join(f"`{name}`" for name in fair["left_out"])
    lines = ["| | this model | the second model | the limit for its columns |", "| --- | --- | --- | --- |"]
    limit = fair["metrics"].get("limit", {})
    for key in ("accuracy", "recall", "roc_auc", "average_precision", "log_loss"):
        ours, theirs = card["metrics"]["model"][key], fair["metrics"]["model"][key]
        lines.append(
            f"| {key.replace('_', ' ')} | {ours} | {theirs} ({theirs - ours:+.5f}) | {limit.get(key, 'not known')} |"
        )
    table = "\n".join(lines)
    fewer = card["metrics"]["model"]["confusion"][1][1] - fair["metrics"]["model"]["confusion"][1][1]
    share = fewer / max(1, sum(card["metrics"]["model"]["confusion"][1]))
    return f"""## The second model: without {left_out}

On people these columns are sensitive. [{fair["file"]}]({FAIR}/{fair["file"]}) does without them; it has its own
[card]({FAIR}/CARD.md) and golden vectors. What it costs, on the same transactions at the same threshold:

{table}

It finds {abs(fewer):,} {"fewer" if fewer >= 0 else "more"} of the frauds ({abs(share):.2%})."""


def _comparison(comparison: dict) -> str:
    lines = [
        "| trained on | trainer | draws | accuracy | lowest | average precision | log-loss |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in comparison["results"]:
        rows = f"{row['training_rows']:,}" if row["training_rows"] else "-"
        lowest = row.get("accuracy_lowest")
        lines.append(
            f"| {rows} | {row['trainer']} | {row['draws']} | {row['accuracy']:.5f} | {'-' if lowest is None else f'{lowest:.5f}'} "
            f"| {row['average_precision']:.5f} | {row['log_loss']:.5f} |"
        )
    table = "\n".join(lines)
    return f"""## Trainers, and how many rows they need

Each trainer with its settings for so many rows, on draws of its own, measured on the same {comparison["test_rows"]:,} fresh
transactions. {comparison["small"]:,} rows is what the original project trained on. `model/train/train compare` measures this
table again (seed {comparison["seed"]}).

{table}"""


def _prior(card: dict) -> str:
    lines = [
        f"Prior: {card['prior']:.2%} of the training rows are fraud. Where a share q is fraud instead, and nothing else differs, a\n"
        "  score p becomes p' with logit p' = logit p + logit q - logit prior; the thresholds above are for p'.",
        "Accuracy at 0.5 says little where fraud is rare; precision, recall and cost at a threshold say more.",
        "The costs are one number a kind. A fraud of 500 costs more than one of 5: weigh by amount before money is at stake.",
    ]
    if card["source"] == SIMULATED:
        lines.insert(
            0,
            "The data is simulated. The figures say how near a model comes to the best possible on this simulation, and nothing\n"
            "  about real payments.",
        )
        lines.append(
            "Nothing drifts in the simulation: next month's transactions are drawn as these were. Real fraud answers."
        )
    body = "\n".join(f"- {line}" for line in lines)
    return f"## Prior and limits\n\n{body}"


def _again(card: dict, costs: Costs) -> str:
    arguments = " ".join(f"--cost-{name.replace('_', '-')} {cost:g}" for name, cost in asdict(costs).items())
    return f"""## Again

`model/train/train report FOLDER {arguments}`
writes this report from the folder's `card.json` and `curves.json`, without training; other costs give other thresholds. `model/train/train`
trains and measures anew."""
