"""Drawn pictures: ten shapes in ten finishes, 32x32 RGB, for machines without any data.

A class is a shape (disc, ring, star ...) in a colour, plain or striped; where there are ten
classes, a plain shape in whatever colour. Place, size, angle, shade,
background, a distracting blob and noise vary at random. Everything follows from the fixed seed:
pictures are drawn in blocks, each from its own random numbers, so the first N pictures are the same
however many are drawn; and every hundred pictures hold every class once.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

SIZE = 32
BLOCK = 500
PICTURES = 50_000
SEED = 2026
DULL = 0.08
"""How far a background colour strays from grey."""

Field = np.ndarray
"""float32 (n, 32, 32)."""


def _disc(u: Field, v: Field) -> Field:
    return np.hypot(u, v) - 0.85


def _ring(u: Field, v: Field) -> Field:
    return np.abs(np.hypot(u, v) - 0.72) - 0.2


def _square(u: Field, v: Field) -> Field:
    return np.maximum(np.abs(u), np.abs(v)) - 0.75


def _triangle(u: Field, v: Field) -> Field:
    slope = np.abs(u) * np.float32(np.sqrt(3) / 2)
    return np.maximum(slope + v * 0.5, -v) - 0.5


def _bar(u: Field, v: Field) -> Field:
    return np.maximum(np.abs(u) - 1.0, np.abs(v) - 0.35)


def _plus(u: Field, v: Field) -> Field:
    across, along = np.abs(u), np.abs(v)
    return np.maximum(np.minimum(across, along) - 0.27, np.maximum(across, along) - 0.95)


def _star(u: Field, v: Field) -> Field:
    return np.hypot(u, v) - (0.68 + 0.32 * np.cos(5 * np.arctan2(v, u)))


def _crescent(u: Field, v: Field) -> Field:
    return np.maximum(np.hypot(u, v) - 0.95, 0.75 - np.hypot(u - 0.45, v))


def _half_disc(u: Field, v: Field) -> Field:
    return np.maximum(np.hypot(u, v + 0.4) - 1.0, -v - 0.4)


def _pair(u: Field, v: Field) -> Field:
    return np.hypot(np.abs(u) - 0.6, v) - 0.42


SHAPES: dict[str, Callable[[Field, Field], Field]] = {
    "disc": _disc,
    "ring": _ring,
    "square": _square,
    "triangle": _triangle,
    "bar": _bar,
    "plus": _plus,
    "star": _star,
    "crescent": _crescent,
    "half disc": _half_disc,
    "pair": _pair,
}
"""Each gives about the distance to its outline, in units of its radius; negative inside."""

COLOURS = {
    "red": (0.95, 0.1, 0.1),
    "yellow": (0.95, 0.85, 0.05),
    "green": (0.1, 0.75, 0.15),
    "blue": (0.1, 0.25, 0.95),
    "pink": (0.95, 0.35, 0.85),
}
TEXTURES = ("plain", "striped")

CLASS_NAMES = tuple(
    f"{texture} {colour} {shape}" for shape in SHAPES for colour in COLOURS for texture in TEXTURES
)


def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` pictures, uint8 (count, 32, 32, 3), and their labels, int32 (count,)."""
    return _drawn(count, len(CLASS_NAMES), lambda rng, labels: labels)


