"""Where a square lies in a picture: in numbers for computing, and in whole quarter pixels for the header of a file.

Points and vectors of a picture are complex numbers, x + iy in pixels, x to the right, y down, pixel centres at whole
numbers. A vector turned by a quarter to the right is the vector times i.
"""

import math
from dataclasses import dataclass

from invcomp.errors import ImageError

STEPS = 4  # of a header's numbers in a pixel
MAX_SIDE, MAX_PIXELS = 65_535, 100_000_000  # of a picture


@dataclass(frozen=True)
class Square:
    """A square that may be turned and may reach out of its picture."""

    centre: complex
    half: complex
    """From the centre to the middle of the square's right side."""

    @property
    def side(self) -> float:
        return 2 * abs(self.half)

    @property
    def corners(self) -> tuple[complex, complex, complex, complex]:
        """Upper left, lower left, lower right, upper right, as the square sees itself."""
        right, down = self.half, 1j * self.half
        return (
            self.centre - right - down,
            self.centre - right + down,
            self.centre + right + down,
            self.centre + right - down,
        )

    def moved(self, x: float, y: float) -> "Square":
        return Square(self.centre + complex(x, y), self.half)

    def scaled(self, x: float, y: float) -> "Square":
        """The square in the same picture resized by the factors `x` and `y`, which are nearly equal."""
        middle = self.centre + (0.5 + 0.5j)
        return Square(complex(middle.real * x, middle.imag * y) - (0.5 + 0.5j), self.half * math.sqrt(x * y))


@dataclass(frozen=True)
class Placement:
    """A square in a picture, as a file's header keeps it: every corner within half a pixel of the given square's.

    Rounding to quarter pixels moves the centre by at most sqrt(2) / 8 pixels and a corner against the centre by at
    most 1 / 4, together 0.43.
    """

    size: tuple[int, int]
    """(width, height) of the picture in pixels."""
    centre: tuple[int, int]
    """(x, y) of the square's centre in quarter pixels, from the middle of the picture."""
    half: tuple[int, int]
    """(x, y) from the centre to the middle of the square's right side, in quarter pixels."""

    @classmethod
    def of(cls, square: Square, size: tuple[int, int]) -> "Placement":
        """The nearest placement in a picture of `size` (width, height). Raises `ImageError` if no file can say it."""
        away = (square.centre - middle(size)) * STEPS
        half = square.half * STEPS
        found = cls(size, (round(away.real), round(away.imag)), (round(half.real), round(half.imag)))
        if not found.plausible:
            raise ImageError(
                f"the face lies where no file can say it: at {square.centre.real:.0f}, {square.centre.imag:.0f}, "
                f"{square.side:.0f} pixels wide, in a picture of {size[0]} x {size[1]} pixels"
            )
        return found

    @property
    def square(self) -> Square:
        return Square(middle(self.size) + complex(*self.centre) / STEPS, complex(*self.half) / STEPS)

    @property
    def plausible(self) -> bool:
        """Whether a face can lie there: centre at most a picture's size outside, no side above 4 times the longer."""
        width, height = self.size
        if not (0 < width <= MAX_SIDE and 0 < height <= MAX_SIDE and width * height <= MAX_PIXELS):
            return False
        return (
            abs(self.centre[0]) <= 1.5 * width * STEPS
            and abs(self.centre[1]) <= 1.5 * height * STEPS
            and STEPS <= math.hypot(*self.half) <= 2 * max(width, height) * STEPS
        )

    def square_in(self, size: tuple[int, int]) -> Square | None:
        """The square in the picture resized to `size`; None if its aspect ratio is off by more than a pixel."""
        (width, height), (new_width, new_height) = self.size, size
        x, y = new_width / width, new_height / height
        if min(abs(height * x - new_height), abs(width * y - new_width)) > 1:
            return None
        return self.square.scaled(x, y)


def middle(size: tuple[int, int]) -> complex:
    """The middle of a picture."""
    return complex(size[0] - 1, size[1] - 1) / 2
