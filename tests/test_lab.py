"""`bench` and `ablate`: real bytes, one shape, nothing computed twice, bad input said in one sentence."""

import csv
import itertools
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from invcomp.cli import app
from invcomp.codec import Codec
from invcomp.errors import MissingPackageError, UsageError
from invcomp.inversion.starts import parse_start
from invcomp.lab import identity, pca, peers
from invcomp.lab.ablate import AblateRequest, Cell, ablate, grid
from invcomp.lab.bench import BEST_IMAGE_CODEC, BEST_PEER, RATE_METRICS, BenchRequest, bench, own_names, pca_codec
from invcomp.lab.codecs import InvcompCodec
from invcomp.lab.effects import bootstrap, marginal_effects
from invcomp.lab.folder import load_pictures
from invcomp.lab.output import csv_text, summary
from invcomp.lab.results import FileResult, Metric, Report, Result
from invcomp.priors.info import CARD
from tests.conftest import windows

FEW = (5, 30, 60, 90)  # qualities of peers
PEERS = ("webp", "jpeg-shared", "thumbhash", "pca")


def missing() -> None:
    raise MissingPackageError("identity needs dlib: pip install 'invcomp[faces]'")


@pytest.fixture(autouse=True)
def no_faces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Windows of photographs have no faces: the search for them is tested elsewhere."""
    monkeypatch.setattr(identity, "FaceRecognition", missing)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("originals")
    for index, image in enumerate(windows(5, 40, seed=5)):
        image.save(path / f"{index}.png")
    windows(1, 60)[0].crop((0, 0, 60, 30)).save(path / "wide.png")
    (path / "broken.png").write_bytes(b"no picture")
    (path / "notes.txt").write_text("not a picture")
    return path


def bench_request(folder: Path, prior: Path, data: Path, **changes: object) -> BenchRequest:
    values: dict[str, object] = {
        "priors": (str(prior),),
        "codecs": PEERS,
        "qualities": (0.0, 30.0, 60.0, 100.0),
        "steps": 2,
        "pca_data": data,
        "device": "cpu",
    }
    return BenchRequest(folder, **{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def report(
    folder: Path, tiny_folder: Path, picture_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Report, Path]:
    cache = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(identity, "FaceRecognition", missing)
        patch.setattr(peers, "QUALITIES", FEW)
        return bench(bench_request(folder, tiny_folder, picture_folder, cache=cache)), cache


def test_every_codec_has_one_shape(report: tuple[Report, Path], tiny_folder: Path) -> None:
    data = json.loads(json.dumps(report[0].to_json()))
    assert {result["codec"] for result in data["results"]} == {"invcomp", *PEERS}
    for result in data["results"]:
        assert set(result) == {"codec", "setting", "files", "mean"}
        assert len(result["files"]) == 6
        assert {"name", "bytes", "psnr", "ssim"} <= set(result["files"][0])
        assert {"bytes", "psnr", "encode_seconds", "decode_seconds"} <= set(result["mean"])
        assert result["mean"]["bytes"] == pytest.approx(np.mean([f["bytes"] for f in result["files"]]))
        assert result["mean"]["psnr"] == pytest.approx(np.mean([f["psnr"] for f in result["files"]]))


def test_bytes_are_those_of_files_that_decode(report: tuple[Report, Path], tiny: Codec, folder: Path) -> None:
    originals = load_pictures(folder, 32)
    result = next(r for r in report[0].results if r.codec == "invcomp" and "quality 60" in r.setting)
    for file, original in zip(result.files, originals.images, strict=True):
        decoded = tiny.decompress(file.data)
        error = np.square(np.asarray(decoded, dtype=float) - np.asarray(original, dtype=float)).mean()
        assert file.figures["psnr"] == pytest.approx(-10 * np.log10(error / 255**2), abs=1e-3)
        assert file.bytes == len(file.data)


def test_bad_pictures_and_crops_are_said(report: tuple[Report, Path]) -> None:
    notes = " ".join(report[0].notes)
    assert "broken.png" in notes
    assert "Of 1 pictures that are not square the central square is taken." in notes
    assert "Identity is left out" in notes
    assert "notes.txt" not in notes


def test_rates_are_given_against_every_peer_and_the_best(report: tuple[Report, Path]) -> None:
    anchors = {rate.anchor for rate in report[0].rates}
    assert {BEST_PEER, BEST_IMAGE_CODEC, "webp", "jpeg-shared", "pca"} <= anchors
    assert "thumbhash" not in anchors  # one point is no curve
    measured = {metric.key for metric in report[0].metrics} & set(RATE_METRICS)
    assert {"psnr", "ssim"} <= measured
    assert sorted((r.anchor, r.metric) for r in report[0].rates) == sorted(itertools.product(anchors, measured))
    assert all(rate.remark for rate in report[0].rates)


def test_pictures_are_compared_at_matched_bytes(report: tuple[Report, Path]) -> None:
    assert len(report[0].comparisons) == 6
    for comparison in report[0].comparisons:
        for panels in comparison.budgets.values():
            assert panels[0].codec == "invcomp"
            assert {p.codec for p in panels} == {"invcomp", *PEERS}
            assert all(p.fits == (p.bytes <= panels[0].bytes) for p in panels)
            assert all(p.image.size == comparison.original.size for p in panels)


def test_a_finished_setting_is_not_computed_twice(
    report: tuple[Report, Path],
    folder: Path,
    tiny_folder: Path,
    picture_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, cache = report
    monkeypatch.setattr("invcomp.lab.run.measure", lambda *a: pytest.fail("it was computed again"))
    monkeypatch.setattr(pca, "fit", lambda *a: pytest.fail("it was fitted again"))
    monkeypatch.setattr("invcomp.lab.bench.cost", lambda *a: "")
    monkeypatch.setattr(peers, "QUALITIES", FEW)
    again = bench(bench_request(folder, tiny_folder, picture_folder, cache=cache))
    assert again.to_json()["results"] == first.to_json()["results"]


def test_a_kept_fit_serves_its_own_pictures_alone_and_a_damaged_one_is_made_anew(
    picture_folder: Path, tmp_path: Path
) -> None:
    first = pca_codec(picture_folder, 16, tmp_path)
    (path,) = tmp_path.iterdir()
    assert pca_codec(picture_folder, 16, tmp_path).identity() == first.identity()
    path.write_bytes(path.read_bytes()[:500])
    pca_codec(picture_folder, 16, tmp_path)
    assert pca.read(path).side == 16
    assert pca_codec(picture_folder, 32, tmp_path).side == 32
    assert len(list(tmp_path.iterdir())) == 2


def test_what_a_card_says_voids_no_kept_result_and_what_decides_files_does(tiny_folder: Path, tmp_path: Path) -> None:
    def identity_with(**changes: object) -> str:
        copy = shutil.copytree(tiny_folder, tmp_path / str(len(list(tmp_path.iterdir()))))
        card = json.loads((copy / CARD).read_text()) | changes
        (copy / CARD).write_text(json.dumps(card))
        return InvcompCodec(Codec(copy)).identity()

    first = identity_with()
    assert identity_with(training={"data": "said otherwise"}, domain="other words") == first
    assert identity_with(distortion="1*l1") != first
    assert identity_with(rate_bytes=[1.0] * len(Codec(tiny_folder).prior.info.lambdas)) != first


@pytest.mark.slow
def test_a_codec_that_fails_or_is_missing_is_named_and_skipped(
    folder: Path, tiny_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "QUALITIES", FEW)
    monkeypatch.setattr("invcomp.lab.peers.missing", lambda package, install: f"it needs {package}")
    found = bench(bench_request(folder, tiny_folder, folder, codecs=("jxl", "jpeg"), qualities=(50.0,), most=2))
    assert "jxl is skipped: it needs pillow_jxl." in found.notes
    assert {r.codec for r in found.results} == {"invcomp", "jpeg"}
    monkeypatch.setattr("invcomp.lab.peers.PillowCodec.write", lambda *a: 1 / 0)
    found = bench(bench_request(folder, tiny_folder, folder, codecs=("webp",), qualities=(50.0,), most=2))
    assert any(note.startswith("webp at quality 5 is left out") for note in found.notes)


def test_without_its_file_pca_is_named_and_skipped(folder: Path, tiny_folder: Path) -> None:
    request = bench_request(folder, tiny_folder, folder, codecs=("pca",), qualities=(50.0,), most=2, pca_data=None)
    assert any(note.startswith("pca is skipped:") and "--pca-data" in note for note in bench(request).notes)


@pytest.mark.slow
def test_a_prior_with_other_lambdas_has_results_of_its_own(folder: Path, tiny_folder: Path, tmp_path: Path) -> None:
    """What is kept belongs to everything that decides a file, not to the generator alone."""
    other = tmp_path / "other"
    shutil.copytree(tiny_folder, other)
    card = json.loads((other / "prior.json").read_text())
    card["lambdas"] = [50 * value for value in card["lambdas"]]
    (other / "prior.json").write_text(json.dumps(card))
    sizes = []
    for prior in (tiny_folder, other, tiny_folder):
        request = bench_request(
            folder, prior, folder, codecs=(), qualities=(60.0,), steps=4, most=2, cache=tmp_path / "kept"
        )
        report = bench(request)
        sizes.append(report.results[0].mean["bytes"])
    assert sizes[1] < sizes[0] == sizes[2]


def test_priors_of_one_name_get_names_of_their_own(tiny: Codec) -> None:
    names = own_names([tiny, tiny, tiny])
    assert len(set(names)) == 3
    assert own_names([tiny]) == ["invcomp"]


def test_outputs_that_cannot_be_written_are_found_before_anything_is_measured(
    folder: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("invcomp.lab.bench.bench", lambda *a: pytest.fail("it was measured"))
    (tmp_path / "file").write_text("")
    arguments = ["bench", str(folder), "--prior", str(tiny_folder), "--json", str(tmp_path / "file" / "x.json")]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 1
    assert "is a file; give a folder" in found.stderr


def test_names_that_are_no_unicode_are_taken(tmp_path: Path, tiny_folder: Path) -> None:
    for index, image in enumerate(windows(2, 40)):
        image.save(tmp_path / f"{index}.png")
    (tmp_path / "0.png").rename(tmp_path / "a\udcff.png")
    outputs = ["--json", str(tmp_path / "a.json"), "--csv", str(tmp_path / "a.csv"), "--html", str(tmp_path / "a.html")]
    arguments = ["bench", str(tmp_path), "--prior", str(tiny_folder), "--codecs", "none", "--steps", "0"]
    found = CliRunner().invoke(app, [*arguments, "--qualities", "50", *outputs])
    assert found.exit_code == 0, found.output
    assert len(json.loads((tmp_path / "a.json").read_text())["results"][0]["files"]) == 2


def test_csv_and_tables_hold_every_figure(report: tuple[Report, Path]) -> None:
    rows = list(csv.DictReader(csv_text(report[0]).splitlines()))
    assert len(rows) == sum(len(r.files) for r in report[0].results)
    assert float(rows[0]["psnr"]) == report[0].results[0].files[0].figures["psnr"]
    (_, columns, table), (title, _, rates) = summary(report[0])
    assert len(table) == len(report[0].results)
    assert len(columns) == len(table[0])
    assert "Bjøntegaard" in title
    assert any(row[0] == f"invcomp against {BEST_PEER}" for row in rates)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["bench", "EMPTY"], "has no pictures"),
        (["bench", "nowhere"], "is not a folder"),
        (["bench", "FOLDER", "--codecs", "gif"], "there is no codec 'gif'"),
        (["bench", "FOLDER", "--qualities", "x"], "--qualities takes numbers"),
        (["bench", "FOLDER", "--rates", "600:80"], "range of bytes like 80:600"),
        (["bench", "FOLDER", "--size", "3"], "size lies between"),
        (["bench", "FOLDER", "--qualities", "20,500"], "quality lies between"),
        (["bench", "FOLDER", "--steps", "-1"], "number of steps"),
        (["ablate", "FOLDER", "-o", "OUT", "--steps", "nan"], "--steps takes whole numbers"),
        (["ablate", "FOLDER", "-o", "OUT", "--steps", "1.5"], "--steps takes whole numbers"),
        (["ablate", "EMPTY", "-o", "OUT"], "has no pictures"),
        (["ablate", "FOLDER", "-o", "OUT", "--losses", "foo"], "there is no term 'foo'"),
        (["ablate", "FOLDER", "-o", "OUT", "--losses", "lpips-vgg"], "lpips-vgg needs"),
        (["ablate", "FOLDER", "-o", "OUT", "--start", "best"], "there is no start 'best'"),
        (["ablate", "FOLDER", "-o", "OUT", "--relaxations", "x"], "there is no relaxation 'x'"),
        (["ablate", "FOLDER", "-o", "OUT", "--subset", "x"], "there is no subset 'x'"),
    ],
)
def test_bad_input_gets_one_sentence(
    arguments: list[str],
    said: str,
    folder: Path,
    tiny_folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    (tmp_path / "empty").mkdir()
    names = {"EMPTY": tmp_path / "empty", "FOLDER": folder, "OUT": tmp_path / "out"}
    found = CliRunner().invoke(app, [str(names.get(a, a)) for a in arguments] + ["--prior", str(tiny_folder)])
    assert found.exit_code == 2
    (line,) = [line for line in found.stderr.splitlines() if line.startswith("invcomp:")]
    assert said in line
    assert "Traceback" not in found.output


def test_bench_writes_its_files(
    folder: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(peers, "QUALITIES", FEW)
    outputs = [tmp_path / "deep" / name for name in ("a.json", "a.html", "a.csv")]
    arguments = ["bench", str(folder), "--prior", str(tiny_folder), "--codecs", "webp", "--qualities", "50"]
    arguments += ["--steps", "0", "--most", "2"]
    for option, path in zip(("--json", "--html", "--csv"), outputs, strict=True):
        arguments += [option, str(path)]
    found = CliRunner().invoke(app, arguments)
    assert found.exit_code == 0, found.output
    assert all(path.stat().st_size > 100 for path in outputs)
    assert "<svg" in outputs[1].read_text()
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 1
    assert "--force" in refused.stderr


# -- ablations ----------------------------------------------------------------------------------------------------


def test_grids(folder: Path) -> None:
    request = AblateRequest(folder, losses=("mse", "l1", "critic"), steps=(5, 2), starts=("encoder", "mean"))
    cells = grid(request)
    assert len(cells) == 12
    assert cells[0] == Cell("mse", "prior", 5, "encoder", "faces", "all")
    star = grid(AblateRequest(folder, request.losses, steps=request.steps, starts=request.starts, subset="star"))
    assert len(star) == 5
    assert star[0] == cells[0]


@pytest.mark.slow
def test_an_ablation_resumes_and_reports_effects(
    folder: Path, tiny_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["ablate", str(folder), "-o", str(tmp_path / "out"), "--prior", str(tiny_folder), "--most", "6"]
    arguments += ["--losses", "mse;l1", "--steps", "3,0", "--start", "encoder,best-of-3", "--qualities", "0,100"]
    found = CliRunner().invoke(app, [*arguments, "--subset", "star"])
    assert found.exit_code == 0, found.output
    out = tmp_path / "out"
    data = json.loads((out / "results.json").read_text())
    assert len(data["results"]) == 8
    assert {r["factors"]["loss"] for r in data["results"]} == {"mse", "l1"}
    assert {(e["factor"], e["value"]) for e in data["effects"]} == {
        ("loss", "l1"),
        ("steps", "0"),
        ("start", "best-of-3"),
    }
    assert all(e["low"] <= e["difference"] <= e["high"] for e in data["effects"])
    assert len(list(csv.DictReader((out / "files.csv").open()))) == 40
    assert all(e["pictures"] == 5 for e in data["effects"])
    assert "pictures: about" in found.stderr
    calls = []
    compress = Codec.compress_batch

    def counted(self: Codec, images: list[Image.Image], **options: object) -> object:
        calls.append(options)
        return compress(self, images, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(Codec, "compress_batch", counted)
    monkeypatch.setattr("invcomp.lab.ablate.cost", lambda *a: "")
    again = CliRunner().invoke(app, arguments)  # the full grid: three cells more
    assert again.exit_code == 0, again.output
    assert len(calls) == 2 * (8 - 4)
    assert len(json.loads((out / "results.json").read_text())["results"]) == 16


def test_effects_find_a_known_difference_at_equal_bytes() -> None:
    """The second value has one more decibel at equal bytes, hidden by files of twice the size."""

    def cell(loss: str, steps: str, gain: float, growth: float) -> list[Result]:
        found = []
        for size in (100, 200, 400, 800):
            files = [
                FileResult(str(n), bytes(round(size * growth)), {"psnr": np.log2(size * growth) + gain + n})
                for n in range(6)
            ]
            found.append(Result(loss + steps, str(size), files, {}, {"loss": loss, "steps": steps}))
        return found

    results = cell("a", "1", 0, 1) + cell("b", "1", 1, 2) + cell("a", "2", 0.5, 1) + cell("b", "2", 1.5, 1)
    effects = marginal_effects(results, [Metric("psnr", "PSNR", True)], {"loss": "a", "steps": "1"})
    found = {(e.factor, e.value): e for e in effects}
    assert found["loss", "b"].difference == pytest.approx(1, abs=1e-6)
    assert found["loss", "b"].combinations == 2
    assert found["steps", "2"].difference == pytest.approx(0.5, abs=1e-6)


def test_values_are_ranked_over_the_same_combinations() -> None:
    """`c` was measured with one number of steps only, so `b` is compared there alone."""

    def cell(loss: str, steps: str, gain: float) -> list[Result]:
        found = []
        for size in (100, 400):
            files = [FileResult(str(n), bytes(size), {"psnr": np.log2(size) + gain + n}) for n in range(6)]
            found.append(Result("", str(size), files, {}, {"loss": loss, "steps": steps}))
        return found

    results = cell("a", "1", 0) + cell("b", "1", 1) + cell("c", "1", 2) + cell("a", "2", 0) + cell("b", "2", 5)
    effects = marginal_effects(results, [Metric("psnr", "PSNR", True)], {"loss": "a", "steps": "1"})
    found = {(e.factor, e.value): (round(e.difference, 6), e.combinations) for e in effects}
    assert found["loss", "b"] == (1, 1)
    assert found["loss", "c"] == (2, 1)


def test_too_few_pictures_with_shared_bytes_give_no_effect() -> None:
    def cell(loss: str, sizes: tuple[int, int], shared: int) -> list[Result]:
        found = []
        for size in sizes:
            files = [FileResult(str(n), bytes(size if n >= shared else 100), {"psnr": 20.0}) for n in range(6)]
            found.append(Result("", str(size), files, {}, {"loss": loss}))
        return found

    results = cell("a", (50, 90), 4) + cell("b", (300, 500), 4)
    assert marginal_effects(results, [Metric("psnr", "PSNR", True)], {"loss": "a"}) == []


def test_the_bootstrap_covers_the_mean_and_narrows_with_pictures() -> None:
    rng = np.random.default_rng(0)
    few, many = (bootstrap(rng.normal(1, 1, (1, n))) for n in (10, 1000))
    assert few[1] < few[0] < few[2]
    assert many[2] - many[1] < (few[2] - few[1]) / 3
    assert many[1] < 1 < many[2]
    missing = np.array([[1.0, np.nan, 3.0]])
    assert bootstrap(missing)[0] == pytest.approx(2)


def test_ablate_refuses_a_loss_before_it_computes(folder: Path, tiny_folder: Path) -> None:
    with pytest.raises(UsageError):
        ablate(AblateRequest(folder, losses=("mse", "lpips-nothing"), priors=(str(tiny_folder),)))


# -- starts -------------------------------------------------------------------------------------------------------


def test_the_best_of_several_starts_is_none_worse(tiny: Codec, held_out: list[Image.Image]) -> None:
    objectives = {
        start: [r.objective for r in tiny.compress_batch(held_out, steps=0, start=start)]
        for start in ("encoder", "mean", "best-of-6")
    }
    for encoder, mean, best in zip(*objectives.values(), strict=True):
        assert best <= min(encoder, mean) + 1e-6
    assert objectives["mean"] != objectives["encoder"]


def test_a_search_from_the_mean_ends_better_than_it_started(tiny: Codec, held_out: list[Image.Image]) -> None:
    for result in tiny.compress_batch(held_out, steps=20, start="mean"):
        assert result.objective < result.start_objective


@pytest.mark.parametrize("start", ["", "best", "best-of-1", "best-of-x", "best-of-1000", "zero"])
def test_unknown_starts_are_refused(start: str) -> None:
    with pytest.raises(UsageError, match="there is no start"):
        parse_start(start)
