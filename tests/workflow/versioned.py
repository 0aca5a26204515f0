"""A copy of the project that is a repository of git and DVC, with settings of its own in place of the user's."""

import os
import shutil
from pathlib import Path

from .conftest import PROJECT, Workspace

VERSIONED_PARTS = [".gitignore", "raw/.gitignore", ".dvc/config", ".dvc/.gitignore", ".dvc/plots"]
NOTHING, UP_TO_DATE = "Nothing to be done", "Data and pipelines are up to date."


class Repository(Workspace):
    """A workspace with a history. The folder beside it, `dvc`, has what DVC keeps outside of a repository."""

    def fill(self):
        for part in VERSIONED_PARTS:
            source, target = PROJECT / part, self.folder / part
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target)
            else:
                shutil.copy(source, target)
        return super().fill()

    def environment(self, **variables):
        beside = self.folder.parent / "dvc"
        own = {f"DVC_{name}_DIR": str(beside / name) for name in ("SITE_CACHE", "GLOBAL_CONFIG", "SYSTEM_CONFIG")}
        own |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
        for role in ("AUTHOR", "COMMITTER"):
            own |= {f"GIT_{role}_NAME": "tester", f"GIT_{role}_EMAIL": "tester@example.org"}
        return super().environment(**{**own, **variables})

    def succeed(self, *command, **variables):
        """Run a command that must succeed, and return what it printed."""
        done = self.run(*command, **variables)
        assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done.stdout + done.stderr

    def init(self):
        self.succeed("git", "init", "--quiet", "--initial-branch=main")
        self.commit("The project")
        return self

    def commit(self, message):
        self.succeed("git", "add", "--all")
        self.succeed("git", "commit", "--quiet", "--message", message)

    def clone(self, folder):
        """Return a clone of what is committed; DVC has not pulled anything yet."""
        self.succeed("git", "clone", "--quiet", str(self.folder), str(folder))
        return type(self)(Path(folder))

    def assert_clean(self):
        """Nothing is left to be done, for Snakemake, DVC and git."""
        assert NOTHING in self.succeed("snakemake", "-n", "--cores", "1")
        assert UP_TO_DATE in self.succeed("dvc", "status")
        assert self.succeed("git", "status", "--porcelain") == ""

    def stamps(self):
        """Time stamps of every versioned result, by path."""
        paths = [*self.folder.glob("results/*/*/**/*"), *self.folder.glob("results/*/*.json")]
        return {
            str(path.relative_to(self.folder)): path.stat().st_mtime_ns
            for path in paths
            if path.is_file() and path.name != ".lock" and path.relative_to(self.folder).parts[2] != "logs"
        }
