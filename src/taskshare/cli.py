"""The command line: what every rule calls, and what a person calls without the workflow."""

import errno
import math
import os
import sys
from collections.abc import Callable
from functools import partial, wraps
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

import typer
import yaml
from pydantic import BaseModel, ValidationError

from taskshare import config, files
from taskshare.errors import TaskshareError

# Heavy packages are imported inside the verbs: `taskshare --help` and the light verbs start at once.

app = typer.Typer(
    no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__.splitlines()[0]
)
Verb = TypeVar("Verb", bound=Callable[..., Any])
ParsedModel = TypeVar("ParsedModel", bound=BaseModel)

REMEDIES = {
    **dict.fromkeys((errno.ENOSPC, errno.EDQUOT), "make space and call again; finished work is kept"),
    **dict.fromkeys((errno.EROFS, errno.EACCES, errno.EPERM), "check its permissions, or give another place"),
}

JsonOption = Annotated[str, typer.Option(help="JSON, or the path of a JSON file")]
PreparedOption = Annotated[Path, typer.Option(help="folder of the prepared variant")]
DeviceOption = Annotated[
    Literal["auto", "cpu", "cuda"], typer.Option(help="auto, cpu or cuda", envvar="TASKSHARE_DEVICE")
]
ParamsOption = Annotated[Path, typer.Option(help="params.yaml")]
SetOption = Annotated[list[str], typer.Option("--set", help="KEY=VALUE, instead of a top-level key of params.yaml")]


def verb(function: Verb) -> Verb:
    """Register a function as a verb that prints its errors as one line and exits with 1."""

    @wraps(function)
    def guarded(*arguments: Any, **options: Any) -> Any:
        try:
            return function(*arguments, **options)
        except TaskshareError as error:
            print(f"taskshare: {error}", file=sys.stderr)
            raise typer.Exit(1) from None
        except OSError as error:
            if error.errno not in REMEDIES:
                raise
            where = f"{error.filename}: " if error.filename else ""
            print(f"taskshare: {where}{os.strerror(error.errno)}; {REMEDIES[error.errno]}", file=sys.stderr)
            raise typer.Exit(1) from None

    app.command()(guarded)
    return function


def main() -> None:
    """Run the command line."""
    app(prog_name="taskshare")


@verb
def synthesise(
    dataset: Annotated[Literal["celeba", "cifar10"], typer.Option(help="whose place the generated data take")],
    sizes: Annotated[str, typer.Option(help="sizes, as `scales.SCALE.synthetic` of params.yaml: JSON or a file of it")],
    out: Annotated[Path, typer.Option(help="archive to write, .tar")],
    seed: Annotated[int, typer.Option(help="seed of the drawing")] = 0,
    workers: Annotated[int, typer.Option(help="processes")] = 1,
) -> None:
    """Draw the demonstration data: faces in CelebA's layout, or digits in CIFAR-10's."""
    from taskshare.demo import generated_sources

    counts = _parse(config.Synthetic, sizes)
    if dataset == "celeba":
        generated_sources.write_celeba(out, counts.train, counts.validation, counts.test, seed, workers)
    else:
        generated_sources.write_cifar10(out, seed, counts.digit_copies)


@verb
def download(
    dataset: Annotated[Literal["celeba", "cifar10"], typer.Option(help="the data set")],
    out: Annotated[Path, typer.Option(help="folder for the official files")],
) -> None:
    """Fetch a data set's official files, going on with what is there, and check them."""
    from taskshare.data import download as downloads

    paths = downloads.download(dataset, out)
    digests = {path.name: files.sha256(path) for path in paths}
    files.write_json(out / "download.json", digests)
    for name, digest in digests.items():
        print(f"{digest}  {out / name}")


@verb
def prepare(
    name: Annotated[str, typer.Option(help="name of the data set")],
    dataset: JsonOption,
    variant: JsonOption,
    source: Annotated[Path, typer.Option(help="archive or folder")],
    out: Annotated[Path, typer.Option(help="folder for arrays, label tables and facts.json")],
    kind: Annotated[
        Literal["synthetic", "download", "path"],
        typer.Option(help="synthetic, download or path: where the source comes from"),
    ] = "path",
    on_bad_image: Annotated[Literal["stop", "skip"], typer.Option(help="stop or skip")] = "stop",
    workers: Annotated[int, typer.Option(help="processes")] = 1,
) -> None:
    """Align, equalise and resize all images of a source into arrays."""
    from taskshare.data import prepare as preparation

    preparation.prepare(
        name,
        _parse(config.Dataset, dataset),
        source,
        kind,
        _parse(config.Variant, variant),
        out,
        on_bad_image,
        workers,
    )


