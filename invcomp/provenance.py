"""Which prior made a picture, told with it: in words, for programs, and as image sites look for it.

The facts travel in `Image.info` under the names that Pillow gives them when it reads a PNG: `Description`, `Software`,
`invcomp-prior` (the full ids), `invcomp-levels` (where some are left out) and `xmp`, whose `DigitalSourceType` is the
IPTC's mark of generated media (IPTC Photo Metadata Standard, extension schema; values of
https://cv.iptc.org/newscodes/digitalsourcetype/). A file keeps as many of them as its format can hold.
"""

import re
from collections.abc import Sequence
from html import escape
from typing import Any

from PIL import Image
from PIL.ExifTags import Base
from PIL.PngImagePlugin import PngInfo

from invcomp import __version__

DESCRIPTION, SOFTWARE, PRIOR, LEVELS, XMP = "Description", "Software", "invcomp-prior", "invcomp-levels", "xmp"
GENERATED, COMPOSITE = "trainedAlgorithmicMedia", "compositeWithTrainedAlgorithmicMedia"
SHORT_ID = 12  # digits of an id that are told to a person
PACKET_ID = "W5M0MpCehiHzreSzNTczkc9d"  # of every XMP packet

WITH_XMP = ("JPEG", "MPO", "WEBP", "AVIF", "JXL")
WITH_EXIF = (*WITH_XMP, "TIFF")
WITH_COMMENT = ("GIF", "JPEG2000")

Info = dict[str | tuple[int, int], Any]
"""What goes into `Image.info`; Pillow has keys of two kinds in it."""
Prior = tuple[str, str]
"""Name and full id."""


def decoded(prior: Prior, used: int, coded: int) -> Info:
    """Of a decoded picture, which shows `used` of the `coded` levels of its file."""
    said = f"Generated likeness, decoded by invcomp with {told([prior])}."
    levels: Info = {}
    if used < coded:
        levels = {LEVELS: f"{used} of {coded}"}
        said += f" Only {levels[LEVELS]} levels, the coarsest, are its own; the rest is filled in."
    return info(f"{said} Details may be invented.", [prior[1]], GENERATED) | levels


def drawn(prior: Prior) -> Info:
    """Of a picture that is of nothing in particular."""
    return info(f"Generated picture, drawn by invcomp from {told([prior])}.", [prior[1]], GENERATED)


def pasted(priors: Sequence[Prior], faces: Sequence[Info], background: Info) -> Info:
    """Of a picture with decoded faces put into it: the priors that made them, and the info of every face.

    `background` is the info of the picture before, which may have had such faces already.
    """
    priors = list(dict.fromkeys(priors))
    said = f"Parts are generated likenesses: faces decoded by invcomp with {told(priors)} were put into this picture."
    if any(LEVELS in face for face in faces):
        said += " Not all of their levels are shown."
    ids = dict.fromkeys([*(prior_id for _, prior_id in priors), *priors_of(background)])
    return info(f"{said} Details of them may be invented.", list(ids), COMPOSITE)


def priors_of(facts: Info) -> list[str]:
    """The ids of the priors that an image's info names, also as Pillow reads it from a file of any format with XMP."""
    packet = facts.get(XMP, b"")
    found = re.search(rb'invcomp:prior="((?:[0-9a-f]{64} ?)+)"', packet) if isinstance(packet, bytes) else None
    return found[1].decode().split() if found else []


def told(priors: Sequence[Prior]) -> str:
    """`the prior faces (id 829ec0351b84)`."""
    names = " and ".join(f"{name} (id {prior_id[:SHORT_ID]})" for name, prior_id in priors)
    return f"the prior{'s' if len(priors) > 1 else ''} {names}"


def info(description: str, prior_ids: Sequence[str], source: str) -> Info:
    software, ids = f"invcomp {__version__}", " ".join(prior_ids)
    return {DESCRIPTION: description, SOFTWARE: software, PRIOR: ids, XMP: xmp_packet(software, ids, source)}


def xmp_packet(software: str, prior_ids: str, source: str) -> bytes:
    """An XMP packet (ISO 16684-1), without the white space that others leave for changes in place."""
    return (
        f'<?xpacket begin="\ufeff" id="{PACKET_ID}"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""'
        ' xmlns:xmp="http://ns.adobe.com/xap/1.0/" xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/"'
        f' xmlns:invcomp="urn:invcomp" xmp:CreatorTool="{escape(software)}" invcomp:prior="{escape(prior_ids)}"'
        f' Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{source}"/>'
        '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
    ).encode()


def save_options(facts: Info, kind: str) -> dict[str, Any]:
    """Arguments of `Image.save` that keep the facts in a file of this kind ("PNG", "JPEG", …), as far as it holds them.

    `facts` is the info of an image; without a prior in it nothing is kept.
    """
    if PRIOR not in facts:
        return {}
    if kind == "PNG":
        chunks = PngInfo()
        for key in (SOFTWARE, DESCRIPTION, PRIOR, LEVELS):
            if key in facts:
                chunks.add_text(key, facts[key])
        chunks.add_itxt("XML:com.adobe.xmp", facts[XMP].decode())
        return {"pnginfo": chunks}
    options: dict[str, Any] = {}
    if kind in WITH_EXIF:
        exif = Image.Exif()
        exif[Base.ImageDescription], exif[Base.Software] = facts[DESCRIPTION], facts[SOFTWARE]
        if kind == "TIFF":
            exif[Base.XMLPacket] = facts[XMP]
        options["exif"] = exif.tobytes()
    if kind in WITH_XMP:
        options["xmp"] = facts[XMP]
    if kind in WITH_COMMENT:
        options["comment"] = f"{facts[DESCRIPTION]} {PRIOR}: {facts[PRIOR]}"
    return options
