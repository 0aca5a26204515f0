"""torchvision's modules, also where its compiled part does not fit the build of torch."""

import importlib
import sys
import warnings
from types import ModuleType
from typing import Any

# The definitions live as long as this object.
_library: Any = None


def import_torchvision(module: str) -> ModuleType:
    """Return a module of torchvision, such as `datasets` or `models.vgg`.

    torchvision from the package index is compiled for CUDA. Beside a CPU build of torch its operators are missing,
    and the import fails at the first of them; two empty definitions let it pass. Detection operators and torchvision's
    own image decoding then do not work; its data sets and models do.
    """
    global _library
    import torch

    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", module="torchvision")  # that its image decoding is missing
        try:
            return importlib.import_module(f"torchvision.{module}")
        except RuntimeError as error:
            if "torchvision::nms" not in str(error) or torch.version.cuda is not None or _library is not None:
                raise
        for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
            del sys.modules[name]
        _library = torch.library.Library("torchvision", "DEF")
        _library.define("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        _library.define("qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        return importlib.import_module(f"torchvision.{module}")