@verb
def manifest(
    table: Annotated[Path, typer.Option(help="label table of the training split")],
    dataset: JsonOption,
    task: Annotated[str, typer.Option(help="the task, or the name that its files have")],
    seed: Annotated[int, typer.Option(help="seed of the run")],
    out: Annotated[Path, typer.Option(help="parquet file to write")],
    sampling: Annotated[Literal["original", "resampled"], typer.Option(help="resampled or original")] = "resampled",
    resampling: Annotated[
        Literal["duplicated", "replacement"], typer.Option(help="duplicated or replacement")
    ] = "duplicated",
) -> None:
    """Draw the samples that a task trains on."""
    import pandas as pd

    from taskshare.config.tasks import task_of_file
    from taskshare.data import manifests

    labels = _parse(config.Dataset, dataset).labels
    task = task_of_file(task, labels)
    manifests.write(out, pd.read_parquet(table), labels, task, sampling, resampling, seed)


@verb
def contact_sheet(
    prepared: Annotated[Path, typer.Option(help="folder of a prepared variant")],
    dataset: JsonOption,
    tasks: Annotated[list[str], typer.Option(help="the tasks to show")],
    out: Annotated[Path, typer.Option(help="PNG file to write")],
) -> None:
    """Draw positives and negatives of each task side by side."""
    from taskshare.data.contact_sheet import draw_contact_sheet

    draw_contact_sheet(prepared, _parse(config.Dataset, dataset).labels, tasks, out)


@verb
def train(
    run: JsonOption,
    prepared: PreparedOption,
    manifests: Annotated[list[Path], typer.Option(help="a manifest for each task that is trained, in order")],
    out: Annotated[Path, typer.Option(help="folder for weights, history and provenance")],
    parent: Annotated[
        Path | None, typer.Option(help="weights.safetensors of the run's parent, for a run that has one")
    ] = None,
    device: DeviceOption = "auto",
    cuda_graphs: Annotated[
        bool, typer.Option(help="replay each step as one CUDA graph", envvar="TASKSHARE_CUDA_GRAPHS")
    ] = False,
) -> None:
    """Train one run with one seed, or go on where a killed job was."""
    from taskshare.training import job

    job.train(_parse(config.Run, run), prepared, manifests, out, device, parent, cuda_graphs)


@verb
def evaluate(
    checkpoint: Annotated[Path, typer.Option(help="weights.safetensors of a run")],
    prepared: Annotated[Path | None, typer.Option(help="folder of the prepared variant")] = None,
    source: Annotated[Path | None, typer.Option(help="or: an archive or folder of raw images, same layout")] = None,
    split: Annotated[config.Split, typer.Option(help="train, validation or test")] = "test",
    out: Annotated[
        Path | None,
        typer.Option(help="folder for scores.parquet, metrics.json, and landmarks.parquet if it finds them"),
    ] = None,
    on_bad_image: Annotated[Literal["stop", "skip"], typer.Option(help="with --source: stop or skip")] = "stop",
    device: DeviceOption = "auto",
) -> None:
    """Measure balanced accuracy and landmarks on the run's own test images, or on any source of the same layout."""
    from taskshare.evaluation import scoring

    if (prepared is None) == (source is None):
        raise TaskshareError("evaluate: give either --prepared or --source")
    if prepared is not None:
        metrics = scoring.evaluate(checkpoint, prepared, split, out or checkpoint.parent, device)
    else:
        from taskshare.evaluation import outside  # reads image files, which scoring does not

        assert source is not None
        metrics = outside.evaluate_source(checkpoint, source, split, out, on_bad_image, device)
    for task, measured in metrics["tasks"].items():
        if "detection_rate" in measured:
            print(f"{task}: found in {100 * measured['detection_rate']:.2f} % of {measured['images']} images")
        elif math.isnan(measured["balanced_accuracy"]):
            images = measured["positives"] + measured["negatives"]
            print(f"{task}: balanced accuracy undefined: all {images} images have the same label")
        else:
            print(
                f"{task}: balanced accuracy {100 * measured['balanced_accuracy']:.2f} %, "
                f"accuracy {100 * measured['accuracy']:.2f} % "
                f"({measured['positives']} positives, {measured['negatives']} negatives)"
            )


