"""A folder or an archive of pictures, sorted by class, as one array.

Which pictures: those whose content is that of a picture, whatever they are called; hidden files and
all others are counted as left out. Which class a picture has, and which of them are learnt from,
follows the rules in `layouts`. The pictures are shuffled once, with a fixed seed, for they come
sorted by class.

What becomes of them: all are brought to one size, the most common one, its longer side at most
256 pixels; others are resized to it (Lanczos) without regard to their proportions. All are RGB,
unless every picture is grey: then they have one channel. Pictures of more than 8 bits keep the
upper 8 of the bits that the data set makes use of. A picture that cannot be read is never skipped:
the data set is refused with the picture's name, and how many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from cnnlab.datasets import archives, layouts
from cnnlab.datasets.archives import Member
from cnnlab.datasets.layouts import Layout
from cnnlab.datasets.pixels import (
    FORMATS,
    Look,
    Size,
    decoded,
    depth,
    eight_bits,
    fitted,
    grey,
    is_picture,
    look,
    reason,
)
from cnnlab.datasets.store import HeldPlan, Plan, Progress
from cnnlab.datasets.understanding import left_out, some
from cnnlab.spec import LabError, LeftOut, Understood

PICTURES = (
    *(".jpg", ".jpeg", ".png", ".gif", ".bmp", ".webp", ".tif", ".tiff"),
    *(".ppm", ".pgm", ".pbm", ".jfif", ".jpe", ".avif", ".jp2", ".pcx"),
)
"""Endings that promise a picture: one that is none is a mistake, not a file of another kind."""
FOREIGN = (
    *(".heic", ".heif", ".svg", ".psd", ".raw", ".cr2", ".cr3", ".nef", ".arw", ".dng", ".orf"),
    *(".rw2", ".eps", ".jxl", ".tga", ".dcm", ".exr", ".hdr", ".xcf", ".ai"),
)
"""Endings of pictures that are not read."""
FILE_BYTES = 64 * 10**6
"""Most bytes of one picture file."""
SMALL_PIXELS = 64 * 64
"""A picture with no more pixels is decoded at the first look."""
KEPT_BYTES = 512 * 10**6
"""Memory for pictures decoded at the first look."""
LONGEST_SIDE = 256
SHUFFLE_SEED = 0
REPORT_EVERY = 1000


@dataclass
class _Survey:
    """What lies in a folder or an archive."""

    looks: dict[str, Look] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    """Files that are no pictures."""
    hidden: list[str] = field(default_factory=list)


def plan(path: Path, progress: Progress) -> Plan:
    """Look through a folder or an archive of pictures and decide what its array will be.

    Raises:
        LabError: hostile or corrupt archive, unreadable picture, or classes that cannot be learnt.
    """
    survey = _survey(path, progress)
    if not survey.looks:
        held = f"; it holds {some(sorted(survey.others))}" if survey.others else ""
        raise LabError(f"{path.name} holds no pictures ({', '.join(FORMATS)}){held}.")
    layout = layouts.layout_of(path, list(survey.looks))
    names = sorted(layout.train)
    looks = {name: survey.looks[name] for name in names}
    _check_readable(path, looks)
    class_names = tuple(sorted(set(layout.train.values())))
    numbers = {name: number for number, name in enumerate(class_names)}
    order = [names[i] for i in np.random.default_rng(SHUFFLE_SEED).permutation(len(names))]
    labels = np.array([numbers[layout.train[name]] for name in order], dtype=np.int32)
    width, height = _common_size(item.size for item in looks.values())
    channels = 1 if all(item.grey for item in looks.values()) else 3
    filler = _Filler(path, {name: looks[name] for name in order}, progress)
    test, unread = _test_part(survey, layout)
    test_filler = _Filler(path, test, progress, filler.bits) if test else None
    test_labels = np.array([numbers[layout.tested[name]] for name in test], dtype=np.int32)
    return Plan(
        (len(names), height, width, channels),
        labels,
        class_names,
        filler.fill,
        lambda: _understood(survey, layout, class_names, filler, unread),
        test=HeldPlan(test_labels, test_filler.fill) if test_filler else None,
    )


def _test_part(survey: _Survey, layout: Layout) -> tuple[dict[str, Look], tuple[LeftOut, ...]]:
    """The pictures to test on, by name, and what of them cannot be read: learning needs none."""
    looks = {name: survey.looks[name] for name in sorted(layout.tested)}
    unread = [name for name, item in looks.items() if item.problem]
    why = f"in the test part, and cannot be read ({looks[unread[0]].problem})" if unread else ""
    return {n: item for n, item in looks.items() if not item.problem}, left_out(unread, why)


def _understood(
    survey: _Survey,
    layout: Layout,
    class_names: Sequence[str],
    filler: _Filler,
    unread: tuple[LeftOut, ...],
) -> Understood:
    counts, held_out = Counter(layout.train.values()), Counter(layout.test.values())
    others = left_out(sorted(survey.others), "no pictures")
    hidden = left_out(sorted(survey.hidden), "hidden files")
    return Understood(
        classes={name: counts[name] for name in class_names},
        test_classes=dict(sorted(held_out.items())) or None,
        left_out=(*layout.left_out, *unread, *others, *hidden),
        value_range=filler.range,
        split=layout.split,
        notes=(*filler.notes(), *filter(None, (layout.note,))),
    )


# --- the first look -------------------------------------------------------------------------


def _survey(path: Path, progress: Progress) -> _Survey:
    found = _Survey()
    kept = 0
    for member in archives.members(path):
        name = member.name
        if _is_hidden(name):
            found.hidden.append(name)
            continue
        if name in found.looks:
            raise LabError(f"{path.name} is refused: it holds {name!r} twice.")
        seen = _seen(member, SMALL_PIXELS if kept < KEPT_BYTES else 0)
        if seen is None:
            found.others.append(name)
            continue
        found.looks[name] = seen
        kept += 0 if seen.pixels is None else seen.pixels.nbytes
        if len(found.looks) % REPORT_EVERY == 0:
            progress(None, f"looking through {path.name}: {len(found.looks):,} pictures")
    return found


def _is_hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/"))


def _seen(member: Member, small: int) -> Look | None:
    """The first look at a file; null if it is none of a picture."""
    ending = member.name.lower()
    if ending.endswith(PICTURES):
        return look(member.read(FILE_BYTES), small)
    data = member.read(FILE_BYTES) if member.size <= FILE_BYTES else b""
    if is_picture(data):
        return look(data, small)
    if ending.endswith(FOREIGN):
        form = ending.rpartition(".")[2].upper()
        return Look((0, 0), False, problem=f"{form} is not read: convert it to JPEG or PNG")
    return None


def _check_readable(path: Path, looks: dict[str, Look]) -> None:
    bad = [name for name, item in looks.items() if item.problem]
    if bad:
        raise _unreadable(path, bad, looks[bad[0]].problem)


def _unreadable(path: Path, names: Sequence[str], problem: str) -> LabError:
    if len(names) == 1:
        what, cure = f"The picture {names[0]!r}", "replace or remove it"
    else:
        what = f"{len(names):,} pictures, {some([repr(name) for name in names])},"
        problem, cure = f"of the first: {problem}", "replace or remove them"
    return LabError(f"{what} of {path.name} cannot be read ({problem}): {cure}.")


def _common_size(sizes: Iterable[Size]) -> Size:
    """The most common size, width and height; of equally common ones the smaller."""
    counts = Counter(sizes)
    (width, height), _ = max(counts.items(), key=lambda item: (item[1], -item[0][0] * item[0][1]))
    shrink = min(1.0, LONGEST_SIDE / max(width, height))
    return max(1, round(width * shrink)), max(1, round(height * shrink))


# --- pixels ---------------------------------------------------------------------------------


class _Filler:
    """Writes every picture into its place, and sees what values they have."""

    def __init__(
        self, path: Path, looks: dict[str, Look], progress: Progress, bits: int = 0
    ) -> None:
        """
        Args:
            bits: that pictures of more than 8 bits have at least; their highest value may say more.
        """
        self.path, self.progress = path, progress
        self.looks = looks
        """In the order of their places."""
        self.deep = sum(item.highest > 0 for item in looks.values())
        self.highest = max(item.highest for item in looks.values())
        self.bits = max(bits, depth(self.highest))
        self.range: tuple[float, float] | None = None

    def fill(self, images: np.ndarray) -> None:
        """Write every picture; decode those that were not yet."""
        rest: dict[str, int] = {}
        for place, (name, item) in enumerate(self.looks.items()):
            if item.pixels is None:
                rest[name] = place
            else:
                self._put(images, place, item.pixels)
        for member in archives.members(self.path) if rest else ():
            if member.name in rest:
                self._read(images, rest.pop(member.name), member)
                done = len(self.looks) - len(rest)
                if done % REPORT_EVERY == 0:
                    total = len(self.looks)
                    self.progress(done / total, f"reading {done:,} of {total:,} pictures")
        if rest:
            raise LabError(f"{self.path} has changed while it was read: try again.")

    def _read(self, images: np.ndarray, place: int, member: Member) -> None:
        data = member.read(FILE_BYTES)
        try:
            self._put(images, place, decoded(data, max(images.shape[1:3])))
        except Exception as error:
            raise _unreadable(self.path, [member.name], reason(error)) from error

    def _put(self, images: np.ndarray, place: int, pixels: np.ndarray) -> None:
        low, high = float(pixels.min()), float(pixels.max())
        self.range = (
            (min(low, self.range[0]), max(high, self.range[1])) if self.range else (low, high)
        )
        height, width = images.shape[1:3]
        found = fitted(eight_bits(pixels, self.bits), (width, height))
        images[place] = grey(found) if images.shape[3] < found.shape[2] else found

    def notes(self) -> tuple[str, ...]:
        """How the pictures were read where it could have been otherwise."""
        said = []
        if self.deep:
            kept = "their upper 8 bits are" if self.bits > 8 else "they are"
            said.append(
                f"{self.deep:,} pictures of 16 bits hold values up to {self.highest:,}, which "
                f"{self.bits} bits can hold: {kept} taken."
            )
        if moving := [name for name, item in self.looks.items() if item.frames]:
            said.append(f"Of pictures with several frames the first is taken: {some(moving)}.")
        return tuple(said)
