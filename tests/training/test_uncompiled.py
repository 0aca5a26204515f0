"""A training job starts without PyTorch's compiler, whose import takes a second."""

import subprocess
import sys

import pytest
import torch

from taskshare.training.uncompiled import uncompiled

SCRIPT = """
import sys
from pathlib import Path
from taskshare.config import Run
from taskshare.training.job import train

run, prepared, out, *manifests = sys.argv[1:]
train(Run.model_validate_json(run), Path(prepared), [Path(path) for path in manifests], Path(out), "cpu")
sys.exit("the compiler was imported" if "torch._dynamo" in sys.modules else 0)
"""


@pytest.mark.parametrize("optimiser", ["sgd", "rmsprop", "adagrad"])
def test_a_job_never_imports_the_compiler(optimiser, make_run, prepared, manifests_of, tmp_path):
    run = make_run(training={"iterations": 2, "optimiser": optimiser, "momentum": 0.0})
    command = [sys.executable, "-c", SCRIPT, run.model_dump_json(), prepared, tmp_path, *manifests_of(run)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_compiler_that_is_there_stays(monkeypatch):
    import torch._dynamo as real

    with uncompiled():
        assert sys.modules["torch._dynamo"] is torch._dynamo is real
    assert sys.modules["torch._dynamo"] is real
