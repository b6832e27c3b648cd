"""The same arithmetic whatever surrounds a call, so that pixels agree between machines."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any, cast

import torch


@contextmanager
def exact() -> Iterator[None]:
    """Full fp32 in the networks: no TF32, no bf16 in its place, no autocast, and networks are built in fp32 too."""
    dtype = torch.get_default_dtype()
    with ExitStack() as stack:
        stack.callback(torch.set_default_dtype, dtype)
        torch.set_default_dtype(torch.float32)
        stack.enter_context(torch.backends.cudnn.flags(enabled=True, allow_tf32=False))
        for kind in ("cpu", "cuda"):
            stack.enter_context(torch.autocast(kind, enabled=False))
        if hasattr(torch.backends.mkldnn, "matmul"):
            onednn = cast(Any, torch.backends.mkldnn)
            for backend in (torch.backends.cuda.matmul, onednn.matmul, onednn.conv):
                stack.callback(setattr, backend, "fp32_precision", backend.fp32_precision)
                backend.fp32_precision = "ieee"
        else:  # torch before 2.9
            stack.callback(torch.set_float32_matmul_precision, torch.get_float32_matmul_precision())
            torch.set_float32_matmul_precision("highest")
        yield
