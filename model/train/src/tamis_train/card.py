"""The model card: where the model comes from, how good it is beside the limit, what it must not be used for."""

import json
from importlib.metadata import version
from pathlib import Path

from .data import CATEGORIES, COLUMNS, FLOATS, TEXTS
from .export import ML_OPSET, ONNX_OPSET
from .quality import ORIGINAL_CONFUSION, at_threshold

LIBRARIES = ("lightgbm", "numpy", "onnx", "onnxruntime", "scikit-learn")
# The four digits that the project gave; the rest follows from its confusion matrix.
ORIGINAL = at_threshold(ORIGINAL_CONFUSION) | {"accuracy": 0.9553}
ODD_INPUT = {
    "missing_or_null": "reject",
    "wrong_type": "reject",
    "nan_or_infinity": "reject",
    "unknown_category": "learned neutral weight",
}
SENSITIVE = ("marital_status", "children")
SHOWN = {
    "accuracy": "accuracy at {threshold}",
    "precision": "precision",
    "recall": "recall",
    "roc_auc": "ROC AUC",
    "average_precision": "average precision",
    "log_loss": "log-loss",
}


def write(folder: Path, facts: dict, metrics: dict[str, dict]) -> None:
    """Writes card.json for programs and CARD.md for people."""
    card = facts | {
        "onnx": {"opset": ONNX_OPSET, "ml_opset": ML_OPSET},
        "metrics": metrics | {"original": ORIGINAL},
        "columns": [_column(name) for name in COLUMNS],
        "odd_input": {
            "null": "reject",
            "wrong_type": "reject",
            "nan_or_infinity": "reject",
            "unknown_category": "learned weight",
        },
        "libraries": {name: version(name) for name in LIBRARIES},
    }
    (folder / "card.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")
    (folder / "CARD.md").write_text(_markdown(card), encoding="utf-8")


def _column(name: str) -> dict:
    kind = "float" if name in FLOATS else "nvarchar(max)" if name in TEXTS else "bigint"
    categories = {"categories": CATEGORIES[name]} if name in TEXTS else {}
    return {"name": name, "type": kind} | categories | ({"sensitive": True} if name in SENSITIVE else {})


def _markdown(card: dict) -> str:
    rows = card["metrics"]["model"]["rows"]
    hidden = f"{card['hidden_categories']:.1%}"
    return f"""# Model card: {card["name"]} {card["version"]}

The probability that a card transaction is fraud, from twelve of its columns. {card["trees"]:,} boosted trees of depth 1: the
log-odds is a sum of one small table a column, so each column's share of a score can be read off exactly.

- ONNX: `fraud.onnx`, sha-256 `{card["sha256"]}`
- trained on {card["training_rows"]:,} simulated transactions (seed {card["seed"]}), {card["date"]}, by `model/train/train`
- prediction: 1 where the score is {card["threshold"]} or more
- golden vectors: `golden.csv`, {card["golden_rows"]:,} rows with onnxruntime's score
- libraries: {", ".join(f"{name} {number}" for name, number in card["libraries"].items())}

## Intended use

To show and test how a fraud model is packed into one WebAssembly file and run in a stream: it scores the transactions that
`tamis generate` makes. It is not meant for real payments: **its data is simulated** from
[`transactions.json`](transactions.json), one transaction in ten is fraud, and no real card or person is in it.

## Quality

Measured with onnxruntime on {rows:,} fresh transactions that were not trained on. The simulation is known, so the best
that any model can do is known too; it is given for the same transactions. The original is what the project that this one
replaces reported; precision and recall follow from its confusion matrix.

{_table(card)}

## Columns

{_columns(card)}

## What odd input comes to

| input | outcome |
| --- | --- |
| missing or null | the row is rejected, with the column and the reason |
| a wrong type, such as text for a number | the row is rejected |
| NaN or an infinity | the row is rejected |
| a category that was not in training | a neutral weight of its own, learned by hiding {hidden} of each text column |
| an integer outside the known values | compared as a number: it counts as the nearest known value |

Categories are compared byte by byte: `Monday` is not `monday`. Numbers are rounded to float32 before they are compared.

## Limits

- The simulation draws the fields independently given the class (only the method depends on the type). Real transactions do
  not, and depth-1 trees cannot see what two columns say together.
- `marital_status` and `children` are inputs because the simulation has them. On people they are sensitive and can stand for
  others that are: a model for real use should leave them out, or be examined group by group first.
- Scores are probabilities where one transaction in ten is fraud. Where fraud is rarer they are too high.
"""


def _table(card: dict) -> str:
    metrics = card["metrics"]
    lines = ["| | this model | the limit | the original |", "| --- | --- | --- | --- |"]
    for key, title in SHOWN.items():
        cells = " | ".join(str(measured.get(key, "not reported")) for measured in metrics.values())
        lines.append(f"| {title.format(threshold=card['threshold'])} | {cells} |")
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
