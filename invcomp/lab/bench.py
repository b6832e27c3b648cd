"""invcomp and its peers on a folder of pictures: real bytes, decoded pictures, curves, Bjøntegaard rates."""

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from invcomp.codec import Codec
from invcomp.errors import InvcompError, PriorError, UsageError
from invcomp.lab import pca
from invcomp.lab.codecs import QUALITIES, InvcompCodec, PictureCodec, Setting, measure, with_identity
from invcomp.lab.curves import bjontegaard_rate, clip, curve, pareto_front
from invcomp.lab.estimate import in_words, seconds_a_step
from invcomp.lab.folder import PictureSet, load_pictures, spread
from invcomp.lab.metrics import Judge
from invcomp.lab.peers import PEERS, Placeholder, why_missing
from invcomp.lab.results import BjontegaardRate, Comparison, FileResult, Metric, Panel, Report, Result
from invcomp.lab.store import Store
from invcomp.priors.registry import find_prior
from invcomp.training.data import load_training_set

CODECS = (*PEERS, "pca")
BEST_PEER = "best peer"
RATE_METRICS = ("lpips_squeeze", "lpips_alex", "psnr", "ssim", "identity_distance")
SHOWN = 12
BUDGETS = (100, 200, 400)  # bytes near which pictures are laid side by side
WEIGHT, IDENTITY_SHARE = 6.0, 0.2  # expected time of a prior relative to a peer, and of identity to the whole
PEER_SECONDS = 0.05  # expected time of a peer, with identity, for a picture at a setting
RANGE = 1.5  # peers are followed up to this many times the largest mean bytes of invcomp


@dataclass(frozen=True)
class BenchRequest:
    """What is measured."""

    folder: Path
    priors: tuple[str, ...] = ("faces",)
    size: int | None = None
    """Side of the pictures in pixels; None is the prior's own, or that of the files for a prior of free size."""
    codecs: tuple[str, ...] = CODECS
    """Peers, from `CODECS`."""
    qualities: tuple[float, ...] = QUALITIES
    steps: int = 500
    pca_data: Path | None = None
    """A training folder or PCA file; None is the one beside the first prior, if it has one."""
    rates: tuple[float, float] | None = None
    """Range of bytes in which Bjøntegaard rates are taken; None is everything measured."""
    most: int | None = None
    """Number of pictures taken of the folder; None is all."""
    cache: Path | None = None
    device: str = "auto"


Say = Callable[[str, float], None]
"""Is told what is being measured, and the share of the whole that is done, in [0, 1]."""


def bench(
    request: BenchRequest, announce: Callable[[str], None] = lambda _: None, say: Say = lambda text, share: None
) -> Report:
    """Measure. Raises `UsageError` for a wrong request, `PriorError` for a prior that is not there."""
    unknown = [name for name in request.codecs if name not in CODECS]
    if unknown:
        raise UsageError(f"there is no codec {unknown[0]!r}; the peers are {', '.join(CODECS)}, or all")
    if not request.priors:
        raise UsageError("bench needs a prior")
    first = Codec(request.priors[0], request.device)
    size = request.size or first.prior.arch.image_size
    pictures = load_pictures(request.folder, size, request.most)
    own = [first, *(Codec(prior, request.device) for prior in request.priors[1:])]
    names = own_names(own)
    ours = [InvcompCodec(codec, name, request.qualities, request.steps) for codec, name in zip(own, names, strict=True)]
    peers, notes = choose_peers(request, find_prior(request.priors[0]), size)
    say("looking at the originals", 0.0)
    judge = Judge(pictures.images, lpips=first.prior.lpips)

    announce(cost(ours, peers, request, pictures, judge))
    run = Run(pictures, judge, Store(request.cache), say)
    results = run.all_settings([(codec, WEIGHT) for codec in ours] + [(codec, 1.0) for codec in peers], len(ours))
    results = run.identities(results, [*ours, *peers])
    say("drawing", 1.0)
    peer_names = [codec.name for codec in peers]
    codecs: list[PictureCodec] = [*ours, *peers]
    return Report(
        title=f"invcomp and its peers on {request.folder.resolve().name}",
        facts=facts(request, pictures, own),
        notes=[
            *pictures.notes,
            *notes,
            *judge.notes,
            *run.notes,
            *(f"{c.name}: {c.note}." for c in codecs if c.note),
        ],
        metrics=judge.metrics,
        results=results,
        rates=bjontegaard_rates(results, judge.metrics, names, peer_names, request.rates),
        comparisons=comparisons(results, codecs, pictures, judge.metrics),
        first_codec=names[0],
    )


