"""Ray (https://docs.ray.io, the extra `distributed`): where it runs, that it keeps quiet, and what its errors say."""

import logging
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from io import StringIO
from pathlib import Path
from typing import Any

from invcomp.errors import InvcompError, MissingPackageError

CURRENT = Path("/tmp/ray/ray_current_cluster")  # where `ray start` says which Ray is this machine's


def load_ray() -> Any:
    """The module ray. Raises `MissingPackageError`."""
    try:
        return import_module("ray")
    except ImportError:
        raise MissingPackageError("--engine ray needs Ray: pip install 'invcomp[distributed]'") from None


@contextmanager
def cluster(ray: Any) -> Iterator[None]:
    """The Ray that this process has, or that of `RAY_ADDRESS` or of this machine, or else one for this call alone.

    Ray prints on standard output that a worker died, where files and results may go: nothing that it prints is shown.
    Raises `InvcompError` if that of `RAY_ADDRESS` cannot be used.
    """
    with redirect_stdout(StringIO()):
        if ray.is_initialized():
            yield
            return
        try:
            connect(ray, os.environ.get("RAY_ADDRESS"))
            yield
        finally:
            ray.shutdown()


def connect(ray: Any, address: str | None) -> None:
    """Raises `InvcompError` if the Ray at an address cannot be used."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        if address:
            check_reachable(address)
            ray.init(address=address, **quiet)
            return
    except (OSError, RuntimeError, ValueError) as error:  # ConnectionError among them
        raise InvcompError(
            f"the Ray at RAY_ADDRESS={address} cannot be used ({error}): start it, set RAY_AUTH_MODE=token if it asks "
            "for its token, or unset RAY_ADDRESS"
        ) from None
    try:
        check_reachable(CURRENT.read_text(encoding="utf-8").strip())
        ray.init(address="auto", **quiet)
    except OSError:  # alone, "auto" would take any Ray that it finds, like one that another call has for itself
        ray.init(address="local", include_dashboard=False, **quiet)


def check_reachable(address: str) -> None:
    """Raises `OSError` if nothing answers: Ray would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if host and port.isdecimal():
        socket.create_connection((host, int(port)), timeout=10).close()


def cause(error: Any) -> InvcompError | None:
    """What a worker raised, if it is what a user can mend."""
    found = getattr(error, "cause", None)
    return found if isinstance(found, InvcompError) else None


def sentence(error: Any) -> str:
    """What a worker raised or Ray says of it, in a line."""
    lines = str(getattr(error, "cause", None) or error).strip().splitlines()
    return lines[-1] if lines else type(error).__name__
