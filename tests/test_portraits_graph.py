"""Reading OpenVINO graphs: what is there, and that damage is refused in one sentence."""

import random
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest

from invcomp.errors import PriorError
from invcomp.priors.portraits.openvino_graph import read_graph
from invcomp.priors.portraits.wheel import load_mapping, load_synthesis

SCALED = """<?xml version="1.0"?>
<net name="scaled" version="10"><layers>
<layer id="0" name="z" type="Parameter"><output><port id="0" precision="FP32"><dim>1</dim><dim>3</dim></port></output></layer>
<layer id="1" name="by" type="Const"><data element_type="f32" shape="1, 3" offset="4" size="12"/>
<output><port id="0" precision="FP32"><dim>1</dim><dim>3</dim></port></output></layer>
<layer id="2" name="out" type="Multiply"><input><port id="0"/><port id="1"/></input>
<output><port id="2" precision="FP32"><dim>1</dim><dim>3</dim></port></output></layer>
<layer id="3" name="end" type="Result"><input><port id="0"/></input></layer>
</layers><edges>
<edge from-layer="1" from-port="0" to-layer="2" to-port="1"/><edge from-layer="0" from-port="0" to-layer="2" to-port="0"/>
<edge from-layer="2" from-port="2" to-layer="3" to-port="0"/>
</edges></net>"""  # noqa: E501


def write(folder: Path, xml: str) -> Path:
    (folder / "scaled.bin").write_bytes(np.arange(4, dtype="<f4").tobytes())
    path = folder / "scaled.xml"
    path.write_text(xml)
    return path


def test_layers_edges_and_constants_are_read(tmp_path: Path) -> None:
    graph = read_graph(write(tmp_path, SCALED))
    assert [layer.kind for layer in graph.layers.values()][-2:] == ["Multiply", "Result"]
    multiply = graph.layers[2]
    assert [source.layer for source in multiply.inputs] == [0, 1]
    assert multiply.outputs[0].shape == (1, 3)
    constant = graph.layers[1].constant
    assert constant is not None
    assert constant.tolist() == [[1, 2, 3]]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('offset="4"', 'offset="8"'),  # beyond the end
        ('offset="4"', 'offset="-4"'),
        ('size="12"', 'size="8"'),
        ('shape="1, 3"', 'shape="1, 99999999999999999999"'),
        ('shape="1, 3"', 'shape="3"'),
        ("f32", "q7"),
        ('to-layer="3"', 'to-layer="9"'),
        ('to-layer="3" to-port="0"', 'to-layer="2" to-port="0"'),  # two edges into one port
        ('from-layer="0"', 'from-layer="2"'),  # no such port
        ('from-layer="0" from-port="0"', 'from-layer="2" from-port="2"'),  # a circle
        ('<layer id="3"', '<layer id="2"'),
        ('type="Result"', ""),
        ("</net>", ""),
        ("<net", "<html"),
        ('<?xml version="1.0"?>', '<?xml version="1.0" encoding="no-such"?>'),
        ('<?xml version="1.0"?>', '<?xml version="1.0"?><!DOCTYPE net [<!ENTITY a "aaaa">]>'),
        ('<?xml version="1.0"?>', '<?xml version="1.0"?><!DOCTYPE net SYSTEM "file:///etc/passwd">'),
    ],
)
def test_what_is_wrong_is_refused(tmp_path: Path, old: str, new: str) -> None:
    assert old in SCALED
    with pytest.raises(PriorError, match=r"scaled\.xml"):
        read_graph(write(tmp_path, SCALED.replace(old, new, 1)))


def test_missing_files_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, SCALED)
    path.with_suffix(".bin").unlink()
    with pytest.raises(PriorError, match=r"scaled\.bin"):
        read_graph(path)
    with pytest.raises(PriorError, match=r"other\.xml"):
        read_graph(tmp_path / "other.xml")


def test_random_damage_ends_in_an_error_that_says_so(tmp_path: Path) -> None:
    chance = random.Random(0)
    for _ in range(500):
        data = bytearray(SCALED.encode())
        for _ in range(chance.randint(1, 3)):
            data[chance.randrange(len(data))] = chance.randrange(256)
        path = write(tmp_path, "")
        path.write_bytes(data)
        with suppress(PriorError):  # and nothing else
            read_graph(path)
        with pytest.raises(PriorError):
            load_mapping(path)


@pytest.mark.parametrize("load", [load_mapping, load_synthesis])
def test_another_network_is_refused(tmp_path: Path, load: object) -> None:
    assert callable(load)
    with pytest.raises(PriorError, match="layer 2"):
        load(write(tmp_path, SCALED))
