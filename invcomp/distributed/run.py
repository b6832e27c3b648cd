"""`compress` over several processes or machines: batches of inputs are tasks of workers.

Inputs are read, outputs guarded and files written by the process that was called, so that machines need no common disk.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from invcomp.batching import Batching
from invcomp.compressing import Options
from invcomp.desk import Desk, Entry
from invcomp.distributed.cluster import cause, cluster, load_ray, sentence
from invcomp.distributed.workers import RETRIES, settle, start
from invcomp.errors import UsageError
from invcomp.jobs import Job
from invcomp.priors.info import read_info
from invcomp.priors.registry import find_prior

LOOK_SECONDS = 0.5  # between looks at how far workers are


def compress_on_ray(
    jobs: Sequence[Job], options: Options, desk: Desk, report: Callable[[float], None], workers: int | None = None
) -> list[Entry]:
    """`compressing.compress_files` on Ray: the same batches with the same number of threads, and so the same files.

    `workers`: by default one for every GPU, or else as many as there are CPUs for, each with the threads that torch has
    here. A batch whose worker fails is tried again `RETRIES` times, and then gives errors; the others are done. Raises
    what `Compressor` raises, and `InvcompError` if no worker can be had.
    """
    ray = load_ray()
    options.check()
    if options.device.startswith("cuda:"):
        raise UsageError("--engine ray gives every worker a GPU: give --device cuda or auto, without a number")
    folder = find_prior(options.prior)
    if folder == Path(options.prior):
        options = replace(options, prior=str(folder.resolve()))  # workers may have another current folder
    with cluster(ray):
        started = start(ray, options, workers, len(jobs))
        batching = settle(ray, started, read_info(folder).id)
        return Run(ray, batching, desk, report, options.align is not None).all(jobs, started)


@dataclass
class Task:
    """A batch of inputs on its way."""

    number: int
    inputs: list[tuple[Job, str]]
    """Jobs, with the error of those that cannot be read."""
    method: str
    arguments: tuple[Any, ...]
    retries: int = RETRIES
    share: float = 0.0
    look: Any = None
    """Reference to what the worker was last asked of the share."""

    def failed(self, reason: str) -> list[Entry]:
        """What is said of the inputs when no worker gets them done."""
        return [
            {
                "input": job.name,
                "output": job.target_name,
                "error": error or f"{job.name}: its worker failed {RETRIES + 1} times, at last with: {reason}",
            }
            for job, error in self.inputs
        ]


class Run:
    """One call: every worker has one batch at a time."""

    def __init__(
        self, ray: Any, batching: Batching, desk: Desk, report: Callable[[float], None], aligned: bool
    ) -> None:
        self.ray, self.batching, self.desk, self.report, self.aligned = ray, batching, desk, report, aligned
        self.running: dict[Any, tuple[Any, Task]] = {}
        self.entries: dict[int, list[Entry]] = {}
        self.done = 0

    def all(self, jobs: Sequence[Job], idle: list[Any]) -> list[Entry]:
        """The entries of all jobs, in order. Takes the workers out of `idle`."""
        tasks = (self.task(number, batch) for number, batch in enumerate(self.batching.batches(jobs)))
        while True:
            while idle and (task := next(tasks, None)):
                self.submit(idle.pop(), task)
            idle.clear()  # no batches are left for them: Ray may need their place to start one again that died
            if not self.running:
                break
            for ref in self.ray.wait(list(self.running), timeout=LOOK_SECONDS)[0]:
                idle += self.take(ref)
            self.look()
        for task in tasks:  # no worker is left
            self.finish(task, task.failed("no worker is left"))
        return [entry for number in sorted(self.entries) for entry in self.entries[number]]

    def task(self, number: int, batch: Sequence[Job]) -> Task:
        """Reads the inputs: outputs are guarded in the order of the jobs."""
        inputs = [self.desk.read(job) for job in batch]
        method, arguments = ("parts", ()) if self.aligned else ("run", (self.batching,))
        outline = [(given.job, given.error) for given in inputs]
        return Task(number, outline, method, (self.ray.put(inputs), *arguments))

    def submit(self, worker: Any, task: Task) -> None:
        self.running[getattr(worker, task.method).remote(*task.arguments)] = worker, task

    def take(self, ref: Any) -> list[Any]:
        """What has become of a task; gives its worker back if it is idle. Raises errors of the whole call."""
        worker, task = self.running.pop(ref)
        errors = self.ray.exceptions
        try:
            found: list[Any] = self.ray.get(ref)
        except errors.RayTaskError as error:
            if mendable := cause(error):
                raise mendable from None
            if task.retries:
                self.submit(worker, replace(task, retries=task.retries - 1))
                return []
            self.finish(task, task.failed(sentence(error)))
            return [worker]
        except errors.RayError as error:  # the worker died, and Ray has tried again
            self.finish(task, task.failed(sentence(error)))
            return [] if isinstance(error, errors.ActorDiedError) else [worker]
        if task.method == "parts":
            parts = self.desk.claim(found)
            self.submit(worker, replace(task, method="files", arguments=(parts, self.batching)))
            return []
        self.finish(task, [self.desk.write(made) for made in found])
        return [worker]

    def finish(self, task: Task, entries: list[Entry]) -> None:
        self.entries[task.number] = entries
        self.done += len(task.inputs)

    def look(self) -> None:
        """Report how far the batches at work are."""
        for worker, task in self.running.values():
            if task.look is None:
                task.look = worker.done.remote()
            elif self.ray.wait([task.look], timeout=0)[0]:
                with suppress(self.ray.exceptions.RayError):  # of a worker that has died meanwhile
                    task.share = self.ray.get(task.look)
                task.look = None
        self.report(self.done + sum(task.share * len(task.inputs) for _, task in self.running.values()))
