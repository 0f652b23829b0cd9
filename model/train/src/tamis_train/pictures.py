"""The report's pictures, drawn from the card alone. Each is small, and the same bytes for the same card and matplotlib."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from .decisions import Costs, Decisions

MODEL, FAIR, LIMIT, ORIGINAL = "#1f5fa8", "#2a9d6f", "#222222", "#d1603d"
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "figure.dpi": 100,
}
Models = dict[str, tuple[str, str, dict]]


def draw(folder: Path, card: dict, fair: dict | None, costs: Costs) -> list[str]:
    """Writes the pictures and answers their names."""
    models: Models = {"model": ("this model", MODEL, card["counts"]["model"])}
    if fair:
        models["fair"] = ("without sensitive columns", FAIR, fair["counts"]["model"])
    if "limit" in card["counts"]:
        models["limit"] = ("the limit", LIMIT, card["counts"]["limit"])
    original = card["metrics"]["original"]
    folder.mkdir(parents=True, exist_ok=True)
    with plt.rc_context(STYLE):
        figures = {
            "quality": _quality(card, fair),
            "confusion": _confusion(card),
            "curves": _curves(models, original),
            "calibration": _calibration(models),
            "scores": _scores(models["model"][2], card["threshold"]),
            "thresholds": _thresholds(Decisions(card["counts"]["thresholds"], card["counts"]["model"], costs)),
        }
        for name, figure in figures.items():
            figure.savefig(folder / f"{name}.png", metadata={"Software": None})
            plt.close(figure)
    return list(figures)


def _figure(columns: int, width: float = 4.0, height: float = 3.3) -> tuple[Figure, np.ndarray]:
    figure, axes = plt.subplots(1, columns, figsize=(width * columns, height), layout="constrained", squeeze=False)
    return figure, axes[0]


def _quality(card: dict, fair: dict | None) -> Figure:
    """Accuracy with the range that chance leaves on so many rows, and log-loss."""
    bars = [("this model", MODEL, card["metrics"]["model"])]
    bars += [("without sensitive\ncolumns", FAIR, fair["metrics"]["model"])] if fair else []
    bars += [("the limit", LIMIT, card["metrics"]["limit"])] if "limit" in card["metrics"] else []
    bars += [("the original", ORIGINAL, card["metrics"]["original"])]
    figure, (left, right) = _figure(2)
    for place, (_, colour, measured) in enumerate(bars):
        accuracy = measured["accuracy"]
        spread = 1.96 * np.sqrt(accuracy * (1 - accuracy) / measured["rows"])
        left.errorbar(accuracy, place, xerr=spread, fmt="o", color=colour, capsize=3)
        left.annotate(f"{accuracy:.4f}", (accuracy, place), xytext=(0, 8), textcoords="offset points", ha="center")
        if "log_loss" in measured:
            right.barh(place, measured["log_loss"], color=colour, height=0.5)
            right.annotate(f" {measured['log_loss']:.4f}", (measured["log_loss"], place), va="center")
        else:
            right.annotate(" not reported", (0, place), va="center")
    for axis, title in ((left, "accuracy, with its 95 % interval"), (right, "log-loss (less is better)")):
        axis.set(
            title=title, yticks=range(len(bars)), yticklabels=[name for name, _, _ in bars], ylim=(len(bars) - 0.5, -0.6)
        )
    right.set_yticklabels([])
    right.set_xlim(0, 1.25 * max(measured.get("log_loss", 0) for _, _, measured in bars))
    return figure


def _confusion(card: dict) -> Figure:
    """Each confusion as shares of its row: of the legitimate, of the frauds."""
    shown = {"model": "this model", "limit": "the limit", "original": "the original"}
    shown = {name: title for name, title in shown.items() if name in card["metrics"]}
    figure, axes = _figure(len(shown), width=2.9, height=3.1)
    for place, (axis, (name, title)) in enumerate(zip(axes, shown.items(), strict=True)):
        confusion = np.array(card["metrics"][name]["confusion"])
        share = confusion / confusion.sum(axis=1, keepdims=True)
        axis.imshow(share, cmap="Blues", vmin=0, vmax=1)
        for truth in range(2):
            for guess in range(2):
                dark = share[truth, guess] > 0.5
                text = f"{confusion[truth, guess]:,}\n{share[truth, guess]:.1%}"
                axis.text(guess, truth, text, ha="center", va="center", color="white" if dark else "black")
        labels = ["legitimate", "fraud"] if place == 0 else ["", ""]
        axis.set(xticks=[0, 1], xticklabels=["passed", "flagged"], yticks=[0, 1], yticklabels=labels)
        axis.set_title(title, pad=8)
        axis.grid(False)
        axis.spines[:].set_visible(False)
    return figure


def _rates(counts: dict) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Recall, precision and false alarm rate, from all flagged to none."""
    fraud, legit = np.array(counts["flagged_fraud"]), np.array(counts["flagged_legit"])
    some = fraud + legit > 0
    recall, alarm = fraud / sum(counts["bin_fraud"]), legit / sum(counts["bin_legit"])
    return recall[some], (fraud / np.maximum(1, fraud + legit))[some], alarm[some]


