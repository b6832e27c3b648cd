"""How light decoding is: bytes to install, bytes on disk, and seconds from start to PNG, beside libwebp's `dwebp`.

Builds the wheel, installs it with the extra `decoder` into a new virtual environment, and runs the installed command.
`dwebp` is measured where it is installed. Times are of whole processes, medians of `--runs`, after one that is not
counted.
"""

import json
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from PIL import Image
from rich.console import Console
from rich.table import Table

ROOT = Path(__file__).resolve().parent.parent
MANY = 50  # files of a call
FACES = json.loads((ROOT / "pretrained" / "faces" / "prior.json").read_text())["id"]
FILE = ROOT / "tests" / "golden" / f"v1-{FACES[:8]}-q36-1.inv"


def run(*arguments: object) -> str:
    return subprocess.run([str(a) for a in arguments], check=True, capture_output=True, text=True).stdout


def seconds(runs: int, command: Sequence[object]) -> float:
    """Median of the whole process."""
    found = []
    for _ in range(runs + 1):
        began = time.perf_counter()
        run(*command)
        found.append(time.perf_counter() - began)
    return statistics.median(found[1:])


def size(folder: Path) -> float:
    """Megabytes of the files below a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink()) / 1e6


def main(
    file: Annotated[Path, typer.Argument(help="An .inv file of a shipped prior.")] = FILE,
    runs: Annotated[int, typer.Option(help="Runs of every command.")] = 11,
    torch: Annotated[str, typer.Option(help="A python that has torch and invcomp, for comparison.")] = sys.executable,
) -> None:
    with tempfile.TemporaryDirectory() as place:
        work = Path(place)
        run(sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", work / "wheel", ROOT)
        (wheel,) = (work / "wheel").iterdir()
        venv = work / "venv"
        run(sys.executable, "-m", "venv", venv)
        python = venv / "bin" / "python"
        before = size(venv)
        began = time.perf_counter()
        run(python, "-m", "pip", "install", "-q", f"{wheel}[decoder]")
        installing = time.perf_counter() - began
        run(python, "-m", "pip", "download", "-q", "-d", work / "wheels", f"{wheel}[decoder]")
        others = [path.stat().st_size / 1e6 for path in (work / "wheels").iterdir() if path.name != wheel.name]
        packages = sorted(((size(p), p.name) for p in venv.glob("lib/*/site-packages/*") if p.is_dir()), reverse=True)
        webp, png = work / "face.webp", work / "face.png"
        run(venv / "bin" / "invcomp", "decompress", file, "-o", png)
        Image.open(png).save(webp, quality=10, method=6)

        def start(command: str, runtime: str) -> list[object]:
            return [*command.split(), "decompress", file, "-o", png, "--force", "--runtime", runtime]

        table = Table("", "", title="decoding without torch")
        table.add_row("wheel of invcomp, MB", f"{wheel.stat().st_size / 1e6:.1f}")
        table.add_row("wheels of what it needs, MB", f"{sum(others):.1f}")
        table.add_row("installed, MB", f"{size(venv) - before:.0f}")
        table.add_row("largest of it, MB", ", ".join(f"{name} {mb:.0f}" for mb, name in packages[:6]))
        table.add_row("installing, s", f"{installing:.0f}")
        commands: dict[str, list[object]] = {
            "invcomp decompress, ONNX Runtime": start(f"{venv}/bin/invcomp", "onnx"),
            "invcomp decompress, torch": start(f"{torch} -m invcomp.cli", "torch"),
            "dwebp": ["dwebp", "-quiet", webp, "-o", png],
            "cwebp -m 6": ["cwebp", "-quiet", "-m", "6", png, "-o", webp],
            "Pillow, WebP to PNG": [
                python,
                "-c",
                f"from PIL import Image; Image.open({str(webp)!r}).save({str(work / 'p.png')!r})",
            ],
        }
        for name, command in commands.items():
            try:
                table.add_row(f"{name}, s", f"{seconds(runs, command):.3f}")
            except FileNotFoundError:
                table.add_row(f"{name}, s", "not installed")
        many = work / "many"
        many.mkdir()
        for number in range(MANY):
            shutil.copy(file, many / f"{number}.inv")
        call = [venv / "bin" / "invcomp", "decompress", many, "-o", work / "out", "--force"]
        table.add_row(f"{MANY} files in one call, s", f"{seconds(2, call):.2f}")
        folder = shutil.copytree(ROOT / "pretrained" / "faces", work / "prior")
        making = [*torch.split(), "-m", "invcomp.cli", "export-decoder", folder, "--force"]
        table.add_row("export-decoder of `faces`, the graph alone, s", f"{seconds(2, making):.1f}")
        Console(width=120).print(table)


if __name__ == "__main__":
    typer.run(main)
