"""Photographs of other things than faces, for `train-prior --others`: 37 of them, from Debian's packages of wallpapers.

    python scripts/fetch_photographs.py -o photographs        (Debian or Ubuntu; downloads 156 MB, keeps 12)

Writes JPEGs of at most 1600 pixels, and LICENCES.md with the author and the licence of each.
"""

import argparse
import io
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

from invcomp.pictures import read_picture
from invcomp.writing import write_whole

SIDE = 1600
LOMIRI, MATE, PLASMA = "lomiri-wallpapers-16.04", "mate-backgrounds", "plasma-workspace-wallpapers"
PLACES = {
    LOMIRI: "usr/share/backgrounds/{}.jpg",
    MATE: "usr/share/backgrounds/mate/nature/{}.jpg",
    PLASMA: "usr/share/wallpapers/{}/contents/images/2560x1600.jpg",
}
BY, BY_SA, CC0, GPL, LGPL = "CC-BY-4.0", "CC-BY-SA-4.0", "CC0-1.0", "GPL-2.0-or-later", "LGPL-3.0"
PHOTOGRAPHS = [
    (LOMIRI, "aitzgorri_by_Aitzol_Berasategi", "Aitzol Berasategi", BY),
    (LOMIRI, "analogpattern_by_Peter_Nerlich", "Peter Nerlich", BY_SA),
    (LOMIRI, "Bridge_by_Sander_Klootwijk", "Sander Klootwijk", BY_SA),
    (LOMIRI, "Dragonfly_by_Bolly", "Bolly", BY_SA),
    (LOMIRI, "free_by_Peter_Nerlich", "Peter Nerlich", BY_SA),
    (LOMIRI, "friends_by_Aitzol_Berasategi", "Aitzol Berasategi", BY),
    (LOMIRI, "greentock_by_Peter_Nerlich", "Peter Nerlich", BY_SA),
    (LOMIRI, "life_by_Aitzol_Berasategi", "Aitzol Berasategi", BY),
    (LOMIRI, "picosdeeuropa_by_Aitzol_Berasategi", "Aitzol Berasategi", BY),
    (LOMIRI, "Picture_0B_by_freespace", "Trevor Freespace", BY),
    (LOMIRI, "Picture_1A_by_freespace", "Trevor Freespace", BY),
    (LOMIRI, "seeding_by_Clements_Engelhardt", "Clemens Engelhardt", CC0),
    (LOMIRI, "sunset_by_Aitzol_Berasategi", "Aitzol Berasategi", BY),
    (LOMIRI, "Wine_by_Jakkub_Mede", "Jakub Mede", BY),
    (MATE, "Aqua", "Charles Barbin", GPL),
    (MATE, "Blinds", "Lennart Poettering, Andrea Cimitan", GPL),
    (MATE, "Dune", "Marco Cogoni, Hylke Bons", GPL),
    (MATE, "FreshFlower", "Jens Ansorg", GPL),
    (MATE, "Garden", "Charles Barbin", GPL),
    (MATE, "GreenMeadow", "Timothy Schellhase, Lapo Calamandrei", GPL),
    (MATE, "LadyBird", "Charles Barbin", GPL),
    (MATE, "RainDrops", "blackcombwhistler07", GPL),
    (MATE, "Storm", "Sergey Nazarov", GPL),
    (MATE, "TwoWings", "Charles Barbin, Hylke Bons", GPL),
    (MATE, "Wood", "Jean-François Fortin Tam", GPL),
    (MATE, "YellowFlower", "Charles Barbin", GPL),
    (PLASMA, "BytheWater", "Maciej Wiklo", LGPL),
    (PLASMA, "ColdRipple", "Risto Saukonpää", LGPL),
    (PLASMA, "ColorfulCups", "Dmitri Popov", LGPL),
    (PLASMA, "DarkestHour", "Risto Saukonpää", LGPL),
    (PLASMA, "EveningGlow", "Ian Hex", LGPL),
    (PLASMA, "FallenLeaf", "Martin Klapetek", LGPL),
    (PLASMA, "Grey", "Sigi Sagi", LGPL),
    (PLASMA, "Kite", "Risto Saukonpää", LGPL),
    (PLASMA, "OneStandsOut", "Risto Saukonpää", LGPL),
    (PLASMA, "Path", "Risto Saukonpää", LGPL),
    (PLASMA, "summer_1am", "Risto Saukonpää", LGPL),
]


def unpack(folder: Path) -> None:
    """Download the packages and unpack them into `folder`."""
    try:
        subprocess.run(["apt-get", "download", *PLACES], cwd=folder, check=True)
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg", "-x", package, folder], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise SystemExit(f"Debian's packages cannot be had ({error}): take any folder of photographs") from None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-o", "--output", type=Path, required=True, help="folder to fill")
    args = parser.parse_args()
    args.output.mkdir(parents=True, exist_ok=True)
    lines = ["| photograph | author | licence | Debian package |", "|---|---|---|---|"]
    with TemporaryDirectory() as temporary:
        unpack(Path(temporary))
        for package, name, author, licence in PHOTOGRAPHS:
            source = Path(temporary) / PLACES[package].format(name)
            image = read_picture(source.read_bytes(), source.name).image
            image.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
            data = io.BytesIO()
            image.save(data, "JPEG", quality=92)
            write_whole(args.output / f"{name}.jpg", data.getvalue())
            lines.append(f"| {name} | {author} | {licence} | {package} |")
    write_whole(args.output / "LICENCES.md", ("\n".join(lines) + "\n").encode())
    print(f"{args.output}: {len(PHOTOGRAPHS)} photographs")


if __name__ == "__main__":
    main()
