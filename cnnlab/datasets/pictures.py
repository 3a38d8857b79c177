"""A folder or an archive of pictures, sorted by class, as one array.

Which pictures: files that end in one of `PICTURES`; all others, and hidden ones, are no pictures.
A folder that holds everything else is looked through. If what remains on top is `train` beside
`test`, `val` and the like, then `train` alone is taken: the lab splits off its own validation.
Then the folder on top is the class, classes are numbered by name, and deeper folders belong to
their class. The pictures are shuffled once, with a fixed seed, for they come sorted by class.

What becomes of them: all are brought to one size, the most common one, its longer side at most
256 pixels; others are resized to it (Lanczos) without regard to their proportions. All are RGB,
unless every picture is grey: then they have one channel. Transparent ones are laid on white, 16-bit
grey keeps its upper 8 bits, and the EXIF orientation is honoured. A picture that cannot be read
is never skipped: the data set is refused with the picture's name.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image, ImageOps

from cnnlab.datasets import archives
from cnnlab.datasets.store import Plan, Progress
from cnnlab.spec import LabError

FORMATS = ("JPEG", "PNG", "GIF", "BMP", "WEBP", "TIFF", "PPM")
"""What Pillow may try. Others, such as EPS, start programs."""
PICTURES = (
    *(".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm"),
)
HELD_OUT = ("test", "testing", "val", "valid", "validation", "dev", "eval")
FILE_BYTES = 64 * 10**6
"""Most bytes of one picture file."""
PIXELS = 50_000_000
"""Most pixels of one picture: 150 MB once decoded."""
SMALL_PIXELS = 64 * 64
"""A picture with no more pixels is decoded at the first look."""
KEPT_BYTES = 512 * 10**6
"""Memory for pictures decoded at the first look."""
LONGEST_SIDE = 256
SHUFFLE_SEED = 0
GREY = ("1", "L", "LA", "La", "I;16", "I;16L", "I;16B", "I;16N")
REPORT_EVERY = 1000

Size = tuple[int, int]


class Look(NamedTuple):
    """What the first look at a picture tells; `problem` says why it cannot be used."""

    size: Size
    grey: bool
    pixels: np.ndarray | None = None
    """Of a small picture, so that it is not read twice: uint8 (height, width, 1 or 3)."""
    problem: str = ""


def plan(path: Path, progress: Progress) -> Plan:
    """Look through a folder or an archive of pictures and decide what its array will be.

    Raises:
        LabError: hostile or corrupt archive, unreadable picture, or classes that cannot be learnt.
    """
    looks = _survey(path, progress)
    classes = _classes(path, looks)
    names = sorted(classes)
    for name in names:
        if looks[name].problem:
            raise _unreadable(path, name, looks[name].problem)
    class_names = tuple(sorted(set(classes.values())))
    numbers = {name: number for number, name in enumerate(class_names)}
    order = [names[i] for i in np.random.default_rng(SHUFFLE_SEED).permutation(len(names))]
    labels = np.array([numbers[classes[name]] for name in order], dtype=np.int32)
    width, height = _common_size(looks[name].size for name in names)
    channels = 1 if all(looks[name].grey for name in names) else 3
    fill = partial(_fill, path, {name: looks[name] for name in order}, progress)
    return Plan((len(names), height, width, channels), labels, class_names, fill)


def _is_picture(name: str) -> bool:
    hidden = any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
    return not hidden and name.lower().endswith(PICTURES)


def _survey(path: Path, progress: Progress) -> dict[str, Look]:
    looks: dict[str, Look] = {}
    kept = 0
    for name, read in archives.members(path):
        if not _is_picture(name):
            continue
        if name in looks:
            raise LabError(f"{path.name} is refused: it holds {name!r} twice.")
        look = looks[name] = _look(read(FILE_BYTES), SMALL_PIXELS if kept < KEPT_BYTES else 0)
        kept += 0 if look.pixels is None else look.pixels.nbytes
        if len(looks) % REPORT_EVERY == 0:
            progress(None, f"looking through {path.name}: {len(looks):,} pictures")
    return looks


# --- which picture belongs to which class ---------------------------------------------------


def _classes(path: Path, names: Iterable[str]) -> dict[str, str]:
    """The class of every picture that is used, by the picture's name."""
    parts = {name: name.split("/") for name in names}
    if not parts:
        raise LabError(f"{path.name} holds no pictures ({', '.join(PICTURES)}).")
    parts = _training_part(path, _below_common_top(parts))
    for name, rest in parts.items():
        if len(rest) < 2:
            raise LabError(
                f"{path.name} holds the picture {name!r} outside any class folder: "
                "put every picture into a folder named after its class."
            )
    classes = {name: rest[0] for name, rest in parts.items()}
    _check_classes(path, Counter(classes.values()))
    return classes


def _below_common_top(parts: dict[str, list[str]]) -> dict[str, list[str]]:
    """Without the folders on top that hold everything, as long as folders remain below."""
    while len({rest[0] for rest in parts.values()}) == 1 and all(
        len(rest) > 2 for rest in parts.values()
    ):
        parts = {name: rest[1:] for name, rest in parts.items()}
    return parts


