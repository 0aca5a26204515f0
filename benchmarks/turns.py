"""Ways of doing a thing that take turns in processes of their own: one's memory and caches do not serve another."""

import argparse
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path


def median_seconds(step: Callable[[], None], steps: int) -> float:
    """Return the median time of `steps` calls, after two to warm up: the first ones take memory from the system."""
    times = []
    for number in range(steps + 2):
        start = time.perf_counter()
        step()
        if number >= 2:
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def compare(
    description: str, script: str, ways: tuple[str, ...], measure: Callable[[argparse.Namespace], float]
) -> tuple[argparse.Namespace, dict[str, float]]:
    """Return the command line's options and each way's median seconds over the rounds.

    The script calls itself with `--way` for each measurement; that call prints one number and ends here.

    Args:
        description: for --help.
        script: path of the calling script.
        ways: their names.
        measure: returns seconds for `options.way`, with `batch`, `threads` and `steps` as told.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--batch", type=int, default=16, help="images of each trained task")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=6)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="file for every measurement")
    parser.add_argument("--way", choices=ways, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        print(measure(options))
        raise SystemExit
    numbers = [f"--{name}={getattr(options, name)}" for name in ("batch", "threads", "steps")]
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(options.rounds):
        for way in ways:
            command = [sys.executable, script, "--way", way, *numbers]
            seconds[way].append(float(subprocess.run(command, capture_output=True, text=True, check=True).stdout))
    medians = {way: statistics.median(times) for way, times in seconds.items()}
    if options.json:
        options.json.write_text(json.dumps({"seconds": seconds, "medians": medians}, indent=2) + "\n")
    return options, medians
