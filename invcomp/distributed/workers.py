"""The workers of `compress --engine ray`: actors that hold the prior and see bytes alone."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from invcomp.batching import Batching
from invcomp.compressing import Compressor, Options
from invcomp.desk import Input, Made, Part
from invcomp.distributed.cluster import cause, load_ray, sentence
from invcomp.errors import InvcompError, PriorError

RETRIES = 2  # of a batch whose worker died, or raised what no input should cause
START_SECONDS = 120.0  # for workers to start and load the prior; the call goes on without later ones


@dataclass(frozen=True)
class Room:
    """What a worker says of itself."""

    place: str
    """The machine, or the GPU: those of one place share its memory."""
    memory: int
    """Bytes that are available there."""
    prior: str
    """The prior's id."""


class Worker:
    """What computes, in a process of its own. Ray starts it again when it dies."""

    def __init__(self, options: Options, threads: int) -> None:
        self.options, self.threads, self.share = options, threads, 0.0
        self.loaded: Compressor | None = None

    @property
    def compressor(self) -> Compressor:
        """Loaded once, and not in the constructor, whose errors Ray would hide."""
        if self.loaded is None:
            torch.set_num_threads(self.threads)
            self.loaded = Compressor(self.options)
        return self.loaded

    def room(self) -> Room:
        ray, prior = load_ray(), self.compressor.codec.prior
        context = ray.get_runtime_context()
        gpus = ray.get_gpu_ids() if prior.device.type == "cuda" else []
        return Room(f"{context.get_node_id()} {gpus}", self.compressor.memory, prior.info.id)

    def batching(self, memory: int) -> Batching:
        return self.compressor.batching(memory)

    def parts(self, inputs: Sequence[Input]) -> list[Part]:
        return self.compressor.parts(inputs)

    def files(self, parts: Sequence[Part], batching: Batching) -> list[Made]:
        torch.set_num_threads(self.threads)  # Ray calls from several threads, each with a number of its own
        self.share = 0.0
        return self.compressor.files(parts, batching, self.note)

    def run(self, inputs: Sequence[Input], batching: Batching) -> list[Made]:
        return self.files(self.parts(inputs), batching)

    def note(self, share: float) -> None:
        self.share = share

    def done(self) -> float:
        """The share of the batch at work that is done."""
        return self.share


def start(ray: Any, options: Options, workers: int | None, most: int) -> list[Any]:
    """Workers, at most so many: a GPU each, shared if asked for more than there are, or CPUs for their threads."""
    threads = torch.get_num_threads()  # they change the last bits of sums, and so files
    nodes = [node["Resources"] for node in ray.nodes() if node["Alive"]]
    gpus = sum(int(node.get("GPU", 0)) for node in nodes) if options.device != "cpu" else 0
    fitting = sum(int(node.get("CPU", 0)) // threads for node in nodes)
    number = min(workers or gpus or max(1, fitting), most)
    # waiting threads must not spin: where more workers are asked for than there are CPUs for, they share them
    environment = {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}
    actor = ray.remote(Worker).options(
        num_gpus=1 / math.ceil(number / gpus) if gpus else 0,
        num_cpus=threads if not gpus and number <= fitting else 0,
        max_restarts=-1,
        max_task_retries=RETRIES,
        max_concurrency=2,  # one thread works, one says how far it is
        scheduling_strategy="SPREAD",
        runtime_env={"env_vars": environment},
    )
    return [actor.remote(options, threads) for _ in range(number)]


def settle(ray: Any, workers: list[Any], prior: str) -> Batching:
    """How all of the workers put inputs together. Drops workers that are not there in time; they have to have the prior
    of this id. Raises what `Compressor` raises, and `InvcompError` if none starts."""
    asked = {worker.room.remote(): worker for worker in workers}
    ready, _ = ray.wait(list(asked), num_returns=len(asked), timeout=START_SECONDS)
    if not ready:
        raise InvcompError(
            f"Ray has started no worker in {START_SECONDS:.0f} s: ask for fewer with --workers, or wait till its "
            "machines have CPUs or GPUs to spare"
        )
    workers[:] = [asked[ref] for ref in ready]
    del asked
    try:
        rooms: list[Room] = ray.get(ready)
        if any(room.prior != prior for room in rooms):
            raise PriorError("the workers have another prior of that name: install the same one on all machines")
        sharing = Counter(room.place for room in rooms)
        least = min(room.memory // sharing[room.place] for room in rooms)
        batching: Batching = ray.get(workers[0].batching.remote(least))
        return batching
    except ray.exceptions.RayError as error:
        raise cause(error) or InvcompError(
            f"Ray cannot start a worker ({sentence(error)}): install invcomp and its priors on all machines"
        ) from None
