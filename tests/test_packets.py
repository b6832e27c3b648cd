"""Packets for radio links: any order, twice, lost, of other pictures, damaged, or anything at all."""

import itertools
import json
import random
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from invcomp import container
from invcomp.carriers.joining import Received, choose, join, lacking, ranges, sort_out
from invcomp.carriers.packets import HEADER, MOST, Message, parse, split
from invcomp.codec import Codec
from invcomp.errors import FormatError, UsageError
from tests.test_cli import call

LOSS = "100*mse"
MTUS = (20, 51, 222)


@pytest.fixture(scope="module")
def progressive(tiny: Codec, held_out: list[Image.Image]) -> list[bytes]:
    return [r.data for r in tiny.compress_batch(held_out[:2], steps=2, loss=LOSS, progressive=True, quality=60)]


@pytest.fixture(scope="module")
def plain(tiny: Codec, held_out: list[Image.Image]) -> bytes:
    return tiny.compress_batch(held_out[2:3], steps=2, loss=LOSS, quality=60)[0].data


def refuse(sentence: str) -> None:
    raise AssertionError(sentence)


def joined(packets: list[bytes], partial: bool = False) -> bytes:
    received = sort_out(((f"{n}.pkt", packet) for n, packet in enumerate(packets)), refuse)
    return join(choose(received, refuse), partial).data


def test_the_header_is_that_of_the_page(plain: bytes) -> None:
    prior = int.from_bytes(plain[1:3], "big") & 0x7FF
    packets = split(plain, 51)
    for number, packet in enumerate(packets):
        bits = f"{int.from_bytes(packet[:5], 'big'):040b}"
        assert bits[:5] == "10110"
        fields = [int(bits[a:b], 2) for a, b in ((5, 16), (16, 22), (22, 28), (28, 40))]
        assert fields == [prior, number, len(packets) - 1, zlib.crc32(plain) >> 20]
        assert packet[5:] == plain[46 * number : 46 * (number + 1)]


def test_the_packets_of_the_page() -> None:
    data = bytes.fromhex("a01800 7061796c6f6164 d7ae")
    assert [packet.hex() for packet in split(data, 11)] == ["b000001d50a01800706179", "b000041d506c6f6164d7ae"]


