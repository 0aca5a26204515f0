"""What the jobs that compute nets take of a device: recorded, or else modelled."""

import statistics
from collections.abc import Mapping, Sequence

from taskshare.config import Run
from taskshare.evaluation.scoring import BLOCK
from taskshare.planning.network_costs import NetworkCosts, most_states
from taskshare.planning.rates import Kind, Precision, Rates
from taskshare.planning.records import Record, configuration
from taskshare.planning.sizes import Images

TRAINING_START, PASSES_START = 4.0, 3.0
"""Seconds of a process besides its computing: it starts, reads its inputs, writes its results."""
PROCESS_BYTES = 500_000_000
"""Of a process that computes nets, before it has one; on a GPU, of CUDA's context and libraries."""


class Estimator:
    """What the training jobs of a scale, and the passes of their nets over images, cost on a device.

    Args:
        costs: of the net of each run, by `Run.key`.
        images: by data set.
        kind: of the device.
        rates: of the device.
        bfloat16: whether it computes in this precision where a run leaves the choice.
        records: of this scale.
    """

    def __init__(
        self,
        costs: Mapping[str, NetworkCosts],
        images: Mapping[str, Images],
        kind: Kind,
        rates: Rates,
        bfloat16: bool,
        records: Sequence[Record],
    ) -> None:
        self.costs = costs
        self.images, self.kind, self.rates, self.bfloat16 = images, kind, rates, bfloat16
        self.own = {(record.run.name, record.run.seed): configuration(record.run) for record in records}
        self.recorded: dict[str, dict[int, Record]] = {}
        for record in records:
            if record.kind == kind:
                self.recorded.setdefault(configuration(record.run), {})[record.run.seed] = record

    def is_current(self, run: Run) -> bool:
        """Return whether what is recorded of a run was trained with this configuration."""
        return self.own.get((run.name, run.seed)) == configuration(run)

    def training(self, run: Run) -> tuple[float, int, bool]:
        """Return seconds and bytes of memory of a training job, and whether they are recorded."""
        seeds = self.recorded.get(configuration(run), {})
        found = [seeds[run.seed]] if run.seed in seeds else list(seeds.values())
        costs = self.costs[run.key]
        if not found:
            validation = self.images[run.dataset].counts["validation"] if "validation" in run.splits else 0
            threads = run.training.threads if self.kind == "cpu" else 1
            seconds = self.rates.training_seconds(run, costs, validation, self._precision(run), threads)
            return TRAINING_START + seconds, self._training_bytes(run, costs), False
        seconds = statistics.median(record.seconds for record in found)
        # What a process took of the machine says nothing of the GPU.
        memory = max(record.memory_bytes for record in found)
        return TRAINING_START + seconds, memory if self.kind == "cpu" else self._training_bytes(run, costs), True

    def passes(self, run: Run, images: int) -> float:
        """Return the seconds of a process that shows a trained net so many images, in float32."""
        return PASSES_START + self.rates.seconds(self.costs[run.key].block.times(images / BLOCK), "float32", 1)

    def passes_bytes(self, run: Run) -> int:
        """Return the bytes of memory of such a process."""
        costs = self.costs[run.key]
        return PROCESS_BYTES + costs.block_bytes - costs.learning_bytes

    def _precision(self, run: Run) -> Precision:
        automatic: Precision = "bfloat16" if self.bfloat16 else "float32"
        return automatic if run.training.precision == "auto" else run.training.precision

    def _training_bytes(self, run: Run, costs: NetworkCosts) -> int:
        kept = costs.state_bytes * most_states(run) + costs.learning_bytes
        activations = max(costs.step_bytes, costs.block_bytes) - costs.state_bytes - costs.learning_bytes
        if self.kind == "cpu":
            return PROCESS_BYTES + kept + activations
        halved = activations // (2 if self._precision(run) == "bfloat16" else 1)
        pixels = self.images[run.dataset].counts["train"] * run.variant.size**2 * run.variant.channels
        return PROCESS_BYTES + kept + halved + pixels
