"""Small files as other people's tools write them."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from pathlib import Path

import numpy as np
from PIL import Image


def drawn(
    kind: int, number: int, form: str = "JPEG", mode: str = "RGB", **options: object
) -> bytes:
    """A picture of 12 x 12 pixels in a class's colour; no two are the same."""
    pixels = np.random.default_rng(100 * kind + number).integers(0, 60, (12, 12, 3))
    pixels[..., kind % 3] += 150
    out = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).convert(mode).save(out, form, **options)
    return out.getvalue()


def of_classes(
    prefix: str, each: int, classes: tuple[str, ...] = ("cats", "dogs")
) -> dict[str, bytes]:
    """So many pictures in a folder for each class, below `prefix`."""
    return {
        f"{prefix}{name}/{number}.jpg": drawn(kind, number)
        for kind, name in enumerate(classes)
        for number in range(each)
    }


def flat(prefix: str, count: int) -> dict[str, bytes]:
    """Pictures of two kinds in one folder."""
    return {f"{prefix}{number}.jpg": drawn(number % 2, number) for number in range(count)}


def as_zip(path: Path, files: dict[str, bytes]) -> str:
    """An archive of those files; its path."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return str(path)


def as_folder(path: Path, files: dict[str, bytes]) -> str:
    """A folder of those files; its path."""
    for name, data in files.items():
        target = path / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)
    return str(path)


def png_of_16_bits(pixels: np.ndarray) -> bytes:
    """A PNG of 16 bits, (height, width, 3): Pillow writes none."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checksum = zlib.crc32(kind + data)
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)

    height, width = pixels.shape[:2]
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    head = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    body = chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + body