@given(mtu=st.integers(HEADER + 1, 300), seed=st.integers(0, 99), twice=st.integers(0, 20))
@settings(deadline=None)
def test_order_and_repetition_do_not_matter(
    progressive: list[bytes], plain: bytes, mtu: int, seed: int, twice: int
) -> None:
    for data in (*progressive, plain):
        if len(data) > MOST * (mtu - HEADER):
            continue
        packets = split(data, mtu)
        assert max(map(len, packets)) <= mtu
        assert len(packets) == -(-len(data) // (mtu - HEADER))
        heard = packets + packets[:twice]
        random.Random(seed).shuffle(heard)
        assert joined(heard) == data


def shown(tiny: Codec, data: bytes, whole: bytes) -> int:
    """How many levels of a joined file decode, each of which has to be that of the whole one."""
    content, found = tiny.read(data, partial=True)
    levels = len(content.parts or ())
    _, right = tiny.read(whole)
    assert all(np.array_equal(one, other) for one, other in zip(found[:levels], right, strict=False))
    assert not any(symbols.any() for symbols in found[levels:])
    return levels


@pytest.mark.slow
@given(mtu=st.sampled_from(MTUS), which=st.integers(0, 1), seed=st.integers(0, 2**20))
@settings(max_examples=150, deadline=None)
def test_any_loss_leaves_a_prefix_that_decodes_or_a_sentence(
    tiny: Codec, progressive: list[bytes], mtu: int, which: int, seed: int
) -> None:
    data = progressive[which]
    packets = split(data, mtu)
    rng = random.Random(seed)
    heard = [number for number in range(len(packets)) if rng.random() < rng.choice((0.3, 0.8, 0.95))]
    rng.shuffle(heard)
    before = next(n for n in range(len(packets) + 1) if n == len(packets) or n not in heard)
    there = sum(end <= before * (mtu - HEADER) for end in container.cut_points(tiny.prior.info.id_bytes, data))
    try:
        found = joined([packets[n] for n in heard], partial=True)
    except FormatError:
        assert not there
        return
    assert shown(tiny, found, data) == there
    assert data.startswith(found)
    if len(heard) < len(packets):
        with pytest.raises(FormatError, match=r"missing, beside .*--partial"):
            joined([packets[n] for n in heard])


def test_every_subset_of_few_packets(tiny: Codec, progressive: list[bytes]) -> None:
    data = progressive[0]
    packets = split(data, HEADER - -len(data) // 7)
    for size in range(len(packets)):
        for heard in itertools.combinations(packets, size):
            try:
                found = joined(list(heard), partial=True)
            except FormatError:
                continue
            assert 0 < shown(tiny, found, data) < len(container.cut_points(tiny.prior.info.id_bytes, data)) + 1


def test_a_plain_file_is_had_whole_or_not_at_all(plain: bytes) -> None:
    packets = split(plain, 51)
    for lost in range(len(packets)):
        for partial in (False, True):
            with pytest.raises(FormatError, match=f"packet {lost + 1} of {len(packets)} is missing"):
                joined(packets[:lost] + packets[lost + 1 :], partial)


@given(at=st.floats(0, 0.999), change=st.integers(1, 255), partial=st.booleans())
@settings(max_examples=150, deadline=None)
def test_a_damaged_packet_shows_nothing_wrong(
    tiny: Codec, progressive: list[bytes], at: float, change: int, partial: bool
) -> None:
    """Of the bytes behind the headers; a changed header makes a packet of another picture."""
    data = progressive[0]
    place = int(at * len(data))
    number, within = divmod(place, 51 - HEADER)
    packets = split(data, 51)
    spoilt = bytearray(packets[number])
    spoilt[HEADER + within] ^= change
    try:
        found = joined([*packets[:number], bytes(spoilt), *packets[number + 1 :]], partial)
        levels = shown(tiny, found, data)
    except FormatError:
        return
    assert partial
    assert levels <= sum(end <= place for end in container.cut_points(tiny.prior.info.id_bytes, data))


PACKET = st.builds(
    lambda first, rest: bytes([0xB0 | first, *rest]), st.integers(0, 7), st.lists(st.integers(0, 255), max_size=30)
)
FEW = st.builds(  # that often belong together
    lambda number, payload: bytes([0xB0, 0, number << 2, 0x30, 0]) + payload,
    st.integers(0, 5),
    st.binary(max_size=12) | st.just(b"\xa0\x80\x00\x14\x07\x01\x00\x00"),
)


@given(st.lists(st.binary(max_size=20) | PACKET | FEW, max_size=8), st.booleans())
@settings(max_examples=500, deadline=None)
def test_any_bytes_give_a_file_or_sentences(packets: list[bytes], partial: bool) -> None:
    sentences: list[str] = []
    try:
        received = sort_out(((f"{n}.pkt", packet) for n, packet in enumerate(packets)), sentences.append)
        join(choose(received, sentences.append), partial)
    except FormatError as error:
        sentences.append(str(error))
    assert all(len(sentence.splitlines()) == 1 for sentence in sentences)
    assert sentences or packets


def test_packets_of_another_picture_are_left_out_and_named(progressive: list[bytes], plain: bytes) -> None:
    ours, others = split(progressive[0], 51), split(plain, 51)
    named = [(f"a{n}", packet) for n, packet in enumerate(ours)]
    for strangers in (others[1:2], others[:-1]):
        said: list[str] = []
        received = sort_out([*((f"b{n}", packet) for n, packet in enumerate(strangers)), *named], said.append)
        assert join(choose(received, said.append), False).data == progressive[0]
        (sentence,) = said
        assert sentence.startswith("b0 ")
        assert "of another picture" in sentence
    strangers = [(f"b{n}", packet) for n, packet in enumerate(others)]
    assert len(strangers) != len(named)
    whole = "a0 and b0 are packets of different pictures, and all packets of both are there; join those of one"
    with pytest.raises(FormatError, match=whole):
        choose(sort_out([*named, *strangers], refuse), refuse)
    with pytest.raises(FormatError, match="a0 and b0 are packets of different pictures, with as many of each"):
        choose(sort_out([*named[:2], *strangers[:2]], refuse), refuse)


def test_missing_packets_are_named_in_ranges() -> None:
    assert ranges([1, 3, 4, 5, 8, 9]) == ["1", "3 to 5", "8", "9"]
    received = Received(Message(0, 50, 0), {n: ("a", b"x") for n in range(50) if n not in {2, 3, 4, 5, 6, 7, 8, 11}})
    assert lacking(received) == "packets 3 to 9 and 12 of 50 are missing, beside a"
    assert lacking(Received(received.message, {49: ("a", b"x")})) == "packets 1 to 49 of 50 are missing, beside a"


def test_a_first_packet_that_is_damaged_promises_nothing(tiny: Codec, progressive: list[bytes]) -> None:
    """All are there: without the prior nobody knows which of the levels is whole."""
    packets = split(progressive[0], 51)
    spoilt = packets[0][:-1] + bytes([packets[0][-1] ^ 1])
    received = sort_out([("a", spoilt), *((f"a{n}", packet) for n, packet in enumerate(packets[1:]))], refuse)
    joined = join(choose(received, refuse), True)
    assert joined.note == (
        "a or one of the packets after it is damaged; decompress --partial shows the levels before that, "
        "if the first is whole"
    )


def test_packets_that_contradict_each_other_are_not_taken(plain: bytes) -> None:
    packets = split(plain, 51)
    spoilt = packets[1][:-1] + bytes([packets[1][-1] ^ 1])
    said: list[str] = []
    received = sort_out([("a", packets[0]), ("b", packets[1]), ("c", spoilt), ("d", packets[2])], said.append)
    assert said == ["b and c are the same packet and differ, so neither is taken; remove the damaged one"]
    with pytest.raises(FormatError, match=r"packets? 2"):
        join(choose(received, said.append), False)


def test_too_small_packets_get_the_least_that_works(plain: bytes) -> None:
    with pytest.raises(UsageError, match="--mtu takes 6 bytes or more, not 5"):
        split(plain, 5)
    with pytest.raises(UsageError, match=r"give --mtu (\d+) or more") as caught:
        split(plain, 6)
    least = int(str(caught.value).split("--mtu ")[1].split()[0])
    assert len(split(plain, least)) <= MOST
    with pytest.raises(UsageError):
        split(plain, least - 1)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no packet"),
        (b"\xa0\x80\x00", "no packet"),
        (b"\xb8\x00\x00\x00\x00x", "version 2"),
        (b"\xb0\x00\x00\x00\x00", "truncated"),
        (b"\xb0\x00\x08\x10\x00x", "packet 3 of 2"),
    ],
)
def test_what_is_no_packet_gets_a_sentence(data: bytes, words: str) -> None:
    with pytest.raises(FormatError, match=words):
        parse(data, "x.pkt")


