"""Slots on the GPUs of a machine: lock files that keep jobs, of any number of workflows, off each other's device."""

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from filelock import FileLock

from taskshare.errors import TaskshareError
from taskshare.files import acquire_at_once

POLL_SECONDS = 0.1


class DeviceSlot:
    """A place on a GPU. The operating system gives it back when the process ends, however it ends."""

    def __init__(self, device: str, lock: FileLock) -> None:
        self.device = device
        self._lock = lock

    def release(self) -> None:
        """Give the place back."""
        self._lock.release()


def take(devices: Sequence[str], jobs_per_device: int = 1, folder: Path | None = None) -> DeviceSlot:
    """Take a slot on one of the devices; waits until one is free.

    Args:
        devices: as CUDA_VISIBLE_DEVICES names them; one at least.
        jobs_per_device: jobs that share a device at most. Every device gets a first job before any gets a second one.
        folder: where the lock files lie; by default one for all workflows of a user on this machine.

    Raises:
        TaskshareError: if that folder is another user's.
    """
    # Not the temporary folder that TMPDIR names: it may differ between workflows.
    folder = folder or Path(f"/tmp/taskshare-slots-{os.getuid()}")
    folder.mkdir(mode=0o700, exist_ok=True)
    if folder.stat().st_uid != os.getuid():
        raise TaskshareError(f"{folder}: belongs to another user; remove it")
    # A cluster numbers the devices of each of its jobs anew: device 0 of two jobs need not be the same one.
    allocation = os.environ.get("SLURM_JOB_ID", "machine")
    said = False
    while True:
        for place in range(jobs_per_device):
            for device in devices:
                lock = FileLock(folder / f"{allocation}-{device}-{place}.lock")
                if acquire_at_once(lock):
                    Path(lock.lock_file).touch()  # old files in /tmp are swept away
                    return DeviceSlot(device, lock)
        if not said:
            print(f"waits for a place on GPU {', '.join(devices)}", file=sys.stderr, flush=True)
            said = True
        time.sleep(POLL_SECONDS)
