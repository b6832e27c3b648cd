"""Which priors are installed, and which one a file needs."""

from pathlib import Path

import platformdirs

from invcomp.container import short_id
from invcomp.errors import PriorError, UnknownPriorError
from invcomp.priors.info import CARD, PriorInfo, read_info

PACKAGE = Path(__file__).resolve().parent.parent
SHIPPED = (PACKAGE / "pretrained", PACKAGE.parent / "pretrained")  # in the wheel, in a checkout
IMPORTED = {"portraits": "random-face"}
"""Priors that are made from another package's networks."""


def user_folder() -> Path:
    """Where `invcomp import-prior` puts priors unless told otherwise, and where they are found by name."""
    return platformdirs.user_data_path("invcomp") / "priors"


def import_commands(name: str) -> str:
    """What to run for an imported prior that is not there."""
    return f"`pip install --no-deps {IMPORTED[name]}` and `invcomp import-prior {IMPORTED[name]}`"


def installed() -> list[tuple[Path, PriorInfo]]:
    """Folder and description of every installed prior that can be read, by name."""
    found: dict[str, tuple[Path, PriorInfo]] = {}
    for place in (*SHIPPED, user_folder()):
        for card in sorted(place.glob(f"*/{CARD}")):
            try:
                found.setdefault(card.parent.name, (card.parent, read_info(card.parent)))
            except PriorError:
                continue  # `invcomp info` on the folder says what is wrong with it
    return [found[name] for name in sorted(found)]


def find_prior(name: str | Path) -> Path:
    """The folder of a prior, by name or by path. Raises `UnknownPriorError`."""
    for folder, info in installed():
        if str(name) in (info.name, folder.name):
            return folder
    path = Path(name)
    if path.is_dir():
        return path
    if str(name) in IMPORTED:
        raise UnknownPriorError(f"the prior {name} is not imported yet: run {import_commands(str(name))}")
    names = ", ".join(info.name for _, info in installed()) or "none"
    raise UnknownPriorError(f"there is no prior {str(name)!r}: give a folder or one of the installed ones ({names})")


def priors_of(short: int) -> list[Path]:
    """Folders of the installed priors whose id begins with the bits that a file carries."""
    return [folder for folder, info in installed() if short_id(info.id_bytes) == short]


def shipped_file(prior: str, name: str) -> Path:
    """A file that ships with invcomp for a prior. Raises `PriorError`."""
    for place in SHIPPED:
        if (place / prior / name).is_file():
            return place / prior / name
    raise PriorError(f"this installation of invcomp lacks {prior}/{name}; install it again")
