"""One batch of pictures of one coded size → files: at a quality, within a number of bytes, or of a least quality."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from invcomp import container
from invcomp.entropy.chain import Symbols, ideal_bits
from invcomp.inversion.course import Course, Stretch, of_picture
from invcomp.inversion.fidelity import Fidelity
from invcomp.inversion.losses import Loss
from invcomp.inversion.optimise import SETTLED, Found, Search
from invcomp.inversion.promises import MostBits, MostDistortion, Promise
from invcomp.inversion.rate import CodeLengths
from invcomp.inversion.schedules import Schedule
from invcomp.inversion.starts import first_guess
from invcomp.inversion.steps import Candidate
from invcomp.placement import Placement
from invcomp.priors.generator import Generator
from invcomp.standing import UNKNOWN, Standing

if TYPE_CHECKING:
    from invcomp.codec import Codec

# how much farther down a rate index is used than where it is the nearest: a search needs less fine steps
COARSER = 0.15
TERMINATION_BITS = 4.0  # that a payload has more than its symbols' ideal code length, usually at most
GAIN, ERROR_GAIN = 1.1, 1.3  # bits, or error, of the encoder's guess for one that a search leaves
FINDING, CLOSE = (0.3, 1.0, 1.0), 0.05  # shares of the steps of searches for a least quality, till log errors are close
ATTEMPTS, REFINED = 6, 0.2  # to meet a least quality once the file can be judged, and the share of the steps of each
LEAST_ROUNDS = 20
LEEWAY = 0.99  # share of the allowed error below which a file may become smaller still
NEARLY = 0.998  # share of the allowed error that is the limit then


@dataclass(frozen=True)
class Compressed:
    """A compressed picture, and what is known of it."""

    data: bytes
    ideal_bits: float
    """Ideal code length of the symbols of all levels under the prior's tables."""
    level_bits: list[float]
    rate: int
    start_objective: float
    """lambda * bits + distortion where the search started. Within a number of bytes: the distortion, and a million and
    more for what has more."""
    objective: float
    """The same for what was written: never higher. Where a least quality is asked for, which starts like a plain
    search, it is the bits instead, and a million and more for what does not reach it."""
    distortion: float
    reached: Fidelity | None = None
    """PSNR and SSIM of the decoded file, where a least one is asked for."""
    kept: bool = True
    """Whether the file is of the least quality that is asked for."""
    standing: Standing = UNKNOWN
    """Where the picture stands among held-out ones of the prior's domain."""
    course: tuple[Stretch, ...] = ()
    """How the search went; several searches and rounds of moves, where a least quality is asked for."""

    @property
    def bytes(self) -> int:
        return len(self.data)


