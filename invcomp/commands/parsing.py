"""Options that hold several values, as text."""

from invcomp.errors import UsageError


def split(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


def parse_numbers(text: str, option: str) -> tuple[float, ...]:
    """`"0,12.5,100"` → numbers. Raises `UsageError`."""
    try:
        numbers = tuple(float(part) for part in split(text))
    except ValueError:
        raise UsageError(f"{option} takes numbers with commas, not {text!r}") from None
    if not numbers:
        raise UsageError(f"{option} needs at least one number")
    return numbers


def parse_whole_numbers(text: str, option: str) -> tuple[int, ...]:
    """`"0,500"` → whole numbers. Raises `UsageError`."""
    numbers = parse_numbers(text, option)
    if not all(number.is_integer() for number in numbers):
        raise UsageError(f"{option} takes whole numbers with commas, not {text!r}")
    return tuple(int(number) for number in numbers)


def parse_range(text: str) -> tuple[float, float]:
    """`"80:600"` → (80, 600). Raises `UsageError`."""
    taken = "--rates takes a range of bytes like 80:600"
    low, high = parse_ends(text, taken)
    if not 0 < low < high:
        raise UsageError(f"{taken}, not {text!r}")
    return low, high


def parse_ends(text: str, taken: str) -> tuple[float, float]:
    """Two numbers around a colon. Raises `UsageError`, which says what is `taken`."""
    low, _, high = text.partition(":")
    try:
        return float(low), float(high)
    except ValueError:
        raise UsageError(f"{taken}, not {text!r}") from None
