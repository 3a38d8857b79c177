"""Photos as people have them, and what is none: what is answered, and what is refused."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from PIL import Image

from tests.datasets.drawn_files import png_of_16_bits
from tests.datasets.examples import picture

RED = (254, 0, 0)
"""What JPEG makes of red, too."""


def saved(image: Image.Image, form: str = "PNG", **options) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def half_and_half(width: int, height: int) -> Image.Image:
    """Red above, blue below."""
    image = Image.new("RGB", (width, height), "blue")
    image.paste("red", (0, 0, width, height // 2))
    return image


def from_a_phone_held_upright() -> bytes:
    """300 x 400 red above blue: the camera writes it lying down, and says so in its EXIF."""
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(half_and_half(300, 400).rotate(90, expand=True), "JPEG", exif=exif, quality=95)


def bomb(side: int) -> bytes:
    """A small PNG whose header says that it is a square of so many pixels a side."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        check = struct.pack(">I", zlib.crc32(kind + body))
        return struct.pack(">I", len(body)) + kind + body + check

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
    body = head + chunk(b"IDAT", zlib.compress(b"\0" * 1000)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body


def moving(form: str) -> bytes:
    """A red picture, then a blue one."""
    first, second = (Image.new("RGB", (40, 40), colour) for colour in ("red", "blue"))
    return saved(first, form, save_all=True, append_images=[second])


def half_transparent(form: str) -> bytes:
    """A palette of two: nothing at the left, red at the right."""
    image = Image.new("P", (40, 40), 1)
    image.putpalette([9, 9, 9, 255, 0, 0])
    image.paste(0, (0, 0, 20, 40))
    return saved(image, form, transparency=0)


DEEP_RED = np.full((30, 30, 3), (65_535, 0, 0), np.uint16)
ALL_RED = {
    "dot.png": picture(size=(1, 1), colour=(255, 0, 0)),
    "print.jpg": saved(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "JPEG"),
    "print.tif": saved(Image.new("CMYK", (40, 40), (0, 255, 255, 0)), "TIFF"),
    "deep.png": png_of_16_bits(DEEP_RED),
    "moving.gif": moving("GIF"),
    "moving.png": moving("PNG"),
}
HALF_TRANSPARENT = {
    name: half_transparent(name.split(".")[1].upper()) for name in ("a.png", "a.gif")
}
ANSWERED = {"IMG_1.jpg": from_a_phone_held_upright(), **ALL_RED, **HALF_TRANSPARENT}
REFUSED = {
    "empty.jpg": (b"", "empty.jpg is empty: choose a JPEG or PNG."),
    "note.jpg": (
        b"Dear all, " * 50,
        "note.jpg cannot be used (it is no picture of a known format): choose a JPEG or PNG.",
    ),
    "bomb.png": (
        bomb(14_143),
        "bomb.png has more than 50,000,000 pixels, which are not read: choose a smaller one.",
    ),
}
