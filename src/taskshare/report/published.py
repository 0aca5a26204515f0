"""Data that a person wrote down for the report: the papers' printed numbers and the deviation register."""

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from taskshare.errors import TaskshareError


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedRow(_Model):
    """One printed row: numbers by task, 0 to 100; a task that is left out has no number."""

    comparable: bool = Field(description="whether the number is of the same metric and setting as ours")
    note: str = ""
    values: dict[str, float] = Field(min_length=1)


class PublishedTable(_Model):
    """One printed table; its key in the file is the name of the experiment that reruns it."""

    title: str
    source: str
    unit: Literal["percent"]
    metric: str
    question: str
    columns: dict[str, str] = Field(description="task as in params.yaml: the paper's label")
    rows: dict[str, PublishedRow]

    @model_validator(mode="after")
    def _check(self) -> "PublishedTable":
        for label, row in self.rows.items():
            for task, value in row.values.items():
                if task not in self.columns:
                    raise ValueError(f"row '{label}': no column '{task}'; allowed: {', '.join(self.columns)}")
                if not 0 <= value <= 100:
                    raise ValueError(f"row '{label}', column '{task}': {value} is no percentage")
        return self


class Switch(_Model):
    """A key of params.yaml, NAME and DATASET standing for any name, and its values; the first one is the reading."""

    key: str
    values: list[Any] = Field(min_length=1)


class Deviation(_Model):
    """One entry of the deviation register."""

    id: str = Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")
    paper: str
    says: str
    unclear: str
    reading: str
    why: str
    alternative: str
    switches: list[Switch]


def load_published(folder: Path) -> dict[str, PublishedTable]:
    """Return the published tables of every YAML file in `folder`, by experiment.

    Raises:
        TaskshareError: a file that is not valid, or an experiment that two files name.
    """
    tables: dict[str, PublishedTable] = {}
    for path in sorted(folder.glob("*.yaml")):
        content = _load(path, TypeAdapter(dict[str, PublishedTable]))
        for name in content:
            if name in tables:
                raise TaskshareError(f"{path}: {name}: stands in another file too; keep one of them")
        tables.update(content)
    return tables


def load_deviations(path: Path) -> list[Deviation]:
    """Return the deviation register in its written order.

    Raises:
        TaskshareError: a file that is not valid, or an id that occurs twice.
    """
    entries = _load(path, TypeAdapter(list[Deviation]))
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise TaskshareError(f"{path}: the id {entry.id} occurs twice; give each entry its own")
        seen.add(entry.id)
    return entries


def _load(path: Path, adapter: TypeAdapter[Any]) -> Any:
    try:
        return adapter.validate_python(yaml.safe_load(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        raise TaskshareError(f"{path}: no such file; the folder of templates needs it") from None
    except yaml.YAMLError as error:
        raise TaskshareError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise TaskshareError(f"{path}: {where}: {first['msg'].removeprefix('Value error, ')}") from None
