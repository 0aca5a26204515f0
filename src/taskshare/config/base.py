"""The base of every model of params.yaml, and the types that several of them share."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(gt=0)]
# No dot, which joins two classes to a task, and nothing that a file name or wildcard cannot hold.
Label = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class Model(BaseModel):
    """A part of params.yaml: unknown keys are errors, and nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def kind_or_table(content: Any) -> str:
    """Return the kind that tells apart the members of a union, of raw content or a model; without one it is a table."""
    return content.get("kind", "table") if isinstance(content, dict) else content.kind
