"""A profile as tidy frames: its parts, and its layers beneath the roofs of their machine."""

from __future__ import annotations

import numpy as np
import pandas as pd

from cnnlab import words
from cnnlab.analysis.bounds import StepBound
from cnnlab.analysis.diagnosis import layer_words, rest
from cnnlab.spec import Ceilings, Profile

WAYS = ("forward", "backward", "the rest")
ROOF_COLUMNS = ["roof", "level", "intensity", "gflops"]
LEAST_SHARE = 1e-4
"""Of a step, below which a layer is no point of a roofline."""


def parts_frame(profile: Profile) -> pd.DataFrame:
    """A row for each piece of a step: columns part, place, way, ms, share."""
    rows = []
    for place, layer in enumerate(profile.layers):
        name = f"{layer.kind} {layer.detail}".strip()
        rows.append((place, name, "forward", layer.forward_ms))
        rows.append((place, name, "backward", layer.backward_ms))
    beyond = len(profile.layers)
    rows += [(beyond + n, name, "the rest", ms) for n, (name, ms) in enumerate(rest(profile))]
    frame = pd.DataFrame(rows, columns=["place", "part", "way", "ms"])
    # The number keeps apart what has the same words.
    frame["part"] = (frame["place"] + 1).astype(str) + ". " + frame["part"]
    frame["share"] = frame["ms"] / profile.step_ms
    return frame


def points_frame(found: StepBound) -> pd.DataFrame:
    """A row for each layer that computes: columns layer, intensity, gflops, ms, held."""
    shown = [row for row in found.layers if row.flops and row.share > LEAST_SHARE]
    return pd.DataFrame(
        {
            "layer": [f"{row.kind} {row.detail}".strip() for row in shown],
            "intensity": [row.intensity for row in shown],
            "gflops": [row.gflops for row in shown],
            "ms": [row.ms for row in shown],
            "held": [layer_words(row) for row in shown],
        }
    )


def roofs_frame(ceilings: Ceilings, found: StepBound) -> pd.DataFrame:
    """The roofs as lines: columns roof, level, intensity, gflops.

    Two slanted ones, of the fastest cache and of the main memory, up to the level ones of what the
    network's layers compute.
    """
    speeds = [point.gb_per_second for point in ceilings.bandwidths]
    kinds = {row.kind for row in found.layers if row.flops}
    levels = {
        "matrix products": ceilings.matmul_gflops if kinds - {"Conv2D"} else None,
        "convolutions": ceilings.conv_gflops if "Conv2D" in kinds else None,
    }
    tops = {f"{ceilings.arithmetic} {name}": top for name, top in levels.items() if top}
    if not speeds or not tops:
        return pd.DataFrame({name: [] for name in ROOF_COLUMNS})
    slants = {
        f"cache, {words.number(max(speeds))} GB/s": max(speeds),
        f"memory, {words.number(speeds[-1])} GB/s": speeds[-1],
    }
    most = max(tops.values())
    known = [row.intensity for row in found.layers if row.flops]
    left = min([*known, *(top / max(speeds) for top in tops.values())]) / 4
    right = max([*known, most / min(slants.values())]) * 2
    rows = []
    for name, speed in slants.items():
        for x in np.geomspace(left, most / speed, 2):
            rows.append((name, False, float(x), float(x) * speed))
    for name, top in tops.items():
        rows += [(name, True, top / max(speeds), top), (name, True, right, top)]
    return pd.DataFrame(rows, columns=ROOF_COLUMNS)
