"""Decoding without torch: the same symbols, pixels within 1, and what is refused."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from PIL import Image
from typer.testing import CliRunner

from invcomp.cli import app
from invcomp.codec import Codec
from invcomp.container import short_id
from invcomp.decoder import Decoder
from invcomp.errors import PriorError, UsageError
from invcomp.exporting import add_graph, export
from invcomp.priors.info import CARD, read_info
from invcomp.priors.reading import GENERATOR, GRAPH, TABLES, read_decoding_side
from invcomp.priors.registry import find_prior, priors_of
from invcomp.runtimes import opener
from invcomp.writing import write_whole
from tests.golden_files import GOLDEN, ROOT, digest, known
from tests.untrained import FIXED, FREE, untrained

SHIPPED = ("faces", "faces-64")


def files_of(prior: str) -> list[Path]:
    """The golden files of a shipped prior."""
    short = read_info(find_prior(prior)).id[:8]
    return sorted(path for path in GOLDEN.glob(f"v1-{short}-*.inv"))


def difference(a: Image.Image, b: Image.Image) -> int:
    return int(np.abs(np.asarray(a, dtype=np.int16) - np.asarray(b, dtype=np.int16)).max())


def rewrite(folder: Path, **changes: object) -> None:
    """Change entries of a prior's description."""
    card = json.loads((folder / CARD).read_text())
    write_whole(folder / CARD, json.dumps(card | changes).encode())


def hashed(folder: Path, name: str, data: bytes) -> None:
    """Put a file into a prior's folder with its hash, as somebody with bad intentions would."""
    import hashlib

    write_whole(folder / name, data)
    rewrite(folder, files=read_info(folder).files | {name: hashlib.sha256(data).hexdigest()})


def paint(folder: Path) -> None:
    """Paint a picture of no symbols, of 32 x 32 pixels."""
    decoder = Decoder(folder)
    shapes = decoder.prior.arch.latent_shapes(32, 32)
    decoder.painted([np.zeros(shape, dtype=np.int32) for shape in shapes], 0, decoder.painted_size(32))


