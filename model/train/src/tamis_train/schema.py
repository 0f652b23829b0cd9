"""The columns of a transaction, as model/fraud/transactions.json gives them; a model may read fewer of them."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

FRAUD = Path(__file__).resolve().parents[3] / "fraud"
FACTS = json.loads((FRAUD / "transactions.json").read_text(encoding="utf-8"))
LABEL = "isFraud"
# Sensitive on people; the second model does without them.
SENSITIVE = ("marital_status", "children")
# What a text that is no known category is to the trees, whose places begin at 0.
UNKNOWN = -1.0


@dataclass(frozen=True)
class Column:
    """One input of the model. `values` are the known categories of a text or the known values of an integer."""

    name: str
    kind: str
    values: tuple = ()

    @property
    def type(self) -> str:
        """The column's type in Stream Analytics."""
        return {"float": "float", "int": "bigint", "text": "nvarchar(max)"}[self.kind]


@dataclass(frozen=True)
class Schema:
    """The model's inputs, in order. A table is a float64 matrix with one column each; a text is its category's place."""

    columns: tuple[Column, ...]

    @cached_property
    def names(self) -> list[str]:
        return [column.name for column in self.columns]

    @cached_property
    def place(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    def of_kind(self, kind: str) -> list[str]:
        """The names of the columns of one kind."""
        return [column.name for column in self.columns if column.kind == kind]

    def column(self, name: str) -> Column:
        return self.columns[self.place[name]]

    def without(self, names: Iterable[str]) -> "Schema":
        """The columns that are left."""
        unknown = [name for name in names if name not in self.place]
        if unknown:
            raise ValueError(f"there is no column '{unknown[0]}' to leave out; the columns are {', '.join(self.names)}")
        return Schema(tuple(column for column in self.columns if column.name not in names))

    def select(self, table, source: "Schema"):
        """The columns of this schema out of a table of another."""
        return table if self == source else table[:, [source.place[name] for name in self.names]]


def _column(name: str) -> Column:
    if name in FACTS["numeric"]:
        return Column(name, "float")
    if name == "transaction_method":
        # The file says "internet_payement (spelled so; always)": the method's name, then a remark.
        online = FACTS[name]["online"].split(" ")[0]
        return Column(name, "text", (online, *FACTS[name]["onsite"]["values"]))
    values = FACTS["categorical"][name]["values"]
    return Column(name, "text" if isinstance(values[0], str) else "int", tuple(values))


TRANSACTION = Schema(tuple(_column(name) for name in FACTS["field_order"] if name not in ("id", "date", LABEL)))
