"""Errors as a whole: each is met by a test and says what to do; those under troubleshooting are followed by one."""

import ast
import re
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
SOURCES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in sorted((PROJECT / "src").rglob("*.py"))}
TESTS = {path: path.read_text(encoding="utf-8") for path in sorted((PROJECT / "tests").rglob("*.py"))}
TROUBLESHOOTING = (PROJECT / "docs/troubleshooting.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^\| `(.+?)` \|", TROUBLESHOOTING, re.MULTILINE)

# What no test can mend here, and the file of tests that meets it.
MET_ONLY = {
    "this environment lacks packages that jobs need": "workflow/test_conda.py",
    "--use-conda: conda is not on PATH, and this environment differs from": "workflow/test_conda.py",
    "needs Linux or macOS": "test_platforms.py",
    "the file system cannot lock files": "test_platforms.py",
    "No space left on device": "training/test_disk_full.py",  # mended too, byte for byte
}

# What stands before another message, which says what to do.
FRAMES = {"…: not valid YAML: …", "…: scales.… with runs.…: …"}


def texts(node):
    """The constant texts below a node, `…` for what is filled in."""
    if isinstance(node, ast.JoinedStr):
        return ["".join(part.value if isinstance(part, ast.Constant) else "…" for part in node.values)]
    if isinstance(node, ast.Constant):
        return [node.value] if isinstance(node.value, str) else []
    return [text for child in ast.iter_child_nodes(node) for text in texts(child)]


def raised(*names):
    """Each error of these names: where it is raised, and its text."""
    for path, tree in SOURCES.items():
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in names:
                text = " ".join(text for argument in node.args for text in texts(argument))
                yield f"{path.relative_to(PROJECT / 'src/taskshare')}:{node.lineno}", text


def fragments(text):
    """Three words in a row, or a shorter part as a whole."""
    for part in text.split("…"):
        words = part.split()
        if len(words) > 2:
            yield from (" ".join(words[start : start + 3]) for start in range(len(words) - 2))
        elif len(part.strip(" :;,'")) > 8:
            yield part.strip(" :;,'")


def test_every_message_is_met_by_a_test():
    tested = "\n".join(TESTS.values()).replace("\\", "")
    unmet = [
        f"{place}: {text}"
        for place, text in raised("TaskshareError", "ValueError", "LandmarkError", "BadImageError")
        if list(fragments(text)) and not any(part in tested for part in fragments(text))
    ]
    assert unmet == []


def test_every_message_says_what_to_do():
    advice = (";", "allowed:", "give ", "needs ")
    silent = [
        f"{place}: {text}"
        for place, text in raised("TaskshareError")
        if list(fragments(text)) and not any(part in text for part in advice) and text not in FRAMES
    ]
    assert silent == []


def test_the_messages_under_troubleshooting_exist():
    assert len(QUOTED) > 30
    known = "\n".join(text for tree in SOURCES.values() for text in texts(tree)) + "\nNo space left on device"
    assert [message for message in QUOTED if message not in known] == []


def test_every_remedy_under_troubleshooting_is_followed_by_a_test():
    followed = {
        message for text in TESTS.values() for message in re.findall(r'^@pytest\.mark\.remedy\("(.+)"\)', text, re.M)
    }
    assert followed | set(MET_ONLY) == set(QUOTED)
    assert not followed & set(MET_ONLY)


@pytest.mark.parametrize(("message", "file"), MET_ONLY.items())
def test_a_message_that_is_met_only_is_met(message, file):
    assert any(part in TESTS[PROJECT / "tests" / file] for part in fragments(message))
