"""Pictures of what is in a network: arrays in, pixels out."""

from __future__ import annotations

import base64
import io

import numpy as np
from PIL import Image

SHOWN_PIXELS = 256
"""The longer side of a single picture."""
TILE_PIXELS = 64
"""Of a feature map or a filter among others."""
ACROSS = 8
"""Tiles beside each other."""
# From nothing to much: dark violet, red, yellow (after matplotlib's inferno).
RAMP = np.array([(0, 0, 4), (87, 16, 110), (188, 55, 84), (249, 142, 9), (252, 255, 164)], float)
# From against to for, through white.
DIVERGING = np.array([(33, 102, 172), (146, 197, 222), (247, 247, 247), (244, 165, 130)], float)
DIVERGING = np.vstack([DIVERGING, (178, 24, 43)])


def coloured(shares: np.ndarray, ramp: np.ndarray) -> np.ndarray:
    """Values from 0 to 1 as colours of a ramp, uint8 (…, 3)."""
    places = np.linspace(0, 1, len(ramp))
    channels = [np.interp(shares, places, ramp[:, channel]) for channel in range(3)]
    return np.stack(channels, axis=-1).round().astype(np.uint8)


def rgb(picture: np.ndarray) -> np.ndarray:
    """A picture with one or three channels, with three."""
    return np.repeat(picture, 3, axis=2) if picture.shape[2] == 1 else picture


def enlarged(picture: np.ndarray, longest: int = SHOWN_PIXELS) -> np.ndarray:
    """A small picture larger by whole pixels, so that it stays crisp; a large one smaller; of three
    channels."""
    picture = rgb(picture)
    height, width = picture.shape[:2]
    factor = longest // max(height, width)
    if factor >= 1:
        return picture.repeat(factor, axis=0).repeat(factor, axis=1)
    size = (
        max(1, width * longest // max(height, width)),
        max(1, height * longest // max(height, width)),
    )
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))


def data_url(picture: np.ndarray, longest: int) -> str:
    """A picture, uint8 (height, width, 1 or 3), as an address that holds it."""
    file = io.BytesIO()
    Image.fromarray(enlarged(picture, longest)).save(file, "PNG")
    return f"data:image/png;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def under_heat(picture: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A picture with heat laid over it, from nothing to the strongest, uint8 (height, width, 3).

    Args:
        picture: uint8 (height, width, 1 or 3).
        heat: float (rows, columns), not negative, in any size.
    """
    below = enlarged(picture)
    size = below.shape[1], below.shape[0]
    most = float(heat.max())
    shares = Image.fromarray((heat / most if most > 0 else heat).astype(np.float32))
    spread = np.asarray(shares.resize(size, Image.Resampling.BILINEAR)).clip(0, 1)
    grey = below.mean(axis=2, keepdims=True)
    weight = 0.25 + 0.5 * spread[..., None]
    return ((1 - weight) * grey + weight * coloured(spread, RAMP)).round().astype(np.uint8)


def maps_sheet(maps: np.ndarray) -> np.ndarray:
    """Feature maps (channels, height, width) as tiles, each from its least to its greatest."""
    maps = maps.astype(np.float32)
    low = maps.min(axis=(1, 2), keepdims=True)
    span = maps.max(axis=(1, 2), keepdims=True) - low
    shares = np.divide(maps - low, span, out=np.zeros_like(maps), where=span > 0)
    return tiles(coloured(shares, RAMP))


def weights_sheet(weights: np.ndarray) -> np.ndarray:
    """Weights that meet a picture, (count, height, width, channels), as tiles around grey, or, of
    one channel, from blue (against) through white to red (for).
    """
    most = np.abs(weights).max(axis=(1, 2, 3), keepdims=True)
    shares = 0.5 + 0.5 * np.divide(weights, most, out=np.zeros_like(weights), where=most > 0)
    if weights.shape[-1] == 3:
        return tiles((255 * shares).round().astype(np.uint8))
    return tiles(coloured(shares.mean(axis=-1), DIVERGING))


def states_sheet(states: np.ndarray) -> np.ndarray:
    """Hidden states (steps, units) with time from left to right, a row for each unit, from blue
    (below nought) through white to red, at a scale of their own."""
    states = states.astype(np.float32).T
    most = float(np.abs(states).max())
    shares = 0.5 + 0.5 * (states / most if most > 0 else states)
    large = coloured(shares, DIVERGING)
    factor = max(1, 768 // large.shape[1])
    return large.repeat(max(1, factor // 2), axis=0).repeat(factor, axis=1)


def tiles(pictures: np.ndarray) -> np.ndarray:
    """Pictures (count, height, width, 3) in rows, with transparent gaps, uint8 (…, …, 4)."""
    large = np.stack([enlarged(picture, TILE_PIXELS) for picture in pictures])
    count, height, width, _ = large.shape
    gap, across = 4, min(ACROSS, count)
    rows = -(-count // across)
    shape = rows * (height + gap) - gap, across * (width + gap) - gap, 4
    sheet = np.zeros(shape, np.uint8)
    for place, picture in enumerate(large):
        top, left = (height + gap) * (place // across), (width + gap) * (place % across)
        sheet[top : top + height, left : left + width, :3] = picture
        sheet[top : top + height, left : left + width, 3] = 255
    return sheet
