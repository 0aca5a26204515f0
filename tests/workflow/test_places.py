"""Places that make trouble: names with other letters, read-only folders, two workflows in one folder, no home."""

import os
import signal
import subprocess
import tarfile
import time
from contextlib import contextmanager

import pytest
import yaml

from taskshare.demo import generated_sources

from .conftest import Workspace

pytestmark = pytest.mark.slow

NAME = "Zoë's project, größer (1)"
PREPARED = "results/tiny/data/celeba/grey"
FACTS = f"{PREPARED}/facts.json"
MANIFEST = f"{PREPARED}/manifests/Smiling-resampled-duplicated-seed1.parquet"


@contextmanager
def read_only(folder):
    """Make a folder read-only, for root too: by a mount if this is root, else by its permissions."""
    if os.geteuid() != 0:
        paths = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
        for path in paths:
            path.chmod(0o555)
        yield
        for path in paths:
            path.chmod(0o755)
        return
    mounted = subprocess.run(["mount", "--bind", "-o", "ro", folder, folder], capture_output=True, text=True)
    if mounted.returncode != 0:
        pytest.skip(f"root may write everywhere, and no read-only mount can be made here: {mounted.stderr.strip()}")
    try:
        with pytest.raises(OSError, match="Read-only file system"):
            (folder / "anything").touch()
        yield
    finally:
        subprocess.run(["umount", "--lazy", folder], check=True)


def content(folder):
    """Every file and folder below a folder, with its time stamp."""
    return {path.relative_to(folder): path.stat().st_mtime_ns for path in folder.rglob("*")}


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    """Twenty faces in an archive with the same odd name."""
    path = tmp_path_factory.mktemp(NAME) / f"{NAME}.tar"
    generated_sources.write_celeba(path, 12, 4, 4, seed=0)
    return path


@pytest.fixture
def place(tmp_path, archive):
    """A workspace with the odd name that takes its faces from the archive."""
    workspace = Workspace(tmp_path / NAME).fill()
    use(workspace, archive)
    return workspace


def use(workspace, source):
    params = yaml.safe_load((workspace.folder / "params.yaml").read_text(encoding="utf-8"))
    workspace.write_params({**params, "celeba": str(source)})


def lines(done):
    return [line for line in done.stderr.splitlines() if line.startswith("taskshare: ")]


def test_names_with_spaces_quotes_and_other_letters(place):
    done = place.snakemake("--", FACTS, MANIFEST, f"{PREPARED}/contact_sheet.png")
    assert done.returncode == 0, done.stderr
    assert f"{NAME}.tar" in (place.folder / FACTS).read_text(encoding="utf-8")
    assert "Nothing to be done" in place.snakemake("--", FACTS, MANIFEST).stderr


def test_a_read_only_source_is_enough_and_stays_as_it_is(place, archive, tmp_path):
    source = tmp_path / "faces"
    with tarfile.open(archive) as packed:
        packed.extractall(source, filter="data")
    use(place, source)
    before = content(source)
    with read_only(source):
        done = place.snakemake("--", FACTS)
    assert done.returncode == 0, done.stderr
    assert content(source) == before


def test_read_only_results_are_one_line(place):
    results = place.folder / "results"
    results.mkdir()
    with read_only(results):
        done = place.snakemake("--", FACTS)
    assert done.returncode == 1
    assert lines(done) == ["taskshare: results: cannot be written to; allow writing there, or work in another folder"]
    assert "Traceback" not in done.stderr


def test_of_two_workflows_in_one_folder_the_second_ends_with_one_line(place):
    command, log = ["snakemake", "--cores", "2", "--", FACTS], place.folder / "first.log"
    lock = place.folder / ".snakemake/taskshare.lock"
    with (
        log.open("w") as out,
        subprocess.Popen(command, cwd=place.folder, env=place.environment(), stdout=out, stderr=out) as first,
    ):
        while not (lock.exists() and lock.read_text() == str(first.pid)):
            assert first.poll() is None, log.read_text()
            time.sleep(0.02)
        first.send_signal(signal.SIGSTOP)  # however slow the second is
        try:
            second = place.snakemake("--", FACTS)
        finally:
            first.send_signal(signal.SIGCONT)
    assert first.returncode == 0, log.read_text()
    assert second.returncode == 1
    assert lines(second) == [
        f"taskshare: another workflow is running in this folder (process {first.pid}); wait for it, or end it"
    ]
    assert "Nothing to be done" in place.snakemake("--", FACTS).stderr


@pytest.mark.parametrize("home", [None, "/dev/null/home"], ids=["unset", "impossible"])
def test_no_home_is_needed(home, place):
    home = {"HOME": home, "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None, "MPLCONFIGDIR": None}
    planned = place.snakemake("-n", "--", MANIFEST, **home)
    assert planned.returncode == 0, planned.stderr
    assert "prepare" in planned.stdout
    done = place.snakemake("--", MANIFEST, "results/tiny/params.json", **home)
    assert done.returncode == 0, done.stderr
    assert (place.folder / MANIFEST).exists()
