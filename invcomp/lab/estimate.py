"""What a run will cost, from a short trial on this machine."""

import time
from collections.abc import Sequence

from PIL import Image

from invcomp.codec import Codec

STEPS, PICTURES = 10, 8


def seconds_a_step(codec: Codec, images: Sequence[Image.Image]) -> float:
    """Seconds a picture and step of the default search in a batch: what it takes at most, since pictures that have
    converged leave it."""
    trial = list(images[:PICTURES])
    codec.compress_batch(trial, steps=1)  # starting up is no part of it
    began = time.perf_counter()
    codec.compress_batch(trial, steps=STEPS)
    return (time.perf_counter() - began) / STEPS / len(trial)


def in_words(seconds: float) -> str:
    """A duration for people."""
    return f"{max(1, round(seconds))} seconds" if seconds < 90 else f"{round(seconds / 60)} minutes"
