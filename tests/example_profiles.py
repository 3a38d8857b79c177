"""Profiles as a worker would tell them, with figures that can be reckoned in the head."""

from __future__ import annotations

from cnnlab.spec import Bandwidth, Ceilings, LayerTime, Profile, Trial

CEILINGS = Ceilings(
    arithmetic="float32",
    matmul_gflops=200.0,
    conv_gflops=400.0,
    bfloat16_gflops=800.0,
    bandwidths=(Bandwidth(mb=1, gb_per_second=100.0), Bandwidth(mb=100, gb_per_second=10.0)),
    call_us=2.0,
    threads=2,
)
"""A small machine: its caches are ten times as fast as its memory."""


def layer(kind: str, forward_ms: float, backward_ms: float, fixed_ms: float = 0.0) -> LayerTime:
    return LayerTime(
        kind=kind, detail="", forward_ms=forward_ms, backward_ms=backward_ms, fixed_ms=fixed_ms
    )


DENSE = Profile(
    step_ms=1.0,
    layers=(
        layer("Flatten", 0.01, 0.0, 0.01),
        layer("Dense", 0.16, 0.12, 0.05),
        layer("Dense", 0.03, 0.05, 0.06),
        layer("Dense", 0.03, 0.03, 0.06),
    ),
    data_ms=0.05,
    loss_ms=0.1,
    optimizer_ms=0.1,
    host_ms=0.32,
    looking_ms=0.02,
    steps=400,
    threads=1,
    ceilings=CEILINGS,
)
"""784-300-100-10 at batch 32, most of it overhead."""

TRIAL = Trial(
    change={"batch_size": 256},
    expected=3.0,
    ratio=2.9,
    low=2.8,
    high=3.1,
    pairs=3,
    outcome="faster",
    base_step_ms=1.0,
    changed_step_ms=2.8,
    made_at="2026-11-26T10:00:00+00:00",
)