def cost(
    ours: Sequence[InvcompCodec],
    peers: Sequence[PictureCodec],
    request: BenchRequest,
    pictures: PictureSet,
    judge: Judge,
) -> str:
    """What the run will take if nothing is kept from an earlier one."""
    count = len(pictures.images)
    searches = len(request.qualities) * request.steps * count
    search = sum(seconds_a_step(codec.codec, pictures.images) for codec in ours) * searches
    began = time.perf_counter()
    judge.measure(pictures.images)
    judging = time.perf_counter() - began
    settings = sum(len(ladder) for codec in peers for ladder in codec.ladders)
    rest = settings * (judging + PEER_SECONDS * count)
    kept = f"; finished settings are kept in {request.cache}" if request.cache else ""
    return f"{count} pictures: at most about {in_words(search)} for the search and {in_words(rest)} for peers{kept}"


def own_names(codecs: Sequence[Codec]) -> list[str]:
    """`invcomp`; with several priors `invcomp NAME`, numbered if two have one name."""
    if len(codecs) == 1:
        return ["invcomp"]
    names: list[str] = []
    for codec in codecs:
        name = f"invcomp {codec.prior.info.name}"
        names.append(f"{name} {names.count(name) + 1}" if name in names else name)
    return names


def choose_peers(request: BenchRequest, prior: Path, size: int | None) -> tuple[list[PictureCodec], list[str]]:
    """The peers that can be measured here, and why the others cannot."""
    chosen: list[PictureCodec] = []
    notes = []
    for name in request.codecs:
        if name == "pca":
            source = request.pca_data or prior / pca.FILE
            try:
                chosen.append(pca_codec(source, size))
            except PriorError as error:
                if request.pca_data is not None:
                    raise
                notes.append(f"pca is skipped: {error}; give its training folder with --pca-data.")
            continue
        reason = why_missing(name)
        if reason:
            notes.append(f"{name} is skipped: {reason}.")
        else:
            chosen.append(PEERS[name])
    return chosen, notes


def pca_codec(source: Path, size: int | None) -> pca.PcaCodec:
    """PCA fitted to a training folder, or read from a file. Raises `PriorError`."""
    if size is None:
        raise PriorError("pictures of different sizes have no eigen-images")
    if source.is_dir():
        return pca.fit(load_training_set(source, size, aligned=True).pictures)
    if not source.is_file():
        raise PriorError(f"{source} does not exist")
    codec = pca.read(source)
    if codec.side != size:
        raise PriorError(f"{source} is for {codec.side} x {codec.side} pixels, and the pictures have {size} x {size}")
    return codec


