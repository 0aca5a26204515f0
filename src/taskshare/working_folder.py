"""The folder in which a workflow runs: it can be written to, and one workflow at a time has it.

Snakemake marks a folder by files, which outlive it when it is killed. Here the operating system holds the lock and
gives it back with the process. Imports no more than `config` does, since the Snakefile is read without our packages.
"""

import fcntl
import os
from pathlib import Path

from taskshare.errors import TaskshareError

_held: list[int] = []  # open for as long as this process lives


def claim(folder: Path) -> None:
    """Claim a folder for this process until it ends.

    Raises:
        TaskshareError: if another process has claimed it, or another user did before, or files cannot be locked there.
    """
    file = _lock(folder)
    os.ftruncate(file, 0)
    os.pwrite(file, str(os.getpid()).encode(), 0)
    _held.append(file)


def check_locks(folder: Path) -> None:
    """Check that a folder could be claimed now; errors as of `claim`."""
    os.close(_lock(folder))


def _lock(folder: Path) -> int:
    """Return the open and locked file of a folder."""
    path = folder / ".snakemake" / "taskshare.lock"
    path.parent.mkdir(exist_ok=True)
    try:
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except PermissionError:
        raise TaskshareError(f"{path}: belongs to another user; work in a copy of your own") from None
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.pread(file, 20, 0).decode() or "unknown"
        os.close(file)
        raise TaskshareError(
            f"another workflow is running in this folder (process {holder}); wait for it, or end it"
        ) from None
    except OSError as error:
        os.close(file)
        raise TaskshareError(
            f"{path}: the file system cannot lock files ({error.strerror}); work in a folder on another one"
        ) from None
    return file


def check_writable(folder: Path) -> None:
    """Check that a folder, which need not be there yet, can be written to.

    Raises:
        TaskshareError: if not.
    """
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    if not os.access(existing, os.W_OK):
        raise TaskshareError(f"{existing}: cannot be written to; allow writing there, or work in another folder")
