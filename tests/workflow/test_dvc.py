"""Versions of the results: on another machine, compared with each other, and as experiments.

The clone test runs at the scale that the environment variable TASKSHARE_CLONE_SCALE names: `tiny`, which takes a minute
or two, or one of params.yaml.
"""

import json
import os
import shutil

import pytest
import yaml
from dvc.utils.hydra import apply_overrides  # what `dvc exp run -S` calls

from taskshare import config
from taskshare.config import Costs, Entry, Table
from taskshare.graph import Graph

from .conftest import PROJECT, tiny_params
from .test_workflow import Cells
from .versioned import UP_TO_DATE, Repository

pytestmark = pytest.mark.slow
SCALE = os.environ.get("TASKSHARE_CLONE_SCALE", "tiny")


def graph_of(repository):
    return Graph(config.load(repository.folder / "params.yaml"), repository.folder)


def with_descendants(params, run):
    """Keys of the jobs of a run and of all runs that start from its weights."""
    names = {name for entry in params.enabled(Entry).values() for of in entry.run_names for name in params.lineage(of)}
    return {job.key for name in names if run in params.lineage(name) for job in params.jobs(name)}


def a_parent_in_a_table(params):
    """The run with children in a table whose change costs least; none whose net stands in the table of costs."""
    costly = {name for entry in params.enabled(Costs).values() for name in entry.run_names}
    shown = {name for table in params.enabled(Table).values() for name in table.run_names}
    parents = {params.runs[name].parent.run for name in shown if params.runs[name].parent}
    return min(sorted((parents & shown) - costly), key=lambda run: len(with_descendants(params, run)))


def cells_of(report):
    cells = Cells()
    cells.feed(report.read_text(encoding="utf-8"))
    return cells.values


def metrics_of(repository):
    """What `dvc metrics` shows: the numbers of each file below report/metrics."""
    folder = repository.folder / f"{graph_of(repository).results}/report/metrics"
    found = folder.rglob("*.json")
    return {str(path.relative_to(repository.folder)): json.loads(path.read_text(encoding="utf-8")) for path in found}


def shown_changes(output):
    """File, name, old and new value of every line of `dvc metrics diff --json` or `dvc exp diff --json`."""
    return {
        (path, name, change.get("old"), change.get("new"))
        for path, changes in output.items()
        for name, change in changes.items()
    }


def actual_changes(old, new):
    return {
        (path, name, old.get(path, {}).get(name), new.get(path, {}).get(name))
        for path in {*old, *new}
        for name in {**old.get(path, {}), **new.get(path, {})}
        if old.get(path, {}).get(name) != new.get(path, {}).get(name)
    }


@pytest.fixture(scope="module")
def original(tmp_path_factory, request):
    """The project after `dvc repro` and `dvc push` to a folder."""
    folder = tmp_path_factory.mktemp("versions")
    repository = Repository(folder / "original").fill()
    if SCALE == "tiny":
        finished, _ = request.getfixturevalue("finished")
        for part in ("results", ".snakemake"):
            shutil.copytree(finished.folder / part, repository.folder / part)
    else:
        content = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
        repository.write_params({**content, "scale": SCALE})
    repository.init()
    repository.succeed("dvc", "remote", "add", "--default", "store", str(folder / "store"))
    assert "snakemake --cores all" in repository.succeed("dvc", "repro")
    repository.commit("The results")
    assert "pushed" in repository.succeed("dvc", "push")
    return repository


@pytest.fixture(scope="module")
def clone(original, tmp_path_factory):
    """The same on another machine: git clone, dvc pull. Its user has links to DVC's cache wherever a project allows."""
    repository = original.clone(tmp_path_factory.mktemp("elsewhere") / "clone")
    repository.succeed("dvc", "config", "--global", "cache.type", "hardlink")
    assert "fetched" in repository.succeed("dvc", "pull")
    return repository


