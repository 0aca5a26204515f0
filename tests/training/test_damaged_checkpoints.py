"""Checkpoints with a flipped bit are refused wherever they are read, and none runs code."""

import hashlib
import io
import os
import pickle

import pytest
import torch
from typer.testing import CliRunner

from taskshare import seeds
from taskshare.cli import app
from taskshare.config import Start
from taskshare.errors import TaskshareError
from taskshare.networks import weights
from taskshare.training import resume
from taskshare.training.job import train

STATE = {
    "network": {f"layer{number}": torch.arange(600.0) + number for number in range(8)},
    "rows": {"history": [{"iteration": 10, "task": "Smiling", "training_loss": 0.5}]},
    "progress": {"iteration": 10, "images": 240, "seconds": 1.5},
}


def damage(path, position, bit=0):
    content = bytearray(path.read_bytes())
    content[position] ^= 1 << bit
    path.write_bytes(content)


def refusal(*arguments):
    """The one line with which a call of the command line is refused."""
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 1
    assert done.stderr.startswith("taskshare: "), done.stderr or done.exception
    assert done.stderr.count("\n") == 1
    return done.stderr


@pytest.fixture(scope="module")
def trained(make_run, prepared, manifests_of, tmp_path_factory):
    run = make_run(training={"iterations": 2, "validate_every": 2})
    out = tmp_path_factory.mktemp("trained")
    train(run, prepared, manifests_of(run), out, "cpu")
    return out / "weights.safetensors"


@pytest.fixture
def weights_file(trained, tmp_path):
    """A copy of a trained net's weights, to be damaged."""
    path = tmp_path / "damaged" / "weights.safetensors"
    path.parent.mkdir()
    path.write_bytes(trained.read_bytes())
    return path


def places(content):
    """A position in each part of a safetensors file: its header's length, the header, the first and the last tensor."""
    tensors = 8 + int.from_bytes(content[:8], "little")
    return [0, 7, 8, content.index(b"digest") + 12, content.index(b"learning_rate") + 3, tensors, len(content) - 1]


@pytest.mark.parametrize("number", range(7))
def test_a_flipped_bit_in_weights_is_refused(number, weights_file):
    damage(weights_file, places(weights_file.read_bytes())[number])
    with pytest.raises(TaskshareError, match=r"weights\.safetensors: damaged"):
        weights.load(weights_file)


def test_bits_flipped_anywhere_in_weights_are_refused(weights_file):
    whole = weights_file.read_bytes()
    generator = seeds.generator(1, "flipped bits")
    header = 8 + int.from_bytes(whole[:8], "little")
    for end in (header, len(whole)):
        for position, bit in zip(generator.integers(0, end, 200), generator.integers(0, 8, 200), strict=True):
            weights_file.write_bytes(whole)
            damage(weights_file, position, bit)
            with pytest.raises(TaskshareError, match=r"weights\.safetensors: damaged"):
                weights.load(weights_file)


VERBS = [("evaluate",), ("measure", "connections"), ("measure", "response_maps"), ("measure", "feature_maps")]


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_measured_of_weights_with_a_flipped_bit_is_refused(verb, weights_file, prepared, tmp_path):
    damage(weights_file, -1)
    out = tmp_path / "out"
    line = refusal(*verb, "--checkpoint", weights_file, "--prepared", prepared, "--out", out, "--device", "cpu")
    assert f"{weights_file}: damaged checkpoint (its digest is not the recorded one)" in line
    assert not out.exists()


def test_weights_with_a_flipped_bit_predict_nothing(weights_file, tmp_path):
    damage(weights_file, -1)
    (tmp_path / "images").mkdir()
    out = tmp_path / "predicted.csv"
    assert "damaged checkpoint" in refusal(
        "predict", "--checkpoint", weights_file, "--images", tmp_path / "images", "--out", out
    )
    assert not out.exists()


