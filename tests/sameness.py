"""Files decoded in every setting of the matrix: what a test compares, and a script prints."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

import numpy as np
import torch
from numpy.typing import NDArray

from invcomp.codec import Codec
from invcomp.decoder import Decoder
from invcomp.entropy.chain import Symbols

TOGETHER = 7  # pictures in the larger of the batches


@dataclass(frozen=True)
class Cell:
    """One setting of the matrix."""

    threads: int = 1
    batch: int = 1
    channels_last: bool = True
    onednn: bool = True
    deterministic: bool = False

    def __str__(self) -> str:
        words = [f"{self.threads} thread{'s' * (self.threads > 1)}", f"batch {self.batch}"]
        words.append("channels-last" if self.channels_last else "contiguous")
        words.append("oneDNN" if self.onednn else "no oneDNN")
        return ", ".join([*words, *["deterministic"] * self.deterministic])


FIRST = Cell()  # what all are compared with
CELLS = [Cell(*values) for values in product((1, 2), (1, TOGETHER), (True, False), (True, False), (False, True))]


@dataclass(frozen=True)
class Decoded:
    """What files decode to in a cell."""

    symbols: list[Symbols]
    pixels: NDArray[np.int64]
    """(N, 3, H, W) in 0 to 255, at the prior's own size."""

    def same_symbols(self, other: "Decoded") -> bool:
        pairs = zip(self.symbols, other.symbols, strict=True)
        return all(np.array_equal(a, b) for one, two in pairs for a, b in zip(one, two, strict=True))

    def difference(self, other: "Decoded") -> tuple[int, float]:
        """The largest difference of a pixel's value, and the share of values that differ."""
        difference = np.abs(self.pixels - other.pixels)
        return int(difference.max()), float((difference > 0).mean())


def decode(codec: Codec, files: Sequence[bytes], cell: Cell) -> Decoded:
    """Files of one prior, decoded in a cell."""
    with setting(codec, cell):
        read = [codec.read(data) for data in files]
        painted = [
            codec.paint([symbols for _, symbols in part], [content.rate for content, _ in part])
            for part in (read[n : n + cell.batch] for n in range(0, len(read), cell.batch))
        ]
        pixels = (torch.cat(painted).clamp(0, 1) * 255).round().cpu().numpy().astype(np.int64)
        return Decoded([symbols for _, symbols in read], pixels)


def decode_without_torch(decoder: Decoder, files: Sequence[bytes]) -> Decoded:
    """The same files by ONNX Runtime, one by one."""
    read = [decoder.read(data) for data in files]
    painted = np.stack([decoder.painted(symbols, content.rate, decoder.painted_size(1)) for content, symbols in read])
    return Decoded([symbols for _, symbols in read], np.rint(painted.clip(0, 1) * np.float32(255)).astype(np.int64))


@contextmanager
def setting(codec: Codec, cell: Cell) -> Iterator[None]:
    """Torch, and the networks of a codec, as a cell says; afterwards as they were."""
    threads, generator = torch.get_num_threads(), codec.prior.generator
    try:
        torch.set_num_threads(cell.threads)
        generator.to(memory_format=torch.channels_last if cell.channels_last else torch.contiguous_format)
        torch.use_deterministic_algorithms(cell.deterministic)
        with torch.backends.mkldnn.flags(enabled=cell.onednn):
            yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(False)
        generator.to(memory_format=torch.channels_last)
