"""One picture: opened if its content says so, upright, flat, and how many bits it holds.

Transparent pictures are laid on white. The orientation is honoured wherever Pillow knows it. What
has more than 8 bits is read with all of them (`raw`), and brought to 8 (`eight_bits`) once it is
known what the whole data set holds.
"""

from __future__ import annotations

import io
import sys
import warnings
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageOps

# They are about metadata: what is wrong with the picture itself is an error.
warnings.filterwarnings("ignore", module=r"PIL\.")

FORMATS = (
    *("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM"),
    *("AVIF", "JPEG2000", "PCX", "DIB"),
)
"""What Pillow may try. Others, such as EPS, start programs."""
PIXELS = 50_000_000
"""Most pixels of one picture: 150 MB once decoded."""
GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16L", "I;16B", "I;16N")
DEPTHS = (8, 10, 12, 14, 16)
"""Bits that cameras and scanners have, whatever the file could hold."""
ORIENTATION = 0x0112
LYING = (5, 6, 7, 8)
"""Orientations that swap width and height."""

Size = tuple[int, int]


class Look(NamedTuple):
    """What the first look at a picture tells; `problem` says why it cannot be used."""

    size: Size
    grey: bool
    pixels: np.ndarray | None = None
    """Of a small picture, so that it is not read twice: what `raw` gives."""
    problem: str = ""
    highest: int = 0
    """Of a picture with more than 8 bits."""
    frames: bool = False
    """It moves, or has several pages: the first is read."""


def is_picture(data: bytes) -> bool:
    """Whether the content is that of a picture, however damaged."""
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS):
            return True
    except Exception:  # noqa: BLE001  a parser of untrusted bytes may raise anything
        return False


def look(data: bytes, small: int) -> Look:
    """Open a picture; decode it if it has no more than `small` pixels, or more than 8 bits."""
    try:
        image = _open(data)
        grey, moves = image.mode in GREY, _moves(image)
        size = _upright_size(image)
        deep = is_deep(image)
        pixels = raw(image) if deep or image.width * image.height <= small else None
        highest = int(pixels.max()) if deep and pixels is not None else 0
        kept = pixels if image.width * image.height <= small else None
        return Look(size, grey, kept, highest=highest, frames=moves)
    except Exception as error:  # noqa: BLE001  a decoder may raise anything; `plan` reports it
        return Look((0, 0), False, problem=reason(error))


def decoded(data: bytes, longest: int) -> np.ndarray:
    """What `raw` gives; a JPEG that is much larger than `longest` is decoded smaller, for less."""
    image = _open(data)
    if min(image.size) >= 2 * longest:
        image.draft(None, (longest, longest))
    return raw(image)


def reason(error: Exception) -> str:
    """Why a picture cannot be read, for the end of a sentence."""
    if isinstance(error, Image.UnidentifiedImageError):
        return "it is no picture of a known format"
    return str(error) or type(error).__name__


def _open(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.width * image.height > PIXELS:
        raise ValueError(f"{image.width} x {image.height} pixels; at most {PIXELS:,} are read")
    if image.mode == "F":
        raise ValueError("its pixels have 32 bits; 8 or 16 bits are read")
    return image


def _moves(image: Image.Image) -> bool:
    # What a phone puts behind its JPEG is no further picture.
    return image.format in ("GIF", "TIFF", "WEBP", "PNG", "AVIF") and image.is_animated  # type: ignore[attr-defined]


def _upright_size(image: Image.Image) -> Size:
    """Width and height as a person sees them; a TIFF has them so already."""
    if image.format == "TIFF" or (image.format == "PNG" and "exif" not in image.info):
        return image.size  # a PNG would be decoded to look for what stands behind its pixels
    width, height = image.size
    return (height, width) if image.getexif().get(ORIENTATION, 1) in LYING else (width, height)


def is_deep(image: Image.Image) -> bool:
    """Whether a picture that is not decoded yet has more than 8 bits."""
    return image.mode.startswith("I") or _deep_colours(image) is not None


def _deep_colours(image: Any) -> str | None:
    """The raw mode of a colour picture with 16 bits, of which Pillow reads the upper 8 alone."""
    if len(image.tile) != 1 or image.mode not in ("RGB", "RGBA"):
        return None
    arguments = image.tile[0].args
    mode = arguments[0] if isinstance(arguments, tuple) else arguments
    deep = isinstance(mode, str) and mode in {f"{image.mode};16{order}" for order in "BLN"}
    return str(mode) if deep else None


def raw(image: Image.Image) -> np.ndarray:
    """The picture upright and flat, uint8 or uint16 (height, width, 1 or 3)."""
    if mode := _deep_colours(image):
        return _sixteen_bit_colours(image, mode)
    image = _upright(image)
    if image.mode.startswith("I"):
        return _sixteen_bits(np.asarray(image))[..., None]
    grey = image.mode in GREY
    pixels = np.asarray(_on_white(image).convert("L" if grey else "RGB"))
    return pixels[..., None] if grey else pixels


def _upright(image: Image.Image) -> Image.Image:
    image.load()
    return ImageOps.exif_transpose(image) if image.getexif().get(ORIENTATION, 1) != 1 else image


def _sixteen_bits(values: np.ndarray) -> np.ndarray:
    low, high = int(values.min()), int(values.max())
    if low < 0 or high > 65_535:
        raise ValueError(f"its pixels go from {low:,} to {high:,}; 8 or 16 bits are read")
    return values.astype(np.uint16)


def _sixteen_bit_colours(image: Any, mode: str) -> np.ndarray:
    """Upper and lower bytes, each read as a picture of 8 bits: Pillow has no mode for both."""
    order = mode[-1] if mode[-1] != "N" else sys.byteorder[0].upper()
    swapped = mode[:-1] + ("L" if order == "B" else "B")
    image.fp.seek(0)
    lower: Any = Image.open(io.BytesIO(image.fp.read()), formats=FORMATS)
    tile = lower.tile[0]
    arguments = (swapped, *tile.args[1:]) if isinstance(tile.args, tuple) else swapped
    lower.tile = [tile._replace(args=arguments)]
    high, low = (np.asarray(_upright(half))[..., :3].astype(np.uint16) for half in (image, lower))
    return (high << 8) | low


def depth(highest: int) -> int:
    """The bits of a data set whose pictures have more than 8, by its highest value."""
    return next(bits for bits in DEPTHS if highest < 2**bits)


def eight_bits(pixels: np.ndarray, bits: int) -> np.ndarray:
    """Pixels as uint8: of more than 8 bits the upper 8 of `bits`."""
    return pixels if pixels.dtype == np.uint8 else (pixels >> (bits - 8)).astype(np.uint8)


def fitted(pixels: np.ndarray, size: Size) -> np.ndarray:
    """The uint8 picture in that size (width, height); grey stays one channel."""
    height, width, channels = pixels.shape
    if (width, height) == size:
        return pixels
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    resized = np.asarray(image.resize(size, Image.Resampling.LANCZOS))
    return resized[..., None] if channels == 1 else resized


def grey(pixels: np.ndarray) -> np.ndarray:
    """A uint8 picture in colours as one of one channel."""
    return np.asarray(Image.fromarray(pixels).convert("L"))[..., None]


def _on_white(image: Image.Image) -> Image.Image:
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
