"""A conda channel of two packages: python, which is the interpreter of the tests, and its pip."""

import asyncio
import io
import json
import platform
import sys
import tarfile
from importlib.metadata import distribution
from pathlib import Path

from rattler.index import index_fs
from rattler.platform import Subdir

STARTS = "starts.jsonl"
"""In every environment: a line for each start of its interpreter, with `arguments` and `conda_prefix`."""
NOTE_START = f"""
import json, os, sys
with open(os.path.join(sys.prefix, "{STARTS}"), "a") as file:
    file.write(json.dumps({{"arguments": sys.orig_argv[1:], "conda_prefix": os.environ.get("CONDA_PREFIX")}}) + "\\n")
"""


def write(folder: Path) -> None:
    """Write and index the channel.

    The environment is a virtual one of the running interpreter without its packages: the standard library is shared.
    """
    minor = f"python{sys.version_info.major}.{sys.version_info.minor}"
    home = Path(sys.base_prefix) / "bin"
    packages = f"lib/{minor}/site-packages"
    python = {
        "pyvenv.cfg": f"home = {home}\ninclude-system-site-packages = false\n".encode(),
        f"{packages}/note_start.pth": b"import note_start\n",
        f"{packages}/note_start.py": NOTE_START.encode(),
    }
    links = {f"bin/{minor}": str(home / minor), "bin/python": minor, "bin/python3": minor}
    _write_package(folder / str(Subdir.current()), "python", platform.python_version(), python, links, [])
    installed = distribution("pip")
    pip = {
        f"site-packages/{path}": path.locate().read_bytes()
        for path in installed.files or []
        if path.parts[0] != ".." and path.suffix != ".pyc"
    }
    _write_package(folder / "noarch", "pip", installed.version, pip, {}, ["python"])
    asyncio.run(index_fs(folder))


def _write_package(
    folder: Path, name: str, version: str, files: dict[str, bytes], links: dict[str, str], depends: list[str]
) -> None:
    index = {"name": name, "version": version, "build": "0", "build_number": 0, "subdir": folder.name}
    index |= {"depends": depends} | ({"noarch": "python"} if folder.name == "noarch" else {})
    paths = [{"_path": path, "path_type": "hardlink"} for path in files]
    paths += [{"_path": path, "path_type": "softlink"} for path in links]
    information = {"index.json": index, "paths.json": {"paths_version": 1, "paths": paths}}
    contents = {f"info/{file}": json.dumps(content).encode() for file, content in information.items()} | files
    folder.mkdir(parents=True)
    with tarfile.open(folder / f"{name}-{version}-0.tar.bz2", "w:bz2") as archive:
        for path, content in contents.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for path, target in links.items():
            member = tarfile.TarInfo(path)
            member.type, member.linkname = tarfile.SYMTYPE, target
            archive.addfile(member)
