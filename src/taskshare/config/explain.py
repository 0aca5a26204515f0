"""From a validation error to one line."""

import re
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel, Tag, ValidationError


def explain(error: ValidationError) -> str:
    """Return a validation error's first entry as one line: the key, what is wrong, what is allowed."""
    first = error.errors()[0]
    location = [str(part) for part in first["loc"]]
    message = re.sub(r"^(Value error|Assertion failed), ", "", first["msg"])
    if first["type"] == "extra_forbidden":
        message = f"unknown key; allowed: {', '.join(_fields(_model(error.title), location[:-1]))}"
    elif first["type"] != "missing" and not isinstance(first["input"], dict | BaseModel):
        message = f"{message}, not {first['input']!r}"
    return f"{'.'.join(location)}: {message}" if location else message


def _model(name: str) -> type[BaseModel]:
    """The model of that name, wherever it is defined; an error knows it by name only."""
    waiting: list[type[BaseModel]] = [BaseModel]
    while waiting:
        found = waiting.pop()
        if found.__name__ == name and found.__module__.startswith("taskshare."):
            return found
        waiting += found.__subclasses__()
    raise LookupError(name)


def _fields(model: type[BaseModel], location: list[str]) -> list[str]:
    """Keys that are allowed at a location inside a model."""
    kind: Any = model
    for part in location:
        if isinstance(kind, type) and issubclass(kind, BaseModel) and part in kind.model_fields:
            kind = kind.model_fields[part].annotation
        elif get_origin(kind) in (dict, list):
            kind = get_args(kind)[-1]
        else:
            kind = next((option for option in _options(kind) if Tag(part) in getattr(option, "__metadata__", ())), kind)
    kind = next(
        (option for option in _options(kind) if isinstance(option, type) and issubclass(option, BaseModel)), kind
    )
    return list(kind.model_fields) if isinstance(kind, type) and issubclass(kind, BaseModel) else []


def _options(kind: Any) -> list[Any]:
    """The members of a union, and what an annotation wraps."""
    if hasattr(kind, "__metadata__"):
        kind = get_args(kind)[0]
    return list(get_args(kind)) if get_origin(kind) in (Union, UnionType) else [kind]