def test_a_parent_with_a_flipped_bit_is_refused(make_run, weights_file, prepared, manifests_of, tmp_path):
    damage(weights_file, -1)
    child = make_run(name="child", tasks=["Bright", "Rare"], start=Start(job="toy-dynamic", kind="removal"))
    line = refusal(
        *("train", "--run", child.model_dump_json(), "--prepared", prepared, "--out", tmp_path / "child"),
        *(f"--manifests={path}" for path in manifests_of(child)),
        f"--parent={weights_file}",
    )
    assert f"{weights_file}: damaged checkpoint" in line
    assert not (tmp_path / "child" / "weights.safetensors").exists()


def test_bits_flipped_anywhere_in_an_unfinished_runs_state_are_refused(tmp_path):
    path = tmp_path / "checkpoint.pt"
    resume.save(path, STATE)
    whole = path.read_bytes()
    assert resume.load(path)["rows"] == STATE["rows"]
    generator = seeds.generator(1, "flipped bits")
    for position, bit in zip(generator.integers(0, len(whole), 300), generator.integers(0, 8, 300), strict=True):
        path.write_bytes(whole)
        damage(path, position, bit)
        with pytest.raises(TaskshareError, match=r"checkpoint\.pt: damaged checkpoint .*; remove it"):
            resume.load(path)


@pytest.mark.parametrize("kept", [0.0, 0.001, 0.5, 0.999])
def test_a_truncated_state_is_refused(kept, tmp_path):
    path = tmp_path / "checkpoint.pt"
    resume.save(path, STATE)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(TaskshareError, match=r"checkpoint\.pt: damaged checkpoint .*; remove it"):
        resume.load(path)


def test_a_job_says_which_damaged_state_to_remove_and_then_trains(
    make_run, prepared, manifests_of, tmp_path, monkeypatch
):
    run = make_run(training={"checkpoint_every": 1e-6})

    def is_killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(weights, "save", is_killed)
        train(run, prepared, manifests_of(run), tmp_path, "cpu")
    (state,) = tmp_path.glob("work-*/checkpoint.pt")
    damage(state, 5000)

    command = ["train", "--run", run.model_dump_json(), "--prepared", str(prepared), "--out", str(tmp_path)]
    command += ["--device", "cpu", *(f"--manifests={path}" for path in manifests_of(run))]
    line = refusal(*command)
    assert f"{state}: damaged checkpoint" in line
    assert "remove it" in line
    assert not (tmp_path / "weights.safetensors").exists()
    state.unlink()
    assert CliRunner().invoke(app, command).exit_code == 0
    weights.load(tmp_path / "weights.safetensors")


class Malicious:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


def pickled(content):
    return pickle.dumps(content, protocol=2)  # torch's own


def saved_by_torch(content):
    archive = io.BytesIO()
    torch.save(content, archive)
    return archive.getvalue()


@pytest.mark.parametrize("write", [pickled, saved_by_torch])
def test_code_in_weights_is_refused_and_never_run(write, tmp_path, prepared):
    path, marker = tmp_path / "weights.safetensors", tmp_path / "code-was-run"
    path.write_bytes(write({"network": Malicious(marker)}))
    line = refusal("evaluate", "--checkpoint", path, "--prepared", prepared, "--device", "cpu")
    assert f"{path}: damaged, or no checkpoint of taskshare" in line
    assert not marker.exists()


@pytest.mark.parametrize("write", [pickled, saved_by_torch])
@pytest.mark.parametrize("with_digest", [True, False])
def test_code_in_a_state_is_refused_and_never_run(write, with_digest, tmp_path):
    """Also where its author took the trouble to give it the right digest."""
    path, marker = tmp_path / "checkpoint.pt", tmp_path / "code-was-run"
    content = write({"network": Malicious(marker)})
    path.write_bytes((hashlib.sha256(content).digest() if with_digest else b"") + content)
    with pytest.raises(TaskshareError, match=r"checkpoint\.pt: .*; remove it"):
        resume.load(path)
    assert not marker.exists()
    assert pickle.loads(pickled(Malicious(marker))) is None  # it would have been run
    assert marker.exists()
