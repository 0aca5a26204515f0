"""params.yaml from the file to the models."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from taskshare.config.checks import check_measurements
from taskshare.config.explain import explain
from taskshare.config.params import Params
from taskshare.errors import TaskshareError


def load(path: Path, overrides: Mapping[str, Any] | None = None, check_sources: bool = True) -> Params:
    """Read and validate params.yaml, with top-level keys replaced by `overrides`.

    Raises:
        TaskshareError: one line that names the file, the key and what is allowed there.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TaskshareError(f"{path}: no such file; give the path of a params.yaml") from None
    except yaml.YAMLError as error:
        raise TaskshareError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise TaskshareError(f"{path}: holds no keys; take the project's params.yaml as a start")
    return validate({**content, **(overrides or {})}, path.name, check_sources)


def validate(content: Mapping[str, Any], where: str = "params.yaml", check_sources: bool = True) -> Params:
    """Validate the content of params.yaml, expanding every scale's runs, and check that paths given as sources exist.

    Raises:
        TaskshareError: one line that names the key and what is allowed there.
    """
    try:
        params = Params.model_validate(_nested(content, where))
    except ValidationError as error:
        raise TaskshareError(f"{where}: {explain(error)}") from None
    for scale in params.scales:
        at_scale = params.model_copy(update={"scale": scale})
        for run in (*params.runs, *params.trials):
            try:
                jobs = list(at_scale.jobs(run))
            except ValidationError as error:
                raise TaskshareError(f"{where}: scales.{scale} with runs.{run}: {explain(error)}") from None
            if run in params.trials and "validation" not in jobs[0].splits:
                raise TaskshareError(
                    f"{where}: scales.{scale} with the trial {run}: tuning goes by validation scores; set "
                    "training.validation: true"
                )
        try:
            check_measurements(at_scale)
        except ValueError as error:
            raise TaskshareError(f"{where}: {error}") from None
    for name in params.datasets:
        source = params.source(name)
        if check_sources and params.source_kind(name) == "path" and not Path(source).exists():
            raise TaskshareError(
                f"{where}: {name}: no file or folder '{source}'; allowed: synthetic, download, or an existing path "
                "(`dvc pull` brings one in raw/)"
            )
    return params


def _nested(content: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Return the content with keys such as `data.on_bad_image`, which `--set` can give, at their place."""
    plain = {key: value for key, value in content.items() if "." not in key}
    for key in content.keys() - plain.keys():
        *path, last = key.split(".")
        place = plain
        for part in path:
            found = place.get(part)
            if not isinstance(found, Mapping):
                raise TaskshareError(f"{where}: {key}: there is no key {part} to look in; see docs/configuration.md")
            place[part] = dict(found)
            place = place[part]
        place[last] = content[key]
    return plain


def json_schema() -> str:
    """Return the JSON schema of params.yaml as indented JSON, made from the models; editors check the file by it."""
    return json.dumps(Params.model_json_schema(), indent=2) + "\n"