@pytest.fixture(scope="module")
def fixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An untrained prior of fixed size with its graph."""
    folder = untrained(tmp_path_factory.mktemp("priors") / "fixed", FIXED)
    add_graph(folder)
    return folder


@pytest.fixture(scope="module")
def exported(fixed: Path) -> Path:
    """Its decoder, by itself."""
    export(fixed, fixed.parent / "decoder")
    return fixed.parent / "decoder"


@pytest.fixture(scope="module")
def picture() -> Image.Image:
    return Image.open(ROOT / "tests" / "faces" / "face-1.png").convert("RGB")


@pytest.mark.parametrize("prior", SHIPPED)
def test_shipped_priors_decode_without_torch_as_with_it(prior: str) -> None:
    codec, decoder = Codec(prior, "cpu"), Decoder(prior)
    assert files_of(prior)
    for path in files_of(prior):
        data = path.read_bytes()
        shown = decoder.decompress(data)
        assert difference(shown, codec.decompress(data)) <= 1
        assert shown.info == codec.decompress(data).info
        if decoder.foreign(data) is None:
            assert digest(decoder.read(data)[1]) == known("symbols.json")[path.stem]


def test_an_exported_decoder_holds_the_same_tables(fixed: Path, exported: Path) -> None:
    assert sorted(path.name for path in exported.iterdir()) == sorted([GRAPH, TABLES, CARD])
    assert {**read_info(exported).files}.keys() == {GRAPH, TABLES}
    inside, beside = read_decoding_side(exported), read_decoding_side(fixed)
    assert inside.arch == beside.arch
    for a, b in zip(inside.tables, beside.tables, strict=True):
        assert a.context is not None
        assert b.context is not None
        for name, value in {**vars(b.context), "cumulative": b.cumulative, "index": b.index}.items():
            other = {**vars(a.context), "cumulative": a.cumulative, "index": a.index}[name]
            np.testing.assert_array_equal(other, value)
            assert other.dtype == value.dtype


def test_an_exported_decoder_needs_nothing_else(
    fixed: Path, exported: Path, picture: Image.Image, tmp_path: Path
) -> None:
    data = Codec(fixed, "cpu").compress(picture, steps=2, max_bytes=120)
    moved = shutil.copytree(exported, tmp_path / "moved")
    assert difference(Decoder(moved).decompress(data), Codec(fixed, "cpu").decompress(data)) <= 1
    assert Decoder(moved).decompress(data, levels=1).size == picture.size


def test_graphs_take_many_pictures_at_once(fixed: Path) -> None:
    codec = Codec(fixed, "cpu")
    session = onnxruntime.InferenceSession(fixed / GRAPH, providers=["CPUExecutionProvider"])
    rng = np.random.default_rng(0)
    shapes = codec.prior.arch.latent_shapes(32, 32)
    symbols = [[rng.integers(-3, 4, size=shape).astype(np.int32) for shape in shapes] for _ in range(3)]
    inputs = {f"level_{n}": np.stack(level).astype(np.float32) for n, level in enumerate(zip(*symbols, strict=True))}
    (found,) = session.run(["picture"], inputs | {"rate": np.array([0, 2, 3], np.float32)})
    np.testing.assert_allclose(found, codec.paint(symbols, [0, 2, 3]).numpy(), atol=1e-4)


@pytest.mark.parametrize(
    "size",
    [pytest.param((64, 64), marks=pytest.mark.slow), (33, 70), (8, 8), pytest.param((200, 5), marks=pytest.mark.slow)],
)
def test_priors_of_free_size_decode_at_any(tmp_path: Path, picture: Image.Image, size: tuple[int, int]) -> None:
    folder = untrained(tmp_path / "free", FREE)
    add_graph(folder)
    data = Codec(folder, "cpu").compress(picture.resize(size), steps=1)
    shown = Decoder(folder).decompress(data)
    assert shown.size == size
    assert difference(shown, Codec(folder, "cpu").decompress(data)) <= 1


@pytest.mark.slow
def test_the_graph_of_another_prior_is_refused(fixed: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(fixed, tmp_path / "mixed")
    other = find_prior("faces-64")
    shutil.copy(other / GRAPH, folder / GRAPH)
    with pytest.raises(PriorError, match=r"generator\.onnx is damaged, or of another prior: its hash"):
        paint(folder)
    export(other, tmp_path / "other")
    hashed(folder, GRAPH, (tmp_path / "other" / GRAPH).read_bytes())
    with pytest.raises(PriorError, match="is of another prior than fixed"):
        paint(folder)


def test_a_graph_that_paints_something_else_is_refused(fixed: Path, tmp_path: Path, picture: Image.Image) -> None:
    data = Codec(fixed, "cpu").compress(picture, steps=0)
    folder = shutil.copytree(fixed, tmp_path / "small")
    graph = onnx.load(folder / GRAPH, load_external_data=False)
    graph.graph.output[0].name = "thumbnail"
    hashed(folder, GRAPH, graph.SerializeToString())
    with pytest.raises(PriorError, match="cannot be run"):
        Decoder(folder).decompress(data)
    hashed(folder, GRAPH, b"no graph")
    with pytest.raises(PriorError, match="cannot be run"):
        paint(folder)


def test_a_prior_without_a_graph_says_how_to_get_one(tmp_path: Path) -> None:
    folder = untrained(tmp_path / "bare", FIXED)
    with pytest.raises(PriorError, match=r"run `invcomp export-decoder .*bare --force` where torch is installed"):
        paint(folder)
    assert isinstance(opener()(folder), Codec)


def damages() -> Iterator[tuple[str, Callable[[dict[str, Any]], None]]]:
    def put(*keys: str) -> Callable[[dict[str, Any], object], None]:
        def change(content: dict[str, Any], value: object) -> None:
            for key in keys[:-1]:
                content = content[key]
            content[keys[-1]] = value

        return change

    index = ("tensors", "tables.0.index")
    for name, place, value in (
        ("another format", ("format",), 2),
        ("no tensors", ("tensors",), None),
        ("a list of tensors", ("tensors",), [1]),
        ("no architecture", ("architecture",), {}),
        ("a list for it", ("architecture",), []),
        ("a text for it", ("architecture",), "faces"),
        ("a missing table", index, {}),
        ("a huge shape", (*index, "shape"), [1 << 40, 1 << 40]),
        ("a negative shape", (*index, "shape"), [-1, -1]),
        ("shapes of text", (*index, "shape"), "abc"),
        ("fractions", (*index, "data"), [0.5]),
        ("text", (*index, "data"), "abc"),
        ("truth", (*index, "data"), [True]),
        ("large numbers", (*index, "data"), [256] * 4 * 4 * 4 * 4),
        ("an unknown type", (*index, "type"), "f4"),
        ("a list of types", (*index, "type"), []),
    ):
        yield name, lambda content, place=place, value=value: put(*place)(content, value)  # type: ignore[misc]


@pytest.mark.parametrize(("name", "damage"), [pytest.param(*d, id=d[0]) for d in damages()])
def test_hostile_tables_are_refused(
    exported: Path, tmp_path: Path, name: str, damage: Callable[[dict[str, Any]], None]
) -> None:
    folder = shutil.copytree(exported, tmp_path / "hostile")
    content = json.loads((folder / TABLES).read_text())
    damage(content)
    hashed(folder, TABLES, json.dumps(content).encode())
    with pytest.raises(PriorError, match=r"tables\.json"):
        Decoder(folder)


@pytest.mark.slow
def test_a_damaged_graph_names_what_helps(fixed: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(fixed, tmp_path / "damaged")
    (folder / GRAPH).write_bytes((folder / GRAPH).read_bytes()[:-1])
    with pytest.raises(PriorError, match=r"run `invcomp export-decoder .* --force` .*, or decode with torch"):
        paint(folder)
    (folder / GRAPH).unlink()
    with pytest.raises(PriorError, match=r"generator\.onnx is missing; run `invcomp export-decoder"):
        paint(folder)
    assert CliRunner().invoke(app, ["export-decoder", str(folder)]).exit_code == 0
    paint(folder)


@pytest.mark.slow
def test_an_onnxruntime_that_cannot_be_loaded(tmp_path: Path) -> None:
    (tmp_path / "onnxruntime.py").write_text("raise ImportError('libfoo.so.1: cannot open shared object file')")
    path = files_of("faces")[0]
    code = "from invcomp.cli import main; main()"
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    for runtime, rc, sentence in (("onnx", 1, "onnxruntime cannot be loaded (libfoo.so.1"), ("auto", 0, "")):
        words = ["decompress", str(path), "-o", str(tmp_path / f"{runtime}.png"), "--runtime", runtime]
        done = subprocess.run(
            [sys.executable, "-c", code, *words], capture_output=True, text=True, env=environment, check=False
        )
        assert done.returncode == rc, done.stderr
        assert sentence in done.stderr
        assert "Traceback" not in done.stderr


def test_what_another_codec_stored_needs_no_runtime(tmp_path: Path) -> None:
    path = next(path for path in files_of("faces") if "foreign-webp" in path.stem)
    done = without(*TORCH, "onnxruntime")("decompress", path, "-o", tmp_path / "a.png")
    assert done.returncode == 0, done.stderr


@pytest.mark.slow
def test_an_exported_decoder_hides_no_prior(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("invcomp.priors.registry.user_folder", lambda: tmp_path)
    export(find_prior("faces-64"), tmp_path / "aaa")
    assert find_prior("faces-64").name == "faces-64"
    assert [folder.name for folder in priors_of(short_id(read_info(tmp_path / "aaa").id_bytes))] == ["faces-64", "aaa"]
    assert find_prior("aaa") == tmp_path / "aaa"


def test_torch_refuses_an_exported_decoder(exported: Path) -> None:
    with pytest.raises(PriorError, match="is an exported decoder, which ONNX Runtime runs"):
        Codec(exported, "cpu")


@pytest.mark.slow
def test_export_leaves_what_is_there(fixed: Path, tmp_path: Path) -> None:
    call = ["export-decoder", str(fixed), "-o", str(tmp_path / "d")]
    (tmp_path / "d").mkdir()
    (tmp_path / "d" / TABLES).write_text("mine")
    result = CliRunner().invoke(app, call)
    assert result.exit_code == 1
    assert "exists; give --force" in result.stderr
    assert [path.name for path in (tmp_path / "d").iterdir()] == [TABLES]
    assert CliRunner().invoke(app, [*call, "--force"]).exit_code == 0
    assert Decoder(tmp_path / "d").prior.info.id == read_info(fixed).id
    assert not (tmp_path / "d" / GENERATOR).exists()


def test_export_does_not_spoil_a_prior(fixed: Path) -> None:
    before = (fixed / CARD).read_bytes()
    result = CliRunner().invoke(app, ["export-decoder", "faces-64", "-o", str(fixed), "--force"])
    assert result.exit_code == 2
    assert "is a prior: leave out -o" in result.stderr
    assert (fixed / CARD).read_bytes() == before


@pytest.mark.parametrize(
    ("runtime", "device", "sentence"),
    [("tensorflow", "auto", "--runtime takes auto, onnx, torch"), ("onnx", "cuda", "decodes on the CPU")],
)
def test_runtimes_that_cannot_be_had(runtime: str, device: str, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        opener(runtime, device)


def without(*packages: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The command line in a process in which some packages cannot be imported."""
    blocked = "".join(f"sys.modules[{name!r}] = None; " for name in packages)

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        code = f"import sys; {blocked}from invcomp.cli import main; main()"
        return subprocess.run(
            [sys.executable, "-c", code, *map(str, arguments)],
            capture_output=True,
            text=True,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            check=False,
        )

    return call


