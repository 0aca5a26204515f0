"""How fast a device computes: what is assumed of it, and what recorded jobs say."""

from dataclasses import dataclass, replace
from typing import Literal

from taskshare.config import Run
from taskshare.planning.network_costs import BLOCK, NetworkCosts, Work

Kind = Literal["cpu", "cuda"]
Precision = Literal["bfloat16", "float32"]


@dataclass(frozen=True)
class Rates:
    """What one core of a CPU, or one GPU, does in a second.

    Attributes:
        bfloat16: FLOPs in this precision, of a core or GPU.
        float32: FLOPs in this precision, of a core or GPU.
        bytes: that kernels read and write, counted as float32.
        kernel: seconds to start one.
        factor: of all times, from recorded jobs.
    """

    bfloat16: float
    float32: float
    bytes: float
    kernel: float
    factor: float = 1.0

    def seconds(self, work: Work, precision: Precision, threads: int) -> float:
        """Return how long a call takes; arithmetic is shared by the threads, the rest is not."""
        flops = (self.bfloat16 if precision == "bfloat16" else self.float32) * threads
        return self.factor * (work.flops / flops + work.bytes / self.bytes + work.kernels * self.kernel)

    def training_seconds(
        self, run: Run, costs: NetworkCosts, validation: int, precision: Precision, threads: int
    ) -> float:
        """Return how long a run's steps and validations take.

        Args:
            run: the run.
            costs: of its net.
            validation: number of images that are scored at each validation.
            precision: in which the run computes.
            threads: that compute on a CPU; 1 on a GPU.
        """
        training = run.training
        pools = len(run.trained_tasks) if training.update == "per_pool" else 1
        steps = costs.step.times(training.iterations * pools)
        blocks = costs.block.times(-(-training.iterations // training.validate_every) * validation / BLOCK)
        return self.seconds(steps, precision, threads) + self.seconds(blocks, precision, threads)

    def with_flops(self, flops: float) -> "Rates":
        """Return the rates of a device of so many FLOPs a second, in either precision."""
        return replace(self, bfloat16=flops, float32=flops)


RATES: dict[Kind, Rates] = {
    "cpu": Rates(bfloat16=190e9, float32=80e9, bytes=10e9, kernel=14e-6),
    "cuda": Rates(bfloat16=15e12, float32=8e12, bytes=1e12, kernel=20e-6),
}
"""Of the CPU: fitted to 250 recorded jobs of scales demo and mini (bfloat16) and to evaluation (float32), each on one
core of two of an AMD EPYC with bfloat16 instructions. Of the GPU: an assumption, no GPU job has been recorded."""
CPU_SPREAD = (0.8, 1.6)
"""What those 250 jobs took, over what the model says: the 10 and 90 % quantiles."""
