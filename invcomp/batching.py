"""Which inputs of a call are compressed together."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from invcomp.jobs import Job
from invcomp.pictures import count_pixels


@dataclass(frozen=True)
class Batching:
    """Which inputs are done together. The bytes of files depend on it: it is found once for a call."""

    inputs: int
    """Most of them."""
    pixels: int | None = None
    """Most pixels of them, unless it is one."""
    memory: int | None = None
    """Bytes for what is inverted together."""

    def batches(self, jobs: Sequence[Job]) -> Iterator[list[Job]]:
        """The jobs in their order, put together."""
        batch: list[Job] = []
        read = 0
        for job in jobs:
            pixels = count_pixels(job.source) if self.pixels is not None and job.source is not None else 0
            if batch and (len(batch) == self.inputs or (self.pixels is not None and read + pixels > self.pixels)):
                yield batch
                batch, read = [], 0
            batch.append(job)
            read += pixels
        yield batch
