"""Pictures side by side: what codecs make of the same originals at matched bytes."""

from collections.abc import Sequence
from dataclasses import replace

from PIL import Image

from invcomp.lab.codecs import PictureCodec, Setting
from invcomp.lab.curves import pareto_front
from invcomp.lab.folder import PictureSet, spread
from invcomp.lab.metrics import Judge
from invcomp.lab.peers import PeerSetting, PillowCodec
from invcomp.lab.results import Comparison, FileResult, Metric, Panel, Result

SHOWN = 24
BUDGETS = (100, 200, 400)  # bytes near which pictures are laid side by side


def comparisons(
    results: Sequence[Result], codecs: Sequence[PictureCodec], pictures: PictureSet, metrics: Sequence[Metric]
) -> list[Comparison]:
    """Two dozen pictures at a few budgets: each codec's best file of at most the bytes of the first codec's file.

    Best by LPIPS-alex if it is measured. Peers with a quality of their own are refined between the measured ones.
    """
    first = codecs[0].name
    front = [r for r in results if r.codec == first]
    front = [front[i] for i in pareto_front([(r.mean["bytes"], r.mean["psnr"]) for r in front], True)]
    chosen = {min(front, key=lambda r: abs(r.mean["bytes"] - budget)).setting for budget in BUDGETS}
    anchors = [r for r in front if r.setting in chosen]
    judge = next((m for key in ("lpips_alex", "lpips_squeeze", "psnr") for m in metrics if m.key == key), metrics[0])
    settings = {(c.name, str(s)): (c, s) for c in codecs for ladder in c.ladders for s in ladder}
    found = []
    for index in spread(range(len(pictures.names)), SHOWN):
        original = pictures.images[index]
        budgets: dict[str, list[Panel]] = {}
        for anchor in anchors:
            most = anchor.files[index].bytes
            panels = [panel(*settings[first, anchor.setting], anchor.files[index], most, original)]
            for codec in codecs[1:]:
                files = [(r, r.files[index]) for r in results if r.codec == codec.name]
                best = best_file(files, most, judge)
                if best is not None:
                    panels.append(panel(*settings[codec.name, best[0].setting], best[1], most, original))
            budgets[f"about {anchor.mean['bytes']:.0f} bytes"] = panels
        found.append(Comparison(pictures.names[index], original, budgets))
    return found


def panel(codec: PictureCodec, setting: Setting, file: FileResult, most: int, original: Image.Image) -> Panel:
    """A file as it is shown; one that leaves bytes unused gives way to a larger one at a quality between settings."""
    data, figures = file.data, file.figures
    if isinstance(codec, PillowCodec) and len(data) < most:
        finer, larger = closest(codec, setting, most, original)
        if len(larger) > len(data):
            data, setting, figures = larger, finer, {}
    image = codec.decode(data, setting, original.size)
    if not figures:
        (figures,) = Judge([original], quick=True).measure([image])[0]
    return Panel(codec.name, str(setting), len(data), figures, image, len(data) <= most)


def closest(codec: PillowCodec, setting: PeerSetting, most: int, original: Image.Image) -> tuple[PeerSetting, bytes]:
    """The highest quality at a setting's scale whose file has at most `most` bytes, by bisection."""
    low, high = setting.quality, 101
    best = setting, codec.encode([original], setting, lambda _: None)[0]
    while high - low > 1:
        middle = (low + high) // 2
        tried = replace(setting, quality=middle)
        (data,) = codec.encode([original], tried, lambda _: None)
        if len(data) <= most:
            low, best = middle, (tried, data)
        else:
            high = middle
    return best


def best_file(
    files: Sequence[tuple[Result, FileResult]], most: int, metric: Metric
) -> tuple[Result, FileResult] | None:
    """The best file of at most `most` bytes; the smallest if none is that small."""
    fitting = [f for f in files if f[1].bytes <= most and metric.key in f[1].figures]
    if fitting:
        sign = -1 if metric.higher_is_better else 1
        return min(fitting, key=lambda f: sign * f[1].figures[metric.key])
    return min(files, key=lambda f: f[1].bytes, default=None)
