"""Golden files, what is known of them, and their priors: installed ones, and superseded ones out of git history."""

import hashlib
import io
import json
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from invcomp import container
from invcomp.codec import Codec
from invcomp.container import Container
from invcomp.entropy.chain import Symbols
from invcomp.errors import MissingPackageError
from invcomp.priors.files import write_networks
from invcomp.priors.info import CARD, PriorInfo, read_info
from invcomp.priors.portraits.importing import shipped_lpips, with_supplement
from invcomp.priors.portraits.wheel import load_networks, wheel_data
from invcomp.priors.reading import GENERATOR
from invcomp.priors.registry import installed

ROOT = Path(__file__).resolve().parent.parent
GOLDEN = ROOT / "tests" / "golden"


class UnavailableError(Exception):
    """Why a prior cannot be had here."""


@dataclass(frozen=True)
class GoldenPrior:
    """A prior that was shipped: an entry of `priors.json`."""

    id: str
    name: str
    """That it was shipped under at first."""
    commit: str
    """One that holds it."""
    path: str
    """Its folder there; for an imported prior that of what was fitted to the other package's networks."""
    imported: bool = False


def golden_priors() -> dict[str, GoldenPrior]:
    """By the word that follows the version in the names of golden files."""
    return {key: GoldenPrior(**entry) for key, entry in known("priors.json").items()}


def shipped(name: str) -> str:
    """The word in the names of golden files of a prior that ships, by its name today: the first digits of its id."""
    return read_info(ROOT / "pretrained" / name).id[:8]


def known(name: str) -> dict[str, Any]:
    """What an index of the folder says."""
    found: dict[str, Any] = json.loads((GOLDEN / name).read_text())
    return found


def digest(symbols: Symbols) -> str:
    """SHA-256 of the symbols of all levels, coarse to fine, as 32-bit integers, little endian: for `symbols.json`."""
    return hashlib.sha256(b"".join(level.astype("<i4").tobytes() for level in symbols)).hexdigest()


def fields(content: Container) -> dict[str, Any]:
    """What a file says besides its symbols: for `fields.json`."""
    place = content.placement
    later = {"checksum": content.checksum} if content.checksum != 2 else {}
    later |= {"foreign": content.foreign} if content.foreign else {}
    return later | {
        "rate": content.rate,
        "tail": content.tail,
        "size": list(content.size) if content.size else None,
        "levels": content.levels,
        "placement": [*place.size, *place.centre, *place.half] if place else None,
        "parts": None if content.parts is None else [len(part) for part in content.parts],
    }


def read(codec: Codec, data: bytes) -> tuple[Container, Symbols]:
    """What a golden file says; a foreign one has no symbols."""
    content = container.read(data, codec.prior.info.id_bytes)
    return (content, []) if content.foreign else codec.read(data)


def plain_files(name: str) -> list[Path]:
    """A prior's golden files that every prior has some of: not the foreign ones, nor those of a short checksum."""
    return [
        path
        for path in sorted(GOLDEN.glob(f"v1-{name}-*.inv"))
        if "foreign" not in path.stem and "one-byte" not in path.stem
    ]


def prior_folder(prior: GoldenPrior, into: Path) -> Path:
    """The folder of a prior, made in `into` if it is not installed. Raises `UnavailableError`."""
    for folder, info in installed():
        if info.id == prior.id:
            return folder
    out_of_history(prior, into)
    return imported(into / prior.path, into / "imported") if prior.imported else into / prior.path


def out_of_history(prior: GoldenPrior, into: Path) -> None:
    """Write the folder as it was at its commit below `into`. Raises `UnavailableError`, as in a shallow clone."""
    try:
        command = ["git", "-C", str(ROOT), "archive", prior.commit, prior.path]
        data = subprocess.run(command, capture_output=True, check=True).stdout
    except (OSError, subprocess.CalledProcessError):
        raise UnavailableError(
            f"commit {prior.commit[:7]}, which has the prior, is not here: use a full clone"
        ) from None
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        archive.extractall(into, filter="data")


def imported(supplement: Path, into: Path) -> Path:
    """Today's import of the wheel with what was fitted to it then. Raises `UnavailableError`."""
    try:
        _, synthesis = load_networks(wheel_data())
    except MissingPackageError as error:
        raise UnavailableError(str(error)) from None
    card, generator, tables = with_supplement(synthesis, supplement)
    into.mkdir()
    hashes = write_networks(into, generator, tables, {}, {"squeeze": shipped_lpips()})
    (into / CARD).write_text(PriorInfo(**card["info"], id=hashes[GENERATOR], files=hashes).to_json())
    return into
