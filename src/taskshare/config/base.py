"""The base of every model of params.yaml, and the types that several of them share."""

import hashlib
import re
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

PositiveInt = Annotated[int, Field(gt=0)]
# Names of the user's data may be any; a slash tells a column's group, and a line break ends a line of a list.
Label = Annotated[str, Field(pattern=r"^[^/\x00-\x1f]*[^/\x00-\x20]$", min_length=1)]
# What a file name or wildcard can hold; no dot, which joins a run and a task to a job.
Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")]


class Model(BaseModel):
    """A part of params.yaml: unknown keys are errors, and nothing changes after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def file_name(name: str) -> str:
    """Return a name as files and wildcards can hold it: itself, or with a digest so that no two names fall together."""
    if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_.-]*", name):
        return name
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", name).strip("-")
    return f"{plain}-{hashlib.sha256(name.encode()).hexdigest()[:8]}".strip("-")


def kind_or_table(content: Any) -> str:
    """Return the kind that tells apart the members of a union, of raw content or a model; without one it is a table."""
    return content.get("kind", "table") if isinstance(content, dict) else content.kind
