"""The wheel `random-face` → a prior: its networks, and beside them what this project fitted to them and ships.

The supplement holds the output heads, the bases and quantisation steps of the latent levels, their tables and the
calibration (`scripts/fit_portraits.py`). Nothing is computed here that could differ between machines, so every import
gives the same prior id, and files travel.
"""

import json
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from invcomp.entropy.tables import LevelTables
from invcomp.errors import OutputError, PriorError
from invcomp.pictures import encode_image, grid
from invcomp.priors.domain import DOMAIN
from invcomp.priors.files import MAPPING, Prior, lpips_file, write_networks
from invcomp.priors.info import CARD, PriorInfo, read_info
from invcomp.priors.lpips import LpipsNetwork, restored
from invcomp.priors.portraits.architecture import PortraitArchitecture
from invcomp.priors.portraits.generator import PortraitGenerator
from invcomp.priors.portraits.mobile_stylegan import SynthesisNetwork
from invcomp.priors.portraits.sampling import draw_pictures
from invcomp.priors.portraits.wheel import load_networks, wheel_data
from invcomp.priors.reading import GENERATOR, GRAPH, read_tables, read_tensors
from invcomp.priors.registry import SUPPLEMENT_CARD, find_prior, shipped_file, user_folder
from invcomp.writing import current_umask, unwritable, write_whole

NAME = "portraits"
SUPPLEMENT = "supplement.safetensors"
NETWORK = "synthesis."
SAMPLES, SAMPLE_SIZE = 16, 256
WHEEL = "random-face==2021.7.21.1"
OTHER = "the installed random-face has other networks than those that were fitted"
FILES = {GENERATOR, GRAPH, MAPPING, DOMAIN, lpips_file("squeeze"), CARD, "README.md", "samples.png"}


def import_random_face(
    folder: Path | None, force: bool = False, announce: Callable[[str], None] = lambda _: None
) -> tuple[Path, PriorInfo]:
    """Write the prior into `folder` (by default where installed priors are found), whole or not at all; gives both.

    `announce` is told what it will cost before it starts.

    Raises `MissingPackageError` without the wheel, `PriorError` if it holds other networks, `OutputError`.
    """
    folder = (folder or user_folder() / NAME).resolve()
    check_replaceable(folder, force)
    try:
        mapping, synthesis = load_networks(wheel_data())
    except PriorError as error:
        raise PriorError(f"{error}: run `pip install --force-reinstall --no-deps {WHEEL}`") from None
    card, generator, tables = with_supplement(synthesis)
    announce("importing takes about 20 seconds, and its graph for decoding without torch as long again")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        part = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as error:
        raise unwritable(folder, error) from None
    try:
        hashes = write_networks(part, generator, tables, {MAPPING: mapping}, {"squeeze": shipped_lpips()})
        if "domain" in card:
            shutil.copyfile(shipped_file(NAME, DOMAIN), part / DOMAIN)
            hashes[DOMAIN] = card["domain"]
        info = PriorInfo(**card["info"], id=hashes[GENERATOR], files=hashes)
        if info.id != card["id"]:
            raise PriorError(f"{OTHER}: run `pip install --force-reinstall --no-deps {WHEEL}`")
        generator.to(memory_format=torch.channels_last)
        pictures = draw_pictures(
            mapping,
            generator.synthesis,
            generator.mean_style,
            seed=0,
            indices=range(SAMPLES),
            psi=(0.7, 0.7),
            size=SAMPLE_SIZE,
        )
        sheet = grid([picture for _, picture in pictures], columns=4)
        write_whole(part / "samples.png", encode_image(sheet))
        shutil.copyfile(shipped_file(NAME, "README.md"), part / "README.md")
        write_whole(part / CARD, info.to_json().encode())
        part.chmod(0o777 & ~current_umask())
        if (folder / CARD).exists():
            aside = part.with_name(part.name + ".old")
            folder.replace(aside)
            part.replace(folder)
            shutil.rmtree(aside, ignore_errors=True)
        else:
            part.replace(folder)  # what is there is an empty folder, if anything
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return folder, info


def check_replaceable(folder: Path, force: bool) -> None:
    """Raises `OutputError` unless there is nothing at `folder` that would be lost: only an import may be replaced."""
    if not folder.exists() or (folder.is_dir() and not any(folder.iterdir())):
        return
    found = {path.name for path in folder.iterdir()} if folder.is_dir() else set()
    if not (CARD in found and found <= FILES and is_portraits(folder)):
        raise OutputError(f"{folder} exists and is no imported prior; give another folder")
    if not force:
        raise OutputError(f"{folder} exists; give --force to import anew")


def is_portraits(folder: Path) -> bool:
    """Whether a folder with the files of an import is one; a damaged card may be replaced."""
    try:
        return read_info(folder).name == NAME
    except PriorError:
        return True


def with_supplement(
    synthesis: SynthesisNetwork, folder: Path | None = None
) -> tuple[dict[str, Any], PortraitGenerator, tuple[LevelTables, ...]]:
    """The card and the network of the wheel with what was fitted to it, which is in `folder`, by default as shipped.

    Raises `PriorError`.
    """
    path = folder / SUPPLEMENT if folder else shipped_file(NAME, SUPPLEMENT)
    card_path = folder / SUPPLEMENT_CARD if folder else shipped_file(NAME, SUPPLEMENT_CARD)
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        _, tensors = read_tensors(path, card["supplement"])
        arch = PortraitArchitecture.from_json(card["architecture"])
    except (PriorError, OSError, ValueError, KeyError, TypeError):
        raise PriorError(f"{path.parent} is damaged; install invcomp again") from None
    if synthesis.shape != arch.shape:
        raise PriorError(f"{OTHER}: run `pip install --force-reinstall --no-deps {WHEEL}`")
    tables = read_tables(tensors, arch, path)
    generator = PortraitGenerator(arch)
    state = generator.state_dict()
    state |= {NETWORK + name: value for name, value in synthesis.state_dict().items()}
    fitted = {name: value for name, value in tensors.items() if not name.startswith("tables.")}
    state |= {name: torch.from_numpy(value.astype(np.float32)) for name, value in fitted.items()}
    generator.load_state_dict(state)
    return card, generator.eval().requires_grad_(False), tables


def supplement_of(prior: Prior) -> dict[str, NDArray[Any]]:
    """What is shipped of a prior that was fitted: all of its generator's file but the wheel's own networks."""
    _, tensors = read_tensors(prior.folder / GENERATOR, prior.info.id)
    return {name: value for name, value in tensors.items() if not name.startswith(NETWORK)}


def shipped_lpips() -> LpipsNetwork:
    """LPIPS on SqueezeNet, as the prior `faces` carries it."""
    folder = find_prior("faces")
    name = lpips_file("squeeze")
    _, tensors = read_tensors(folder / name, read_info(folder).files[name])
    return restored("squeeze", tensors)
