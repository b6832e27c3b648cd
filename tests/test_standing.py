"""Where a picture stands among those of the prior's domain, and what is done with one that is none."""

import hashlib
import json
import shutil
import warnings
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
import torch
from PIL import Image
from typer.testing import CliRunner

from invcomp import container, fallback
from invcomp.cli import app
from invcomp.codec import Codec
from invcomp.errors import FormatError, ImageError, MismatchError, MismatchWarning, PriorError, QualityError, UsageError
from invcomp.inversion.fidelity import Fidelity
from invcomp.pictures import read_picture
from invcomp.priors.calibration import SHARES, Calibration, quantiles, read_calibration, share_below
from invcomp.priors.domain import DOMAIN, restored_domain
from invcomp.priors.info import CARD
from invcomp.priors.registry import find_prior
from invcomp.standing import Standing
from invcomp.training.domain import between
from tests.conftest import FACES, photographs


def test_shares_are_those_of_the_values() -> None:
    values = np.random.default_rng(0).gamma(2, size=4000)
    found = quantiles(list(values))
    for value in np.quantile(values, [0.1, 0.5, 0.9, 0.99]):
        assert share_below(value, found) == pytest.approx((values < value).mean(), abs=0.004)
    assert share_below(values.max() + 1, found) == 1
    assert share_below(-1.0, found) == 0


def good() -> dict[str, object]:
    series = [float(n) for n in range(len(SHARES))]
    return asdict(Calibration(100, 100, 0, [series, series], series))


@pytest.mark.parametrize(
    "changed",
    [
        {"distortion": [[1.0]]},
        {"distortion": "none"},
        {"domain": [3.0] * 12 + [1.0]},
        {"domain": [1.0]},
        {"pictures": None},
        {"distortion": [[None] * 13] * 2},
    ],
)
def test_a_damaged_calibration_is_refused(changed: dict[str, object]) -> None:
    assert read_calibration(good(), 2) is not None
    with pytest.raises(ValueError, match="calibration"):
        read_calibration(good() | changed, 2)


def test_a_prior_without_calibration_says_nothing() -> None:
    assert read_calibration({}, 2) is None
    assert not Standing().mismatch


def test_too_few_pictures_say_nothing() -> None:
    series = [float(n) for n in range(len(SHARES))]
    few = Calibration(99, 99, 0, [series], series)
    assert few.domain_share(5.0) is None
    assert few.distortion_share(5.0, 0) is None


def test_looks_decide_and_distortion_beyond_every_held_out_picture() -> None:
    assert Standing(0.2, 0.995).mismatch
    assert not Standing(0.995, 0.5).mismatch
    assert Standing(1.0, 0.5).mismatch
    assert Standing(0.995, None).mismatch
    assert not Standing(0.98, None).mismatch


def test_a_domain_knows_what_is_far_off_in_either_way() -> None:
    generator = torch.Generator().manual_seed(0)
    axes = torch.randn(24, 24, generator=generator, dtype=torch.float64)
    own = torch.randn(800, 24, generator=generator, dtype=torch.float64) @ axes
    strange = torch.randn(800, 24, generator=generator, dtype=torch.float64) @ axes + 2 * axes[0]
    domain = restored_domain(between(own, strange).stored())
    more = torch.randn(400, 24, generator=generator, dtype=torch.float64) @ axes
    limit = domain.scores(more.float()).quantile(0.99)
    shifted = torch.randn(400, 24, generator=generator, dtype=torch.float64) @ axes + 6 * axes[0]
    wide = 4 * torch.randn(400, 24, generator=generator, dtype=torch.float64) @ axes
    assert (domain.scores(shifted.float()) > limit).float().mean() > 0.95
    assert (domain.scores(wide.float()) > limit).float().mean() > 0.95


def test_a_damaged_domain_is_refused() -> None:
    generator = torch.Generator().manual_seed(0)
    tensors = between(
        torch.randn(200, 8, generator=generator).double(), torch.randn(200, 8, generator=generator).double() + 1
    ).stored()
    with pytest.raises(ValueError, match="missing"):
        restored_domain({name: value for name, value in tensors.items() if name != "scale"})
    with pytest.raises(ValueError, match="fit together"):
        restored_domain(tensors | {"direction": tensors["direction"][:-1]})


