"""Which priors are installed, and which one a file needs."""

import json
from pathlib import Path

import platformdirs

from invcomp.container import ID_BITS, short_id
from invcomp.errors import PriorError, UnknownPriorError
from invcomp.priors.info import CARD, PriorInfo, read_info
from invcomp.priors.reading import TABLES

PACKAGE = Path(__file__).resolve().parent.parent
SHIPPED = (PACKAGE / "pretrained", PACKAGE.parent / "pretrained")  # in the wheel, in a checkout
SUPPLEMENT_CARD = "supplement.json"  # of an imported prior: what is known of it before it is imported
IMPORTED = {"portraits": "random-face"}
"""Priors that are made from another package's networks."""


def user_folder() -> Path:
    """Where `invcomp import-prior` puts priors unless told otherwise, and where they are found by name."""
    return platformdirs.user_data_path("invcomp") / "priors"


def import_commands(name: str) -> str:
    """What to run for an imported prior that is not there."""
    return f"`pip install --no-deps {IMPORTED[name]}` and `invcomp import-prior {IMPORTED[name]}`"


def installed() -> list[tuple[Path, PriorInfo]]:
    """Folder and description of every installed prior that can be read, by name; exported decoders at last."""
    found: dict[str, tuple[Path, PriorInfo]] = {}
    for place in (*SHIPPED, user_folder()):
        for card in sorted(place.glob(f"*/{CARD}")):
            if card.parent.name.startswith("."):
                continue  # an import that was killed
            try:
                found.setdefault(card.parent.name, (card.parent, read_info(card.parent)))
            except PriorError:
                continue  # `invcomp info` on the folder says what is wrong with it
    return sorted(found.values(), key=lambda prior: (TABLES in prior[1].files, prior[0].name))


def find_prior(name: str | Path) -> Path:
    """The folder of a prior, by name or by path. Raises `UnknownPriorError`."""
    for folder, info in installed():
        if str(name) in (info.name, folder.name):
            if str(name) in IMPORTED and info.id != imported_id(str(name)):
                mend = f"`invcomp import-prior {IMPORTED[str(name)]} --force`"
                raise UnknownPriorError(
                    f"{folder} was imported by another version of invcomp: run {mend} "
                    "(files made with the older one need it: keep a copy of the folder if there are any)"
                )
            return folder
    path = Path(name)
    if path.is_dir() and (str(name) not in IMPORTED or (path / CARD).is_file()):
        return path
    if str(name) in IMPORTED:
        raise UnknownPriorError(f"the prior {name} is not imported yet: run {import_commands(str(name))}")
    names = ", ".join(info.name for _, info in installed()) or "none"
    raise UnknownPriorError(f"there is no prior {str(name)!r}: give a folder or one of the installed ones ({names})")


def priors_of(short: int) -> list[Path]:
    """Folders of the installed priors whose id begins with the bits that a file carries."""
    return [folder for folder, info in installed() if short_id(info.id_bytes) == short]


def imported_id(name: str) -> str:
    """The id that an imported prior has when it is imported by this version. Raises `PriorError`."""
    path = shipped_file(name, SUPPLEMENT_CARD)
    try:
        return str(json.loads(path.read_text(encoding="utf-8"))["id"])
    except (OSError, ValueError, KeyError, TypeError):
        raise PriorError(f"{path} is damaged; install invcomp again") from None


def mend_for(short: int) -> str:
    """What to do about a file whose prior is not installed, by the bits that it carries."""
    for name in IMPORTED:
        if int(imported_id(name)[:4], 16) >> (16 - ID_BITS) == short:
            return f"that is {name}: run {import_commands(name)}"
    return "give its folder with --prior"


def shipped_file(prior: str, name: str) -> Path:
    """A file that ships with invcomp for a prior. Raises `PriorError`."""
    for place in SHIPPED:
        if (place / prior / name).is_file():
            return place / prior / name
    raise PriorError(f"this installation of invcomp lacks {prior}/{name}; install it again")
