"""A run of codecs over settings: what is kept, what is reported, what is left out."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from invcomp.lab.codecs import InvcompCodec, PictureCodec, Setting, measure, with_identity
from invcomp.lab.curves import pareto_front
from invcomp.lab.folder import PictureSet, spread
from invcomp.lab.metrics import Judge
from invcomp.lab.results import Metric, Result
from invcomp.lab.store import Store

WEIGHT, IDENTITY_SHARE = 6.0, 0.2  # expected time of a prior relative to a peer, and of identity to the whole
MOST_IDENTITIES = 12
RANGE = 1.5  # peers are followed up to this many times the largest mean bytes of invcomp

KEPT = "Some settings are kept from an earlier run: their seconds are those of that run."

Say = Callable[[str, float], None]
"""Is told what is being measured, and the share of the whole that is done, in [0, 1]."""


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
            if number == own and results:
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
        """One setting, from the store if it is there; None if a peer cannot do it, which is noted."""
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
        except Exception as error:  # peers raise many kinds
            if isinstance(codec, InvcompCodec):
                raise
            self.notes.append(f"{codec.name} at {setting} is left out: {error}.")
            return None

    def identities(self, results: list[Result], codecs: Sequence[PictureCodec]) -> list[Result]:
        """Identity figures for settings that no other of the same codec beats in PSNR or LPIPS, a dozen a codec."""
        if not self.judge.knows_faces:
            return results
        settings = {(c.name, str(s)): (c, s) for c in codecs for ladder in c.ladders for s in ladder}
        wanted: list[int] = []
        for codec in codecs:
            wanted += spread(fronts(codec.name, results, self.judge.metrics), MOST_IDENTITIES)
        if len(wanted) < len(results):
            where = "settings of a codec that no other of its settings beats in PSNR or LPIPS"
            self.notes.append(f"Identity is measured at up to {MOST_IDENTITIES} {where}.")
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
            "setting": repr(setting),
            "pictures": self.digest,
            "metrics": [metric.key for metric in self.judge.metrics],
            "identity": identity,
        }
        found = self.store.get(key)
        if found is None:
            found = make()
            self.store.put(key, found)
        elif KEPT not in self.notes:
            self.notes.append(KEPT)
        return replace(found, codec=codec.name)


def fronts(codec: str, results: Sequence[Result], metrics: Sequence[Metric]) -> list[int]:
    """Indices of a codec's results that no other of its own beats in bytes and in PSNR, or in bytes and an LPIPS.

    In order of rising bytes.
    """
    found: set[int] = set()
    perceptual = [metric for metric in metrics if metric.key.startswith("lpips")][:1]
    for metric in (*(m for m in metrics if m.key == "psnr"), *perceptual):
        named = [i for i, r in enumerate(results) if r.codec == codec and metric.key in r.mean]
        points = [(results[i].mean["bytes"], results[i].mean[metric.key]) for i in named]
        found.update(named[i] for i in pareto_front(points, metric.higher_is_better))
    return sorted(found, key=lambda i: (results[i].mean["bytes"], i))