def strange_domain(tensors: dict[str, np.ndarray], how: str) -> dict[str, np.ndarray]:
    if how == "nan":
        return tensors | {"mean": np.full_like(tensors["mean"], np.nan)}
    if how == "empty":
        return tensors | {name: tensors[name][..., :0] for name in ("basis", "scale", "direction")}
    return tensors | {name: tensors[name][:7] for name in ("mean", "basis")}


@pytest.mark.parametrize("how", ["nan", "empty", "of another network"])
def test_a_hostile_domain_is_refused_with_a_sentence(tmp_path: Path, how: str) -> None:
    folder = shutil.copytree(find_prior("faces-64"), tmp_path / "prior")
    data = safetensors.numpy.save(strange_domain(safetensors.numpy.load_file(folder / DOMAIN), how))
    (folder / DOMAIN).write_bytes(data)
    card = json.loads((folder / CARD).read_text())
    card["files"][DOMAIN] = hashlib.sha256(data).hexdigest()
    (folder / CARD).write_text(json.dumps(card))
    with pytest.raises(PriorError, match="get the prior again"):
        Codec(folder, "cpu").domain_standing(Image.new("RGB", (64, 64)))


@pytest.mark.parametrize("name", ["faces", "faces-64"])
def test_faces_are_faces_and_photographs_are_not(name: str) -> None:
    codec = Codec(name, "cpu")
    faces = [read_picture(path).image for path in FACES]
    assert not any(codec.domain_standing(image).mismatch for image in faces)
    assert all(codec.domain_standing(image.resize((200, 200))).mismatch for image in photographs()[1:])
    assert all(codec.domain_standing(image.rotate(180)).mismatch for image in faces)


def test_standings_come_with_files_and_do_not_depend_on_the_search(faces: Codec) -> None:
    images = [read_picture(FACES[0]).image, photographs()[2].resize((64, 64))]
    plain, searched = (faces.compress_batch(images, quality=20, steps=steps) for steps in (0, 2))
    assert [result.standing.mismatch for result in plain] == [False, True]
    assert [result.standing for result in plain] == [result.standing for result in searched]
    other_loss = faces.compress_batch(images, quality=20, steps=2, loss="100*mse")
    for one, two in zip(plain, other_loss, strict=True):
        assert one.standing.distortion == pytest.approx(two.standing.distortion, abs=1e-4)


def test_python_warns_fails_or_falls_back(faces: Codec) -> None:
    chelsea = photographs()[1].resize((96, 64))
    with pytest.warns(MismatchWarning, match="does not look like what the prior faces-64 is for"):
        faces.compress(chelsea, steps=0)
    with pytest.raises(MismatchError, match="does not look like"):
        faces.compress(chelsea, steps=0, on_mismatch="fail")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = faces.compress(chelsea, max_bytes=300, on_mismatch="fallback")
        faces.compress(read_picture(FACES[1]).image, steps=0)
    assert 240 < len(data) <= 300
    decoded = np.asarray(faces.decompress(data), dtype=float)
    assert np.square(decoded - np.asarray(chelsea, dtype=float)).mean() < 900
    with pytest.raises(UsageError, match="fallback"):
        faces.compress(chelsea, on_mismatch="perhaps")


@pytest.mark.parametrize("limit", [64, 150, 340])
def test_a_fallback_is_never_larger(faces: Codec, limit: int) -> None:
    for image in (photographs()[0], photographs()[2].resize((301, 64))):
        for checksum in (1, 2):
            data = faces.fallback(image, max_bytes=limit, checksum=checksum)
            assert 0.8 * limit < len(data) <= limit
            assert faces.decompress(data).size == image.size


def test_a_fallback_that_fits_nowhere_is_refused(faces: Codec) -> None:
    with pytest.raises(ImageError, match="allow more"):
        faces.fallback(photographs()[0], max_bytes=20)


