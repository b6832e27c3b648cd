"""How much memory there is, and how it is handed back to the system."""

import ctypes
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CGROUP = Path("/sys/fs/cgroup")  # of a container: what it may use (memory.max), and does (memory.current)
UNKNOWN = 4 << 30  # bytes, taken to be there where the system does not say
TRIM_THRESHOLD, TOP_PAD, MMAP_THRESHOLD = -1, -2, -3  # names of glibc's mallopt


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks for the next step.

    By default it returns every large block to the kernel, and page faults on fresh memory then take a third of the
    time of a training or inversion step on a CPU (`scripts/bench_speed.py`). Elsewhere than on glibc a no-op.
    """
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(MMAP_THRESHOLD, 1 << 25)  # the most that glibc accepts
    mallopt(TRIM_THRESHOLD, (1 << 31) - 1)
    mallopt(TOP_PAD, 64 << 20)


def available_memory(device: "torch.device") -> int:
    """Bytes that can still be had on a device, as its driver, or the system and the container's limit, say."""
    if device.type == "cuda":
        import torch

        return torch.cuda.mem_get_info(device)[0]
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        system = next(int(line.split()[1]) << 10 for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration):
        system = UNKNOWN
    try:
        most, used = (int((CGROUP / name).read_text(encoding="ascii")) for name in ("memory.max", "memory.current"))
    except (OSError, ValueError):  # no container, or one without a limit
        return system
    try:
        facts = dict(line.split() for line in (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines())
        used -= int(facts["inactive_file"])  # the cache of files gives way
    except (OSError, ValueError, KeyError):
        pass
    return max(0, min(system, most - used))
