"""The GPUs that a process may use, found without torch: the Snakefile and the device slots ask here."""

import os
from pathlib import Path

DEVICE_FILES = Path("/dev")


def visible_devices() -> list[str]:
    """Return the GPUs as CUDA_VISIBLE_DEVICES names them, or numbers of all NVIDIA devices (Linux) if it is not set."""
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    if named is None:
        # CUDA counts what is there: in a container with the machine's GPU 3 alone, that is number 0.
        return [str(number) for number, _ in enumerate(DEVICE_FILES.glob("nvidia[0-9]*"))]
    devices = [device.strip() for device in named.split(",")]
    # As CUDA reads it: devices count up to the first that is none, such as -1.
    end = next((place for place, device in enumerate(devices) if device in ("", "-1", "NoDevFiles")), len(devices))
    return devices[:end]