def test_a_fallback_keeps_a_fidelity(faces: Codec) -> None:
    image = photographs()[1].resize((96, 64))
    asked = Fidelity(30.0, 0.9)
    decoded = faces.decompress(faces.fallback(image, fidelity=asked))
    assert asked.excess(asked.of(decoded, image)) <= 1
    with pytest.raises(QualityError, match="ask for less"):
        faces.fallback(image, fidelity=Fidelity(70.0))


@pytest.mark.parametrize("codec", container.CODECS)
def test_payloads_come_back_and_damaged_ones_are_refused(codec: str) -> None:
    image = photographs()[0].resize((33, 21))
    payload = fallback.encode(codec, image, 50)
    assert fallback.decode_still(codec, payload, (33, 21)).size == (33, 21)
    with pytest.raises(FormatError, match="larger than it says"):
        fallback.decode_still(codec, payload, (32, 21))
    for damaged in (b"", payload[:9], bytes(len(payload))):
        with pytest.raises(FormatError, match="damaged"):
            fallback.decode_still(codec, damaged, (64, 64))


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(a) for a in arguments])
    return result.exit_code, result.stdout, result.stderr


def test_the_command_warns_fails_or_falls_back(tmp_path: Path) -> None:
    photographs()[1].resize((80, 80)).save(tmp_path / "cat.png")
    Image.open(FACES[2]).save(tmp_path / "face.png")
    common = ("compress", tmp_path, "--prior", "faces-64", "--steps", 0, "--json")
    code, out, err = run(*common, "-o", tmp_path / "a")
    assert code == 0
    assert "cat.png: this does not look like" in err
    entries = {Path(entry["input"]).stem: entry for entry in json.loads(out)["files"]}
    assert entries["cat"]["mismatch"]
    assert not entries["face"]["mismatch"]
    assert entries["face"]["domain_percentile"] < 99 < entries["cat"]["domain_percentile"]
    assert 0 <= entries["face"]["distortion_percentile"] <= 100
    code, out, err = run(*common, "-o", tmp_path / "b", "--on-mismatch", "fail")
    assert code == 1
    assert [path.name for path in (tmp_path / "b").iterdir()] == ["face.inv"]
    code, out, err = run(*common, "-o", tmp_path / "c", "--on-mismatch", "fallback", "--max-bytes", 200)
    assert code == 0
    stored = {entry["output"]: entry.get("codec") for entry in json.loads(out)["files"]}
    assert sorted(map(str, stored.values())) == ["None", "webp"]
    assert (tmp_path / "c" / "cat.inv").stat().st_size <= 200
    code, out, err = run("info", tmp_path / "c" / "cat.inv")
    assert "webp" in out
    code, out, err = run("decompress", tmp_path / "c" / "cat.inv", "-o", tmp_path / "cat-back.png", "--label")
    assert code == 0
    assert "invcomp-prior" not in Image.open(tmp_path / "cat-back.png").info  # no prior made it, and no mark is on it
    assert np.array_equal(
        np.asarray(Image.open(tmp_path / "cat-back.png")),
        np.asarray(Codec("faces-64").decompress((tmp_path / "c" / "cat.inv").read_bytes())),
    )
    assert Image.open(tmp_path / "cat-back.png").size == (80, 80)
    code, _, err = run(*common, "-o", tmp_path / "d", "--on-mismatch", "maybe")
    assert code == 2


def test_a_fallback_of_a_long_thin_picture_and_of_a_large_one(faces: Codec) -> None:
    for size in ((3, 700), (900, 1), (1500, 1200)):
        image = photographs()[0].resize(size)
        data = faces.fallback(image, max_bytes=200)
        assert len(data) <= 200
        assert faces.decompress(data).size == size


@pytest.mark.parametrize(
    "wrong", [{"quality": 300.0}, {"checksum": 7}, {"loss": "nope"}, {"levels": 77}, {"steps": -3}]
)
def test_wrong_arguments_are_refused_before_the_picture_is_looked_at(faces: Codec, wrong: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        faces.compress(photographs()[1], on_mismatch="fallback", **wrong)  # type: ignore[arg-type]
