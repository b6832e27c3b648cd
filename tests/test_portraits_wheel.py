"""The wheel's graphs in our modules; needs the wheel `random-face` (and `openvino` for the comparison)."""

import importlib.util
import random
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from invcomp.errors import MissingPackageError, PriorError
from invcomp.priors.portraits.mobile_stylegan import MappingNetwork, SynthesisNetwork
from invcomp.priors.portraits.wheel import MAPPING, SYNTHESIS, load_mapping, load_synthesis, wheel_data


def _damaged(xml: str, chance: random.Random) -> str:
    """The graph with the shape of one constant changed, or with one edge gone."""
    lines = xml.splitlines()
    while True:
        at = chance.randrange(len(lines))
        if "<edge " in lines[at]:
            return "\n".join(lines[:at] + lines[at + 1 :])
        if "<data " in lines[at] and 'offset="' in lines[at]:
            return "\n".join([*lines[:at], lines[at].replace('shape="', 'shape="2, '), *lines[at + 1 :]])


def test_shapes_and_frozen_weights(portraits: tuple[MappingNetwork, SynthesisNetwork]) -> None:
    synthesis = portraits[1]
    assert synthesis.shape.widths == (512, 512, 512, 512, 512, 256, 128, 64)
    assert synthesis.shape.style_inputs == 23
    assert not any(p.requires_grad for network in portraits for p in network.parameters())
    assert sum(p.numel() for p in synthesis.parameters()) == 7_306_380


def test_the_wheel_is_found_without_running_its_code(wheel: Path) -> None:
    assert (wheel / SYNTHESIS).is_file()
    assert "random_face" not in sys.modules


def test_without_the_wheel_the_command_that_installs_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(MissingPackageError, match="pip install --no-deps random-face"):
        wheel_data()


def test_damaged_graphs_are_refused(wheel: Path, tmp_path: Path) -> None:
    xml, path, chance = (wheel / MAPPING).read_text(), tmp_path / MAPPING, random.Random(0)
    shutil.copy((wheel / MAPPING).with_suffix(".bin"), path.with_suffix(".bin"))
    for _ in range(20):
        path.write_text(_damaged(xml, chance))
        with pytest.raises(PriorError, match="get the file again"):
            load_mapping(path)


def test_one_graph_is_not_the_other(wheel: Path) -> None:
    with pytest.raises(PriorError):
        load_mapping(wheel / SYNTHESIS)
    with pytest.raises(PriorError):
        load_synthesis(wheel / MAPPING)


@pytest.mark.slow
def test_parity_with_openvino(wheel: Path, portraits: tuple[MappingNetwork, SynthesisNetwork]) -> None:
    openvino = pytest.importorskip("openvino", reason="the extra `openvino` is not installed")
    core = openvino.Core()
    core.set_property("CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    their_mapping, their_synthesis = (core.compile_model(wheel / name, "CPU") for name in (MAPPING, SYNTHESIS))
    mapping, synthesis = portraits
    worst = 0.0
    for seed in range(8):
        z = np.random.default_rng(seed).standard_normal((1, 512), dtype=np.float32)
        w = their_mapping([z])[0]
        picture = torch.from_numpy(their_synthesis([w])[0])
        with torch.inference_mode():
            found = mapping(torch.from_numpy(z))
            worst = max(worst, float((2 * synthesis(found) - 1 - picture).abs().mean()))
            assert (found - torch.from_numpy(w)).abs().mean() < 1e-4
            assert (2 * synthesis(found, 512) - 1 - F.avg_pool2d(picture, 2)).abs().mean() < 1e-3
    print(f"worst mean difference of 8 pictures in [-1, 1]: {worst:.2e}")  # shown by pytest -s
    assert worst < 1e-3
