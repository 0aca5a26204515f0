"""Runs the code of a page of docs/: files are written, commands are executed and what they print is compared."""

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```(\w+)(?: title=\"(.+?)\")?\n(.*?)^```$", re.DOTALL | re.MULTILINE)


@dataclass(frozen=True)
class Step:
    """A file to write, or a command with what it must print."""

    file: str = ""
    command: str = ""
    text: str = ""


def steps(page: Path) -> list[Step]:
    """Return what a page asks its reader to do, in order."""
    found = []
    for language, title, text in BLOCK.findall(page.read_text(encoding="utf-8")):
        if title:
            found.append(Step(file=title, text=text))
        elif language == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, _, printed = part.partition("\n")
                found.append(Step(command=command, text=printed))
    return found


def follow(page: Path, folder: Path, environment: dict[str, str]) -> None:
    """Do what a page says in a folder. Of what commands print, `...` stands for anything."""
    for step in steps(page):
        if step.file:
            path = folder / step.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(step.text, encoding="utf-8")
            continue
        done = subprocess.run(
            step.command,
            shell=True,
            executable="bash",
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        assert done.returncode == 0, f"$ {step.command}\n{done.stdout}"
        wanted = re.escape(step.text.strip()).replace(r"\.\.\.", r"[\s\S]*")
        printed = done.stdout.strip()
        assert re.fullmatch(wanted, printed), f"$ {step.command}\n{printed}\ninstead of\n{step.text}"
