"""What moves the weights: the optimiser of a run, and its learning rate over the iterations."""

import math
from functools import partial
from typing import Any

from torch import nn
from torch.optim import SGD, Adagrad, Optimizer, RMSprop
from torch.optim.lr_scheduler import LambdaLR

from taskshare.config import Network, Run, Training
from taskshare.networks.dynamic import is_connection


def optimiser(network: nn.Module, run: Run) -> Optimizer:
    """Return the optimiser of what is not frozen.

    Weight decay is on convolutions and matrices only; what joins subnets has its own rate (reading fang2017-8).
    """
    training = run.training
    named = [(name, parameter) for name, parameter in network.named_parameters() if parameter.requires_grad]
    connections = [parameter for name, parameter in named if is_connection(name)]
    others = [parameter for name, parameter in named if not is_connection(name)]
    groups: list[dict[str, Any]] = [
        {"params": [parameter for parameter in others if parameter.dim() > 1], "weight_decay": training.weight_decay},
        {"params": [parameter for parameter in others if parameter.dim() <= 1]},
    ]
    if isinstance(run.network, Network) and connections:
        rate = training.learning_rate * run.network.connection_rate_factor
        groups.append({"params": connections, "lr": rate})
    match training.optimiser:
        case "sgd":
            return SGD(groups, lr=training.learning_rate, momentum=training.momentum)
        case "rmsprop":
            return RMSprop(groups, lr=training.learning_rate, momentum=training.momentum)
        case "adagrad":
            return Adagrad(groups, lr=training.learning_rate)


def scheduler(optimiser: Optimizer, training: Training) -> LambdaLR:
    """Return what sets the learning rate before each iteration."""
    return LambdaLR(optimiser, partial(_factor, training))


def _factor(training: Training, iteration: int) -> float:
    """Return the factor on the learning rate at an iteration, counted from 0."""
    rising = training.warm_up * training.iterations
    factor = min(1.0, (iteration + 1) / (rising + 1))
    if training.schedule == "constant":
        return factor
    return factor * 0.5 * (1 + math.cos(math.pi * iteration / training.iterations))
