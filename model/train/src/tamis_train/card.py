"""The model card: where the model comes from, how good it is beside the limit, what it must not be used for."""

import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from .decisions import Costs, Decisions
from .export import ML_OPSET, ONNX_OPSET
from .quality import GRID, ORIGINAL_CONFUSION, at_threshold
from .schema import SENSITIVE, Schema

LIBRARIES = ("lightgbm", "numpy", "onnx", "onnxruntime", "pyarrow", "scikit-learn", "xgboost-cpu")
# The four digits that the project gave; the rest follows from its confusion matrix.
ORIGINAL = at_threshold(ORIGINAL_CONFUSION) | {"accuracy": 0.9553}
SIMULATED = "simulated transactions"
ODD_INPUT = {
    "null": "reject",
    "wrong_type": "reject",
    "nan_or_infinity": "reject",
    "unknown_category": "learned weight",
}
SHOWN = {
    "accuracy": "accuracy",
    "precision": "precision",
    "recall": "recall",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "log_loss": "log-loss",
}
TITLES = {"model": "this model", "limit": "the limit", "original": "the original"}


def write(
    folder: Path, facts: dict, schema: Schema, metrics: dict[str, dict], counts: dict[str, dict], costs: Costs
) -> dict:
    """Writes card.json for programs, curves.json for the report and CARD.md for people; answers the card.

    The card travels in the module; the curves are long lists that only the report draws, so they stand beside it.
    """
    choice = Decisions(GRID.tolist(), counts["model"], costs).bands()
    bands = {"review_from": choice.review, "block_from": choice.block}
    card = facts | {
        "costs": asdict(costs),
        "onnx": {"opset": ONNX_OPSET, "ml_opset": ML_OPSET},
        "metrics": metrics | {"original": ORIGINAL},
        "bands": bands,
        "columns": [_column(schema, name) for name in schema.names],
        "odd_input": ODD_INPUT,
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    curves = {"thresholds": GRID.tolist()} | counts
    (folder / "card.json").write_text(_json(card), encoding="utf-8")
    (folder / "curves.json").write_text(_json(curves), encoding="utf-8")
    (folder / "CARD.md").write_text(markdown(card), encoding="utf-8")
    return card


def _json(card: dict) -> str:
    """Indented, but each long list of numbers on one line."""
    lists: list[str] = []

    def fold(value: object) -> object:
        if isinstance(value, dict):
            return {key: fold(inner) for key, inner in value.items()}
        if isinstance(value, list) and all(isinstance(inner, int | float) for inner in value):
            lists.append(json.dumps(value))
            return f"@{len(lists) - 1}@"
        return [fold(inner) for inner in value] if isinstance(value, list) else value

    text = json.dumps(fold(card), indent=2)
    for place, line in enumerate(lists):
        text = text.replace(f'"@{place}@"', line)
    return text + "\n"


def _column(schema: Schema, name: str) -> dict:
    column = schema.column(name)
    categories = {"categories": list(column.values)} if column.kind == "text" else {}
    return {"name": name, "type": column.type} | categories | ({"sensitive": True} if name in SENSITIVE else {})


def markdown(card: dict) -> str:
    """CARD.md, from what card.json holds."""
    metrics = {name: measured for name, measured in card["metrics"].items() if name in TITLES}
    simulated = card["source"] == SIMULATED
    rows = f"{metrics['model']['rows']:,}"
    return f"""# Model card: {card["name"]} {card["version"]}

The probability that a card transaction is fraud, from {len(card["columns"])} of its columns:
{card["about"]}.
{ADDITIVE if card["additive"] else TREES}

- ONNX: `{card["file"]}`, sha-256 `{card["sha256"]}`
- trained on {card["training_rows"]:,} {card["source"]} (seed {card["seed"]}), {card["date"]}, by `model/train/train`
- prediction: 1 where the score is {card["threshold"]} or more
- prior: {card["prior"]:.2%} of the training rows are fraud
- golden vectors: `golden.csv`, {card["golden_rows"]:,} rows with onnxruntime's score
- libraries: {", ".join(f"{name} {number}" for name, number in card["libraries"].items())}

## Intended use

{SIMULATED_USE if simulated else OWN_USE}

## Quality

Measured with onnxruntime on {rows} {"fresh transactions" if simulated else "rows"} that were not trained on.
{LIMIT_KNOWN if simulated else LIMIT_UNKNOWN} The original is what the project that this one replaces reported; precision and
recall follow from its confusion matrix. Pictures, thresholds by cost and decision bands are in [{card["report"]}]({card["report"]}).

{quality_table(metrics, card["threshold"])}

## Columns

{_columns(card)}

## What odd input comes to

| input | outcome |
| --- | --- |
| missing or null | the row is rejected, with the column and the reason |
| a wrong type, such as text for a number | the row is rejected |
| NaN or an infinity | the row is rejected |
| a category that was not in training | a neutral weight of its own |
| an integer outside the known values | compared as a number: it counts as the nearest known value |

Categories are compared byte by byte: `Monday` is not `monday`. Numbers are rounded to float32 before they are compared.

## Limits

{_limits(card, simulated)}
"""


ADDITIVE = "The log-odds is a sum of one small table a column, so each column's share of a score can be read off exactly."
TREES = "The log-odds is the sum of all trees; each node carries its cover, from which TreeSHAP computes a column's share."
SIMULATED_USE = """To show and test how a fraud model is packed into one WebAssembly file and run in a stream: it scores the
transactions that `tamis generate` makes. It is not meant for real payments: **its data is simulated** from
`model/fraud/transactions.json`, one transaction in ten is fraud, and no real card or person is in it."""
OWN_USE = """To score transactions like those that it was trained on. Whoever trained it knows what they are, and must say so here
before the model decides about anybody."""
LIMIT_KNOWN = """The simulation is known, so the best that any model can do with these columns is known too; it is given for the
same transactions."""
LIMIT_UNKNOWN = "The best that any model could do is not known."


def quality_table(metrics: dict[str, dict], threshold: float, titles: dict[str, str] = TITLES) -> str:
    """One column a model, one line a measure."""
    lines = ["| | " + " | ".join(titles[name] for name in metrics) + " |", "| --- |" + " --- |" * len(metrics)]
    for key, title in SHOWN.items():
        cells = " | ".join(str(measured.get(key, "not reported")) for measured in metrics.values())
        lines.append(f"| {title}{f' at {threshold}' if key == 'accuracy' else ''} | {cells} |")
    for truth, name in enumerate(("legitimate", "fraud")):
        for guess, verdict in enumerate(("passed", "flagged")):
            cells = " | ".join(f"{measured['confusion'][truth][guess]:,}" for measured in metrics.values())
            lines.append(f"| {name}, {verdict} | {cells} |")
    lines.append("| rows | " + " | ".join(f"{measured['rows']:,}" for measured in metrics.values()) + " |")
    return "\n".join(lines)


def _columns(card: dict) -> str:
    lines = ["| column | type | known categories |", "| --- | --- | --- |"]
    for column in card["columns"]:
        lines.append(f"| {column['name']} | {column['type']} | {', '.join(column.get('categories', []))} |")
    return "\n".join(lines)


def _limits(card: dict, simulated: bool) -> str:
    lines = []
    if simulated:
        lines.append(
            "The simulation draws the fields independently given the class (only the method depends on the type). Real\n"
            "  transactions are not so simple."
        )
    if card["additive"]:
        lines.append("A sum of one table a column cannot see what two columns say together.")
    if any(column.get("sensitive") for column in card["columns"]):
        lines.append(
            "`marital_status` and `children` are inputs because the simulation has them. On people they are sensitive and can\n"
            "  stand for others that are. `fair/` has the model without them, and the report says what that costs."
        )
    lines.append(
        f"Scores are probabilities where {card['prior']:.1%} of transactions are fraud. Where fraud is rarer they are too high;\n"
        "  the report says how to move them."
    )
    return "\n".join(f"- {line}" for line in lines)