@verb
def measure(
    kind: Annotated[str, typer.Argument(help="kind of experiment, such as connections; see docs/experiments.md")],
    out: Annotated[Path, typer.Option(help="file to write")],
    checkpoint: Annotated[Path | None, typer.Option(help="weights.safetensors of a run")] = None,
    run: Annotated[str | None, typer.Option(help="or, for initial weights, the run as JSON or a file of it")] = None,
    prepared: Annotated[Path | None, typer.Option(help="folder of the prepared variant")] = None,
    settings: Annotated[str, typer.Option(help="what else counts: JSON or a file of it")] = "{}",
    device: DeviceOption = "auto",
) -> None:
    """Measure what a kind of experiment asks of a net: maps, connections, limits, costs."""
    from taskshare.evaluation.kinds import KINDS, Net

    if kind not in KINDS:
        raise TaskshareError(f"measure: no kind '{kind}'; there are {', '.join(KINDS)}")
    net = Net(checkpoint, None if run is None else _parse(config.Run, run), prepared, device)
    KINDS[kind].measure(net, _parse(KINDS[kind].settings, settings), out)


@verb
def constant(
    prepared: PreparedOption,
    dataset: JsonOption,
    size: Annotated[int, typer.Option(help="height and width of a prepared image in pixels")],
    out: Annotated[Path, typer.Option(help="metrics.json to write")],
) -> None:
    """Measure one answer for all test images: the mean landmarks, and each attribute's commoner label."""
    from taskshare.evaluation import constant as predictor

    predictor.measure(prepared, _parse(config.Dataset, dataset).labels, size, out)


@verb
def predict(
    checkpoint: Annotated[Path, typer.Option(help="weights.safetensors of a run")],
    images: Annotated[Path, typer.Option(help="folder of images")],
    out: Annotated[Path, typer.Option(help="CSV file to write")],
    landmarks: Annotated[
        Path | None, typer.Option(help="landmarks by file name, as list_landmarks_align_celeba.txt or CSV")
    ] = None,
    on_bad_image: Annotated[Literal["stop", "skip"], typer.Option(help="stop or skip")] = "stop",
    device: DeviceOption = "auto",
) -> None:
    """Predict every task of a checkpoint for a folder of images."""
    from taskshare.evaluation import outside

    outside.predict(checkpoint, images, landmarks, out, device, on_bad_image)


@verb
def findings(
    results: Annotated[Path | None, typer.Option(help="folder of a scale's results")] = None,
    out: Annotated[Path | None, typer.Option(help="JSON file to write")] = None,
    params: ParamsOption = Path("params.yaml"),
    overrides: SetOption = [],  # noqa: B006
    reports: Annotated[Path, typer.Option(help="folder of published numbers, claims and the plan")] = Path("reports"),
) -> None:
    """Write all that the report shows, from whatever results there are, into one JSON file."""
    from taskshare.evaluation import findings as found

    # Raw data need not be here: results alone are enough.
    loaded = config.load(params, _overrides(overrides), check_sources=False)
    results = results or Path("results") / loaded.scale
    found.write(found.find(loaded, results, reports), out or results / "findings.json")


@verb
def report(
    findings: Annotated[Path, typer.Option(help="findings.json of a scale, in its folder of results")],
    out: Annotated[Path | None, typer.Option(help="HTML file to write")] = None,
    templates: Annotated[Path, typer.Option(help="folder of templates")] = Path("reports/templates"),
) -> None:
    """Draw the comparison report from the findings of a scale."""
    from taskshare.evaluation import findings as found
    from taskshare.report.render import render

    results = findings.parent
    render(found.read(findings), results, templates, out or results / "report" / "report.html")


@verb
def summary(
    results: Annotated[Path | None, typer.Option(help="folder of a scale's results")] = None,
    out: Annotated[Path | None, typer.Option(help="folder to write to")] = None,
    params: ParamsOption = Path("params.yaml"),
    overrides: SetOption = [],  # noqa: B006
    published: Annotated[Path, typer.Option(help="folder of published numbers")] = Path("reports/published"),
) -> None:
    """Write what `dvc metrics` and `dvc plots` show of whatever results there are."""
    from taskshare.report import summary as summaries

    loaded = config.load(params, _overrides(overrides), check_sources=False)
    results = results or Path("results") / loaded.scale
    summaries.write(loaded, results, published, out or results / "report")