class Batch:
    """Pictures of one coded size, on their way to files."""

    def __init__(
        self,
        codec: Codec,
        pictures: Sequence[Image.Image],
        placements: Sequence[Placement | None],
        schedule: Schedule,
        start: str,
        progressive: bool,
        checksum: int,
        report: Callable[[int], None],
    ) -> None:
        self.codec, self.prior, self.device = codec, codec.prior, codec.prior.device
        self.pictures, self.placements = pictures, placements
        self.schedule, self.start, self.report = schedule, start, report
        self.progressive, self.checksum = progressive, checksum
        self.sizes = [codec.header_size(*picture.size) for picture in pictures]
        self.x = torch.stack([codec.to_coded(picture) for picture in pictures]).to(self.device)
        self.shapes = self.prior.arch.latent_shapes(*self.x.shape[2:])
        self.courses: list[Course] = []  # of all searches and rounds of moves so far
        self.written: dict[int, int] = {}  # at the end of which of them a picture's file is; else of the last

    def at_quality(self, loss: Loss, expression: str, quality: float) -> list[Compressed]:
        position = quality / 100 * (self.prior.arch.rates - 1)
        search, found = self.run(loss, expression, [position] * len(self.x), self.schedule)
        return self.results(search, found)

    def within(self, loss: Loss, expression: str, max_bytes: int) -> list[Compressed]:
        """Files of at most `max_bytes`."""
        levels = self.prior.arch.levels if self.schedule.levels is None else self.schedule.levels
        parts = levels if self.progressive else 0
        left_out = 0 if self.progressive or self.schedule.levels is None else 2  # the field that says so
        limits = np.array(
            [
                bits_within(max_bytes - container.overhead(size, placement, parts, self.checksum) - left_out)
                for size, placement in zip(self.sizes, self.placements, strict=True)
            ]
        )
        if self.prior.encoder is not None:
            bits = [search.lengths.total([v.round() for v in values]) for search, values in self.encoded(loss)]
            reached = np.array([b.tolist() for b in bits])
        else:
            mean = 8 * (np.array(self.prior.info.rate_bytes) - container.overhead(None))
            reached = mean[:, None].repeat(len(self.x), axis=1)
        promise = MostBits(torch.tensor(limits, dtype=torch.float32, device=self.device))
        search, found = self.run(loss, expression, crossings(reached, GAIN * limits), self.schedule, promise)
        best = found.best
        files = self.files(search, best)
        while over := [n for n, data in enumerate(files) if len(data) > max_bytes]:
            rows = torch.tensor(over, device=self.device)
            excess = torch.tensor([8.0 * (len(files[n]) - max_bytes) for n in over], device=self.device)
            search.cut_back(best, rows, best.bits[rows] - excess, self.schedule.seed)
            for n in over:
                files[n] = self.file(search, best, n)
            found.course.settle(best)
        return self.results(search, found, files)

    def reaching(self, asked: Fidelity) -> list[Compressed]:
        """The smallest files that are found whose decoded pictures are as is asked, or the best of those that are not.

        A short search at the rate index where the encoder would come close shows where a search does, a full one there
        where it really does, and rounds of moves come to what is asked. What the search sees is not quite what is
        judged, the file decoded to 8 bits at the picture's own size: what it is allowed is corrected by what that
        showed.
        """
        loss, n = Loss([(1.0, asked)]), len(self.x)
        if self.prior.encoder is not None:
            errors = np.array([search.judge(values).distortion.tolist() for search, values in self.encoded(loss)])
        else:
            errors = self.codec.usual(asked.expression)[:, None].repeat(n, axis=1)
        falls = np.full(n, ERROR_GAIN)  # how far searches come below that
        for number, share in enumerate(FINDING):
            positions = crossings(falls / errors, np.ones(n))
            schedule = replace(self.schedule, steps=round(share * self.schedule.steps), settle=False)
            done = sum(FINDING[:number]) * self.schedule.steps

            def report(step: int, done: float = done) -> None:
                self.report(int((done + step) / sum(FINDING)))

            search, found = self.run(loss, asked.expression, positions, schedule, report=report)
            reached = found.best.distortion.cpu().numpy()
            before = [np.interp(p, np.arange(len(errors)), errors[:, i]) for i, p in enumerate(positions)]
            falls = np.array(before) / np.maximum(reached, 1e-9)
            if share == 1 and (np.abs(np.log(np.maximum(reached, 1e-9))) < CLOSE).all():
                break
        allowed = torch.ones(n, device=self.device)
        everyone = torch.arange(n, device=self.device)
        self.courses.append(self.refine(search, found.best, everyone, allowed, 0))
        files, qualities, excess = [b""] * n, [Fidelity()] * n, np.full(n, np.inf)
        best, rows = found.best, list(range(n))
        current = best.subset(everyone)
        for attempt in range(ATTEMPTS):
            again = []
            for i in rows:
                data = self.file(search, current, i)
                quality = asked.of(self.codec.decompress(data), self.pictures[i])
                error = asked.excess(quality)
                smaller = not files[i] or len(data) < len(files[i])
                if smaller if error <= 1 and excess[i] <= 1 else error < excess[i]:
                    files[i], qualities[i], excess[i] = data, quality, error
                    self.written[i] = len(self.courses) - 1
                    at = torch.tensor([i], device=self.device)
                    best.put(at, current.subset(at))
                if not LEEWAY <= error <= 1:
                    allowed[i] = NEARLY * current.distortion[i] / error
                    again.append(i)
            rows = again
            if not rows or attempt + 1 == ATTEMPTS:
                break
            at = torch.tensor(rows, device=self.device)
            self.courses.append(self.refine(search, current, at, allowed[at], self.schedule.seed + attempt))
        return self.results(search, found, files, qualities, [bool(error <= 1) for error in excess])

    def refine(self, search: Search, best: Candidate, rows: Tensor, allowed: Tensor, seed: int) -> Course:
        """Moves after a search, so that the pictures `rows` (M,) of `best` come to the distortion that is `allowed`."""
        rounds = SETTLED if self.schedule.settle else max(LEAST_ROUNDS, round(REFINED * self.schedule.steps))
        return search.refine(best, rows, MostDistortion(allowed), rounds, seed, self.schedule.settle)

    def encoded(self, loss: Loss) -> Iterator[tuple[Search, list[Tensor]]]:
        """Searches at every rate index, and where the encoder has them start."""
        for rate in range(self.prior.arch.rates):
            search = self.search(loss, [rate] * len(self.x), [0.0] * len(self.x))
            limits = search.lengths.limits
            yield search, [v.clamp(-most, most) for v, most in zip(self.guess(search.rate), limits, strict=True)]

    def run(
        self,
        loss: Loss,
        expression: str,
        positions: Sequence[float],
        schedule: Schedule,
        promise: Promise | None = None,
        report: Callable[[int], None] | None = None,
    ) -> tuple[Search, Found]:
        """A search at fractional rate indices."""
        weights = [self.codec.rate_weight(expression, position) for position in positions]
        below = 0.0 if schedule.steps == 0 or schedule.far else COARSER
        rates = [max(0, round(position - below)) for position in positions]
        search = self.search(loss, rates, weights, promise)
        with torch.no_grad():
            guess = (lambda: self.guess(search.rate)) if self.prior.encoder is not None else None
            values = first_guess(self.start, guess, search, self.prior.tables, rates, self.shapes, schedule.seed)
        found = search.run(values, schedule, report or self.report)
        self.courses.append(found.course)
        return search, found

    def search(
        self, loss: Loss, rates: Sequence[int], weights: Sequence[float], promise: Promise | None = None
    ) -> Search:
        lengths = CodeLengths(self.prior.tables, rates, self.shapes, self.schedule.levels).to(self.device)
        rate, weight = (torch.tensor(v, dtype=torch.float32, device=self.device) for v in (rates, weights))
        return Search(self.prior.generator, loss, lengths, self.x, rate, weight, promise)

    @torch.no_grad()
    def guess(self, rate: Tensor) -> list[Tensor]:
        """The encoder's residuals (N, C, H, W), not rounded, at rate indices (N,)."""
        assert isinstance(self.prior.generator, Generator)
        assert self.prior.encoder is not None
        residuals: list[Tensor]
        residuals, _ = self.prior.encoder(self.x, self.prior.generator, rate, lambda _, residual: residual.round())
        return [residual.nan_to_num() for residual in residuals]  # which a prior of strangers may come to

    def files(self, search: Search, best: Candidate) -> list[bytes]:
        return [self.file(search, best, n) for n in range(len(self.x))]

    def file(self, search: Search, best: Candidate, n: int) -> bytes:
        rate, symbols = int(search.rate[n]), numbers(best, n)
        return self.codec.write(symbols, rate, self.sizes[n], self.placements[n], self.progressive, self.checksum)

    def results(
        self,
        search: Search,
        found: Found,
        files: Sequence[bytes] | None = None,
        qualities: Sequence[Fidelity] | None = None,
        kept: Sequence[bool] | None = None,
    ) -> list[Compressed]:
        results = []
        standings = self.standings(search, found)
        for n, data in enumerate(files or self.files(search, found.best)):
            rate = int(search.rate[n])
            bits = ideal_bits(self.prior.tables, numbers(found.best, n), rate)
            results.append(
                Compressed(
                    data=data,
                    ideal_bits=sum(bits),
                    level_bits=bits,
                    rate=rate,
                    start_objective=float(found.start.objective[n]),
                    objective=float(found.best.bits[n] if kept and kept[n] else found.best.objective[n]),
                    distortion=float(found.best.distortion[n]),
                    reached=qualities[n] if qualities else None,
                    kept=kept[n] if kept else True,
                    standing=standings[n],
                    course=of_picture(self.courses, n, self.written.get(n, len(self.courses) - 1)),
                )
            )
        return results

    @torch.no_grad()
    def standings(self, search: Search, found: Found) -> list[Standing]:
        """Where the pictures stand among held-out ones of the domain, at the rate indices of their files."""
        usual = self.prior.info.usual
        if usual is None:
            return [UNKNOWN] * len(self.x)
        loss = self.codec.loss(self.prior.info.distortion)
        searched = search.loss is loss

        def judged(symbols: list[Tensor]) -> Tensor:
            own = self.search(loss, [int(rate) for rate in search.rate], [0.0] * len(self.x))
            return own.distortion(symbols)

        if self.prior.encoder is None:
            distortion = found.best.distortion if searched else judged(found.best.symbols)
        elif searched and self.start == "encoder" and self.schedule.levels is None:
            distortion = found.start.distortion
        else:
            distortion = judged([value.round() for value in self.guess(search.rate)])
        return [
            Standing(usual.distortion_share(float(value), int(rate)), domain)
            for value, rate, domain in zip(distortion, search.rate, self.prior.domain_shares(self.x), strict=True)
        ]


def numbers(candidate: Candidate, n: int) -> Symbols:
    """The symbols of one picture of a batch."""
    return [level[n].cpu().numpy().astype(np.int32) for level in candidate.symbols]


def bits_within(payload: int) -> float:
    """Bits of symbols that a payload of so many bytes holds, but for some the coder's termination takes a byte more."""
    return max(1.0, 8 * payload - TERMINATION_BITS)


def crossings(reached: NDArray[np.float64], wanted: NDArray[np.float64]) -> list[float]:
    """Fractional rate indices at which `reached` (R, N), which rises with the index, comes to what is `wanted` (N,)."""
    logs = np.maximum.accumulate(np.log(np.maximum(reached, 1e-9)), axis=0)
    return [float(np.interp(np.log(want), logs[:, n], np.arange(len(logs)))) for n, want in enumerate(wanted)]
