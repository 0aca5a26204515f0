"""Whether a plan was there before the runs that it judges: what git knows of the file."""

import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field

Age = Literal["planned", "changed", "unplanned", "unknown"]


@dataclass(frozen=True)
class PlanHistory:
    """The commits of a plan.

    Attributes:
        commits: those that changed the plan, the last one first.
        date: of the last one, as YYYY-MM-DD.
        modified: whether the file differs from it.
        repository: the folder that the plan lies in.
    """

    commits: list[str]
    date: str
    modified: bool
    # No place of this machine is part of a result.
    repository: Annotated[Path, Field(exclude=True)] = field(default=Path(), compare=False)

    def age(self, provenance: dict[str, Any] | None) -> Age:
        """Return how old the plan is for a run.

        `planned`: the run's code had the plan as it is now. `changed`: it had a plan, which was changed since.
        `unplanned`: it had none. `unknown`: nobody knows which code it had.
        """
        made = provenance or {}
        commit = made.get("git_commit")
        if commit is None or made["git_dirty"] or _git(self.repository, "cat-file", "-e", commit) is None:
            return "unknown"
        if not self.modified and self._had(self.commits[0], commit):
            return "planned"
        return "changed" if self._had(self.commits[-1], commit) else "unplanned"

    def _had(self, plan: str, commit: str) -> bool:
        return _git(self.repository, "merge-base", "--is-ancestor", plan, commit) is not None


def plan_history(plan: Path) -> PlanHistory | None:
    """Return what git knows of a plan; None outside a repository, or if the plan was never committed."""
    folder = plan.resolve().parent
    lines = (_git(folder, "log", "--format=%H %cs", "--", plan.name) or "").splitlines()
    if not lines:
        return None
    commits = [line.split()[0] for line in lines]
    modified = bool(_git(folder, "status", "--porcelain", "--", plan.name))
    return PlanHistory(commits, lines[0].split()[1], modified, folder)


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        return subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        return None