def _curves(models: Models, original: dict) -> Figure:
    figure, (roc, pr) = _figure(2)
    for key, (title, colour, counts) in models.items():
        recall, precision, alarm = _rates(counts)
        style = {"color": colour, "label": title, "linestyle": "--" if key == "limit" else "-", "linewidth": 1.3}
        roc.plot([1, *alarm, 0], [1, *recall, 0], **style)
        pr.plot(recall, precision, **style)
    (passed, alarms), _ = original["confusion"]
    roc.plot(alarms / (passed + alarms), original["recall"], "D", color=ORIGINAL, label="the original")
    pr.plot(original["recall"], original["precision"], "D", color=ORIGINAL, label="the original")
    roc.set(title="ROC", xlabel="false alarms among the legitimate (log scale)", ylabel="recall", xscale="log")
    roc.set(xlim=(1e-4, 1), ylim=(0, 1.02))
    pr.set(title="precision and recall", xlabel="recall", ylabel="precision", xlim=(0, 1), ylim=(0, 1.02))
    roc.legend(loc="lower right")
    return figure


def _calibration(models: Models) -> Figure:
    """Where the score says p, a share p of the rows should be fraud."""
    figure, (whole, rest) = _figure(2)
    whole.plot([0, 1], [0, 1], color="grey", linewidth=0.8)
    rest.axhline(0, color="grey", linewidth=0.8)
    for title, colour, counts in (models[name] for name in ("model", "fair") if name in models):
        fraud, legit, total = (np.array(counts[f"bin_{kind}"]) for kind in ("fraud", "legit", "score"))
        # Neighbours are put together until a bin tells something.
        filled = np.cumsum(fraud + legit) // max(30, (fraud + legit).sum() // 5000)
        _, starts = np.unique(np.concatenate([[0], filled[:-1]]), return_index=True)
        fraud, legit, total = (np.add.reduceat(part, starts) for part in (fraud, legit, total))
        rows = np.maximum(1, fraud + legit)
        mean, share = total / rows, fraud / rows
        spread = 1.96 * np.sqrt(share * (1 - share) / rows)
        style = {"fmt": "o", "markersize": 3, "color": colour, "elinewidth": 0.8, "label": title}
        whole.errorbar(mean, share, yerr=spread, **style)
        rest.errorbar(mean, share - mean, yerr=spread, **style)
    whole.set(title="calibration", xlabel="mean score of a bin", ylabel="share of fraud in it", xlim=(0, 1), ylim=(0, 1))
    rest.set(title="share of fraud less mean score, 95 % intervals", xlabel="mean score of a bin", xlim=(0, 1))
    whole.legend(loc="upper left")
    return figure


def _scores(counts: dict, threshold: float) -> Figure:
    figure, (axis,) = _figure(1, width=7.5, height=2.8)
    bins = np.arange(len(counts["bin_fraud"])) / len(counts["bin_fraud"])
    width = 1 / len(bins)
    for kind, title, colour in (("legit", "legitimate", MODEL), ("fraud", "fraud", ORIGINAL)):
        axis.bar(bins, counts[f"bin_{kind}"], width, align="edge", alpha=0.55, color=colour, label=title)
    axis.axvline(threshold, color="black", linewidth=0.8, linestyle=":")
    axis.annotate(f" threshold {threshold}", (threshold, 0.95), xycoords=("data", "axes fraction"), va="top")
    axis.set(title="scores by class", xlabel="score", ylabel="rows (log scale)", yscale="log", xlim=(0, 1))
    axis.legend(loc="upper center", bbox_to_anchor=(0.3, 1))
    return figure


def _thresholds(decisions: Decisions) -> Figure:
    figure, (rates, cost) = _figure(2)
    at, choice = decisions.thresholds, decisions.bands()
    marks = [0.001, 0.01, 0.1, 0.5, 0.9, 0.99, 0.999]
    flagged = np.maximum(1, decisions.fraud + decisions.legit)
    rates.plot(at, decisions.fraud / decisions.frauds, color=MODEL, label="recall")
    rates.plot(at, decisions.fraud / flagged, color=ORIGINAL, label="precision")
    cost.plot(at, decisions.cost, color=MODEL, label="block from the threshold on")
    cost.plot(at[decisions.cheapest()], decisions.cost.min(), "o", color=MODEL)
    cost.axhline(choice.cost, color=FAIR, linestyle="--", label="allow, review, block")
    for axis in (rates, cost):
        axis.set_xscale("logit")
        axis.xaxis.set_minor_formatter(NullFormatter())
        axis.set_xticks(marks, [f"{mark:g}" for mark in marks])
        axis.set(xlabel="threshold (logit scale)", xlim=(0.001, 0.999))
        _bands(axis, choice.review, choice.block)
    rates.set(title="precision and recall by threshold", ylim=(0, 1.1))
    cost.set(title="cost of 1,000 transactions")
    cost.set_ylim(0, 1.1 * float(decisions.cost[(at > 0.001) & (at < 0.999)].max()))
    rates.legend(loc="lower center")
    cost.legend(loc="upper center", bbox_to_anchor=(0.5, 0.93))
    return figure


def _bands(axis: Axes, review: float, block: float) -> None:
    bands = (("allow", 0.001, review, FAIR), ("review", review, block, "#e9c46a"), ("block", block, 0.999, ORIGINAL))
    for name, low, high, colour in bands:
        if low < high:
            axis.axvspan(low, high, color=colour, alpha=0.12, linewidth=0)
            middle = 1 / (1 + np.exp(-np.mean(np.log([low / (1 - low), high / (1 - high)]))))
            axis.annotate(name, (middle, 0.99), xycoords=("data", "axes fraction"), ha="center", va="top", color="dimgrey")
