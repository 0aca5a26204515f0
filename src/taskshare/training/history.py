"""What a run records on its way, as tables."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from taskshare import files

SCORES = ("balanced_accuracy", "accuracy", "detection_rate")
"""What a validation may give; history has a column `validation_SCORE` for each, NaN where a task has none."""

SCHEMAS: dict[str, dict[str, str]] = {
    "history": {
        "iteration": "int32",
        "images": "int64",
        "task": "str",
        "training_loss": "float64",
        "training_error": "float64",
        **{f"validation_{score}": "float64" for score in SCORES},
        "selected": "bool",
    },
    "transfer": {"iteration": "int32", "layer": "int8", "source": "str", "target": "str", "alpha": "float32"},
    "timing": {"iteration": "int32", "seconds": "float64", "images_per_second": "float64"},
}


class History:
    """Rows of the tables `history`, `transfer` and `timing`; plain lists, so that a checkpoint can hold them."""

    def __init__(self, rows: dict[str, list[dict[str, Any]]] | None = None) -> None:
        self.rows = rows or {table: [] for table in SCHEMAS}

    def select(self, iterations: Mapping[str, int]) -> None:
        """Mark for each task the row of `history` whose weights answer for it."""
        for row in self.rows["history"]:
            row["selected"] = row["iteration"] == iterations[row["task"]]

    def write(self, folder: Path) -> None:
        """Write each table as FOLDER/TABLE.parquet."""
        for table, schema in SCHEMAS.items():
            frame = pd.DataFrame(self.rows[table], columns=list(schema)).astype(schema)
            with files.atomic(folder / f"{table}.parquet") as partial:
                frame.to_parquet(partial, index=False)
