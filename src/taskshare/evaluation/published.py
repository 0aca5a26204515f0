"""Data that a person wrote down for the report: printed numbers, the deviation register, the papers' contradictions."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Discriminator, Field, Tag, TypeAdapter, ValidationError, model_validator

from taskshare.config.base import kind_or_table
from taskshare.errors import TaskshareError

MEAN = "mean"
"""Key of a row's printed mean over the columns, among its values."""


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class PublishedRow(_Model):
    """One printed row: numbers by column, 0 to 100, and its printed mean by `MEAN`; what is left out is not printed.

    The printed mean stands as it was printed, rounded or wrong. A table may print the mean and no column.
    """

    comparable: bool = Field(description="whether the number is of the same metric and setting as ours")
    note: str = ""
    values: dict[str, float] = Field(min_length=1)


class _Entry(_Model):
    """What every entry has; its key in the file is the name of the experiment that reruns it."""

    label: str = Field(default="", description="the paper's name for it, such as Table 1; none: not in the paper")
    title: str
    source: str
    question: str
    note: str = Field(default="", description="what a reader has to know about the numbers or about our rows")
    readings: list[str] = Field(default=[], description="ids of the deviation register that concern it")


class PublishedTable(_Entry):
    """One printed table of accuracies, or the words for a table of ours that the paper does not have."""

    kind: Literal["table"] = "table"
    metric: str
    columns: dict[str, str] = Field(
        default={}, description="TASK or TASK/GROUP as in params.yaml: the paper's label, or a readable one"
    )
    minority: dict[str, float] = Field(default={}, description="column: printed share of the rarer label, 0 to 1")
    show_accuracies: bool = Field(default=False, description="whether acc_p and acc_n stand in the table itself")
    fold_curves: bool = Field(default=False, description="whether the training curves open on demand only")
    tall: bool = Field(default=False, description="whether each column is shown as a line, for tables of many columns")
    differences: list[tuple[str, str]] = Field(
        default=[], description="rows to compare, minuend first; none: each row with the one above it"
    )
    rows: dict[str, PublishedRow]

    @model_validator(mode="after")
    def _check(self) -> "PublishedTable":
        def choose(where: str, column: str) -> None:
            if column not in self.columns:
                raise ValueError(f"{where}: no column '{column}'; allowed: {', '.join(self.columns)}")

        if MEAN in self.columns:
            raise ValueError(f"columns: '{MEAN}' is the key of a row's printed mean; rename the column")
        for column in self.minority:
            choose("minority", column)
        for label, row in self.rows.items():
            for column, value in row.values.items():
                if column != MEAN:
                    choose(f"row '{label}'", column)
                if not 0 <= value <= 100:
                    raise ValueError(f"row '{label}', column '{column}': {value} is no percentage")
        return self


class PublishedFigure(_Entry):
    """The words for a figure, or for a claim in the text, of which no numbers are printed."""

    kind: Literal["figure"]


class PublishedChanges(_Entry):
    """Printed changes of the connections, in points: from one task of params.yaml to another."""

    kind: Literal["changes"]
    rows: dict[str, dict[str, float]] = Field(min_length=1)


class PublishedRatio(_Entry):
    """A printed ratio: how many times less joining a trained net needs than training alone."""

    kind: Literal["ratio"]
    ratio: float = Field(gt=1)


class PublishedInput(_Model):
    """The printed size of the images: height and width in pixels, and channels."""

    size: int = Field(gt=0)
    channels: int = Field(gt=0)


class PublishedConvolution(_Model):
    """One printed convolution, padded to the same size."""

    name: str
    channels: int = Field(gt=0)
    kernel: int = Field(gt=0, description="height and width in pixels")
    pool: bool = Field(default=False, description="whether a 2x2 max-pool follows")


class PublishedArchitecture(_Entry):
    """A printed table of layers: the convolutions, the same ones in every column, and what follows for each task."""

    kind: Literal["architecture"]
    input: PublishedInput
    rows: list[PublishedConvolution] = Field(min_length=1)
    fully_connected: int = Field(gt=0, description="units of each task's fully connected layer")
    outputs: list[Annotated[int, Field(gt=0)]] = Field(min_length=1, description="units of each task's output")


Published = Annotated[
    Annotated[PublishedTable, Tag("table")]
    | Annotated[PublishedChanges, Tag("changes")]
    | Annotated[PublishedRatio, Tag("ratio")]
    | Annotated[PublishedArchitecture, Tag("architecture")]
    | Annotated[PublishedFigure, Tag("figure")],
    Discriminator(kind_or_table),
]


Id = Annotated[str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)+$")]


class Switch(_Model):
    """A key of params.yaml, NAME and DATASET standing for any name, and its values; the first one is the reading."""

    key: str
    values: list[Any] = Field(min_length=1)


class Deviation(_Model):
    """One entry of the deviation register."""

    id: Id
    paper: str
    says: str
    unclear: str
    reading: str
    why: str
    alternative: str
    switches: list[Switch]


class Contradiction(_Model):
    """Two statements of one paper that do not agree."""

    id: Id
    paper: str = Field(description="the paper and the places in it")
    says: str = Field(description="what one place says")
    but: str = Field(description="what another place, or its own numbers, say")
    so: str = Field(description="what follows for the rerun")


_Identified = TypeVar("_Identified", Deviation, Contradiction)


class KnownSource(_Model):
    """What is known of a file that is not an official one."""

    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    note: str
    estimated_landmarks: bool = Field(default=False, description="whether its landmarks are a predictor's output")


def load_known_sources(path: Path) -> list[KnownSource]:
    """Return what is known of unofficial files.

    Raises:
        TaskshareError: a file that is not valid.
    """
    sources: list[KnownSource] = load_yaml(path, TypeAdapter(list[KnownSource]))
    return sources


def load_published(folder: Path) -> dict[str, Published]:
    """Return the entries of every YAML file in `folder`, by experiment.

    Raises:
        TaskshareError: a file that is not valid, or an experiment that two files name.
    """
    entries: dict[str, Published] = {}
    for path in sorted(folder.glob("*.yaml")):
        content = load_yaml(path, TypeAdapter(dict[str, Published]))
        for name in content:
            if name in entries:
                raise TaskshareError(f"{path}: {name}: stands in another file too; keep one of them")
        entries.update(content)
    return entries


def published_tables(entries: Mapping[str, Published]) -> dict[str, PublishedTable]:
    """Return the tables among published entries, by experiment."""
    return {name: item for name, item in entries.items() if isinstance(item, PublishedTable)}


def load_deviations(path: Path) -> list[Deviation]:
    """Return the deviation register in its written order.

    Raises:
        TaskshareError: a file that is not valid, or an id that occurs twice.
    """
    return _load_with_ids(path, Deviation)


def load_contradictions(path: Path) -> list[Contradiction]:
    """Return what the papers say against themselves, in its written order.

    Raises:
        TaskshareError: a file that is not valid, or an id that occurs twice.
    """
    return _load_with_ids(path, Contradiction)


def _load_with_ids(path: Path, kind: type[_Identified]) -> list[_Identified]:
    entries: list[_Identified] = load_yaml(path, TypeAdapter(list[kind]))  # type: ignore[valid-type]
    seen: set[str] = set()
    for entry in entries:
        if entry.id in seen:
            raise TaskshareError(f"{path}: the id {entry.id} occurs twice; give each entry its own")
        seen.add(entry.id)
    return entries


def load_yaml(path: Path, adapter: TypeAdapter[Any]) -> Any:
    """Return the content of a YAML file as models.

    Raises:
        TaskshareError: a file that is not there or not valid, with the place in it.
    """
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
