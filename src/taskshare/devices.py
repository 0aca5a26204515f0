"""The GPUs that a process may use, found without torch: the Snakefile and the device slots ask here."""

import os
from pathlib import Path


def visible_devices() -> list[str]:
    """Return the GPUs as CUDA_VISIBLE_DEVICES names them, or the numbers of all NVIDIA devices where it is not set."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        return sorted((path.name.removeprefix("nvidia") for path in Path("/dev").glob("nvidia[0-9]*")), key=int)
    devices = [device.strip() for device in named.split(",")]
    # As CUDA reads it: devices count up to the first that is none, such as -1.
    end = next((place for place, device in enumerate(devices) if device in ("", "-1", "NoDevFiles")), len(devices))
    return devices[:end]