class TestClone:
    """What a clone knows; the tests change it one after the other."""

    def test_a_second_repro_has_nothing_to_do(self, original):
        original.assert_clean()
        assert UP_TO_DATE in original.succeed("dvc", "repro")

    def test_a_workflow_without_dvc_leaves_the_versions_as_they_are(self, original):
        assert original.snakemake().returncode == 0
        original.assert_clean()

    def test_nothing_is_to_be_done_in_a_clone(self, clone):
        clone.assert_clean()

    def test_the_report_of_a_clone_shows_the_same_numbers(self, original, clone):
        path = f"{graph_of(clone).results}/report/report.html"
        report = clone.folder / path
        assert report.read_bytes() == (original.folder / path).read_bytes()
        numbers = [float(value) for value in cells_of(report).values()]
        assert len(numbers) > 20

    def test_what_snakemake_rewrites_in_place_is_no_link_to_the_cache(self, clone):
        records = [path for path in (clone.folder / ".snakemake/metadata").rglob("*") if path.is_file()]
        assert records
        assert {path.stat().st_nlink for path in records} == {1}

    def test_half_written_files_and_checkpoints_of_unfinished_training_are_not_versioned(self, clone):
        folder = clone.folder / f"{graph_of(clone).results}/training/some-run/seed1"
        unfinished = [folder / "work-0123/checkpoint.pt", folder / ".weights.17.partial.safetensors", folder / ".lock"]
        for path in unfinished:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("half")
        assert UP_TO_DATE in clone.succeed("dvc", "status")
        shutil.rmtree(folder.parent)

    def test_a_changed_rate_makes_what_depends_on_it_again_and_nothing_else(self, clone):
        params = config.load(clone.folder / "params.yaml")
        run = a_parent_in_a_table(params)
        jobs = with_descendants(params, run)
        assert len(jobs) > 1
        content = yaml.safe_load((clone.folder / "params.yaml").read_text(encoding="utf-8"))
        entry = content["runs"][run]
        content["runs"][run] = {**entry, "training": {**entry.get("training", {}), "learning_rate": 0.2}}
        clone.write_params(content)
        before = clone.stamps()
        done = clone.snakemake()
        assert done.returncode == 0, done.stderr
        after = clone.stamps()
        assert set(after) == set(before)
        made = {path for path in after if after[path] != before[path]}
        phases = [f"results/{SCALE}/{phase}/{job}/" for phase in ("training", "evaluation") for job in jobs]
        expected = {path for path in after if path.startswith((*phases, f"results/{SCALE}/report/"))}
        assert made == expected | {f"results/{SCALE}/{name}.json" for name in ("params", "findings")}

    def test_dvc_says_what_changed_and_by_how_much(self, original, clone):
        status = clone.succeed("dvc", "status")
        assert "results" in status
        assert "training" in status
        clone.succeed("dvc", "repro")
        changed = json.loads(clone.succeed("dvc", "params", "diff", "--json"))["params.yaml"]
        run = a_parent_in_a_table(config.load(clone.folder / "params.yaml"))
        assert {key: change["new"] for key, change in changed.items()} == {f"runs.{run}.training.learning_rate": 0.2}
        shown = shown_changes(json.loads(clone.succeed("dvc", "metrics", "diff", "--json")))
        assert shown == actual_changes(metrics_of(original), metrics_of(clone))
        clone.commit("Another rate")
        clone.assert_clean()

    def test_a_changed_template_makes_only_the_report_again(self, clone):
        template = next((clone.folder / "reports/templates").glob("*.j2"))
        template.write_text(template.read_text(encoding="utf-8") + "\n<!-- changed -->\n", encoding="utf-8")
        before = clone.stamps()
        done = clone.snakemake()
        assert done.returncode == 0, done.stderr
        after = clone.stamps()
        assert {path for path in after if after[path] != before.get(path)} == {f"results/{SCALE}/report/report.html"}

    def test_metrics_and_plots_show_what_the_summary_holds(self, original):
        shown = json.loads(original.succeed("dvc", "metrics", "show", "--json"))
        files = next(iter(shown.values()))["data"]
        assert {path: content["data"] for path, content in files.items()} == metrics_of(original)
        assert "dvc_plots/index.html" in original.succeed("dvc", "plots", "show")
        page = (original.folder / "dvc_plots/index.html").read_text(encoding="utf-8")
        for table in original.folder.glob(f"results/{SCALE}/report/metrics/*"):
            assert f'"table": "{table.name}"' in page
        assert "<DVC_METRIC" not in page