@pytest.fixture
def file(progressive: list[bytes], tmp_path: Path) -> Path:
    path = tmp_path / "face.inv"
    path.write_bytes(progressive[0])
    return path


def test_the_commands(file: Path, tmp_path: Path, tiny_folder: Path, tiny: Codec) -> None:
    folder, back = tmp_path / "packets", tmp_path / "back.inv"
    made = call("split", file, "--mtu", 51, "-o", folder, "--json")
    (entry,) = json.loads(made.stdout)["files"]
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"face-{n:02d}.pkt" for n in range(entry["packets"])]
    assert entry["sent"] == sum(path.stat().st_size for path in folder.iterdir())
    assert call("join", folder, "-o", back).exit_code == 0
    assert back.read_bytes() == file.read_bytes()
    assert call("join", *sorted(folder.iterdir(), reverse=True), "-o", "-").exit_code == 0

    (folder / names[-2]).unlink()
    refused = call("join", folder, "-o", tmp_path / "part.inv")
    assert refused.exit_code == 1
    assert f"packet {len(names) - 1} of {len(names)} is missing, beside {folder / names[0]}" in refused.stderr
    assert not (tmp_path / "part.inv").exists()
    taken = call("join", folder, "-o", tmp_path / "part.inv", "--partial")
    assert taken.exit_code == 0, taken.output
    assert "decompress --partial shows the" in taken.stderr
    shown = call("decompress", tmp_path / "part.inv", "--partial", "--prior", tiny_folder)
    assert shown.exit_code == 0, shown.output
    assert (
        Image.open(tmp_path / "part.png").tobytes()
        == tiny.decompress((tmp_path / "part.inv").read_bytes(), partial=True).tobytes()
    )

    (folder / names[0]).unlink()
    refused = call("join", folder, "-o", tmp_path / "none.inv", "--partial")
    assert refused.exit_code == 1
    assert "nothing can be shown without the first" in refused.stderr


