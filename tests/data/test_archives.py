import io
import tarfile
import zipfile
from pathlib import Path

import pytest

from taskshare.data.archives import extracted
from taskshare.errors import TaskshareError

MODES = {"faces.tar": "w", "faces.tar.gz": "w:gz", "faces.tgz": "w:gz", "faces.tar.xz": "w:xz"}


def write_archive(path: Path, content: dict[str, bytes]) -> Path:
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, data in content.items():
                archive.writestr(name, data)
        return path
    with tarfile.open(path, MODES[path.name]) as archive:
        for name, data in content.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return path


@pytest.mark.parametrize("name", [*MODES, "faces.zip"])
def test_an_archive_is_a_folder_for_as_long_as_it_is_used(tmp_path: Path, name: str) -> None:
    archive = write_archive(tmp_path / name, {"celeba/labels.txt": b"cat 1\n", "celeba/images/1.jpg": b"pixels"})
    work = tmp_path / "work"
    work.mkdir()

    with extracted(archive, work) as folder:
        assert (folder / "celeba/labels.txt").read_bytes() == b"cat 1\n"
        assert (folder / "celeba/images/1.jpg").read_bytes() == b"pixels"

    assert list(work.iterdir()) == []
    assert archive.exists()


def test_a_folder_is_used_where_it_lies_and_stays(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text("cat 1\n")
    with extracted(tmp_path) as folder:
        assert folder == tmp_path
    assert (tmp_path / "labels.txt").exists()


@pytest.mark.parametrize("name", [*MODES, "faces.zip"])
@pytest.mark.parametrize("kept", [0.0, 0.1, 0.6, 0.8])
def test_a_truncated_archive_is_named(tmp_path: Path, name: str, kept: float) -> None:
    noise = bytes(range(256)) * 40
    archive = write_archive(tmp_path / name, {f"images/{i}.jpg": noise[i:] for i in range(8)})
    content = archive.read_bytes()
    archive.write_bytes(content[: int(kept * (len(content) - 1024))])
    with pytest.raises(TaskshareError, match=rf"{name}: truncated or corrupt archive"), extracted(archive):
        pass


def test_a_tar_cut_between_two_entries_is_found(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "faces.tar", {"1.jpg": b"a" * 512, "2.jpg": b"b" * 512})
    archive.write_bytes(archive.read_bytes()[:1024])  # the first entry whole, nothing after it
    with pytest.raises(TaskshareError, match="the end of the archive is missing"), extracted(archive):
        pass


@pytest.mark.parametrize("name", ["faces.tar.gz", "faces.zip"])
def test_a_damaged_byte_is_found_by_the_checksum(tmp_path: Path, name: str) -> None:
    archive = write_archive(tmp_path / name, {"1.jpg": bytes(range(256))})
    content = bytearray(archive.read_bytes())
    content[120] ^= 1
    archive.write_bytes(content)
    with pytest.raises(TaskshareError, match=rf"{name}: .*corrupt archive"), extracted(archive):
        pass


@pytest.mark.parametrize("name", ["faces.tar", "faces.tar.xz", "faces.zip"])
@pytest.mark.parametrize("inside", ["../evil", "images/../../evil"])
def test_nothing_is_written_outside_the_folder(tmp_path: Path, name: str, inside: str) -> None:
    archive = write_archive(tmp_path / name, {"1.jpg": b"a", inside: b"b"})
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(TaskshareError, match=rf"{name}: holds .*unsafe.* not unpacked"), extracted(archive, work):
        pass
    assert sorted(path.name for path in tmp_path.rglob("*")) == sorted([name, "work"])


def test_an_absolute_name_in_a_zip_is_refused(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "faces.zip", {f"{tmp_path}/evil": b"b"})
    with pytest.raises(TaskshareError, match="unsafe name"), extracted(archive):
        pass
    assert not (tmp_path / "evil").exists()


def test_links_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "faces.tar", "w") as tar:
        link = tarfile.TarInfo("passwords")
        link.type, link.linkname = tarfile.SYMTYPE, "1.jpg"
        tar.addfile(link)
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as zipped:
        entry = zipfile.ZipInfo("passwords")
        entry.external_attr = 0o120777 << 16
        zipped.writestr(entry, "1.jpg")
    for name in ("faces.tar", "faces.zip"):
        with pytest.raises(TaskshareError, match="holds the link 'passwords'"), extracted(tmp_path / name):
            pass


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        (tarfile.LNKTYPE, "holds the link 'odd'"),
        (tarfile.FIFOTYPE, "holds an unsafe entry"),
        (tarfile.CHRTYPE, "holds an unsafe entry"),
        (tarfile.BLKTYPE, "holds an unsafe entry"),
    ],
    ids=["hard link", "pipe", "character device", "block device"],
)
def test_what_is_no_plain_file_is_refused(tmp_path: Path, kind: bytes, refusal: str) -> None:
    with tarfile.open(tmp_path / "faces.tar", "w") as tar:
        entry = tarfile.TarInfo("odd")
        entry.type, entry.linkname = kind, "/etc/passwd"
        tar.addfile(entry)
    work = tmp_path / "work"
    work.mkdir()
    with pytest.raises(TaskshareError, match=refusal), extracted(tmp_path / "faces.tar", work):
        pass
    assert not list(work.iterdir())


def test_an_absolute_name_in_a_tar_stays_below_the_folder(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "faces.tar", {f"{tmp_path}/evil": b"b"})
    with extracted(archive) as folder:
        assert (folder / str(tmp_path / "evil").lstrip("/")).read_bytes() == b"b"
    assert not (tmp_path / "evil").exists()


def test_a_device_in_a_zip_is_a_plain_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as zipped:
        entry = zipfile.ZipInfo("odd")
        entry.external_attr = 0o020666 << 16
        zipped.writestr(entry, "pixels")
    with extracted(tmp_path / "faces.zip") as folder:
        assert (folder / "odd").is_file()


def test_what_is_no_archive_is_named_with_what_is_allowed(tmp_path: Path) -> None:
    with pytest.raises(TaskshareError, match=r"gone\.zip: no such file or folder"), extracted(tmp_path / "gone.zip"):
        pass
    (tmp_path / "faces.7z").write_bytes(b"7z")
    with pytest.raises(TaskshareError, match=r"allowed: \.tar, \.tar\.gz"), extracted(tmp_path / "faces.7z"):
        pass


def test_an_error_inside_the_block_passes_unchanged_and_the_folder_goes(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "faces.zip", {"1.jpg": b"a"})
    with pytest.raises(EOFError, match="mine"), extracted(archive) as folder:
        raise EOFError("mine")
    assert not folder.exists()
