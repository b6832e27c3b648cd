"""invcomp and its peers on a folder of pictures: real bytes, decoded pictures, curves, Bjøntegaard rates."""

import platform
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import torch

import invcomp
from invcomp.codec import Codec, check_arguments
from invcomp.errors import PriorError, UsageError
from invcomp.lab import pca
from invcomp.lab.codecs import QUALITIES, InvcompCodec, PictureCodec
from invcomp.lab.compare import comparisons
from invcomp.lab.curves import bjontegaard_rate, clip, curve
from invcomp.lab.estimate import in_words, seconds_a_step
from invcomp.lab.folder import PictureSet, load_pictures
from invcomp.lab.metrics import Judge
from invcomp.lab.peers import PEERS, Placeholder, why_missing
from invcomp.lab.results import BjontegaardRate, Metric, Report, Result
from invcomp.lab.run import RANGE, WEIGHT, Run, Say
from invcomp.lab.store import Store
from invcomp.priors.registry import find_prior
from invcomp.training.data import load_training_set
from invcomp.writing import write_whole

CODECS = (*PEERS, "pca")
BEST_PEER, BEST_IMAGE_CODEC = "best peer", "best image codec"
"""The front of all peers, and of those that know nothing of the domain: all but PCA."""
RATE_METRICS = ("lpips_squeeze", "lpips_alex", "psnr", "ssim", "identity", "identity_distance")
PEER_SECONDS = 0.05  # expected time of a peer, with identity, for a picture at a setting


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
    steps: int = 200
    pca_data: Path | None = None
    """A training folder or PCA file; None is the one beside the first prior, if it has one."""
    rates: tuple[float, float] | None = None
    """Range of bytes in which Bjøntegaard rates are taken; None is everything measured."""
    most: int | None = None
    """Number of pictures taken of the folder; None is all."""
    cache: Path | None = None
    device: str = "auto"


def bench(
    request: BenchRequest, announce: Callable[[str], None] = lambda _: None, say: Say = lambda text, share: None
) -> Report:
    """Measure. Raises `UsageError` for a wrong request, `PriorError` for a prior that is not there.

    Identity is computed in processes of its own: a script that calls this needs the usual main guard.
    """
    unknown = [name for name in request.codecs if name not in CODECS]
    if unknown:
        raise UsageError(f"there is no codec {unknown[0]!r}; the peers are {', '.join(CODECS)}; or all, or none")
    if not request.priors:
        raise UsageError("bench needs a prior")
    for quality in request.qualities:
        check_arguments(quality=quality, steps=request.steps)
    store = Store(request.cache)
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
    run = Run(pictures, judge, store, say)
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
    return f"{count} pictures: about {in_words(search)} for the search and {in_words(rest)} for peers{kept}"


def own_names(codecs: Sequence[Codec]) -> list[str]:
    """`invcomp`; with several priors `invcomp NAME`, numbered if two have one name."""
    if len(codecs) == 1:
        return ["invcomp"]
    names: list[str] = []
    for codec in codecs:
        name = f"invcomp {codec.prior.info.name}"
        before = sum(other.prior.info.name == codec.prior.info.name for other in codecs[: len(names)])
        names.append(f"{name} {before + 1}" if before else name)
    return names


def choose_peers(request: BenchRequest, prior: Path, size: int | None) -> tuple[list[PictureCodec], list[str]]:
    """The peers that can be measured here, and why the others cannot."""
    chosen: list[PictureCodec] = []
    notes = []
    for name in request.codecs:
        if name == "pca":
            source = request.pca_data or prior / pca.FILE
            try:
                chosen.append(pca_codec(source, size, request.cache))
            except PriorError as error:
                if request.pca_data is not None and size is not None:
                    raise
                mend = "" if size is None else "; give its training folder with --pca-data"
                notes.append(f"pca is skipped: {error}{mend}.")
            continue
        reason = why_missing(name)
        if reason:
            notes.append(f"{name} is skipped: {reason}.")
        else:
            chosen.append(PEERS[name])
    return chosen, notes


def pca_codec(source: Path, size: int | None, kept: Path | None) -> pca.PcaCodec:
    """PCA fitted to a training folder, or read from a file. Raises `PriorError`.

    With a folder `kept` the fit stays there, and is not made again of the same pictures: it takes minutes, and no two
    fits are the same to the last bit, which would void what is kept of their files.
    """
    if size is None:
        raise PriorError("pictures of different sizes have no eigen-images")
    if source.is_dir():
        pictures = load_training_set(source, size, aligned=True).pictures
        path = None if kept is None else kept / f"pca-{pca.key(pictures)}.safetensors"
        if path is not None and path.is_file():
            with suppress(PriorError):  # damaged: it is fitted again
                return pca.read(path)
        codec = pca.fit(pictures)
        if path is not None:
            write_whole(path, codec.to_bytes())
        return codec
    if not source.is_file():
        raise PriorError(f"{source} does not exist")
    codec = pca.read(source)
    if codec.side != size:
        raise PriorError(f"{source} is for {codec.side} x {codec.side} pixels, and the pictures have {size} x {size}")
    return codec


def facts(request: BenchRequest, pictures: PictureSet, codecs: Sequence[Codec]) -> dict[str, str]:
    """What the page says was measured."""
    sizes = {image.size for image in pictures.images}
    shown = " x ".join(map(str, next(iter(sizes)))) if len(sizes) == 1 else f"{len(sizes)} sizes"
    return {
        "pictures": f"{len(pictures.images)} of {request.folder.resolve().name}, {shown} pixels",
        "prior": "; ".join(f"{c.prior.info.name} ({c.prior.info.id[:12]})" for c in codecs),
        "search": f"at most {request.steps} steps; loss {'; '.join(c.prior.info.distortion for c in codecs)}",
        "bytes": "of real files, headers and checksums included; figures are of the decoded 8-bit files",
        "rates": "Bjøntegaard, Akima interpolation of log bytes; LPIPS and identity distance in decibels; "
        + (f"{request.rates[0]:g} to {request.rates[1]:g} bytes" if request.rates else "all bytes measured"),
        "peers": f"followed up to {RANGE:g} times the largest mean bytes of invcomp",
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
    """Of every prior against every peer, and against the best peer at every rate, with and without PCA."""
    rates = []
    real = [p for p in peers if not isinstance(PEERS.get(p), Placeholder)]
    groups = {BEST_PEER: real, BEST_IMAGE_CODEC: [p for p in real if p != "pca"], **{p: [p] for p in real}}
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
