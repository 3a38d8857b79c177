"""Runs of races that are over, for the tests of this folder."""

from __future__ import annotations

from cnnlab.spec import (
    DeviceFacts,
    ExperimentSpec,
    Part,
    RunCard,
    Status,
    Timing,
    change,
)
from tests.example_runs import CPU, TINY, disturbances, started

FAST, STOCK = change(TINY, engine="fast"), change(TINY, engine="stock")
BUSY = disturbances("Other processes used 1 of 2 cores.", seconds=3.0, cores=2)


def leg(
    lane: int,
    turn: int,
    step_ms: float | None,
    spec: ExperimentSpec = TINY,
    *,
    title: str = "",
    device: DeviceFacts = CPU,
    start: str = "a",
    status: Status = Status.FINISHED,
    error: str | None = None,
    disturbed: bool = False,
) -> RunCard:
    """A run of a race that took so long a step."""
    facts = started(spec, device)
    return RunCard(
        run_id=f"{lane}-{turn}",
        name=f"race {lane}",
        session="race",
        status=status,
        error=error,
        created_at="2026-01-01T00:00:00+00:00",
        spec=spec,
        model=facts.model.model_copy(update={"weights_sha256": start}),
        dataset=facts.dataset,
        device=device,
        environment=facts.environment,
        timing=Timing(step_ms_median=step_ms),
        disturbances=BUSY if disturbed else None,
        part=Part(
            kind="race",
            group_id="g",
            group="Race",
            lane=lane,
            lane_title=title or "AB"[lane],
            turn=turn,
            cut_seconds=3.0,
        ),
    )


def raced(first: list[float], second: list[float], **facts: object) -> list[RunCard]:
    """The runs of two lanes that took these steps, turn by turn."""
    pairs = zip(first, second, strict=True)
    return [
        card
        for turn, (one, other) in enumerate(pairs)
        for card in (leg(0, turn, one), leg(1, turn, other, **facts))  # type: ignore[arg-type]
    ]