@verb
def verify(
    results: Annotated[Path | None, typer.Option(help="folder of a scale's results")] = None,
    params: ParamsOption = Path("params.yaml"),
    overrides: SetOption = [],  # noqa: B006
    published: Annotated[Path, typer.Option(help="folder of published numbers")] = Path("reports/published"),
    device: DeviceOption = "auto",
) -> None:
    """Evaluate every checkpoint anew, without training, and compare with the recorded scores, metrics and tables."""
    from taskshare import verify as verification

    loaded = config.load(params, _overrides(overrides), check_sources=False)
    results = results or Path("results") / loaded.scale
    wanted = loaded.device if device == "auto" else device
    if not verification.verify(loaded, results, published, wanted, partial(print, flush=True)):
        raise typer.Exit(1)


@verb
def plan(
    params: ParamsOption = Path("params.yaml"),
    overrides: SetOption = [],  # noqa: B006
    device: DeviceOption = "auto",
    flops: Annotated[
        float | None, typer.Option(min=1.0, help="what a core or GPU does in a second, instead of what is assumed")
    ] = None,
    json: Annotated[Path | None, typer.Option(help="JSON file to write, with every job")] = None,
) -> None:
    """Print what a scale asks for before it runs: jobs, hours, memory and disk, recorded or modelled."""
    from taskshare.planning import plan as planning
    from taskshare.planning import printing

    loaded = config.load(params, _overrides(overrides), check_sources=False)
    made = planning.make(loaded, Path.cwd(), device, flops)
    printing.show(made)
    if json is not None:
        files.write_json(json, printing.content(made))


@verb
def new(
    name: Annotated[str, typer.Argument(help="name of the data set, its runs and its results")],
    source: Annotated[Path, typer.Option(help="archive or folder of images")],
    out: Annotated[Path | None, typer.Option(help="params file to write, by default NAME.yaml")] = None,
) -> None:
    """Look at a data set of your own, and write a params file that runs single, hard and dynamic nets on it."""
    from taskshare import new as own

    own.check_name(name)
    seen = own.look(name, source)
    print(*own.describe(seen), sep="\n")
    print(*own.write(seen, out or Path(f"{name}.yaml"), Path.cwd()), sep="\n")


@verb
def doctor(
    params: ParamsOption = Path("params.yaml"),
    overrides: SetOption = [],  # noqa: B006
    room: Annotated[bool, typer.Option(help="look at disk and memory alone, and print what does not fit")] = False,
) -> None:
    """Check this machine: what it has, and what that means for which command."""
    from taskshare import doctor as doctors
    from taskshare.planning import plan as planning

    plan = planning.make(config.load(params, _overrides(overrides), check_sources=False), Path.cwd())
    if room:
        for finding in doctors.room(plan):
            if finding.level != "ok":
                print(f"taskshare: {finding.subject}: {finding.found}; {finding.meaning}", file=sys.stderr)
    elif not doctors.show(doctors.examine(Path.cwd(), plan)):
        raise typer.Exit(1)


@verb
def runs(params: ParamsOption = Path("params.yaml"), overrides: SetOption = []) -> None:  # noqa: B006
    """List every training job of the current scale, one line of JSON each, as `train --run` takes it."""
    for job in config.load(params, _overrides(overrides)).enabled_jobs().values():
        print(job.model_dump_json())


@verb
def check(params: ParamsOption = Path("params.yaml"), overrides: SetOption = []) -> None:  # noqa: B006
    """Validate params.yaml."""
    loaded = config.load(params, _overrides(overrides))
    print(f"{params}: valid; scale {loaded.scale}, {len(loaded.enabled_jobs())} training jobs")


@verb
def schema(
    page: Annotated[bool, typer.Option("--page", help="as the page docs/configuration.md instead")] = False,
    findings: Annotated[bool, typer.Option("--findings", help="of findings.json instead")] = False,
) -> None:
    """Print the JSON schema of params.yaml or of findings.json, as kept in workflow/."""
    if findings:
        from taskshare.evaluation.findings import json_schema

        print(json_schema(), end="")
    elif page:
        from taskshare.config.page import reference_page

        print(reference_page(), end="")
    else:
        print(config.json_schema(), end="")


def _parse(model: type[ParsedModel], text: str) -> ParsedModel:
    content = text if text.lstrip().startswith("{") else _read(Path(text))
    try:
        return model.model_validate_json(content)
    except ValidationError as error:
        raise TaskshareError(f"{model.__name__.lower()}: {config.explain(error)}") from None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise TaskshareError(f"{path}: {error.strerror}; give JSON or the path of a JSON file") from None


def _overrides(pairs: list[str]) -> dict[str, Any]:
    split = [pair.partition("=") for pair in pairs]
    for key, equals, _ in split:
        if not equals:
            raise TaskshareError(f"--set {key}: give KEY=VALUE")
    return {key: yaml.safe_load(value) for key, _, value in split}
