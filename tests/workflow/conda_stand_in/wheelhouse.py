"""Wheels of every installed package, with its real metadata, and links in the place of its modules."""

import zipfile
from importlib.metadata import Distribution, distributions
from pathlib import Path

WHEEL = "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"


def write(wheels: Path, linked: Path) -> None:
    """Write a wheel of each package that is installed where this runs.

    Args:
        wheels: folder for the wheels, for pip's `--find-links`.
        linked: folder that gets, for each package, a folder of links to its modules; its wheel brings a `.pth` file
            that puts this folder, and with it this package alone, on the module path.
    """
    wheels.mkdir()
    seen = set()
    for package in distributions():
        # The first on the path is the one that is imported. Ours is no package of an environment.
        if package.name in {"taskshare", "pip"} | seen or package.files is None:
            continue
        seen.add(package.name)
        modules = linked / package.name
        modules.mkdir(parents=True)
        for name in {path.parts[0] for path in package.files} - {"..", "__pycache__"}:
            if not name.endswith(".dist-info"):
                (modules / name).symlink_to(Path(str(package.locate_file(name))))
        _write_wheel(wheels, package, modules)


def _write_wheel(wheels: Path, package: Distribution, modules: Path) -> None:
    name = f"{package.name.replace('-', '_').replace('.', '_')}-{package.version}"
    files = {
        f"{package.name}.pth": f"{modules}\n",
        f"{name}.dist-info/METADATA": package.read_text("METADATA") or "",
        f"{name}.dist-info/WHEEL": WHEEL,
    }
    files[f"{name}.dist-info/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{name}.dist-info/RECORD"])
    with zipfile.ZipFile(wheels / f"{name}-py3-none-any.whl", "w") as wheel:
        for path, content in files.items():
            wheel.writestr(path, content)
