"""PyTorch's optimisers without its compiler."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

import torch

COMPILER = "torch._dynamo"


@contextmanager
def uncompiled() -> Iterator[None]:
    """Let PyTorch's optimisers work without an import of its compiler, for code that compiles nothing.

    They import `torch._dynamo` to mark what it shall leave alone: a second at the start of each process, of the four
    that a small job takes before its first step. Inside this block they find an empty stand-in. Where the compiler is
    imported already, nothing is replaced.
    """
    if COMPILER in sys.modules:
        yield
        return
    stand_in = ModuleType(COMPILER)
    stand_in.graph_break = lambda: None  # type: ignore[attr-defined]
    stand_in.disable = lambda function, *_, **__: function  # type: ignore[attr-defined]
    sys.modules[COMPILER] = torch._dynamo = stand_in
    try:
        yield
    finally:
        del sys.modules[COMPILER], torch._dynamo