def test_a_packet_of_another_picture_loses_nothing(file: Path, plain: bytes, tmp_path: Path) -> None:
    folder, back = tmp_path / "packets", tmp_path / "back.inv"
    assert call("split", file, "--mtu", 51, "-o", folder).exit_code == 0
    (folder / "stray.pkt").write_bytes(split(plain, 51)[0])
    (folder / "text.pkt").write_text("no packet")
    result = call("join", folder, "-o", back, "--json")
    assert result.exit_code == 1
    assert len(result.stderr.strip().splitlines()) == 2
    assert "stray.pkt is a packet of another picture" in result.stderr
    assert "text.pkt is no packet of a picture" in result.stderr
    assert len(json.loads(result.stdout)["files"][0]["left_out"]) == 2
    assert back.read_bytes() == file.read_bytes()
    result = call("join", folder / "text.pkt", folder / "missing.pkt", "-o", tmp_path / "none.inv")
    assert result.exit_code == 1
    assert "missing.pkt does not exist" in result.stderr
    assert len(result.stderr.strip().splitlines()) == 2


def test_packets_that_are_there_are_kept_and_replaced_as_a_whole(file: Path, plain: bytes, tmp_path: Path) -> None:
    folder = tmp_path / "packets"
    assert call("split", file, "--mtu", 20, "-o", folder).exit_code == 0
    (folder / "other-00.pkt").write_bytes(b"kept")
    before = {path: path.read_bytes() for path in folder.iterdir()}
    file.write_bytes(plain)
    refused = call("split", file, "--mtu", 222, "-o", folder)
    assert refused.exit_code == 1
    assert "--force" in refused.stderr
    assert {path: path.read_bytes() for path in folder.iterdir()} == before
    assert call("split", file, "--mtu", 222, "-o", folder, "--force").exit_code == 0
    assert (folder / "other-00.pkt").read_bytes() == b"kept"
    (folder / "other-00.pkt").unlink()
    assert call("join", folder, "-o", tmp_path / "back.inv").exit_code == 0
    assert (tmp_path / "back.inv").read_bytes() == plain


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("split", "face.inv", "--mtu", 5, "-o", "new"), 2, "--mtu takes 6 bytes or more"),
        (("split", "face.inv", "--mtu", 99999, "-o", "new"), 2, "--mtu takes at most 65,536"),
        (("split", "face.inv", "--mtu", 51, "-o", "-"), 2, "no folder"),
        (("split", "face.inv", "--mtu", 51, "-o", "face.inv"), 2, "no folder"),
        (("split", "none.inv", "--mtu", 51, "-o", "new"), 1, "none.inv does not exist"),
        (("split", "text", "--mtu", 51, "-o", "new"), 1, "text is not an invcomp file"),
        (("join", "empty", "-o", "new"), 2, "empty has no files to work on (looked for .pkt)"),
        (("join", "face.inv", "-o", "new"), 1, "face.inv is no packet of a picture"),
        (("join", "face.inv", "-o", "face.inv"), 1, "face.inv exists; give --force"),
        (("join", "empty", "-o", "-", "--json"), 2, "--json and the file"),
        (("join", "empty", "-o", "new/"), 2, "new/ is a folder"),
    ],
)
def test_wrong_calls_get_a_sentence_and_leave_nothing(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[object, ...], code: int, words: str
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("text").write_text("text")
    Path("empty").mkdir()
    before = {path: path.is_dir() or path.read_bytes() for path in tmp_path.rglob("*")}
    result = call(*arguments)
    assert result.exit_code == code
    assert words in result.stderr
    assert {path: path.is_dir() or path.read_bytes() for path in tmp_path.rglob("*")} == before


def test_a_packet_larger_than_any_is_not_read(file: Path, tmp_path: Path) -> None:
    large = tmp_path / "large.pkt"
    large.write_bytes(b"\xb0" + bytes(2 << 20))
    result = call("join", large, "-o", tmp_path / "new.inv")
    assert result.exit_code == 1
    assert "large.pkt has more than the 1 MB that are read" in result.stderr