@pytest.fixture(scope="module")
def experiment(tmp_path_factory):
    """One row of a table, its results committed, and then `dvc exp run` with another seed."""
    params = tiny_params()
    params["experiments"] = {"fang2017-table5": {"rows": {"MT": "cifar10-hard"}}}
    params["runs"] = {"cifar10-hard": params["runs"]["cifar10-hard"]}
    repository = Repository(tmp_path_factory.mktemp("experiment") / "project").fill()
    repository.write_params(params)
    repository.init()
    repository.succeed("dvc", "repro")
    repository.commit("The results")
    before = repository.stamps(), metrics_of(repository)
    repository.succeed("dvc", "exp", "run", "--name", "second-seed", "--set-param", "seeds=[2]")
    return repository, *before


def test_an_experiment_with_another_seed_trains_that_seed_and_nothing_else(experiment):
    repository, before, _ = experiment
    after = repository.stamps()
    assert set(before) < set(after)
    made = {path for path in after if after[path] != before.get(path)}
    of_all_seeds = {path for path in made if "seed2" not in path}
    assert {path.split("/")[2] for path in of_all_seeds} == {"report", "params.json", "findings.json"}
    expected = {f"results/tiny/training/{job}/weights.safetensors" for job in graph_of(repository).jobs}
    assert {path for path in made if path.endswith("/weights.safetensors")} == expected


def test_an_experiment_is_listed_and_compared(experiment):
    repository, _, metrics = experiment
    changes = json.loads(repository.succeed("dvc", "exp", "diff", "--json", "HEAD", "second-seed"))
    assert {key: change["new"] for key, change in changes["params"]["params.yaml"].items()} == {"seeds": "[2]"}
    shown = shown_changes(changes["metrics"])
    assert shown
    assert shown == actual_changes(metrics, metrics_of(repository))
    table = repository.succeed("dvc", "exp", "show", "--csv", "--only-changed")
    assert "second-seed" in table


def test_an_experiment_can_be_left_again(experiment):
    repository, _, metrics = experiment
    repository.succeed("git", "checkout", "--quiet", "--", "params.yaml", "dvc.lock")
    repository.succeed("dvc", "checkout", "--force")
    repository.assert_clean()
    assert metrics_of(repository) == metrics
    repository.succeed("dvc", "exp", "apply", "second-seed")
    assert metrics_of(repository) != metrics
    assert config.load(repository.folder / "params.yaml").seeds == [2]


def test_every_file_of_every_scale_is_told_by_its_checksum():
    params = yaml.safe_load((PROJECT / "params.yaml").read_text(encoding="utf-8"))
    profile = yaml.safe_load((PROJECT / "profiles/default/profile.yaml").read_text(encoding="utf-8"))
    sides = [
        side
        for scale in params["scales"].values()
        for sizes in scale["image_sizes"].values()
        for side in sizes.values()
    ]
    images, channels = 162_770, 3  # CelebA's training images
    assert images * max(sides) ** 2 * channels < profile["max-checksum-file-size"]


def test_a_changed_key_of_the_first_block_leaves_all_else_of_params_yaml_as_it_was(tmp_path):
    path = tmp_path / "params.yaml"
    text = (PROJECT / "params.yaml").read_text(encoding="utf-8")
    path.write_text(text, encoding="utf-8")
    apply_overrides(path, ["seeds=[1,2]", "scale=mini"])
    changed = path.read_text(encoding="utf-8")
    assert yaml.safe_load(changed) == {**yaml.safe_load(text), "seeds": [1, 2], "scale": "mini"}
    assert changed.count("#") == text.count("#")
    assert config.load(path).current == config.load(PROJECT / "params.yaml", {"scale": "mini"}).current
