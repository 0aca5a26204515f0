import hashlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from taskshare.data.download import fetch
from taskshare.data.official import OfficialFile, official_files
from taskshare.errors import TaskshareError

CONTENT = bytes(range(256)) * 4000


@dataclass
class Server:
    """Serves CONTENT under /file; counts the requests, and breaks connections as asked."""

    url: str = ""
    ranges: list[str | None] = field(default_factory=list)  # the Range header of each request
    cuts: list[int] = field(default_factory=list)  # after how many bytes the next answers break off
    accepts_ranges: bool = True

    def file(self, path: str = "file", md5: str | None = None) -> OfficialFile:
        return OfficialFile("images.zip", f"{self.url}/{path}", md5 or hashlib.md5(CONTENT).hexdigest())


@pytest.fixture
def server() -> Iterator[Server]:
    state = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            wanted = self.headers.get("Range")
            state.ranges.append(wanted)
            if self.path == "/missing":
                self.send_error(404)
                return
            if self.path == "/quota":
                self.answer(200, b"<html>Google Drive - Quota exceeded</html>", "text/html; charset=utf-8")
                return
            start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and state.accepts_ranges else 0
            if start >= len(CONTENT):
                self.answer(416, b"", "text/plain")
                return
            self.answer(206 if start else 200, CONTENT[start:], "application/octet-stream")

        def answer(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[: state.cuts.pop(0)] if state.cuts else body)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        state.url = f"http://127.0.0.1:{http.server_port}"
        thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield state
        http.shutdown()
        thread.join()


def test_a_file_is_fetched_once(server: Server, tmp_path: Path) -> None:
    folder = tmp_path / "celeba"
    assert fetch([server.file()], folder) == [folder / "images.zip"]
    assert (folder / "images.zip").read_bytes() == CONTENT

    fetch([server.file()], folder)
    assert server.ranges == [None]
    assert [path.name for path in folder.iterdir()] == ["images.zip"]


def test_a_broken_connection_is_taken_up_where_it_broke(server: Server, tmp_path: Path) -> None:
    server.cuts = [5 * 65_536, 2 * 65_536]
    fetch([server.file()], tmp_path)
    assert (tmp_path / "images.zip").read_bytes() == CONTENT
    assert server.ranges == [None, "bytes=327680-", "bytes=458752-"]


def test_a_later_call_goes_on_with_the_partial_file(server: Server, tmp_path: Path) -> None:
    server.cuts = [5 * 65_536, 0]
    with pytest.raises(TaskshareError, match=r"images.zip: cannot be fetched .* goes on where it stopped") as caught:
        fetch([server.file()], tmp_path)
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "images.zip").exists()

    fetch([server.file()], tmp_path)
    assert server.ranges[-1] == "bytes=327680-"
    assert (tmp_path / "images.zip").read_bytes() == CONTENT


def test_a_server_without_ranges_starts_again(server: Server, tmp_path: Path) -> None:
    server.accepts_ranges = False
    (tmp_path / "images.zip.partial").write_bytes(b"old")
    fetch([server.file()], tmp_path)
    assert (tmp_path / "images.zip").read_bytes() == CONTENT


def test_a_partial_file_that_was_whole_already_is_taken(server: Server, tmp_path: Path) -> None:
    (tmp_path / "images.zip.partial").write_bytes(CONTENT)
    fetch([server.file()], tmp_path)
    assert (tmp_path / "images.zip").read_bytes() == CONTENT


def test_a_changed_file_is_fetched_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "images.zip").write_bytes(CONTENT[:-1])
    fetch([server.file()], tmp_path)
    assert (tmp_path / "images.zip").read_bytes() == CONTENT


def test_wrong_bytes_are_removed(server: Server, tmp_path: Path) -> None:
    with pytest.raises(TaskshareError, match=r"images\.zip: .* wrong checksum and was removed"):
        fetch([server.file(md5="0" * 32)], tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_the_quota_page_of_google_drive_is_not_taken_for_the_file(server: Server, tmp_path: Path) -> None:
    with pytest.raises(TaskshareError, match=r"images\.zip: .*quota is exceeded") as caught:
        fetch([server.file("quota")], tmp_path)
    assert f"put the official file into {tmp_path} by hand" in str(caught.value)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.remedy("sent a web page instead of the file")
def test_a_file_that_was_put_there_by_hand_is_taken(refused: Any, server: Server, tmp_path: Path) -> None:
    with refused():
        fetch([server.file("quota")], tmp_path)
    (tmp_path / "images.zip").write_bytes(CONTENT)
    assert fetch([server.file("quota")], tmp_path) == [tmp_path / "images.zip"]


def test_network_errors_are_one_line(server: Server, tmp_path: Path) -> None:
    with pytest.raises(TaskshareError, match="answers with HTTP 404"):
        fetch([server.file("missing")], tmp_path)
    closed = OfficialFile("images.zip", "http://127.0.0.1:9/file", "0" * 32)
    with pytest.raises(
        TaskshareError, match=r"^images\.zip: cannot be fetched from 127\.0\.0\.1:9 \(ConnectionError\)"
    ):
        fetch([closed], tmp_path)


def test_the_official_files_are_those_that_torchvision_lists() -> None:
    faces = official_files("celeba")
    assert [file.name for file in faces] == [
        "img_align_celeba.zip",
        "list_attr_celeba.txt",
        "list_landmarks_align_celeba.txt",
        "list_eval_partition.txt",
        "identity_CelebA.txt",
    ]
    assert all(file.url.startswith("https://drive.usercontent.google.com/download?id=") for file in faces)
    (objects,) = official_files("cifar10")
    assert objects.url.endswith("/cifar-10-python.tar.gz")
    assert objects.md5 == "c58f30108f718f92721af3b95e74349a"


def test_readers_and_download_load_torch_only_when_the_official_list_is_asked_for() -> None:
    code = "import sys, taskshare.data.download, taskshare.data.sources; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