TORCH = ("torch", "torchvision", "lpips", "safetensors", "onnx", "onnxscript", "matplotlib", "piq", "jinja2")


def test_files_are_decoded_where_torch_is_not_installed(tmp_path: Path) -> None:
    path = files_of("faces")[-1]
    done = without(*TORCH)("decompress", path, "-o", tmp_path / "a.png", "--label")
    assert done.returncode == 0, done.stderr
    assert (
        difference(Image.open(tmp_path / "a.png"), Codec("faces", "cpu").decompress(path.read_bytes(), label=True)) <= 1
    )


@pytest.mark.parametrize(
    ("packages", "arguments", "sentence"),
    [
        (TORCH, ["compress", "FACE"], "this needs torch, which is not installed: pip install 'invcomp[encoder]'"),
        (TORCH, ["sample"], "this needs torch, which is not installed: pip install 'invcomp[encoder]'"),
        (TORCH, ["export-decoder", "faces", "-o", "OUT"], "pip install 'invcomp[encoder]'"),
        (TORCH, ["decompress", "FILE", "-o", "OUT", "--runtime", "torch"], "decoding with torch needs torch"),
        (TORCH, ["decompress", "FILE", "-o", "OUT", "--device", "cuda"], "decoding on cuda needs torch"),
        ((*TORCH, "onnxruntime"), ["decompress", "FILE", "-o", "OUT", "--runtime", "torch"], "with torch needs torch"),
        ((*TORCH, "onnxruntime"), ["decompress", "FILE", "-o", "OUT"], "decoding needs onnxruntime, which is not"),
    ],
)
def test_what_is_not_installed_is_said_in_a_sentence(
    tmp_path: Path, packages: tuple[str, ...], arguments: list[str], sentence: str
) -> None:
    shutil.copy(ROOT / "tests" / "faces" / "face-1.png", tmp_path / "face.png")
    shutil.copy(files_of("faces")[0], tmp_path / "face.inv")
    before = sorted(path.name for path in tmp_path.iterdir())
    places = {"FACE": tmp_path / "face.png", "FILE": tmp_path / "face.inv", "OUT": tmp_path / "out.png"}
    done = without(*packages)(*(places.get(argument, argument) for argument in arguments))
    assert done.returncode == 1
    assert sentence in done.stderr
    assert done.stderr.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == before
