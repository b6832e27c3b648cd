"""Prior folders of strangers: whatever their files say, they load or give one `PriorError`, and little is allocated."""

import hashlib
import json
import shutil
import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invcomp import describe
from invcomp.errors import InvcompError, PriorError
from invcomp.priors.architecture import Architecture
from invcomp.priors.files import CRITIC, ENCODER, load_prior
from invcomp.priors.info import CARD, read_info
from invcomp.priors.reading import GENERATOR
from invcomp.priors.tensors import parse
from tests.untrained import FIXED, FREE, untrained

some = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
numbers = st.integers() | st.floats() | st.sampled_from([0, -1, 2**63, 10**400, 1e308, True])
values = st.recursive(
    st.none() | st.booleans() | numbers | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=9), inner, max_size=4),
    max_leaves=8,
)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return untrained(tmp_path / "prior", FIXED)


def load_all(folder: Path) -> None:
    prior = load_prior(folder)
    _ = prior.encoder, prior.critic
    prior.lpips("squeeze")


def with_hashes(folder: Path, files: dict[str, bytes]) -> None:
    """Change files of a prior, and what its card says of them: hashes keep nobody out who writes both."""
    card = json.loads((folder / CARD).read_text())
    for name, data in files.items():
        (folder / name).write_bytes(data)
        card["files"][name] = hashlib.sha256(data).hexdigest()
    card["id"] = card["files"][GENERATOR]
    (folder / CARD).write_text(json.dumps(card))


def with_header(data: bytes, change: Callable[[dict[str, Any]], object]) -> bytes:
    """A safetensors file with another header."""
    length = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + length])
    change(header)
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def test_a_prior_as_it_should_be_loads(folder: Path) -> None:
    load_all(folder)


@given(data=st.data(), value=values)
@some
def test_any_value_in_a_card_is_accepted_or_refused(folder: Path, data: st.DataObject, value: object) -> None:
    card = json.loads((folder / CARD).read_text())
    place = data.draw(st.sampled_from([*card, "mse", "file", "all"]))
    changed = {**card, place: value}
    if place in ("mse", "file"):
        within, key = ("term_means", "mse") if place == "mse" else ("files", GENERATOR)
        changed = {**card, within: {**card[within], key: value}}
    (folder / CARD).write_text(json.dumps(value if place == "all" else changed))
    try:
        with suppress(InvcompError):
            describe.prior(folder)
            load_all(folder)
    finally:
        (folder / CARD).write_text(json.dumps(card))


@given(text=st.binary(max_size=200))
@some
def test_any_bytes_as_a_card_are_refused(folder: Path, text: bytes) -> None:
    (folder / CARD).write_bytes(text)
    with pytest.raises(PriorError):
        read_info(folder)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"lambdas": [', '"lambdas": [NaN, '),
        ('"lambdas": [', '"lambdas": [1e999, '),
        ('"lambdas": [', '"lambdas": [' + "9" * 5000 + ", "),
        ('"name": "prior"', '"name": "prior", "name": "other"'),
        ('"training": {}', '"training": ' + '{"a":' * 200 + "1" + "}" * 200),
        ('"training": {}', '"training": ' + "[" * 100_000 + "]" * 100_000),
    ],
    ids=["NaN", "infinity", "digits", "twice", "nested", "deeply nested"],
)
def test_a_hostile_card_is_refused(folder: Path, old: str, new: str) -> None:
    text = (folder / CARD).read_text()
    assert old in text
    (folder / CARD).write_text(text.replace(old, new))
    with pytest.raises(PriorError, match="damaged"):
        read_info(folder)


@given(data=st.data(), value=values, place=st.sampled_from(["dtype", "shape", "data_offsets", "entry", "metadata"]))
@some
def test_any_value_in_a_header_is_accepted_or_refused(
    folder: Path, data: st.DataObject, value: object, place: str
) -> None:
    original = (folder / GENERATOR).read_bytes()

    def change(header: dict[str, Any]) -> None:
        name = data.draw(st.sampled_from(sorted(header)))
        if place == "metadata":
            header["__metadata__"] = value
        elif place == "entry" or name == "__metadata__":
            header[name] = value
        else:
            header[name][place] = value

    with_hashes(folder, {GENERATOR: with_header(original, change)})
    try:
        with suppress(PriorError):
            load_all(folder)
    finally:
        with_hashes(folder, {GENERATOR: original})


