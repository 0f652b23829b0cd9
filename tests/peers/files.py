"""Reads the files that a folder output wrote, with other people's readers: Parquet with pyarrow, CSV with csv, JSON with json.

Prints one JSON object a line: the file below the folder, and the row.
"""

import csv
import json
import sys
from pathlib import Path


def rows(path: Path):
    if path.suffix == ".parquet":
        import pyarrow.parquet

        yield from pyarrow.parquet.read_table(path).to_pylist()
    elif path.suffix == ".csv":
        with path.open(newline="", encoding="utf-8") as file:
            yield from csv.DictReader(file)
    else:
        text = path.read_text(encoding="utf-8")
        yield from json.loads(text) if text.startswith("[") else map(json.loads, text.splitlines())


folder = Path(sys.argv[1])
for path in sorted(folder.rglob("*")):
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    if path.is_file() and not hidden:
        for row in rows(path):
            print(json.dumps({"file": str(path.relative_to(folder)), "row": row}, default=str))