class Run:
    """A run over codecs and settings: what is kept, what is reported."""

    def __init__(self, pictures: PictureSet, judge: Judge, store: Store, say: Say) -> None:
        self.pictures, self.judge, self.store, self.say = pictures, judge, store, say
        self.digest = pictures.digest()
        self.notes: list[str] = []

    def all_settings(self, weighted: Sequence[tuple[PictureCodec, float]], own: int) -> list[Result]:
        """Every codec at its settings; ladders end beyond `RANGE` times the largest files of the first `own` codecs."""
        results: list[Result] = []
        done, total, largest = 0.0, sum(weight for _, weight in weighted) / (1 - IDENTITY_SHARE), float("inf")
        for number, (codec, weight) in enumerate(weighted):
            if number == own:
                largest = RANGE * max(result.mean["bytes"] for result in results)
            count = sum(len(ladder) for ladder in codec.ladders)
            at = 0
            for ladder in codec.ladders:
                for position, setting in enumerate(ladder):
                    from_share, unit = (done + weight * (at + position) / count) / total, weight / count / total
                    result = self.one(codec, setting, from_share, unit)
                    if result is None:
                        continue
                    results.append(result)
                    if result.mean["bytes"] > largest:
                        break
                at += len(ladder)
            done += weight
        return results

    def one(self, codec: PictureCodec, setting: Setting, share: float, unit: float) -> Result | None:
        """One setting, from the store if it is there; None if the codec cannot do it."""
        count = len(self.pictures.images)
        self.say(f"{codec.name}, {setting}", share)
        try:
            return self.kept(
                codec,
                setting,
                False,
                lambda: measure(
                    codec,
                    setting,
                    self.pictures.names,
                    self.judge,
                    lambda n: self.say(f"{codec.name}, {setting}", share + unit * n / count),
                ),
            )
        except InvcompError:
            raise
        except Exception as error:  # peers raise many kinds
            self.notes.append(f"{codec.name} at {setting} is left out: {error}.")
            return None

    def identities(self, results: list[Result], codecs: Sequence[PictureCodec]) -> list[Result]:
        """Identity figures for the settings that no other of the same codec beats in any other metric."""
        if not self.judge.knows_faces:
            return results
        settings = {(c.name, str(s)): (c, s) for c in codecs for ladder in c.ladders for s in ladder}
        wanted = [index for index, result in enumerate(results) if on_a_front(result, results, self.judge.metrics)]
        if len(wanted) < len(results):
            self.notes.append("Identity is measured at the settings that no other of the same codec beats.")
        results = list(results)
        for number, index in enumerate(wanted):
            result = results[index]
            share = 1 - IDENTITY_SHARE * (1 - number / len(wanted))
            self.say(f"identity, {result.codec}, {result.setting}", share)
            codec, setting = settings[result.codec, result.setting]
            results[index] = self.identity(result, codec, setting)
        return results

    def identity(self, result: Result, codec: PictureCodec, setting: Setting) -> Result:
        """A result with identity figures, from the store if it is there."""
        return self.kept(codec, setting, True, lambda: with_identity(result, codec, setting, self.judge))

    def kept(self, codec: PictureCodec, setting: Setting, identity: bool, make: Callable[[], Result]) -> Result:
        """A result from the store, or made and put there."""
        key = {
            "codec": codec.identity(),
            "setting": str(setting),
            "pictures": self.digest,
            "metrics": [metric.key for metric in self.judge.metrics],
            "identity": identity,
        }
        found = self.store.get(key)
        if found is None:
            found = make()
            self.store.put(key, found)
        return replace(found, codec=codec.name)


def on_a_front(result: Result, results: Sequence[Result], metrics: Sequence[Metric]) -> bool:
    """Whether no setting of the same codec beats a result in bytes and in PSNR, SSIM or an LPIPS."""
    own = [other for other in results if other.codec == result.codec]
    for metric in metrics:
        if metric.key in result.mean and metric.key != "frechet":
            points = [(r.mean["bytes"], r.mean[metric.key]) for r in own if metric.key in r.mean]
            named = [r for r in own if metric.key in r.mean]
            if any(named[i] is result for i in pareto_front(points, metric.higher_is_better)):
                return True
    return False


def facts(request: BenchRequest, pictures: PictureSet, codecs: Sequence[Codec]) -> dict[str, str]:
    """What the page says was measured."""
    sizes = {image.size for image in pictures.images}
    shown = " x ".join(map(str, next(iter(sizes)))) if len(sizes) == 1 else f"{len(sizes)} sizes"
    import torch

    import invcomp

    return {
        "pictures": f"{len(pictures.images)} of {request.folder.resolve().name}, {shown} pixels",
        "prior": "; ".join(f"{c.prior.info.name} ({c.prior.info.id[:12]})" for c in codecs),
        "search": f"{request.steps} steps, loss {codecs[0].prior.info.distortion}",
        "bytes": "of real files, headers and checksums included; figures are of the decoded 8-bit files",
        "machine": f"{platform.machine()}, {torch.get_num_threads()} threads, {codecs[0].prior.device.type}",
        "software": f"invcomp {invcomp.__version__}, torch {torch.__version__}, Python {platform.python_version()}",
    }


