"""How memory is handed back to the system."""

import ctypes
import sys

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
