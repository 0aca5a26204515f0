"""What stands beside the code keeps up with it: examples in the documents, and benchmarks."""

import re
import runpy
from pathlib import Path

import pytest
import yaml

from taskshare import config

PROJECT = Path(__file__).parents[1]
EXAMPLES = re.findall(r"```yaml\n(.*?)```", (PROJECT / "docs" / "extending.md").read_text(encoding="utf-8"), re.DOTALL)


def merge(content, addition):
    for key, value in addition.items():
        content[key] = merge(content.get(key, {}), value) if isinstance(value, dict) else value
    return content


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_extending_is_valid(example, tmp_path):
    content = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    addition = yaml.safe_load(example)
    if "birds" in addition:
        addition["birds"] = str(tmp_path / "birds.zip")
        Path(addition["birds"]).touch()
    params = config.validate(merge(content, addition))
    for name in addition["runs"]:
        assert list(params.jobs(name))


def test_the_examples_are_found():
    assert len(EXAMPLES) == 3


@pytest.mark.parametrize("path", sorted((PROJECT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_benchmarks_find_what_they_import(path, monkeypatch):
    monkeypatch.syspath_prepend(path.parent)
    runpy.run_path(str(path), run_name="imported")
