"""Shared fixtures: real pictures, a tiny prior trained on them, the shipped prior.

Tests run in as many processes as there are cores. Each has one thread of torch: two busy processes with two threads
each slow each other tenfold.
"""

import io
import os
import warnings
from pathlib import Path

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # threads of the few tests that have two do not spin
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"  # both are read when torch is imported

import numpy as np
import pytest
from PIL import Image

from invcomp.codec import Codec
from invcomp.errors import MissingPackageError
from invcomp.priors.portraits.mobile_stylegan import MappingNetwork, SynthesisNetwork
from invcomp.priors.portraits.wheel import load_networks, wheel_data
from invcomp.training.command import Request, run_training

ROOT = Path(__file__).resolve().parent.parent
FACES = sorted((ROOT / "tests" / "faces").glob("*.png"))  # 64 x 64
CRITIC_ONLY = "100*mse + 0.1*critic"  # a distortion that needs no download


def photographs() -> list[Image.Image]:
    """Real photographs that scikit-image carries."""
    import skimage

    folder = Path(skimage.__file__).parent / "data"
    return [Image.open(folder / name).convert("RGB") for name in ("astronaut.png", "chelsea.png", "coffee.png")]


def windows(n: int, side: int = 96, seed: int = 0) -> list[Image.Image]:
    """`n` random windows of photographs."""
    rng = np.random.default_rng(seed)
    pictures = photographs()
    found = []
    for index in range(n):
        picture = pictures[index % len(pictures)]
        x, y = (int(rng.integers(0, extent - side)) for extent in picture.size)
        found.append(picture.crop((x, y, x + side, y + side)))
    return found


def request(data: Path, output: Path, **changes: object) -> Request:
    """A training request small enough for a test."""
    values: dict[str, object] = {
        "data": data,
        "output": output,
        "image_size": 32,
        "free_size": False,
        "preset": "tiny",
        "kimg": 1.0,
        "batch": 16,
        "distortion": CRITIC_ONLY,
        "adversarial": 0.05,
        "pure_gan": False,
        "critic_augmentation": False,
        "augmentation": "plain",
        "others": None,
        "others_share": None,
        "origin": None,
        "compile_networks": False,
        "name": output.name,
        "domain": "test pictures",
        "licence": "none",
        "data_note": None,
        "limits": "not stated",
        "resume": False,
        "minutes": 60.0,
        "seed": 0,
        "device": "cpu",
        "force": False,
        "graph": False,
    }
    return Request(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def picture_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 windows of photographs as PNG files."""
    folder = tmp_path_factory.mktemp("pictures")
    for index, image in enumerate(windows(120)):
        image.save(folder / f"{index:03d}.png")
    return folder


@pytest.fixture(scope="session")
def tiny_folder(picture_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny prior for 32 x 32 pictures, trained here."""
    folder = tmp_path_factory.mktemp("priors") / "tiny"
    run_training(request(picture_folder, folder, kimg=4.0), lambda _: None)
    return folder


@pytest.fixture(scope="session")
def free_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny prior of free size, trained here on crops, one of each picture."""
    data = tmp_path_factory.mktemp("crops")
    for index, image in enumerate(windows(120, side=40)):
        image.save(data / f"{index:03d}.png")
    folder = tmp_path_factory.mktemp("priors") / "free"
    run_training(request(data, folder, free_size=True, kimg=0.6), lambda _: None)
    return folder


@pytest.fixture(scope="session")
def tiny(tiny_folder: Path) -> Codec:
    return Codec(tiny_folder, "cpu")


@pytest.fixture(scope="session")
def faces() -> Codec:
    """The smaller of the shipped priors of faces."""
    return Codec("faces-64", "cpu")


@pytest.fixture(scope="session")
def held_out() -> list[Image.Image]:
    """Windows that no prior of the tests was trained on, at 32 x 32."""
    return [image.resize((32, 32), Image.Resampling.LANCZOS) for image in windows(6, seed=99)]


@pytest.fixture(scope="session")
def wheel() -> Path:
    """The networks' folder of the installed wheel `random-face`; tests that need it are skipped without it."""
    try:
        return wheel_data()
    except MissingPackageError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def portraits(wheel: Path) -> tuple[MappingNetwork, SynthesisNetwork]:
    """The wheel's networks."""
    return load_networks(wheel)


@pytest.fixture(autouse=True)
def quiet() -> None:
    warnings.simplefilter("ignore", DeprecationWarning)


def png(image: Image.Image, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", **options)
    return buffer.getvalue()
