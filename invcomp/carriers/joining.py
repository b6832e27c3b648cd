"""Packets of a picture, in any order, twice, or not all of them → its file, or as much of it as can be shown."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from invcomp.carriers.packets import Message, parse, tag_of
from invcomp.container import level_ends
from invcomp.errors import FormatError

Fault = Callable[[str], None]
"""Is told, in a sentence, of an input that is left out."""


@dataclass(frozen=True)
class Received:
    """The packets of one message that are there."""

    message: Message
    packets: dict[int, tuple[str, bytes]] = field(default_factory=dict)
    """By their number: the name of its file, and its payload."""

    @property
    def whole(self) -> bool:
        return len(self.packets) == self.message.total

    @property
    def names(self) -> list[str]:
        return [self.packets[number][0] for number in sorted(self.packets)]

    @property
    def missing(self) -> list[int]:
        return [number for number in range(self.message.total) if number not in self.packets]

    @property
    def beginning(self) -> bytes:
        """The bytes before the first packet that is missing."""
        first = min(self.missing, default=self.message.total)
        return b"".join(self.packets[number][1] for number in range(first))


@dataclass(frozen=True)
class Joined:
    """A file, or the beginning of one."""

    data: bytes
    note: str | None = None
    """What is missing, in a sentence."""


def sort_out(packets: Iterable[tuple[str, bytes]], fault: Fault) -> list[Received]:
    """Names and bytes of packets → those of every message; `fault` is told of each that is none or is in doubt."""
    messages: dict[Message, Received] = {}
    doubted: dict[tuple[Message, int], str] = {}
    for name, data in packets:
        try:
            packet = parse(data, name)
        except FormatError as error:
            fault(str(error))
            continue
        there = messages.setdefault(packet.message, Received(packet.message)).packets
        other, payload = there.setdefault(packet.number, (name, packet.payload))
        if payload != packet.payload:
            doubted[packet.message, packet.number] = (
                f"{other} and {name} are the same packet and differ, so neither is taken; remove the damaged one"
            )
    for (message, number), sentence in doubted.items():
        del messages[message].packets[number]
        fault(sentence)
    return [received for received in messages.values() if received.packets]


def choose(received: list[Received], fault: Fault) -> Received:
    """The message that is whole, or else of which most is there; `fault` is told of each of the others.

    Raises `FormatError` where that does not tell.
    """
    found = sorted(received, key=rank, reverse=True)
    if not found:
        raise FormatError("there are no packets to join; give what `invcomp split` made")
    if len(found) > 1 and rank(found[0]) == rank(found[1]):
        names = " and ".join(one.names[0] for one in found[:2])
        both = "and all packets of both are there" if found[0].whole else "with as many of each"
        raise FormatError(f"{names} are packets of different pictures, {both}; join those of one")
    for other in found[1:]:
        fault(left_out(other.names))
    return found[0]


def rank(received: Received) -> tuple[bool, int]:
    return received.whole, 0 if received.whole else len(received.packets)


def left_out(names: list[str]) -> str:
    if len(names) == 1:
        return f"{names[0]} is a packet of another picture and left out; join it with others of that"
    return f"{names[0]} and {len(names) - 1} more are packets of another picture and left out; join them by themselves"


def join(received: Received, partial: bool) -> Joined:
    """The file of a message; with `partial` as many whole levels as lie before the first missing packet.

    Raises `FormatError` if there is no such file.
    """
    data = received.beginning
    if received.whole and tag_of(data) == received.message.tag:
        return Joined(data)
    fault = damaged(received) if received.whole else lacking(received)
    if 0 in received.missing:
        raise FormatError(f"{fault}, and nothing can be shown without the first; get it again")
    try:
        ends = level_ends(data)
    except FormatError:  # too short to say
        ends = []
    if ends is None:
        raise FormatError(f"{fault}, and the file is not progressive: nothing of it can be shown; get all packets")
    if not partial:
        raise FormatError(f"{fault}; get all packets, or give --partial for the levels before")
    if not ends:
        raise FormatError(f"{fault}, and no level is whole before: nothing can be shown; get all packets")
    there = "level" if len(ends) == 1 else f"{len(ends)} levels"
    shown = "levels before that, if the first is whole" if received.whole else f"{there} before that"
    return Joined(data[: ends[-1]], f"{fault}; decompress --partial shows the {shown}")


def damaged(received: Received) -> str:
    """That the packets, all of which are there, are not what was split. Their levels' checksums tell where."""
    return f"{received.names[0]} or one of the packets after it is damaged"


def lacking(received: Received) -> str:
    """Which packets are missing, counted from 1."""
    *others, last = ranges([number + 1 for number in received.missing])
    which = f"{', '.join(others)} and {last}" if others else last
    several = len(received.missing) > 1
    return (
        f"packet{'s' if several else ''} {which} of {received.message.total} {'are' if several else 'is'} missing, "
        f"beside {received.names[0]}"
    )


def ranges(numbers: Iterable[int]) -> list[str]:
    """Ascending numbers, three or more in a row as one: 1, 3, 4, 5, 8, 9 → 1, 3 to 5, 8, 9."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and runs[-1][-1] == number - 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return [
        text
        for run in runs
        for text in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else [str(number) for number in run])
    ]
