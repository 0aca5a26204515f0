# The whole flow: data -> training -> evaluation -> report, one rule file each. params.yaml says what is run.
import shlex
import sys
from pathlib import Path

from snakemake.utils import min_version

min_version("9.17")


configfile: "params.yaml"


sys.path.insert(0, str(Path(workflow.basedir) / "src"))

from taskshare import config as configuration
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
    f"set -euo pipefail; export PYTHONPATH={shlex.quote(str(Path(workflow.basedir) / 'src'))} TASKSHARE_DEVICE={graph.params.device}; "
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


rule all:
    default_target: True
    input:
        graph.results_files(),
        f"{graph.results}/report/report.html",


onsuccess:
    print(f"Report: {Path(graph.results).resolve() / 'report' / 'report.html'}")
