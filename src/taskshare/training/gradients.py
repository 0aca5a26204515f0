"""Loss and gradients of one batch, launched kernel by kernel or, on a GPU, replayed as one CUDA graph."""

import torch
from torch import Tensor

from taskshare.device import precision
from taskshare.networks.build import SharingNetwork, to_input
from taskshare.training.batches import Pixels
from taskshare.training.objectives import Objective

WARM_UP = 2
"""Steps on a stream of its own before the capture, in which libraries choose and allocate what they need."""


class Gradients:
    """The sum of the tasks' costs and its gradient (Fang 2017, eqs 5 and 6; Matsui 2019, eq 1).

    Args:
        network: the net, in training mode.
        objective: what its outputs are compared with.
        pixels: the training images.
        device: where all of them lie.
        bfloat16: whether the net computes in bfloat16.
    """

    def __init__(
        self, network: SharingNetwork, objective: Objective, pixels: Pixels, device: torch.device, bfloat16: bool
    ) -> None:
        self.network = network
        self.objective = objective
        self.pixels = pixels
        self.device = device
        self.bfloat16 = bfloat16

    def __call__(self, indices: Tensor, tasks: slice = slice(None)) -> Tensor:
        """Leave the gradient in the parameters; return sums over the batch.

        Args:
            indices: training images, int64 (pools, batch size), on the device.
            tasks: which pools, and of which trained tasks the costs are summed.

        Returns:
            float64 (3, tasks): loss, wrong answers and number of samples.
        """
        inputs = to_input(self.pixels.batch(indices[tasks].reshape(-1)))
        targets = self.objective.targets(indices)[:, tasks] if tasks != slice(None) else self.objective.targets(indices)
        with precision(self.device, self.bfloat16):
            outputs = self.network(inputs).float()
        losses, wrong = self.objective.compare(outputs, targets, tasks)
        self.network.zero_grad(set_to_none=True)
        losses.sum().backward()
        with torch.no_grad():
            count = torch.full_like(wrong, len(targets))
            return torch.stack([losses.detach() * count, wrong * count, count])


class GraphedGradients(Gradients):
    """The same, captured once and replayed: one launch instead of hundreds, for nets too small to fill a GPU.

    The first call computes as `Gradients` does, which a counter of FLOPs can watch; the second captures.
    """

    _calls = 0

    def __call__(self, indices: Tensor, tasks: slice = slice(None)) -> Tensor:
        """Do what `Gradients` does, for all tasks."""
        self._calls += 1
        if self._calls == 1:
            return super().__call__(indices, tasks)
        if self._calls == 2:
            self._capture(indices)
        self._indices.copy_(indices)
        self._graph.replay()
        return self._sums

    def _capture(self, indices: Tensor) -> None:
        self._indices = indices.clone()
        # Warming up moves the running statistics of batch normalisation; they are put back.
        before = {name: tensor.clone() for name, tensor in self.network.state_dict().items()}
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(WARM_UP):
                super().__call__(self._indices)
        torch.cuda.current_stream().wait_stream(stream)
        self.network.load_state_dict(before)
        self.network.zero_grad(set_to_none=True)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._sums = super().__call__(self._indices)
