"""Readers are total: whatever a stranger sends gives a picture or one `InvcompError`; see `scripts/fuzz.py` too."""

import importlib.util
import io
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from invcomp import checksums, container, jobs
from invcomp.codec import Codec
from invcomp.errors import FormatError, InvcompError
from invcomp.jobs import Job, read_input
from tests.conftest import ROOT
from tests.test_cli import call
from tests.untrained import FIXED, FREE, untrained

GOLDEN = sorted((ROOT / "tests" / "golden").glob("*.inv"))
KEPT = sorted(path for path in (ROOT / "tests" / "fuzz").glob("*/*"))
some = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def codecs(tmp_path_factory: pytest.TempPathFactory, faces: Codec) -> list[Codec]:
    """Of a prior of fixed size and one of free size, both with contexts, and of one that ships."""
    folder = tmp_path_factory.mktemp("untrained")
    return [Codec(untrained(folder / n, arch), "cpu") for n, arch in (("fixed", FIXED), ("free", FREE))] + [faces]


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    """The script, whose targets know how an input is read."""
    spec = importlib.util.spec_from_file_location("fuzz", ROOT / "scripts" / "fuzz.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def picture_or_refusal(codec: Codec, data: bytes, partial: bool) -> None:
    try:
        content = container.read(data, codec.prior.info.id_bytes, partial=partial)
        image = codec.decompress(data, partial=partial)
    except InvcompError:
        return
    assert image.size == (content.size or (codec.prior.arch.image_size,) * 2)


@given(data=st.binary(max_size=300), partial=st.booleans())
@some
def test_any_bytes(codecs: list[Codec], data: bytes, partial: bool) -> None:
    for codec in codecs:
        picture_or_refusal(codec, data, partial)


sides = st.integers(1, 300) | st.sampled_from([1, 2, 65_535, 65_536, 2_097_151])
fields = st.builds(
    lambda kinds, width, height, levels, rest: (
        bytes([kinds])
        + (container.varint(width) if kinds & 1 else b"")
        + (container.varint(height) if kinds & 1 and not kinds & 2 else b"")
        + (bytes([levels]) if kinds & 4 else b"")
        + rest
    ),
    st.integers(0, 63),
    sides,
    sides,
    st.integers(0, 255),
    st.binary(max_size=40),
)


@given(first=st.integers(0, 7), rate=st.integers(0, 15), body=st.binary(max_size=300) | fields, optional=st.booleans())
@some
def test_crafted_files_whose_checksum_is_right(
    codecs: list[Codec], first: int, rate: int, body: bytes, optional: bool
) -> None:
    for codec in codecs:
        prior_id = codec.prior.info.id_bytes
        word = optional << 15 | rate << 11 | container.short_id(prior_id)
        data = checksums.sealed(prior_id, bytes([0xA0 | first]) + word.to_bytes(2, "big") + body)
        picture_or_refusal(codec, data, partial=rate % 2 == 0)


@given(
    parts=st.lists(st.binary(max_size=30), max_size=9),
    levels=st.integers(0, 255),
    size=st.integers(1, 2),
    partial=st.booleans(),
)
@some
def test_crafted_progressive_files(
    codecs: list[Codec], parts: list[bytes], levels: int, size: int, partial: bool
) -> None:
    for codec in codecs:
        prior_id = codec.prior.info.id_bytes
        content = container.Container(prior_id, 1, b"", 0, (40, 24), levels, parts=tuple(parts), checksum=size)
        picture_or_refusal(codec, container.serialise(content), partial)


@given(path=st.sampled_from(GOLDEN), data=st.data())
@some
def test_changed_files_with_the_checksum_made_right(faces: Codec, path: Path, data: st.DataObject) -> None:
    changed = bytearray(path.read_bytes()[:-2])
    for _ in range(data.draw(st.integers(1, 5))):
        changed[data.draw(st.integers(3, len(changed) - 1))] = data.draw(st.integers(0, 255))
    picture_or_refusal(faces, checksums.sealed(faces.prior.info.id_bytes, bytes(changed)), partial=False)


@pytest.mark.parametrize("path", KEPT, ids=lambda path: f"{path.parent.name}-{path.name}")
def test_inputs_that_once_went_wrong_or_are_hostile_are_refused(fuzz: ModuleType, path: Path, tmp_path: Path) -> None:
    fuzz.TARGETS[path.parent.name](tmp_path, []).run(path.read_bytes())


def test_many_tiny_parts_are_not_read_one_after_another() -> None:
    """A quarter of a million parts with right checksums would take hours: there are as many as levels at most."""
    prior_id = bytes(32)
    body = bytes([0xA0, 0x80, 0, 16 | 4, 3])
    for _ in range(50):
        body = checksums.sealed(prior_id, body + b"\0")
    assert len(container.read_parts(prior_id, body[:5], body[5:], 2)[0]) == 2
    with pytest.raises(FormatError, match="do not fill it"):
        container.read(body, prior_id)


def test_inputs_are_read_up_to_a_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "large.inv"
    with path.open("wb") as file:
        file.truncate(container.MAX_BYTES + 1)  # takes no space
    for command in (["info", path], ["decompress", path]):
        refused = call(*command)
        assert refused.exit_code == 1
        assert "more than the 64 MB" in refused.stderr
    with pytest.raises(FormatError, match="64 MB"):
        container.read(bytes([0xA0]) * (container.MAX_BYTES + 1), bytes(32))
    monkeypatch.setattr(jobs.sys, "stdin", SimpleNamespace(buffer=io.BytesIO(b"x" * 11)))
    with pytest.raises(InvcompError, match="standard input has more than"):
        read_input(Job(None, None), 10)


def test_a_picture_that_is_too_large_for_a_prior_of_free_size_is_refused_before_it_is_decoded(
    codecs: list[Codec],
) -> None:
    free = codecs[1]
    for size in ((2049, 2048), (65_535, 65)):
        data = container.write(container.Container(free.prior.info.id_bytes, 0, b"", size=size))
        with pytest.raises(InvcompError, match="more than 4,194,304"):
            free.decompress(data)
