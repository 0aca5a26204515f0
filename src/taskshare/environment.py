"""The Python environment that jobs run in, compared with the locked one.

Imports the standard library alone: the Snakefile asks here before any of our packages need be installed.
"""

import os
import re
import subprocess
import sys
from collections.abc import Iterable
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from taskshare.errors import TaskshareError

MODULES = (
    *("cv2", "filelock", "jinja2", "markupsafe", "matplotlib", "numpy", "pandas", "pyarrow", "pydantic", "requests"),
    *("rich", "safetensors", "scipy", "simplejpeg", "sklearn", "statsmodels", "torch", "torchvision", "typer", "yaml"),
)
"""Third-party modules that jobs import."""

INSTALL = "`make environment && . .venv/bin/activate`"
_NAMED = 3  # differences that a message names; it counts the others


def pins(path: Path) -> dict[str, str]:
    """Return the pinned packages of a requirements file, or of a conda environment's section `pip`: name to version."""
    return dict(re.findall(r"^(?: *- )?([\w.-]+)==(\S+)", path.read_text(encoding="utf-8"), re.MULTILINE))


def differences(wanted: dict[str, str]) -> list[str]:
    """Return what differs here from pinned packages, a few words each; a build such as `+cpu` is no difference."""
    found = []
    for name, version in wanted.items():
        try:
            here = metadata.version(name)
        except metadata.PackageNotFoundError:
            found.append(f"{name} is missing")
            continue
        if here.partition("+")[0] != version:
            found.append(f"{name} {here} instead of {version}")
    return found


def enumerate_some(items: list[str]) -> str:
    """Return the first items as text, and how many more there are."""
    left = len(items) - _NAMED
    return ", ".join(items[:_NAMED]) + (f" and {left} more" if left > 0 else "")


def missing_modules(modules: Iterable[str] = MODULES) -> list[str]:
    """Return the modules that cannot be found here."""
    return [module for module in modules if find_spec(module) is None]


def check_modules() -> None:
    """Check that what jobs import is installed.

    Raises:
        TaskshareError: if not.
    """
    missing = missing_modules()
    if missing:
        raise TaskshareError(
            f"this environment lacks packages that jobs need ({enumerate_some(missing)}); run {INSTALL} and call "
            "again, or add --use-conda"
        )


def check_locked(lock: Path) -> str:
    """Return the line that says why jobs run in this environment though conda was asked for and is not there.

    Args:
        lock: the pinned packages that conda would install.

    Raises:
        TaskshareError: if this environment has other packages.
    """
    different = differences(pins(lock))
    if different:
        raise TaskshareError(
            f"--use-conda: conda is not on PATH, and this environment differs from {lock.name} "
            f"({enumerate_some(different)}); install conda (Miniforge), or run {INSTALL} and call again"
        )
    return f"--use-conda: conda is not on PATH; jobs run in this environment, which has the packages of {lock.name}"


def print_lack_of_room(params: str) -> None:
    """Print a line on standard error for each of disk and memory that will not suffice.

    Args:
        params: the content of params.yaml, as JSON.
    """
    subprocess.run(
        (sys.executable, "-m", "taskshare", "doctor", "--room", "--params", "/dev/stdin"),
        input=params,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])},
    )
