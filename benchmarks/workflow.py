"""What the workflow costs beside the computing: a call with nothing to do, and a training job's fixed cost.

`python benchmarks/workflow.py [--json FILE]`, after `make report`.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PROJECT = Path(__file__).parents[1]


def seconds(command: list[str | Path]) -> tuple[float, str]:
    """Return the wall time of a command that must succeed, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=True)
    return time.perf_counter() - start, done.stdout + done.stderr


def shortest_training_job(folder: Path) -> list[str | Path]:
    """Return the command of the demo's first job, with one iteration."""
    from taskshare import config
    from taskshare.graph import Graph

    graph = Graph(config.load(PROJECT / "params.yaml"), PROJECT)
    run = next(iter(graph.jobs.values()))
    short = run.model_copy(
        update={"training": run.training.model_copy(update={"iterations": 1, "selection": "last", "batch_size": 2})}
    )
    command: list[str | Path] = [sys.executable, "-m", "taskshare", "train", "--run", short.model_dump_json()]
    manifests = [f"--manifests={path}" for path in graph.manifests(run)]
    return [*command, "--prepared", graph.prepared(run), "--out", folder, *manifests]


def main() -> None:
    """Measure in turn, five times, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    times: dict[str, list[float]] = {"no-op snakemake": [], "import torch": [], "training job of one iteration": []}
    with tempfile.TemporaryDirectory() as folder:
        for _ in range(options.rounds):
            elapsed, printed = seconds([sys.executable, "-m", "snakemake", "--cores", "all"])
            if "Nothing to be done" not in printed:
                sys.exit("benchmarks/workflow.py: the results were not up to date; they are now: run it again")
            times["no-op snakemake"].append(elapsed)
            times["import torch"].append(seconds([sys.executable, "-c", "import torch"])[0])
            times["training job of one iteration"].append(seconds(shortest_training_job(Path(folder)))[0])
    medians = {name: statistics.median(values) for name, values in times.items()}
    for name, median in medians.items():
        print(f"{name:32} {median:6.2f} s")
    fixed = medians["training job of one iteration"] - medians["import torch"]
    print(f"{'fixed cost above import torch':32} {fixed:6.2f} s")
    if options.json:
        options.json.write_text(json.dumps({"seconds": times, "medians": medians}, indent=2) + "\n")


if __name__ == "__main__":
    main()
