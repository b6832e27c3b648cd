"""Whether a decoded face is still the same person to dlib's face recognition.

Needs the extra `faces` (`dlib-bin`, `face-recognition-models`). The network maps a face to a descriptor of 128 numbers;
its author takes two faces for one person if their Euclidean distance is below 0.6 (99.4 % accuracy on LFW).
"""

import multiprocessing
import os
import signal
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from invcomp.dlib_models import load_dlib, model_file

SAME_PERSON = 0.6
SIDE = 256  # faces are enlarged to at least this before anything is found in them


class FaceRecognition:
    """dlib's face detector, landmarks and descriptor."""

    def __init__(self) -> None:
        """Raises `MissingPackageError` without the extra `faces`."""
        dlib = load_dlib("identity")
        landmarks = model_file("shape_predictor_5_face_landmarks.dat", "identity")
        network = model_file("dlib_face_recognition_resnet_model_v1.dat", "identity")
        self.detector: Any = dlib.get_frontal_face_detector()
        self.landmarks: Any = dlib.shape_predictor(landmarks)
        self.network: Any = dlib.face_recognition_model_v1(network)

    def find(self, image: Image.Image) -> Any | None:
        """The box of the most certain face in an RGB image, in pixels of the enlarged image; None without a face."""
        boxes, scores, _ = self.detector.run(enlarged(image), 1, 0.0)
        return boxes[int(np.argmax(scores))] if len(boxes) else None

    def descriptor(self, image: Image.Image, box: Any) -> NDArray[np.float64]:
        """The descriptor (128,) of the face in `box`, landmarks found in this image."""
        pixels = enlarged(image)
        return np.asarray(self.network.compute_face_descriptor(pixels, self.landmarks(pixels, box)))


class Faces:
    """The faces of original pictures, each found once, and how far decoded ones are from them.

    dlib's network uses one core, so descriptors are computed in one process a core.
    """

    def __init__(self, originals: Sequence[Image.Image]) -> None:
        """Raises `MissingPackageError` without the extra `faces`."""
        recognition = FaceRecognition()
        self.boxes = [recognition.find(image) for image in originals]
        self._pool: ProcessPoolExecutor | None = None
        self._descriptors = self._describe(originals) if self.found else []

    @property
    def found(self) -> int:
        """How many originals have a face."""
        return sum(box is not None for box in self.boxes)

    def distances(self, decoded: Sequence[Image.Image]) -> list[float | None]:
        """Distances of the descriptors of decoded faces to those of the originals; None without an original face."""
        new = self._describe(decoded)
        return [
            None if a is None or b is None else float(np.linalg.norm(a - b))
            for a, b in zip(new, self._descriptors, strict=True)
        ]

    def _describe(self, images: Sequence[Image.Image]) -> list[NDArray[np.float64] | None]:
        if self._pool is None:
            workers = min(len(images), len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)
            self._pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), load_recognition)
        return list(self._pool.map(describe, images, self.boxes))


_recognition: FaceRecognition | None = None  # of a worker process


def load_recognition() -> None:
    global _recognition
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to handle
    _recognition = FaceRecognition()


def describe(image: Image.Image, box: Any | None) -> NDArray[np.float64] | None:
    """In a worker process: the descriptor of the face in a box, None without a box."""
    assert _recognition is not None
    return None if box is None else _recognition.descriptor(image, box)


def enlarged(image: Image.Image) -> NDArray[np.uint8]:
    """(H, W, 3), the shorter side at least `SIDE` pixels."""
    factor = SIDE / min(image.size)
    if factor > 1:
        size = (round(image.width * factor), round(image.height * factor))
        image = image.resize(size, Image.Resampling.BICUBIC)
    return np.asarray(image)
