"""Drawn sequences: three wave packets, one in each noisy channel, told apart by their order.

Each of the three channels swings once, for a short while; the class is the order in which they do.
When, how long, how fast and how strongly each swings, and in which phase, varies at random: who
looks at fixed places learns little, and who does not remember cannot tell what came first.
Everything follows from the fixed seed: sequences are drawn in blocks, each from its own random
numbers, so the first N are the same however many are drawn; and every six sequences hold every
class once.

Values are divided by a constant of the drawing, `SPREAD`, so that mean and standard deviation are
about 0 and 1: nothing is measured on the sequences, and nothing of one leaks into another.
"""

from __future__ import annotations

from itertools import permutations

import numpy as np

STEPS, FEATURES = 128, 3
BLOCK = 600
SEQUENCES = 18_000
SEED = 2027
NOISE = 0.25
SPREAD = 0.376
"""Standard deviation of all values before they are divided by it."""

ORDERS = tuple(permutations(range(FEATURES)))
CLASS_NAMES = tuple(" then ".join(str(channel + 1) for channel in order) for order in ORDERS)


def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
    """The first `count` sequences, float32 (count, 128, 3, 1), and their labels, int32 (count,)."""
    blocks = -(-count // BLOCK)
    sequences = np.empty((blocks * BLOCK, STEPS, FEATURES, 1), dtype=np.float32)
    labels = np.empty(blocks * BLOCK, dtype=np.int32)
    for block in range(blocks):
        part = slice(block * BLOCK, (block + 1) * BLOCK)
        rng = np.random.default_rng([SEED, block])
        rounds = np.tile(np.arange(len(ORDERS)), (BLOCK // len(ORDERS), 1))
        labels[part] = rng.permuted(rounds, axis=1).reshape(-1)
        sequences[part] = _draw_block(rng, labels[part])[..., None]
    return sequences[:count], labels[:count]


def _draw_block(rng: np.random.Generator, labels: np.ndarray) -> np.ndarray:
    """A sequence for each label of a block, (BLOCK, 128, 3)."""
    lasts = rng.integers(10, 18, (BLOCK, FEATURES))
    room = STEPS - lasts.sum(axis=1, keepdims=True)
    waits = np.sort(rng.random((BLOCK, FEATURES)), axis=1) * room
    begins = (waits + lasts.cumsum(axis=1) - lasts).astype(int)
    values = rng.normal(0, NOISE, (BLOCK, STEPS, FEATURES))
    for place in range(FEATURES):
        channel = np.array(ORDERS)[labels, place]
        values[np.arange(BLOCK), :, channel] += _packet(rng, begins[:, place], lasts[:, place])
    return values / SPREAD


def _packet(rng: np.random.Generator, begins: np.ndarray, lasts: np.ndarray) -> np.ndarray:
    """One wave packet in each sequence, nothing before and after it, (BLOCK, 128)."""
    since = np.arange(STEPS)[None, :] - begins[:, None]
    period, phase, strength = (
        rng.uniform(low, high, (BLOCK, 1)) for low, high in ((5, 9), (0, 2 * np.pi), (0.9, 1.5))
    )
    wave = strength * np.sin(2 * np.pi * since / period + phase)
    return np.where((since >= 0) & (since < lasts[:, None]), wave, 0.0)
