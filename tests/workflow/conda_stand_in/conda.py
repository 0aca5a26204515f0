"""The calls of conda that Snakemake makes, on py-rattler: `python conda.py BASE ARGUMENT...`."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml
from rattler import Channel, ChannelConfig, Gateway, install, solve
from rattler.exceptions import SolverError
from rattler.platform import Subdir
from rattler.shell import ActivationVariables, activate


async def create(file: Path, prefix: Path) -> None:
    """Make the environment of a file: conda packages first, then the section `pip:` with the new interpreter's pip."""
    environment = yaml.safe_load(file.read_text(encoding="utf-8"))
    conda_packages = [item for item in environment["dependencies"] if isinstance(item, str)]
    pip_packages = [line for item in environment["dependencies"] if isinstance(item, dict) for line in item["pip"]]
    alias, cache = ChannelConfig(os.environ["CONDA_CHANNEL_ALIAS"]), Path(os.environ["CONDA_PKGS_DIRS"])
    channels = [Channel(name, alias) for name in environment["channels"]]
    records = await solve(channels, conda_packages, Gateway(cache_dir=cache / "index"))
    await install(records, prefix, cache_dir=cache, show_progress=False)
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        requirements.write("\n".join(pip_packages))
        requirements.flush()
        pip = [prefix / "bin/python", "-m", "pip", "install", "-U", "-r", requirements.name, "--exists-action=b"]
        subprocess.run(pip, check=True)


def main(base: str, *arguments: str) -> None:
    """Answer one call."""
    match arguments:
        case ["--version"]:
            print("conda 24.7.1")  # the oldest that Snakemake takes
        case ["info", "--json"]:
            print(json.dumps({"conda_prefix": base, "platform": str(Subdir.current())}))
        case ["config", "--get", "channel_priority", "--json"]:
            print(json.dumps({"get": {"channel_priority": "strict"}}))
        case ["env", "create", "--quiet", "--no-default-packages", "--file", file, "--prefix", prefix]:
            asyncio.run(create(Path(file), Path(prefix)))
        case ["clean", "-y", "--tarballs"]:
            pass  # rattler keeps no archives
        case ["shell.posix", "activate", prefix]:
            print(activate(Path(prefix), ActivationVariables()).script)
        case _:
            sys.exit(f"conda stand-in: no answer to {arguments}")


try:
    main(*sys.argv[1:])
except (SolverError, subprocess.CalledProcessError) as error:
    sys.exit(f"conda stand-in: {error}")
