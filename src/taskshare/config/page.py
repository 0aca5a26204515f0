"""docs/configuration.md: every key of params.yaml as a table, made from the models' JSON schema."""

import json
from typing import Any

from taskshare.config.params import Params

_HEAD = """\
# params.yaml

<!-- Made by `taskshare schema --page` from the models in src/taskshare/config/. Do not edit. -->

One file says what runs. It is validated before anything starts; a mistake is one line that names the key and what is
allowed there. Editors that know YAML schemas complete and check the file through `workflow/params.schema.json`.

The top-level keys come first; each further section describes one part of the file. How the parts work together is
explained in [Runs and experiments](experiments.md). `snakemake --config KEY=VALUE` replaces a top-level key for one
call, and `snakemake --configfile OTHER.yaml` takes another file instead of params.yaml.

Numbers in brackets, such as (8), refer to a reading of the paper in the deviation register, `reports/deviations.yaml`.
"""
_BOUNDS = {
    "minimum": "≥",
    "exclusiveMinimum": ">",
    "maximum": "≤",
    "exclusiveMaximum": "<",
    "multipleOf": "multiple of",
}


def reference_page() -> str:
    """Return the page as Markdown."""
    schema = Params.model_json_schema()
    parts = [_HEAD, _section("Top-level keys", schema)]
    parts += [_section(name, part) for name, part in sorted(schema["$defs"].items()) if name != "Params"]
    return "\n".join(parts)


def _section(title: str, schema: dict[str, Any]) -> str:
    text = " ".join(schema.get("description", "").split())
    lines = [f"## {title}", "", text, "", "| key | type | default | |", "|---|---|---|---|"]
    required = schema.get("required", [])
    for key, field in schema.get("properties", {}).items():
        default = "required" if key in required else f"`{json.dumps(field.get('default'), ensure_ascii=False)}`"
        if "default" in field and isinstance(field["default"], dict) and field["default"]:
            default = "see there"
        description = _escape(field.get("description", ""))
        lines.append(f"| `{key}` | {_type(field)} | {default} | {description} |")
    return "\n".join([*lines, ""])


def _type(field: dict[str, Any]) -> str:
    """Return a JSON schema's type in words, with its bounds and a link to the section of a model."""
    if "$ref" in field:
        name = field["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    if "const" in field:
        return f"`{field['const']}`"
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    options = field.get("anyOf") or field.get("oneOf") or field.get("allOf")
    if options:
        return " or ".join(dict.fromkeys(map(_type, options)))
    if field.get("type") == "array":
        return f"list of {_type(field.get('items', {}))}"
    if field.get("type") == "object":
        named = field.get("patternProperties") or {"": field.get("additionalProperties")}
        inner = next(iter(named.values()))
        return f"mapping to {_type(inner)}" if isinstance(inner, dict) else "mapping"
    return str(field.get("type", "anything")) + _bounds(field)


def _bounds(field: dict[str, Any]) -> str:
    found = [f"{sign} {field[key]:g}" for key, sign in _BOUNDS.items() if key in field]
    return f" ({', '.join(found)})" if found else ""


def _escape(text: str) -> str:
    return text.replace("|", "\\|")
