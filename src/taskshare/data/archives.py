"""Archives of raw data: unpacked into a temporary folder, never outside it."""

import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from taskshare.errors import TaskshareError

_TAR = (".tar", ".tar.gz", ".tgz", ".tar.xz")
_ZIP = (".zip",)
_BLOCK = 1 << 20


@contextmanager
def extracted(path: Path, temporary: Path | None = None) -> Iterator[Path]:
    """Yield a folder with the content of an archive; it is removed at the end. A folder is yielded as it is.

    Args:
        path: A .tar, .tar.gz, .tgz, .tar.xz or .zip archive, or a folder.
        temporary: Where the temporary folder is made; by default the system's place (see the variable TMPDIR).

    Raises:
        TaskshareError: if there is no such file, it is no archive, is truncated or corrupt, holds a link or a name
            that leads out of the folder, or cannot be unpacked (such as for want of disk space).
    """
    if path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="taskshare-", dir=temporary) as name:
        folder = Path(name)
        _extract(path, folder)
        yield folder


def _extract(path: Path, folder: Path) -> None:
    name = path.name.lower()
    if not path.exists():
        raise TaskshareError(f"{path}: no such file or folder; give an archive or a folder")
    if not name.endswith(_TAR + _ZIP):
        raise TaskshareError(f"{path}: neither a folder nor an archive; allowed: {', '.join(_TAR + _ZIP)}")
    try:
        if name.endswith(_ZIP):
            _extract_zip(path, folder)
        else:
            _extract_tar(path, folder)
    except tarfile.FilterError as error:
        raise TaskshareError(
            f"{path}: holds an unsafe entry, so it is not unpacked: {error}; pack plain files"
        ) from None
    # RuntimeError is what zipfile raises for an encrypted file, NotImplementedError (one of its kinds) for an unknown
    # compression.
    except (tarfile.TarError, zipfile.BadZipFile, lzma.LZMAError, zlib.error, EOFError, RuntimeError) as error:
        raise TaskshareError(
            f"{path}: truncated or corrupt archive ({' '.join(str(error).split())}); fetch it again"
        ) from None
    except OSError as error:
        # gzip reports a wrong header or checksum as an OSError without a number.
        reason = error.strerror or f"corrupt archive: {error}"
        raise TaskshareError(
            f"{path}: cannot be unpacked into {folder.parent}: {reason}; set TMPDIR to a folder with room"
        ) from None


def _extract_tar(path: Path, folder: Path) -> None:
    def only_files(member: tarfile.TarInfo, destination: str) -> tarfile.TarInfo:
        if member.issym() or member.islnk():
            raise TaskshareError(f"{path}: holds the link '{member.name}', so it is not unpacked; pack plain files")
        return tarfile.data_filter(member, destination)

    with tarfile.open(path) as archive:
        archive.extractall(folder, filter=only_files)
        assert archive.fileobj is not None  # it is open
        # A tar ends with blocks of zeros. tarfile reads one of them where it is there, and takes a file that was cut
        # between two entries for a whole one.
        if archive.fileobj.tell() == archive.offset:
            raise tarfile.ReadError("the end of the archive is missing")
        while archive.fileobj.read(_BLOCK):  # to the end, where the compression's checksum stands
            pass


def _extract_zip(path: Path, folder: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        for entry in archive.infolist():
            name = PurePosixPath(entry.filename.replace("\\", "/"))
            if name.is_absolute() or ".." in name.parts:
                raise TaskshareError(
                    f"{path}: holds the unsafe name '{entry.filename}', so it is not unpacked; pack plain files"
                )
            if stat.S_ISLNK(entry.external_attr >> 16):
                raise TaskshareError(
                    f"{path}: holds the link '{entry.filename}', so it is not unpacked; pack plain files"
                )
        archive.extractall(folder)