def bjontegaard_rates(
    results: Sequence[Result],
    metrics: Sequence[Metric],
    own: Sequence[str],
    peers: Sequence[str],
    window: tuple[float, float] | None,
) -> list[BjontegaardRate]:
    """Of every prior against every peer, and against the best peer at every rate.

    PCA, which has learned the domain as well, is a peer by itself and not part of the best peer.
    """
    rates = []
    real = [p for p in peers if p != "pca" and not isinstance(PEERS.get(p), Placeholder)]
    groups = {BEST_PEER: real, **{p: [p] for p in peers if not isinstance(PEERS.get(p), Placeholder)}}
    for codec in own:
        groups_here = {**groups, **{other: [other] for other in own if other != codec}}
        for anchor, members in groups_here.items():
            for metric in metrics:
                if metric.key not in RATE_METRICS:
                    continue
                ours = curve([r for r in results if r.codec == codec], metric)
                theirs = curve([r for r in results if r.codec in members], metric)
                if window:
                    ours, theirs = clip(ours, *window), clip(theirs, *window)
                rates.append(bjontegaard_rate(codec, ours, anchor, theirs, metric))
    return rates


def comparisons(
    results: Sequence[Result], codecs: Sequence[PictureCodec], pictures: PictureSet, metrics: Sequence[Metric]
) -> list[Comparison]:
    """A dozen pictures at a few budgets: each codec's best file of at most the bytes of the first codec's file."""
    first = codecs[0].name
    front = [r for r in results if r.codec == first]
    points = [(r.mean["bytes"], r.mean["psnr"]) for r in front]
    front = [front[i] for i in pareto_front(points, True)]
    chosen = {min(front, key=lambda r: abs(r.mean["bytes"] - budget)).setting for budget in BUDGETS}
    anchors = [r for r in front if r.setting in chosen]
    judge = next((m for key in ("lpips_alex", "lpips_squeeze", "psnr") for m in metrics if m.key == key), metrics[0])
    settings = {(c.name, str(s)): (c, s) for c in codecs for ladder in c.ladders for s in ladder}

    def panel(result: Result, file: FileResult, most: int, size: tuple[int, int]) -> Panel:
        codec, setting = settings[result.codec, result.setting]
        image = codec.decode(file.data, setting, size)
        return Panel(result.codec, result.setting, file.bytes, file.figures, image, file.bytes <= most)

    found = []
    for index in spread(range(len(pictures.names)), SHOWN):
        budgets: dict[str, list[Panel]] = {}
        size = pictures.images[index].size
        for anchor in anchors:
            most = anchor.files[index].bytes
            panels = [panel(anchor, anchor.files[index], most, size)]
            for codec in codecs[1:]:
                files = [(r, r.files[index]) for r in results if r.codec == codec.name]
                best = best_file(files, most, judge)
                if best is not None:
                    panels.append(panel(*best, most, size))
            budgets[f"about {anchor.mean['bytes']:.0f} bytes"] = panels
        found.append(Comparison(pictures.names[index], pictures.images[index], budgets))
    return found


def best_file(
    files: Sequence[tuple[Result, FileResult]], most: int, metric: Metric
) -> tuple[Result, FileResult] | None:
    """The best file of at most `most` bytes; the smallest if none is that small."""
    fitting = [f for f in files if f[1].bytes <= most and metric.key in f[1].figures]
    if fitting:
        sign = -1 if metric.higher_is_better else 1
        return min(fitting, key=lambda f: sign * f[1].figures[metric.key])
    return min(files, key=lambda f: f[1].bytes, default=None)