def draw_ten(count: int) -> tuple[np.ndarray, np.ndarray]:
    """As `draw`, of ten classes: each a shape, plain, in a colour that says nothing of it."""

    def finished(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
        colours = rng.integers(0, len(COLOURS), BLOCK, dtype=np.int32)
        return (labels * len(COLOURS) + colours) * len(TEXTURES)

    return _drawn(count, len(SHAPES), finished)


def _drawn(
    count: int,
    classes: int,
    finished: Callable[[np.random.Generator, np.ndarray], np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Pictures in blocks, every class equally often; `finished` makes of labels those to draw."""
    blocks = -(-count // BLOCK)
    images = np.empty((blocks * BLOCK, SIZE, SIZE, 3), dtype=np.uint8)
    labels = np.empty(blocks * BLOCK, dtype=np.int32)
    for block in range(blocks):
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        rng = np.random.default_rng([SEED, block])
        rounds = np.tile(np.arange(classes), (BLOCK // classes, 1))
        labels[part] = rng.permuted(rounds, axis=1).reshape(-1)
        images[part] = _draw_block(rng, finished(rng, labels[part]))
    return images[:count], labels[:count]


def _draw_block(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """A picture for each label of a block, uint8 (BLOCK, 32, 32, 3)."""
    shape, finish = np.divmod(labels, len(COLOURS) * len(TEXTURES))
    colour, texture = np.divmod(finish, len(TEXTURES))
    inside = _shape_cover(rng, shape)
    picture = _background(rng)
    picture += inside[:, None] * (_paint(rng, colour, texture) - picture)
    picture += (rng.random(picture.shape, dtype=np.float32) - 0.5) * _each(rng, 0.05, 0.25, 3)
    picture *= 255
    np.clip(picture, 0, 255, out=picture)
    return picture.astype(np.uint8).transpose(0, 2, 3, 1)


def _each(rng: np.random.Generator, low: float, high: float, axes: int) -> np.ndarray:
    """One random number per picture of a block, float32, with `axes` axes of length 1 behind."""
    values = rng.uniform(low, high, BLOCK).astype(np.float32)
    return values.reshape(BLOCK, *[1] * axes)


def _grid() -> tuple[np.ndarray, np.ndarray]:
    """Across and down, pixel centres from -1 to 1."""
    line = ((np.arange(SIZE) + 0.5) * 2 / SIZE - 1).astype(np.float32)
    return line[None, None, :], line[None, :, None]


def _turned(rng: np.random.Generator) -> tuple[Field, Field, np.ndarray]:
    """Coordinates in which the shape stands upright at the origin with radius 1; its radius."""
    x, y = _grid()
    radius = _each(rng, 0.65, 0.95, 2)
    angle = _each(rng, -0.6, 0.6, 2)
    x = (x - _each(rng, -0.15, 0.15, 2)) / radius
    y = (y - _each(rng, -0.15, 0.15, 2)) / radius
    return x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle), radius


def _shape_cover(rng: np.random.Generator, shape: np.ndarray) -> Field:
    """How much of each pixel the shape covers, 0 to 1."""
    u, v, radius = _turned(rng)
    distance = np.empty((BLOCK, SIZE, SIZE), dtype=np.float32)
    for number, outline in enumerate(SHAPES.values()):
        of_this = shape == number
        distance[of_this] = outline(u[of_this], v[of_this])
    pixels = distance * radius * (SIZE / 2)
    return np.clip(0.5 - pixels, 0, 1)


def _paint(rng: np.random.Generator, colour: np.ndarray, texture: np.ndarray) -> np.ndarray:
    """The colour of every pixel as if the shape covered all, (n, 3, 32, 32)."""
    base = np.array(list(COLOURS.values()), dtype=np.float32)[colour]
    base = base * _each(rng, 0.75, 1.1, 1) + rng.normal(0, 0.06, base.shape).astype(np.float32)
    x, y = _grid()
    angle, phase = _each(rng, 0, np.pi, 2), _each(rng, 0, 2 * np.pi, 2)
    wave = np.sin((x * np.cos(angle) + y * np.sin(angle)) * _each(rng, 14, 20, 2) + phase)
    dark = 1 - 0.75 * (wave > 0) * texture[:, None, None].astype(np.float32)
    return base[:, :, None, None] * dark[:, None]


def _background(rng: np.random.Generator) -> np.ndarray:
    """Two colours that run into each other, with a soft blob of a third, (n, 3, 32, 32)."""
    x, y = _grid()
    angle = _each(rng, 0, 2 * np.pi, 2)
    run = 0.5 + 0.35 * (x * np.cos(angle) + y * np.sin(angle))
    centre_x, centre_y = _each(rng, -1, 1, 2), _each(rng, -1, 1, 2)
    spread = _each(rng, 4, 16, 2)
    blob = np.exp(-spread * ((x - centre_x) ** 2 + (y - centre_y) ** 2))
    grey = rng.uniform(0.3, 0.7, (3, BLOCK, 1, 1, 1))
    tint = rng.uniform(-DULL, DULL, (3, BLOCK, 3, 1, 1))
    one, two, three = (grey + tint).astype(np.float32)
    picture = one + run[:, None] * (two - one)
    picture += blob[:, None] * (three - picture)
    return picture
