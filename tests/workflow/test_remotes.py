"""Raw archives that DVC versions, and results that travel through a real SSH server."""

import hashlib
import shutil
import signal
import subprocess
import threading
import time
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest

from taskshare.demo import generated_sources

from .conftest import tiny_params
from .ssh_server import missing_program, ssh_server
from .versioned import NOTHING, Repository

pytestmark = pytest.mark.slow
ARCHIVE = "raw/faces.tar"
FACTS = "results/tiny/data/celeba/grey/facts.json"
REPORT = "results/tiny/report/report.html"


def sha256(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """A folder with an archive of faces, and one that has replaced it."""
    folder = tmp_path_factory.mktemp("published")
    generated_sources.write_celeba(folder / "faces.tar", 60, 20, 20, seed=0, workers=1)
    generated_sources.write_celeba(folder / "newer.tar", 61, 20, 20, seed=1, workers=1)
    return folder


@pytest.fixture(scope="module")
def project(published, tmp_path_factory):
    """One row of a table from an archive that `dvc add` versions; its results committed."""
    params = {**tiny_params(), "celeba": ARCHIVE}
    params["experiments"] = {"fang2017-table4": {"rows": {"MT": "celeba-hard"}}}
    params["runs"] = {"celeba-hard": params["runs"]["celeba-hard"]}
    repository = Repository(tmp_path_factory.mktemp("remotes") / "project").fill()
    repository.write_params(params)
    shutil.copy(published / "faces.tar", repository.folder / ARCHIVE)
    repository.succeed("git", "init", "--quiet", "--initial-branch=main")
    repository.succeed("dvc", "add", ARCHIVE)
    repository.commit("The project and its raw data")
    repository.succeed("dvc", "repro")
    repository.commit("The results")
    repository.assert_clean()
    return repository


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    if missing := missing_program():
        pytest.skip(f"{missing} is not installed; Debian's package openssh-server has it")
    with ssh_server(tmp_path_factory.mktemp("ssh")) as running:
        yield running


def add_remote(repository, server, name, folder):
    repository.succeed("dvc", "remote", "add", "--default", "--force", name, server.url(folder))
    repository.succeed("dvc", "remote", "modify", "--local", name, "keyfile", str(server.keyfile))


def objects(folder):
    """Everything under its final name in a DVC remote, by the MD5 that its name says it has."""
    found = [path for path in folder.glob("files/md5/??/*") if not path.name.endswith(".tmp")]
    return {(path.parent.name + path.name).removesuffix(".dir"): path for path in found}


def test_the_report_shows_the_digest_of_a_versioned_archive(project):
    page = (project.folder / REPORT).read_text(encoding="utf-8")
    assert sha256(project.folder / ARCHIVE) in page
    assert "faces.tar" in page


def test_git_has_no_archive(project):
    assert project.succeed("git", "ls-files", "raw").split() == ["raw/.gitignore", "raw/faces.tar.dvc"]


def test_results_and_archive_travel_through_ssh(project, server, tmp_path):
    home = {"HOME": str(server.home)}
    add_remote(project, server, "lab", tmp_path / "a store")
    project.commit("The remote")
    assert "pushed" in project.succeed("dvc", "push", **home)
    clone = project.clone(tmp_path / "clone")
    clone.succeed("dvc", "remote", "modify", "--local", "lab", "keyfile", str(server.keyfile))
    clone.succeed("dvc", "pull", **home)
    clone.assert_clean()
    for path in (ARCHIVE, REPORT):
        assert (clone.folder / path).read_bytes() == (project.folder / path).read_bytes()


def test_a_key_that_the_server_does_not_know_is_refused(project, server, tmp_path):
    stranger = tmp_path / "stranger"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger], check=True)
    add_remote(project, server, "closed", tmp_path / "store")
    project.succeed("dvc", "remote", "modify", "--local", "closed", "keyfile", str(stranger))
    done = project.run("dvc", "push", HOME=str(server.home))
    assert done.returncode != 0
    assert "Permission denied" in done.stderr


def test_a_killed_push_goes_on(project, server, tmp_path):
    home = {"HOME": str(server.home)}
    add_remote(project, server, "slow", tmp_path / "store")
    push = subprocess.Popen(
        ["dvc", "push", "--jobs", "1"],
        cwd=project.folder,
        env=project.environment(**home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    while push.poll() is None and not objects(tmp_path / "store"):
        time.sleep(0.001)
    push.send_signal(signal.SIGKILL)
    assert push.wait() == -signal.SIGKILL
    arrived = objects(tmp_path / "store")
    project.succeed("dvc", "push", **home)
    stored = objects(tmp_path / "store")
    assert 0 < len(arrived) < len(stored)
    assert {hashlib.md5(path.read_bytes()).hexdigest() for path in stored.values()} == set(stored)
    assert "Everything is up to date" in project.succeed("dvc", "push", **home)


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *arguments):
        pass


@pytest.fixture
def upstream(published, tmp_path):
    """A folder that a web server on loopback shows, and its address."""
    folder = tmp_path / "upstream"
    folder.mkdir()
    shutil.copy(published / "faces.tar", folder)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=folder)) as web_server:
        thread = threading.Thread(target=web_server.serve_forever)
        thread.start()
        yield folder, f"http://127.0.0.1:{web_server.server_port}"
        web_server.shutdown()
        thread.join()


def copied(project, folder):
    shutil.copytree(project.folder, folder)
    return Repository(folder)


@pytest.mark.parametrize("kind", ["address", "path"])
def test_an_imported_archive_takes_the_place_of_an_equal_one(project, upstream, tmp_path, kind):
    folder, address = upstream
    repository = copied(project, tmp_path / "project")
    source = address if kind == "address" else str(folder)
    repository.succeed("dvc", "import-url", "--force", f"{source}/faces.tar", ARCHIVE)
    assert NOTHING in repository.succeed("dvc", "repro")
    repository.commit("Imported")
    repository.assert_clean()


def test_an_archive_that_changed_at_its_source_is_prepared_again(project, published, upstream, tmp_path):
    folder, address = upstream
    repository = copied(project, tmp_path / "project")
    repository.succeed("dvc", "import-url", "--force", f"{address}/faces.tar", ARCHIVE)
    repository.succeed("dvc", "repro")
    before = repository.stamps()
    shutil.copy(published / "newer.tar", folder / "faces.tar")
    repository.succeed("dvc", "update", f"{ARCHIVE}.dvc")
    repository.succeed("dvc", "repro")
    after = repository.stamps()
    assert after[FACTS] != before[FACTS]
    assert sha256(repository.folder / ARCHIVE) in (repository.folder / REPORT).read_text(encoding="utf-8")
