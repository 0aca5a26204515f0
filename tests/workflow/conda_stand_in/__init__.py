"""A `conda` for tests, where no conda channel and no package index can be reached.

Stood in for, and so not proven by these tests:
- the program conda: `conda.py` answers the calls that Snakemake makes, and refuses every other;
- the channel conda-forge: a folder with the packages python and pip, made of the interpreter that runs the tests;
- PyPI: a folder of wheels that hold real metadata and, instead of modules, links to what is installed for the tests.
  So nothing is downloaded or copied; whether the real wheels of another platform work together stays open.

Real are Snakemake, solving and linking of conda packages and the activation script (rattler), and pip: it resolves the
pins of the environment file and all that they need. An environment can import what its file asks for, and nothing else.
"""

import os
import shlex
import sys
from pathlib import Path

from . import channel, wheelhouse


def install(folder: Path) -> dict[str, str]:
    """Put the stand-in, its channel and its wheels into a folder.

    Args:
        folder: an empty folder; no space in its path, for Snakemake writes `source BASE/bin/activate` without quotes.

    Returns:
        the environment variables with which a command finds them, and no other conda, channel or index.
    """
    base, channels, wheels = folder / "base", folder / "channels", folder / "wheels"
    channel.write(channels / "conda-forge")
    wheelhouse.write(wheels, folder / "linked")
    command = shlex.join([sys.executable, "-I", str(Path(__file__).with_name("conda.py")), str(base)])
    (base / "bin").mkdir(parents=True)
    (base / "bin/conda").write_text(f'#!/bin/sh\nexec {command} "$@"\n', encoding="utf-8")
    (base / "bin/conda").chmod(0o755)
    (base / "bin/activate").write_text(f'eval "$({command} shell.posix activate "$1")"\n', encoding="utf-8")
    return {
        "PATH": os.pathsep.join([str(base / "bin"), str(Path(sys.executable).parent), os.environ["PATH"]]),
        "CONDA_CHANNEL_ALIAS": f"{channels.as_uri()}/",
        "CONDA_PKGS_DIRS": str(folder / "packages"),
        "PIP_CONFIG_FILE": os.devnull,
        "PIP_NO_INDEX": "1",
        "PIP_FIND_LINKS": str(wheels),
    }
