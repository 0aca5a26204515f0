"""Files that exist whole or not at all."""

import os
import subprocess
import sys

import pytest

from taskshare import files

KILLED = """
import os, signal, sys
from pathlib import Path
from taskshare import files
with files.atomic(Path(sys.argv[1])) as partial:
    partial.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_file_has_its_name_only_when_it_is_whole(tmp_path):
    with files.atomic(tmp_path / "new" / "table.csv") as partial:
        partial.write_text("a,b")
        assert not (tmp_path / "new" / "table.csv").exists()
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["table.csv"]


def test_an_error_leaves_what_was_there(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), files.atomic(path) as partial:
        partial.write_text("new")
        raise ZeroDivisionError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_what_a_killed_process_left_is_removed_by_the_next_and_others_stay(tmp_path):
    path = tmp_path / "table.csv"
    subprocess.run([sys.executable, "-c", KILLED, path])
    (leftover,) = tmp_path.iterdir()
    number = leftover.name.rpartition("-")[2].partition(".")[0]
    at_work = leftover.with_name(leftover.name.replace(number, str(os.getppid())))
    of_another_file = leftover.with_name(leftover.name.replace("table", "table.two"))
    for path_that_stays in (at_work, of_another_file):
        path_that_stays.touch()
    files.write_text(path, "whole")
    assert set(tmp_path.iterdir()) == {path, at_work, of_another_file}
