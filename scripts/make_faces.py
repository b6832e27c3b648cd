"""Draw synthetic faces from the wheel `random-face` (MobileStyleGAN, FFHQ): the training set of the shipped prior.

    pip install openvino && pip install --no-deps random-face
    python scripts/make_faces.py -n 12000 -o faces --size 64 --seed 7

No picture of a real person is involved. Picture `i` of seed `s` depends on `(s, i)` alone, so a run that was
interrupted continues where it stopped (existing files are kept), and runs with other seeds give other people.

The wheel's graphs are run with OpenVINO. Half of their time goes into inverse Haar transforms written as transposed
convolutions; `simplify_haar` writes them as sums and one depth-to-space, and leaves out the last one, whose low
band is the picture shrunk to 512x512. The result is the same to about 1e-5 (`--check` prints the difference).
"""

import argparse
import importlib.util
from pathlib import Path

import numpy as np
import openvino as ov
from openvino import opset8 as op
from PIL import Image
from rich.progress import track

STYLE_DIM = 512
WHEEL_NODE_OF_SUM = 19  # the wheel numbers the sum that closes a transform 19 after the split that opens it


def wheel_data() -> Path:
    """The folder of the wheel's networks, found without importing it (its own code needs an old OpenVINO)."""
    spec = importlib.util.find_spec("random_face")
    if spec is None or spec.origin is None:
        raise SystemExit("random-face is not installed: run `pip install --no-deps random-face`")
    return Path(spec.origin).parent / "data"


def simplify_haar(model: ov.Model) -> ov.Model:
    """The synthesis network with every inverse Haar transform as sums + depth-to-space; gives (1, 3, 512, 512)."""
    nodes = {node.get_friendly_name(): node for node in model.get_ordered_ops()}
    splits = [n for name, n in nodes.items() if name.startswith("Slice_") and n.get_type_name() == "VariadicSplit"]
    half, channel_axis = op.constant(np.float32(0.5)), op.constant(np.int32(1))
    for split in splits[:-1]:
        bands = split.input_value(0)  # (1, 4c, h, w): c low bands, then c times the three high bands
        c = bands.get_partial_shape()[1].get_length() // 4
        order = np.concatenate([np.arange(c), *(c + 3 * np.arange(c) + k for k in range(3))]).astype(np.int32)
        by_band = op.gather(op.multiply(bands, half), op.constant(order), channel_axis)
        low, rows, cols, both = op.split(by_band, channel_axis, 4).outputs()
        plus, minus = op.add(low, rows), op.subtract(low, rows)
        cols_plus, cols_minus = op.add(cols, both), op.subtract(cols, both)
        phases = [
            op.add(plus, cols_plus),
            op.subtract(plus, cols_plus),
            op.add(minus, cols_minus),
            op.subtract(minus, cols_minus),
        ]
        image = op.depth_to_space(op.concat(phases, 1), "blocks_first", 2)
        number = int(split.get_friendly_name().removeprefix("Slice_").split("/")[0])
        nodes[f"Add_{number + WHEEL_NODE_OF_SUM}"].output(0).replace(image.output(0))
    low_band = op.multiply(splits[-1].output(0), half)  # the Haar low band is twice the 2x2 mean
    return ov.Model([op.result(low_band)], model.get_parameters(), "synthesis512")


class Faces:
    """The mapping and synthesis networks of the wheel, compiled for throughput on the CPU."""

    def __init__(self) -> None:
        core, data = ov.Core(), wheel_data()
        settings = {"PERFORMANCE_HINT": "THROUGHPUT", "INFERENCE_PRECISION_HINT": "f32"}
        self.original = core.read_model(data / "SynthesisNetwork.xml")
        self.synthesis = core.compile_model(
            simplify_haar(core.read_model(data / "SynthesisNetwork.xml")), "CPU", settings
        )
        mapping = core.read_model(data / "MappingNetwork.xml")
        self.mapping = core.compile_model(mapping, "CPU", settings)
        mapping.reshape({"var": [4096, STYLE_DIM]})
        normal = np.random.default_rng(0).standard_normal((4096, STYLE_DIM), dtype=np.float32)
        self.mean_style = core.compile_model(mapping, "CPU", settings)(normal)[0].mean(axis=0, keepdims=True)

    def style(self, seed: int, index: int, psi_range: tuple[float, float]) -> np.ndarray:
        """The truncated style vector, (1, 512), of picture `index` of `seed`; psi is uniform in `psi_range`."""
        rng = np.random.default_rng([seed, index])
        style = self.mapping(rng.standard_normal((1, STYLE_DIM), dtype=np.float32))[0]
        return self.mean_style + rng.uniform(*psi_range) * (style - self.mean_style)

    def parity(self, n: int = 4) -> float:
        """Largest difference between the wheel's own graph, shrunk to 512, and the simplified one."""
        full = ov.Core().compile_model(self.original, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        styles = [self.style(0, i, (1.0, 1.0)) for i in range(n)]
        shrunk = [full(s)[0].reshape(1, 3, 512, 2, 512, 2).mean(axis=(3, 5)) for s in styles]
        return max(float(np.abs(a - self.synthesis(s)[0]).max()) for a, s in zip(shrunk, styles, strict=True))


def save_png(picture: np.ndarray, size: int, path: Path) -> None:
    """Write (1, 3, 512, 512) in [-1, 1] as a PNG of `size` (a divisor of 512: area averaged), whole or not at all."""
    k = 512 // size
    shrunk = picture[0].reshape(3, size, k, size, k).mean(axis=(2, 4)).transpose(1, 2, 0)
    part = path.with_suffix(".part")
    Image.fromarray(np.uint8(np.clip((shrunk + 1) * 127.5 + 0.5, 0, 255))).save(part, format="PNG")
    part.replace(path)


def psi_range(text: str) -> tuple[float, float]:
    low, _, high = text.partition(":")
    return float(low), float(high or low)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-n", type=int, default=12000, help="number of faces")
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to fill")
    parser.add_argument("--size", type=int, default=64, choices=[32, 64, 128, 256, 512])
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--psi", type=psi_range, default=(0.7, 1.0), help="truncation, LOW:HIGH (default 0.7:1.0)")
    parser.add_argument("--check", action="store_true", help="print the difference to the wheel's own graph and stop")
    args = parser.parse_args()
    faces = Faces()
    if args.check:
        print(f"largest difference over 4 faces, pictures in [-1, 1]: {faces.parity():.2e}")
        return
    args.output.mkdir(parents=True, exist_ok=True)
    queue = ov.AsyncInferQueue(faces.synthesis)
    queue.set_callback(lambda request, path: save_png(request.get_output_tensor(0).data, args.size, path))
    for index in track(range(args.n), description="faces"):
        path = args.output / f"{args.seed}-{index:06d}.png"
        if not path.exists():
            queue.start_async([faces.style(args.seed, index, args.psi)], path)
    queue.wait_all()


if __name__ == "__main__":
    main()