@given(data=st.data(), value=values | st.integers(0, 5000) | st.lists(st.integers(0, 5000), max_size=4))
@some
def test_any_architecture_is_accepted_or_refused(folder: Path, data: st.DataObject, value: object) -> None:
    original = (folder / GENERATOR).read_bytes()
    arch = FIXED.to_json()
    name = data.draw(st.sampled_from([*arch, "heads", "all"]))
    changed = value if name == "all" else {**arch, name: value}
    text = json.dumps(changed)
    with_hashes(folder, {GENERATOR: with_header(original, lambda h: h.update(__metadata__={"architecture": text}))})
    try:
        with suppress(PriorError):
            load_all(folder)
    finally:
        with_hashes(folder, {GENERATOR: original})


@pytest.mark.parametrize("field", ["widths", "latent_channels", "critic_widths"])
def test_true_is_no_width(field: str) -> None:
    fields = FIXED.to_json()
    with pytest.raises(PriorError, match="whole numbers"):
        Architecture.from_json({**fields, field: [True] * len(fields[field])})


@given(data=st.binary(max_size=200))
@some
def test_any_bytes_as_tensors_are_refused(data: bytes) -> None:
    for whole in (data, len(data).to_bytes(8, "little") + data):
        with suppress(ValueError):
            assert not parse(whole)[1]  # `{}` is a file without tensors


def test_tensors_are_those_that_the_library_reads(folder: Path) -> None:
    data = (folder / GENERATOR).read_bytes()
    metadata, tensors = parse(data)
    expected = safetensors.numpy.load(data)
    assert json.loads(metadata["architecture"]) == json.loads(json.dumps(FIXED.to_json()))
    assert tensors.keys() == expected.keys()
    assert all(np.array_equal(tensors[name], expected[name]) for name in expected)
    assert all(tensors[name].dtype == expected[name].dtype for name in expected)


@pytest.mark.parametrize(
    "change",
    [
        {"widths": [4096] * 8, "latent_channels": [1] * 8, "encoder_widths": [4096] * 8, "critic_widths": [4096] * 8},
        {"encoder_widths": [4096] * 3},
        {"critic_widths": [4096] * 3},
        {"paint_width": 4096},
        {"latent_channels": [4096] * 3},
    ],
)
def test_an_architecture_of_gigabytes_is_refused_before_it_is_made(folder: Path, change: dict[str, Any]) -> None:
    arch = FIXED.to_json() | change
    arch["image_size"] = 4 * 2 ** len(arch["widths"])
    original = (folder / GENERATOR).read_bytes()
    architecture = {"architecture": json.dumps(arch)}
    with_hashes(folder, {GENERATOR: with_header(original, lambda h: h.update(__metadata__=architecture))})
    began = time.perf_counter()
    with pytest.raises(PriorError):
        load_all(folder)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize(
    "change",
    [{"paint_width": 300}, {"latent_channels": (4, 17)}, {"image_size": 64.0}, {"widths": (4096, 600)}],
)
def test_layers_and_symbols_of_the_largest_picture_are_bounded(change: dict[str, Any]) -> None:
    with pytest.raises(PriorError):
        Architecture.from_json(FREE.to_json() | change)


def test_a_header_that_promises_terabytes_allocates_nothing(folder: Path) -> None:
    def change(header: dict[str, Any]) -> None:
        header["constant"] = {"dtype": "F16", "shape": [1 << 39], "data_offsets": [0, 1 << 40]}

    data = with_header((folder / GENERATOR).read_bytes(), change)
    tracemalloc.start()
    with pytest.raises(ValueError, match="impossible"):
        parse(data)
    assert tracemalloc.get_traced_memory()[1] < 2e6
    tracemalloc.stop()


@pytest.mark.parametrize("file", [GENERATOR, ENCODER, CRITIC])
def test_weights_that_are_no_numbers_and_other_kinds_of_files_are_refused(folder: Path, file: str) -> None:
    data = (folder / file).read_bytes()
    metadata, tensors = parse(data)
    name = next(name for name in tensors if not name.startswith("tables."))
    nothing = {**tensors, name: np.full_like(tensors[name], np.nan)}
    spoilt = safetensors.numpy.save(nothing, metadata=metadata or None)
    for other in (spoilt, b"\x80\x04\x95pickle", data[:-1], data + b"\0", b""):
        with_hashes(folder, {file: other})
        with pytest.raises(PriorError):
            load_all(folder)


def test_only_files_are_read(folder: Path, tmp_path: Path) -> None:
    """Not a device that never ends, behind a link."""
    if not Path("/dev/zero").exists():
        pytest.skip("no devices here")
    for name in (GENERATOR, CARD):
        copy = Path(shutil.copytree(folder, tmp_path / name))
        (copy / name).unlink()
        (copy / name).symlink_to("/dev/zero")
        with pytest.raises(PriorError):
            load_all(copy)
