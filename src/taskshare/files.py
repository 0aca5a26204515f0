"""Files that exist whole or not at all, their digests, and locks."""

import errno
import hashlib
import json
import math
import os
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import BaseFileLock, Timeout

from taskshare.errors import TaskshareError


@contextmanager
def atomic(path: Path) -> Iterator[Path]:
    """Yield a path beside `path` to write to; it takes the final name only if the block ends without an error.

    The folder of `path` is made. What the block wrote is flushed to disk before the name changes. An OSError of the
    block names `path`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_leftovers(path)
    # The suffix stays last: writers choose a format by it.
    partial = path.with_name(f".{path.stem}.{platform.node()}-{os.getpid()}.partial{path.suffix}")
    try:
        yield partial
        with partial.open("rb+") as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        if error.filename in (None, str(partial)):
            error.filename = str(path)
        raise
    finally:
        with suppress(OSError):  # of a disk that cannot be written to
            partial.unlink(missing_ok=True)


def _remove_leftovers(path: Path) -> None:
    """Remove what processes of this machine that were killed have left of `path`."""
    host = f".{path.stem}.{platform.node()}-"
    for leftover in path.parent.glob(f".*.partial{path.suffix}"):
        number = leftover.name.removeprefix(host).removesuffix(f".partial{path.suffix}")
        if leftover.name.startswith(host) and number.isdecimal() and not _is_alive(int(number)):
            leftover.unlink(missing_ok=True)


def _is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)  # asks only
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it is another user's
    return True


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 under its final name, whole or not at all."""
    with atomic(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_json(path: Path, content: Any) -> None:
    """Write `content` as indented JSON with sorted keys, whole or not at all. NaN, which JSON lacks, becomes null."""
    text = json.dumps(_nan_as_none(content), indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False)
    write_text(path, text + "\n")


def _nan_as_none(content: Any) -> Any:
    if isinstance(content, Mapping):
        return {key: _nan_as_none(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_nan_as_none(value) for value in content]
    return None if isinstance(content, float) and math.isnan(content) else content


def read_metrics(path: Path) -> Any:
    """Return what a JSON file of numbers holds, with NaN for null: what is undefined, such as a share of nothing."""
    return json.loads(
        path.read_text(encoding="utf-8"),
        object_hook=lambda found: {key: math.nan if value is None else value for key, value in found.items()},
    )


def read_json(path: Path) -> Any:
    """Return what a JSON file holds."""
    return json.loads(path.read_text(encoding="utf-8"))


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal; memory does not grow with the file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest(content: Any) -> str:
    """Return the SHA-256 in hexadecimal of a JSON-like value, independent of the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def acquire_at_once(lock: BaseFileLock) -> bool:
    """Acquire a lock if it is free, and return whether it was.

    Raises:
        TaskshareError: if the file system has no locks.
    """
    try:
        lock.acquire(blocking=False)
    except Timeout:
        return False
    except (NotImplementedError, OSError) as error:
        if isinstance(error, OSError) and error.errno not in (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOTSUP):
            raise
        raise TaskshareError(
            f"{lock.lock_file}: the file system cannot lock files; work in a folder on another one"
        ) from None
    return True
