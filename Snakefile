# The whole flow: data -> training -> evaluation -> report, one rule file each. params.yaml says what is run.
import shlex
import shutil
import sys
from pathlib import Path

from snakemake.settings.types import DeploymentMethod
from snakemake.utils import min_version

min_version("9.17")


# `--configfile OTHER.yaml` takes its place.
if not workflow.config_settings.configfiles:

    configfile: "params.yaml"


sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from taskshare import config as configuration
from taskshare import environment, working_folder
from taskshare.errors import TaskshareError
from taskshare.graph import (
    EVALUATION_FILES,
    LANDMARKS_FILE,
    METRICS,
    TRAINING_FILES,
    Graph,
)

try:
    graph = Graph(configuration.validate(config), Path.cwd())
except TaskshareError as error:
    sys.exit(f"taskshare: {error}")

# Where conda is asked for but not installed, jobs run in this environment if it has the same packages.
uses_conda = DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
if uses_conda and shutil.which("conda") is None:
    try:
        notice = environment.check_locked(
            Path(workflow.basedir) / "workflow/envs/taskshare.yaml"
        )
    except TaskshareError as error:
        sys.exit(f"taskshare: {error}")
    if workflow.is_main_process:
        print(f"taskshare: {notice}", file=sys.stderr)
    uses_conda = False
    workflow.deployment_settings.deployment_method -= {DeploymentMethod.CONDA}

# Every rule calls `python -m taskshare VERB`: the package is found here, and without conda Python is Snakemake's own.
# The device is no parameter of a rule: results are not made again because they would now be computed elsewhere.
search = (
    "" if uses_conda else f" PATH={shlex.quote(str(Path(sys.executable).parent))}:$PATH"
)
shell.prefix(
    f"set -eu; export PYTHONPATH={shlex.quote(str(Path(workflow.basedir) / 'src'))}{search}"
    f" TASKSHARE_DEVICE={graph.params.device} TASKSHARE_JOBS_PER_GPU={graph.params.jobs_per_gpu}"
    f" TASKSHARE_CUDA_GRAPHS={int(graph.params.cuda_graphs)}; "
)

# Files of the project, where results lie in a folder of their own (`snakemake --snakefile PROJECT/Snakefile`); else
# relative, so that a clone in another place sees the same inputs.
project = Path("" if Path(workflow.basedir) == Path.cwd() else workflow.basedir)

# As many jobs at once as this machine's GPUs take; a machine without, such as a cluster's front end, sets no limit.
if graph.gpu_places() and "gpu" not in workflow.global_resources:
    workflow.global_resources["gpu"] = graph.gpu_places()


wildcard_constraints:
    dataset="[A-Za-z0-9_-]+",
    variant="[A-Za-z0-9_-]+",
    run="[A-Za-z0-9_.-]+",
    ending="[a-z]+",
    seed="[0-9]+",
    sampling="original|resampled",
    resampling="duplicated|replacement",


include: "workflow/rules/data.smk"
include: "workflow/rules/training.smk"
include: "workflow/rules/evaluation.smk"
include: "workflow/rules/report.smk"


# Jobs of seconds, and what needs the network: on a cluster they run where Snakemake was called.
localrules:
    constant,
    contact_sheet,
    download,
    findings,
    manifest,
    report,
    summary,


rule all:
    default_target: True
    input:
        graph.results_files(),
        f"{graph.results}/report/report.html",


onstart:
    # Dry runs, and the jobs that a cluster runs, claim nothing.
    if workflow.is_main_process:
        try:
            if not uses_conda:
                environment.check_modules()
            working_folder.check_writable(Path(graph.results))
            working_folder.claim(Path.cwd())
        except TaskshareError as error:
            sys.exit(f"taskshare: {error}")
        # Before the first job of a scale: what does not fit on this machine is said now, not after an hour.
        if not uses_conda and not Path(graph.results).exists():
            environment.print_lack_of_room(graph.params_json())


onsuccess:
    made = Path(graph.results).resolve() / "report" / "report.html"
    if made.exists():
        print(f"Report: {made}")