def _training_part(path: Path, parts: dict[str, list[str]]) -> dict[str, list[str]]:
    tops = {rest[0].lower() for rest in parts.values() if len(rest) > 2}
    if not tops & {*HELD_OUT} or tops - {"train", "training", *HELD_OUT}:
        return parts
    train = {
        name: rest[1:]
        for name, rest in parts.items()
        if rest[0].lower() in ("train", "training") and len(rest) > 2
    }
    if not train:
        raise LabError(f"{path.name} has {' and '.join(sorted(tops))}, but no folder 'train'.")
    return _below_common_top(train)


def _check_classes(path: Path, counts: Counter[str]) -> None:
    if len(counts) < 2:
        raise LabError(
            f"{path.name} holds only one class, {next(iter(counts))!r}: "
            "learning to tell classes apart needs at least two folders of pictures."
        )
    for name, count in sorted(counts.items()):
        if count < 2:
            raise LabError(
                f"The class {name!r} of {path.name} has only one picture: "
                "add another, or remove the class."
            )


def _common_size(sizes: Iterable[Size]) -> Size:
    """The most common size, width and height; of equally common ones the smaller."""
    counts = Counter(sizes)
    (width, height), _ = max(counts.items(), key=lambda item: (item[1], -item[0][0] * item[0][1]))
    shrink = min(1.0, LONGEST_SIDE / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


# --- pixels ---------------------------------------------------------------------------------


def _unreadable(path: Path, name: str, problem: str) -> LabError:
    return LabError(
        f"The picture {name!r} of {path.name} cannot be read ({problem}): replace or remove it."
    )


def _open(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.width * image.height > PIXELS:
        raise ValueError(f"{image.width} x {image.height} pixels; at most {PIXELS:,} are read")
    if image.mode in ("I", "F"):
        raise ValueError("its pixels have 32 bits; 8 or 16 bits are read")
    return image


def _look(data: bytes, small: int) -> Look:
    """Open a picture; decode it if it has no more than `small` pixels."""
    try:
        image = _open(data)
        turned = "exif" in image.info and image.getexif().get(0x0112, 1) in (5, 6, 7, 8)
        width, height = image.size
        pixels = _decoded(image) if width * height <= small else None
        return Look((height, width) if turned else (width, height), image.mode in GREY, pixels)
    except Exception as error:  # noqa: BLE001  a decoder may raise anything; `plan` reports it
        return Look((0, 0), False, problem=_reason(error))


def _reason(error: Exception) -> str:
    if isinstance(error, Image.UnidentifiedImageError):
        return "it is no picture of a known format"
    return str(error) or type(error).__name__


def _fill(path: Path, looks: dict[str, Look], progress: Progress, images: np.ndarray) -> None:
    """Write every picture, in the order of `looks`; decode those that were not yet."""
    height, width = images.shape[1:3]
    rest: dict[str, int] = {}
    for place, (name, look) in enumerate(looks.items()):
        if look.pixels is None:
            rest[name] = place
        else:
            images[place] = _fitted(look.pixels, (width, height))
    done = len(looks) - len(rest)
    for name, read in archives.members(path) if rest else ():
        if name in rest:
            data = read(FILE_BYTES)
            try:
                pixels = _decoded(_open(data), longest=max(width, height))
                images[rest.pop(name)] = _fitted(pixels, (width, height))
            except Exception as error:
                raise _unreadable(path, name, _reason(error)) from error
            done += 1
            if done % REPORT_EVERY == 0:
                progress(done / len(looks), f"reading {done:,} of {len(looks):,} pictures")
    if rest:
        raise LabError(f"{path} has changed while it was read: try again.")


def _decoded(image: Image.Image, longest: int | None = None) -> np.ndarray:
    """The picture upright and flat, uint8 (height, width, 1 or 3).

    `longest` allows a JPEG to be decoded at a half, a quarter or an eighth of its size for less,
    as long as its sides stay above that.
    """
    if longest and min(image.size) >= 2 * longest:
        image.draft(None, (longest, longest))
    mode = "L" if image.mode in GREY else "RGB"
    if "exif" in image.info:
        image = ImageOps.exif_transpose(image)
    pixels = np.asarray(_flat(image).convert(mode))
    return pixels[..., None] if mode == "L" else pixels


def _fitted(pixels: np.ndarray, size: Size) -> np.ndarray:
    """The picture in that size (width, height); grey stays one channel, for numpy to repeat."""
    height, width, channels = pixels.shape
    if (width, height) == size:
        return pixels
    image = Image.fromarray(pixels[..., 0] if channels == 1 else pixels)
    resized = np.asarray(image.resize(size, Image.Resampling.LANCZOS))
    return resized[..., None] if channels == 1 else resized


def _flat(image: Image.Image) -> Image.Image:
    """Without transparency (on white) and without more than 8 bits."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if not image.has_transparency_data:
        return image
    image = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image)
