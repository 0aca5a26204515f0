# The whole flow: data -> training -> evaluation -> report, one rule file each. params.yaml says what is run.
import shlex
import shutil
import sys
from pathlib import Path

from snakemake.settings.types import DeploymentMethod
from snakemake.utils import min_version

min_version("9.17")


configfile: "params.yaml"


sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from taskshare import config as configuration
from taskshare import working_folder
from taskshare.errors import TaskshareError
from taskshare.graph import (
    CONNECTIONS,
    COOCCURRENCE,
    EVALUATION_FILES,
    FEATURE_MAPS,
    LANDMARKS_FILE,
    LIMITS,
    METRICS,
    RESPONSE_MAPS,
    TRAINING_FILES,
    Graph,
)

try:
    graph = Graph(configuration.validate(config), Path.cwd())
except TaskshareError as error:
    sys.exit(f"taskshare: {error}")

# Every rule calls `python -m taskshare VERB`; the package is found here, with and without --use-conda.
# The device is no parameter of a rule: results are not made again because they would now be computed elsewhere.
shell.prefix(
    f"set -eu; export PYTHONPATH={shlex.quote(str(Path(workflow.basedir) / 'src'))}"
    f" TASKSHARE_DEVICE={graph.params.device} TASKSHARE_JOBS_PER_GPU={graph.params.jobs_per_gpu}"
    f" TASKSHARE_CUDA_GRAPHS={int(graph.params.cuda_graphs)}; "
)

# As many jobs at once as this machine's GPUs take; a machine without, such as a cluster's front end, sets no limit.
if graph.gpu_places() and "gpu" not in workflow.global_resources:
    workflow.global_resources["gpu"] = graph.gpu_places()

if (
    DeploymentMethod.CONDA in workflow.deployment_settings.deployment_method
    and shutil.which("conda") is None
):
    sys.exit(
        "taskshare: --use-conda: no conda on PATH; install Miniforge, or leave the flag out and use an environment "
        "made from requirements.lock"
    )


wildcard_constraints:
    dataset="[A-Za-z0-9_-]+",
    variant="[A-Za-z0-9_-]+",
    run="[A-Za-z0-9_.-]+",
    experiment="[A-Za-z0-9_-]+",
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
            working_folder.check_writable(Path(graph.results))
            working_folder.claim(Path.cwd())
        except TaskshareError as error:
            sys.exit(f"taskshare: {error}")


onsuccess:
    print(f"Report: {Path(graph.results).resolve() / 'report' / 'report.html'}")
