"""Pillow reads and writes `.inv` files once this module is imported.

    import invcomp.pillow
    Image.open("face.inv")                                        # decodes when its pixels are first needed
    image.save("face.inv", prior="faces", max_bytes=200)          # the options of `Codec.compress`

What needs torch, or ONNX Runtime, is imported when a picture is compressed, or decoded. A truncated progressive file is
shown as far as it goes if `PIL.ImageFile.LOAD_TRUNCATED_IMAGES` is set.
"""

import inspect
from functools import lru_cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from PIL import Image, ImageFile

from invcomp import container
from invcomp.decoding import Decoding, original_size, prior_of
from invcomp.errors import FormatError, UsageError
from invcomp.priors.reading import DecodingSide, read_decoding_side
from invcomp.priors.registry import priors_of
from invcomp.runtimes import opener

if TYPE_CHECKING:
    from invcomp.codec import Codec

FORMAT, SUFFIX, MIME = "INVCOMP", ".inv", "image/x-invcomp"
IGNORED = {"comment", "dpi", "exif", "icc_profile", "optimize", "pnginfo", "xmp"}
"""Options of other formats, which say nothing here."""
KEPT = 4  # priors in memory


class InvcompImageFile(ImageFile.ImageFile):
    """A file whose picture is decoded when it is first needed."""

    format = FORMAT
    format_description = "invcomp latents"
    _data: bytes | None = None
    """Of a picture that is not decoded yet."""

    def _open(self) -> None:
        assert self.fp is not None
        self._data = self.fp.read(container.MAX_BYTES + 1)
        self._partial = ImageFile.LOAD_TRUNCATED_IMAGES
        self._name = str(self.filename) if self.filename else "the file"
        try:
            self._prior = known(prior_of(self._data, self._name, self._partial))
            content = container.read(self._data, self._prior.info.id_bytes, self._name, self._partial)
            self._size = original_size(content, self._prior, self._name)
        except FormatError as error:
            if self._name.lower().endswith(SUFFIX) or is_ours(self._data):
                raise
            raise SyntaxError(str(error)) from None  # Pillow asks its other readers then
        self._mode = "RGB"
        self.info |= {"codec": content.foreign} if content.foreign else {"prior": self._prior.info.name}

    def load(self) -> Any:
        """Pixels, decoded if they are not. Raises `FormatError`."""
        if self._data is not None:
            image = decoder(self._prior.folder).decompress(self._data, partial=self._partial, name=self._name)
            self.im = image.im
            self.info |= image.info
            self._data = None
            if self._exclusive_fp and self.fp is not None:
                self.fp.close()
                self.fp = None
        return super().load()


def accept(prefix: bytes) -> bool:
    """Whether a file may be ours, by its first bytes."""
    return prefix[:1] != b"" and prefix[0] >> 3 == container.MAGIC << 1 | container.VERSION - 1


def is_ours(data: bytes) -> bool:
    """Whether a file that cannot be read names a prior that is installed: few others do, by chance."""
    try:
        return bool(priors_of(container.read_header(data).short_id))
    except FormatError:
        return False


def save(image: Image.Image, file: IO[bytes], filename: str | bytes) -> None:
    """The writer: options are those of `Codec.compress`, the `prior` and the `device`. Raises `InvcompError`."""
    options = {name: value for name, value in image.encoderinfo.items() if name not in IGNORED}
    compress = codec(options.pop("prior", "faces"), options.pop("device", "auto")).compress
    allowed = sorted(set(inspect.signature(compress).parameters) - {"image"})
    if unknown := sorted(set(options) - set(allowed)):
        raise UsageError(f"an .inv file has no option {unknown[0]!r}; there are prior, device, {', '.join(allowed)}")
    file.write(compress(image, **options))


@lru_cache(maxsize=KEPT)
def known(folder: Path) -> DecodingSide:
    """What is known of a prior without its networks."""
    return read_decoding_side(folder)


@lru_cache(maxsize=KEPT)
def decoder(folder: Path) -> Decoding:
    """What decodes the files of a prior."""
    return opener()(folder)


@lru_cache(maxsize=KEPT)
def codec(prior: str | Path, device: str) -> "Codec":
    """What compresses with a prior."""
    import invcomp

    return invcomp.Codec(prior, device)


Image.register_open(FORMAT, InvcompImageFile, accept)
Image.register_save(FORMAT, save)
Image.register_extension(FORMAT, SUFFIX)
Image.register_mime(FORMAT, MIME)
