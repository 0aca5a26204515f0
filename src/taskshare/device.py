"""Where a run is computed, and the settings that make it fast and repeatable there."""

import ctypes
import os
import platform
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import torch

from taskshare import device_slots
from taskshare.config import Training
from taskshare.device_slots import DeviceSlot
from taskshare.devices import visible_devices
from taskshare.errors import TaskshareError

INSTRUCTION_LIMITS = ("ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA", "MKL_ENABLE_INSTRUCTIONS", "MKL_CBWR")
"""Environment variables; ATen tells the effect of its own one."""

MODEL = ("cpu family", "model\t", "stepping", "CPU implementer", "CPU part", "CPU variant", "CPU revision")
"""What /proc/cpuinfo calls a model, on x86 and on Arm."""

_slot: DeviceSlot | None = None  # held until the process ends


def choose(wanted: str) -> torch.device:
    """Return the device for `auto` (a GPU if there is one), `cpu` or `cuda`.

    A GPU is taken by a slot on it, for as long as this process lives; the process then sees no other GPU. The variable
    TASKSHARE_JOBS_PER_GPU says how many share one; without it each is alone.

    Raises:
        TaskshareError: if `cuda` is wanted and there is none, or there is one that torch cannot use.
    """
    global _slot
    # A CPU build of torch on a machine with GPUs leaves them to others.
    devices = visible_devices() if wanted != "cpu" and torch.backends.cuda.is_built() else []
    if devices and _slot is None:
        _slot = device_slots.take(devices, int(os.environ.get("TASKSHARE_JOBS_PER_GPU", "1")))
        os.environ["CUDA_VISIBLE_DEVICES"] = _slot.device  # before torch looks for devices
    if wanted == "cpu" or (wanted == "auto" and not devices):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        raise TaskshareError(
            f"device: {wanted}: torch cannot use the GPU here ({', '.join(devices) or 'none found'}); look at the "
            "driver with nvidia-smi, or take device: cpu"
        )
    return torch.device("cuda")


def set_up(threads: int) -> None:
    """Choose deterministic algorithms, set the CPU threads, and let glibc keep the memory it has."""
    # cuBLAS reads it when its first handle is made; without it deterministic algorithms refuse matrix products.
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.set_deterministic_debug_mode("error")  # as use_deterministic_algorithms, which imports a compiler too
    # It would write NaN into all new memory, to show reads of what was never written.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False  # float32 means float32: TF32 has the mantissa of half precision
    torch.set_num_threads(threads)
    if platform.libc_ver()[0] == "glibc":
        # Activations of tens of megabytes would else be mapped, zeroed and unmapped at every step.
        mmap_max, trim_threshold = -4, -1
        libc = ctypes.CDLL(None)
        libc.mallopt(mmap_max, 0)
        libc.mallopt(trim_threshold, 2**31 - 1)


def computes_in_bfloat16(training: Training, device: torch.device) -> bool:
    """Return whether a run computes in bfloat16: as told, or for `auto` where the device has instructions for it.

    On a CPU these are x86's AVX-512 or AMX instructions, if ONEDNN_MAX_CPU_ISA lets oneDNN use AVX-512 at all.
    """
    if training.precision != "auto":
        return training.precision == "bfloat16"
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    has_instructions = any(flag in _processor("flags").split() for flag in ("avx512_bf16", "amx_bf16"))
    return has_instructions and torch.ops.mkldnn._is_mkldnn_bf16_supported()


def precision(device: torch.device, bfloat16: bool) -> AbstractContextManager[None]:
    """Return what a net computes under: autocast to bfloat16, or nothing, since not every device has autocast."""
    return torch.autocast(device.type, torch.bfloat16) if bfloat16 else nullcontext()


def describe(device: torch.device) -> dict[str, str]:
    """Return what the last bits of a result depend on: device, processor, its instruction set, and torch's version.

    The keys are `device`, `processor`, `model`, `instructions` and `torch`. Virtual machines give processors of several
    models one name. Environment variables that limit the instructions of oneDNN and MKL are told with the instructions.
    """
    limits = [f"{name}={os.environ[name]}" for name in INSTRUCTION_LIMITS if name in os.environ]
    return {
        "device": torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu",
        "processor": _processor("model name") or platform.processor() or platform.machine(),
        "model": "-".join(filter(None, map(_processor, MODEL))),
        "instructions": ", ".join([torch.backends.cpu.get_cpu_capability(), *limits]),
        "torch": str(torch.__version__),
    }


def _processor(key: str) -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.exists() else []
    return next((line.partition(":")[2].strip() for line in lines if line.startswith(key)), "")
