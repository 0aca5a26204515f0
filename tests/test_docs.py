"""What stands next to the code keeps up with it: README, pages of docs/, benchmarks."""

import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from taskshare import config
from taskshare.config.page import reference_page

PROJECT = Path(__file__).parents[1]


def read(path):
    return (PROJECT / path).read_text(encoding="utf-8")


EXAMPLES = re.findall(r"```yaml\n(.*?)```", read("docs/experiments.md"), re.DOTALL)


def merge(content, addition):
    """A new mapping: YAML's aliases are one object in many places."""
    merged = dict(content)
    for key, value in addition.items():
        merged[key] = merge(content.get(key, {}), value) if isinstance(value, dict) else value
    return merged


@pytest.mark.parametrize("example", EXAMPLES)
def test_an_example_of_params_is_valid(example, tmp_path):
    content = yaml.safe_load(read("params.yaml"))
    addition = yaml.safe_load(example)
    if "birds" in addition:
        addition["birds"] = str(tmp_path / "birds.zip")
        Path(addition["birds"]).touch()
    params = config.validate(merge(content, addition))
    for name in addition.get("runs", {}):
        assert list(params.jobs(name))


def test_the_examples_are_found():
    assert len(EXAMPLES) == 5


def test_the_reference_is_that_of_the_schema():
    assert read("docs/configuration.md") == reference_page(), "taskshare schema --page > docs/configuration.md"


@pytest.mark.parametrize("paper", ["fang2017", "matsui2019"])
def test_the_experiments_that_a_page_names_exist(paper):
    named = set(re.findall(rf"`({paper}-[\w-]+)`", read(f"docs/{paper}.md")))
    assert named
    assert named <= set(yaml.safe_load(read("params.yaml"))["experiments"])


def test_the_code_map_names_files_that_exist():
    text = read("docs/code-map.md")
    paths = [path for path in re.findall(r"`([\w./-]+(?:/|\.\w+))`", text) if "{" not in path]
    missing = [path for path in paths if not any((PROJECT / base / path).exists() for base in ("", "src/taskshare"))]
    assert missing == []
    packages = {folder.name for folder in (PROJECT / "src/taskshare").iterdir() if (folder / "__init__.py").exists()}
    assert packages <= set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE))


def test_the_readme_is_short():
    lines = read("README.md").splitlines()
    assert len(lines) <= 120
    assert [line for line in lines if len(line) > 100] == []


def test_the_links_of_the_readme_lead_somewhere():
    links = [link for link in re.findall(r"\]\(([^)#]+)", read("README.md")) if "://" not in link]
    assert links
    assert [link for link in links if not (PROJECT / link).exists()] == []


@pytest.mark.skipif(shutil.which("mkdocs") is None, reason="mkdocs-material is not installed: make docs")
def test_the_site_is_built_without_a_warning(tmp_path):
    command = ["mkdocs", "build", "--strict", "--site-dir", tmp_path]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("path", sorted((PROJECT / "benchmarks").glob("*.py")), ids=lambda path: path.stem)
def test_benchmarks_find_what_they_import(path, monkeypatch):
    monkeypatch.syspath_prepend(path.parent)
    runpy.run_path(str(path), run_name="imported")
