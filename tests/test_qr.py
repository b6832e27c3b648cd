"""QR codes: a file comes back from a photograph of its code, and what is no code of a file gets a sentence."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import segno
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from invcomp.carriers import base45
from invcomp.carriers.qr import LARGEST, LEVELS, Code, read_code, room, write_code
from invcomp.codec import Codec
from invcomp.errors import FormatError, ImageError
from tests.conftest import FACES, png
from tests.photos import Shot, photographed
from tests.test_cli import call

BORDER = 4
HARDER = (Shot(blur=0.4, noise=25), Shot(module=2.5), Shot(tilt=0.2, light=0.3), Shot(degrees=45), Shot(noise=50))


@pytest.fixture(scope="module")
def data(faces: Codec) -> bytes:
    """A face in 200 bytes, or just below."""
    (result,) = faces.compress_batch([Image.open(FACES[0])], max_bytes=200, steps=20, loss="100*mse")
    assert 195 <= result.bytes <= 200
    return result.data


@pytest.fixture
def file(data: bytes, tmp_path: Path) -> Path:
    path = tmp_path / "face.inv"
    path.write_bytes(data)
    return path


def code_of(data: bytes, text: bool = False, **changes: object) -> Code:
    options = {"kind": "png", "level": "M", "text": text, "largest": LARGEST, "scale": 8, "border": BORDER} | changes
    return write_code(data, "face.inv", **options)  # type: ignore[arg-type]


def photo(data: bytes, shot: Shot, seed: int, text: bool = False) -> Image.Image:
    code = code_of(data, text)
    assert code.version <= 10
    assert code.level == "M"
    return photographed(Image.open(io.BytesIO(code.image)), code.modules + 2 * BORDER, shot, seed)


def drawn(content: str | bytes) -> Image.Image:
    buffer = io.BytesIO()
    segno.make_qr(content, error="M").save(buffer, kind="png", scale=6)
    return Image.open(buffer).convert("L")


def beside(*images: Image.Image) -> Image.Image:
    sheet = Image.new("L", (sum(image.width for image in images), max(image.height for image in images)), 255)
    left = 0
    for image in images:
        sheet.paste(image, (left, 0))
        left += image.width
    return sheet


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("seed", range(6))
def test_a_face_survives_a_turned_blurred_and_noisy_photograph(data: bytes, text: bool, seed: int) -> None:
    assert read_code(png(photo(data, Shot(), seed, text)), "photo") == data


@pytest.mark.parametrize("shot", HARDER)
def test_a_face_survives_harder_photographs(data: bytes, shot: Shot) -> None:
    for seed in range(3):
        assert read_code(png(photo(data, shot, seed)), "photo") == data


def test_a_full_version_10_survives(data: bytes) -> None:
    filled = data + bytes(room(10, "M", False) - len(data))
    assert read_code(png(photo(filled, Shot(), 0)), "photo") == filled


def test_the_commands_give_the_same_picture_as_the_file(file: Path, tmp_path: Path) -> None:
    made = call("qr", file, "-o", tmp_path / "code.png", "--json")
    (entry,) = json.loads(made.stdout)["files"]
    assert (entry["version"], entry["modules"], entry["level"]) == (10, 57, "M")
    taken = photographed(Image.open(tmp_path / "code.png"), entry["modules"] + 2 * BORDER, Shot(), seed=11)
    taken.save(tmp_path / "photo.jpg", quality=80)
    assert call("decompress", file, "-o", tmp_path / "a.png").exit_code == 0
    shown = call("decompress", "--qr", tmp_path / "photo.jpg")
    assert shown.exit_code == 0, shown.output
    assert Image.open(tmp_path / "photo.decoded.png").tobytes() == Image.open(tmp_path / "a.png").tobytes()
    assert (tmp_path / "photo.jpg").is_file()


@pytest.mark.parametrize(("suffix", "begin"), [("svg", b"<?xml"), ("pdf", b"%PDF"), ("png", b"\x89PNG")])
def test_codes_are_drawn_as_pictures_of_several_kinds(file: Path, tmp_path: Path, suffix: str, begin: bytes) -> None:
    assert call("qr", file, "-o", tmp_path / f"code.{suffix}").exit_code == 0
    assert (tmp_path / f"code.{suffix}").read_bytes().startswith(begin)


def test_a_code_lies_beside_its_file_and_is_kept(file: Path, tmp_path: Path) -> None:
    assert "57" in call("qr", file).output
    code = tmp_path / "face.qr.png"
    before = code.read_bytes()
    refused = call("qr", file, "--text")
    assert refused.exit_code == 1
    assert "--force" in refused.output
    assert code.read_bytes() == before
    assert call("qr", file, "--text", "--skip-existing").exit_code == 0
    assert code.read_bytes() == before
    assert call("qr", file, "--text", "--scale", 3, "--border", 2, "--force").exit_code == 0
    assert Image.open(code).size == (3 * (57 + 2 * 2),) * 2


def test_standard_input_and_output(data: bytes) -> None:
    command = [sys.executable, "-m", "invcomp.cli"]
    code = subprocess.run([*command, "qr", "-", "-o", "-"], input=data, capture_output=True, check=True).stdout
    assert read_code(code, "standard input") == data
    shown = subprocess.run(
        [*command, "decompress", "--qr", "-", "-o", "-"], input=code, capture_output=True, check=True
    )
    assert Image.open(io.BytesIO(shown.stdout)).size == (64, 64)


@pytest.mark.parametrize("text", [False, True])
@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("version", [1, 9, 10, 26, 27, 40])
def test_what_fits_is_known(version: int, level: str, text: bool) -> None:
    most = room(version, level, text)
    data = bytes([0xA0]) + bytes(range(256)) * 12
    code = code_of(data[:most], text, largest=version, level=level)
    assert (code.version, code.level) == (version, level)
    assert read_code(code.image, "code") == data[:most]
    with pytest.raises(FormatError, match=f"--max-bytes {most}$"):
        code_of(data[: most + 1], text, largest=version, level=level)


@given(st.binary(max_size=40))
def test_base45_comes_back(data: bytes) -> None:
    assert base45.decode(base45.encode(data)) == data


@pytest.mark.parametrize(("data", "text"), [(b"AB", "BB8"), (b"Hello!!", "%69 VD92EX0"), (b"base-45", "UJCLQE7W581")])
def test_base45_is_that_of_the_rfc(data: bytes, text: str) -> None:
    assert base45.encode(data) == text


@pytest.mark.parametrize("text", ["A", "AAAA", ":::", "GGW", "::", "ab0", "é00"])
def test_what_is_no_base45_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="Base45"):
        base45.decode(text)


def covered(image: Image.Image) -> Image.Image:
    image = image.copy()
    side = image.width
    ImageDraw.Draw(image).rectangle((side * 0.35, side * 0.35, side * 0.75, side * 0.75), fill=128)
    return image


def test_pictures_without_a_code_of_a_file_get_a_sentence(data: bytes) -> None:
    ours, link = (
        Image.open(io.BytesIO(code_of(data).image)).convert("L"),
        "https://example.com/faces/of/people?number=17",
    )
    other = Image.open(io.BytesIO(code_of(data[:-1] + b"x").image)).convert("L")
    for picture, kind, words in (
        (png(Image.open(FACES[0])), ImageError, "photo has no QR code that can be found"),
        (png(covered(ours)), ImageError, "photo has a QR code that is too blurred, covered or damaged"),
        (
            png(drawn(link)),
            FormatError,
            "photo has a QR code that holds text (“https://example.com/faces/of/people?numb…”)",
        ),
        (png(drawn("INV/no base 45")), FormatError, "holds text (“INV/no base 45”)"),
        (png(drawn("INV/")), FormatError, "photo has a QR code that holds text (“INV/”), no invcomp file"),
        (png(drawn("INV/BB8")), FormatError, "photo has a QR code that holds text (“INV/BB8”), no invcomp file"),
        (png(drawn(bytes(range(128, 144)))), FormatError, "holds 16 other bytes"),
        (png(beside(ours, other)), FormatError, "photo shows 2 QR codes with different files"),
        (b"", ImageError, "photo is empty"),
        (b"text", ImageError, "photo is not a picture"),
        (data, ImageError, "photo is not a picture"),
    ):
        with pytest.raises(kind) as caught:
            read_code(picture, "photo")
        assert words in str(caught.value)
        assert ";" in str(caught.value) or picture == b""


@pytest.mark.parametrize(
    ("size", "words"),
    [
        ((33_000, 50), "has no QR code that can be found"),
        ((1, 60_000), "has no QR code that can be found"),
        ((70_000, 2), "has 70000 x 2 pixels, and QR codes are looked for in at most 65,535 a side"),
    ],
)
def test_a_panorama_gets_a_sentence_and_the_others_are_done(
    file: Path, tmp_path: Path, size: tuple[int, int], words: str
) -> None:
    Image.new("L", size, 255).save(tmp_path / "pan.png")
    assert call("qr", file).exit_code == 0
    result = call("decompress", "--qr", tmp_path / "pan.png", tmp_path / "face.qr.png", "-o", f"{tmp_path}/out/")
    assert result.exit_code == 1
    assert f"pan.png {words}" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["face.qr.decoded.png"]


def test_what_the_reader_itself_refuses_gets_a_sentence(data: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    import zxingcpp

    def refuse(*_: object, **__: object) -> None:
        raise ValueError("Unsupported array type")

    monkeypatch.setattr(zxingcpp, "read_barcodes", refuse)
    with pytest.raises(ImageError, match="no QR code can be looked for in photo: Unsupported array type; "):
        read_code(code_of(data).image, "photo")


@pytest.mark.parametrize("place", ["photos", "photos/decoded"])
def test_a_folder_is_decoded_again_without_its_earlier_outputs(file: Path, tmp_path: Path, place: str) -> None:
    folder = tmp_path / "photos"
    folder.mkdir()
    assert call("qr", file, "-o", folder / "a.png").exit_code == 0
    command = ("decompress", "--qr", folder, "-o", f"{tmp_path / place}/")
    assert call(*command).exit_code == 0
    before = sorted(folder.rglob("*"))
    again = call(*command, "--skip-existing", "--json")
    assert again.exit_code == 0, again.output
    assert [Path(entry["input"]).name for entry in json.loads(again.stdout)["files"]] == ["a.png"]
    assert sorted(folder.rglob("*")) == before
    (folder / "a.png").unlink()
    nothing = call(*command)
    assert nothing.exit_code == 2
    assert "photos has no files to work on but earlier outputs (.decoded.png)" in nothing.stderr


def test_a_code_too_large_to_be_read_again_is_not_drawn(file: Path, tmp_path: Path) -> None:
    code = tmp_path / "face.qr.png"
    refused = call("qr", file, "--scale", 100, "--border", 100)
    assert refused.exit_code == 1
    words = (
        "face.inv would have 25,700 x 25,700 pixels, more than the 100,000,000 that are read; give --scale 38 or less"
    )
    assert words in refused.stderr
    assert not code.exists()
    assert call("qr", file, "--scale", 38, "--border", 100).exit_code == 0
    assert read_code(code.read_bytes(), "code") == file.read_bytes()
    assert call("qr", file, "--scale", 100, "--border", 100, "-o", tmp_path / "code.svg").exit_code == 0


def test_codes_beside_that_of_a_file_do_not_matter(data: bytes) -> None:
    ours = Image.open(io.BytesIO(code_of(data).image)).convert("L")
    assert read_code(png(beside(drawn("https://example.com"), ours, ours)), "photo") == data


def test_the_command_refuses_a_web_address_and_goes_on(file: Path, tmp_path: Path) -> None:
    drawn("https://example.com").save(tmp_path / "link.png")
    assert call("qr", file).exit_code == 0
    result = call("decompress", "--qr", tmp_path / "link.png", tmp_path / "face.qr.png", "-o", f"{tmp_path}/out/")
    assert result.exit_code == 1
    assert "link.png has a QR code that holds text (“https://example.com”), no invcomp file" in result.stderr
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["face.qr.decoded.png"]


@pytest.mark.parametrize(
    ("content", "options", "code", "words"),
    [
        (b"no file at all", [], 1, "face.inv is not an invcomp file"),
        (b"", [], 1, "face.inv is empty"),
        (None, ["--max-version", "9"], 1, "version 9 and level M holds 180; compress with --max-bytes 180"),
        (None, ["--error", "x"], 2, "--error takes L, M, Q or H"),
        (None, ["-o", "code.jpg"], 2, "give .png, .svg or .pdf"),
        (None, ["--scale", "0"], 2, "scale"),
    ],
)
def test_bad_input_gets_a_sentence_and_leaves_nothing(
    file: Path, tmp_path: Path, content: bytes | None, options: list[str], code: int, words: str
) -> None:
    if content is not None:
        file.write_bytes(content)
    result = call("qr", file, *options)
    assert result.exit_code == code
    assert words in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["face.inv"]


def test_a_damaged_file_and_one_that_is_too_large_make_no_code(data: bytes, file: Path, tmp_path: Path) -> None:
    file.write_bytes(data[:-1])
    assert "truncated or damaged" in call("qr", file).stderr
    (tmp_path / "large.inv").write_bytes(b"\xa0\x0f\xff" + bytes(2500))  # of a prior that is not installed
    result = call("qr", tmp_path / "large.inv")
    assert result.exit_code == 1
    assert "large.inv has 2,503 bytes, and a QR code of version 40 and level M holds 2,331" in result.stderr
    assert not list(tmp_path.glob("*.png"))


@pytest.mark.parametrize(
    ("module", "package", "command"), [("segno", "segno", "qr"), ("zxingcpp", "zxing-cpp", "read")]
)
def test_a_missing_package_is_named(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, module: str, package: str, command: str
) -> None:
    Image.new("L", (9, 9)).save(tmp_path / "photo.png")
    monkeypatch.setitem(sys.modules, module, None)
    photos = [tmp_path / "photo.png"] * 3
    result = call("qr", file, file) if command == "qr" else call("decompress", "--qr", *photos, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert f"needs {package}: pip install 'invcomp[qr]'" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 1


def test_torch_is_not_asked_for(file: Path, tmp_path: Path) -> None:
    code = (
        "import sys\nfrom invcomp.cli import app\n"
        f"app(['qr', {str(file)!r}], standalone_mode=False)\n"
        f"app(['split', {str(file)!r}, '--mtu', '51', '-o', {str(tmp_path / 'packets')!r}], standalone_mode=False)\n"
        f"app(['join', {str(tmp_path / 'packets')!r}, '-o', {str(tmp_path / 'back.inv')!r}], standalone_mode=False)\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "back.inv").read_bytes() == file.read_bytes()
