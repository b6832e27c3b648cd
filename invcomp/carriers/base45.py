"""Base45 (RFC 9285): bytes as the 45 characters of which a QR code stores two in 11 bits."""

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
DIGITS = {character: digit for digit, character in enumerate(ALPHABET)}


def encode(data: bytes) -> str:
    """Three characters for every two bytes, two for a single one at the end."""
    text = []
    for at in range(0, len(data), 2):
        pair = data[at : at + 2]
        value = int.from_bytes(pair, "big")
        for _ in range(len(pair) + 1):
            value, digit = divmod(value, 45)
            text.append(ALPHABET[digit])
    return "".join(text)


def decode(text: str) -> bytes:
    """The bytes. Raises `ValueError` for what `encode` does not make."""
    data = bytearray()
    for at in range(0, len(text), 3):
        group = text[at : at + 3]
        value = sum(DIGITS.get(character, 45**3) * 45**place for place, character in enumerate(group))
        size = len(group) - 1
        if not size or value >= 256**size:
            raise ValueError(f"{group!r} is no group of Base45")
        data += value.to_bytes(size, "big")
    return bytes(data)
