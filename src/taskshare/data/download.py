"""Fetching the official files: resumed where a connection broke, checked before they take their final name."""

from collections.abc import Sequence
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

import requests
from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from taskshare.data.official import OfficialFile, md5, official_files
from taskshare.errors import TaskshareError

_BLOCK = 1 << 16  # a broken connection loses less than this
_TIMEOUT = (30, 60)  # seconds to connect, and without a byte


def download(name: Literal["celeba", "cifar10"], folder: Path) -> list[Path]:
    """Fetch a data set's official files into a folder that `sources.open_source` can read; 1.4 GB for CelebA.

    Raises:
        TaskshareError: as in `fetch`.
    """
    return fetch(official_files(name), folder)


def fetch(files: Sequence[OfficialFile], folder: Path) -> list[Path]:
    """Fetch files into a folder, in order, and return their paths.

    A file that is there with the right checksum is kept. What a broken connection left lies in `NAME.partial`, and the
    next call goes on from there; a file takes its final name only when it is whole and right.

    Raises:
        TaskshareError: if the server cannot be reached or refuses, Google Drive answers with its quota page, or the
            checksum is wrong (the file is then removed).
    """
    folder.mkdir(parents=True, exist_ok=True)
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True)) as progress:
        return [_fetch_file(file, folder, progress) for file in files]


def _fetch_file(file: OfficialFile, folder: Path, progress: Progress) -> Path:
    path, partial = folder / file.name, folder / f"{file.name}.partial"
    if path.exists() and md5(path) == file.md5:
        return path
    task = progress.add_task(file.name, total=None)
    try:
        # A connection that breaks is taken up again as long as each attempt brings some bytes.
        while not _receive(file, partial, progress, task):
            pass
        if md5(partial) != file.md5:
            partial.unlink()
            raise TaskshareError(
                f"{file.name}: what {_host(file)} sent has the wrong checksum and was removed; try again, "
                f"or put the official file into {folder} by hand"
            )
        partial.replace(path)
    except requests.RequestException as error:
        raise TaskshareError(
            f"{file.name}: cannot be fetched from {_host(file)} ({type(error).__name__}); check the connection and "
            f"try again, it goes on where it stopped, or put the official file into {folder} by hand"
        ) from None
    except OSError as error:
        raise TaskshareError(
            f"{file.name}: cannot be written to {folder}: {error.strerror}; make room or allow it"
        ) from None
    return path


def _receive(file: OfficialFile, partial: Path, progress: Progress, task: TaskID) -> bool:
    """Append to the partial file what is missing, and return whether the server sent all of it.

    Raises:
        requests.RequestException: if the connection fails before any byte came.
    """
    done = partial.stat().st_size if partial.exists() else 0
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={done}-"} if done else {})
    with requests.get(file.url, headers=headers, stream=True, timeout=_TIMEOUT) as response:
        if response.status_code == requests.codes.requested_range_not_satisfiable and done:
            return True  # there is nothing beyond what lies here; the checksum tells whether it is right
        _check_answer(file, partial.parent, response)
        resumed = response.status_code == requests.codes.partial_content
        start = done if resumed else 0
        length = response.headers.get("Content-Length")
        progress.update(task, completed=start, total=start + int(length) if length else None)
        received = 0
        with partial.open("ab" if resumed else "wb") as output:
            try:
                for block in response.iter_content(_BLOCK):
                    received += output.write(block)
                    progress.update(task, advance=len(block))
            except requests.RequestException:
                if not received:
                    raise
                return False
    return True


def _check_answer(file: OfficialFile, folder: Path, response: requests.Response) -> None:
    by_hand = f"try again in a day, or put the official file into {folder} by hand"
    if response.headers.get("Content-Type", "").startswith("text/html") and response.status_code != 404:
        raise TaskshareError(
            f"{file.name}: {_host(file)} sent a web page instead of the file, as Google Drive does when its "
            f"download quota is exceeded; {by_hand}"
        )
    if not response.ok:
        raise TaskshareError(f"{file.name}: {_host(file)} answers with HTTP {response.status_code}; {by_hand}")


def _host(file: OfficialFile) -> str:
    return urlsplit(file.url).netloc
