"""`profile(spec, …)`: where a step's time goes, layer by layer, measured apart from any run.

Four kinds of steps take turns, so that whatever disturbs one disturbs all: the engine's own, as a
run takes them; the same put together from the engine's parts; those again, with a mark wherever a
part ends; and those with a mark on a single picture. The first are the time that has to be
explained. What they take longer than the second is the framework's. The third divide the second
among the parts; what a mark costs is measured apart and taken off. The fourth show what starting a
layer costs, whatever the batch.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

import numpy as np
import torch

from cnnlab import devices, models
from cnnlab.engines import DEFAULT_THREADS, LOSS, OPTIMIZER, Mark, Part, Parts
from cnnlab.spec import Event, ExperimentSpec, LabError, LayerTime, Profile
from cnnlab.training.callback import Stop, Stopped
from cnnlab.training.clocks import Clock, WaitingClock, clock_for
from cnnlab.training.measuring import (
    MeasuringCallback,
    check_room,
    cleared,
    fit_a_while,
    noise,
)
from cnnlab.training.run import build

SECONDS = 8.0
ROUNDS = 4
LEAST_STEPS = 4
OWN_SHARE = 0.4
"""Of the time, for the engine's own steps."""
# For which a card is kept busy before a step is timed on it: long enough for the host to say all of
# the step meanwhile, so that the card goes through it without waiting.
AHEAD_SECONDS = 0.04
CHAIN, CHAINS = 100, 9
"""Operations of a backward pass over nothing, and how many of them."""

Step = TypeVar("Step")
Batch = Callable[[], tuple[Any, Any]]
WAYS = ("forward", "backward")
DATA = ("data", 0)
LOOKING = ("looking", 0)
"""Setting the marks of the backward pass, which no step does that nobody looks at."""


def take_step(parts: Parts, batch: Batch, mark: Mark, look: bool, move: bool = True) -> None:
    """One step of an engine, put together from its parts.

    Args:
        look: mark the borders between layers in the backward pass as well. It comes to the output
            of a layer once it is through with all that was computed after it.
    """
    x, y = batch()
    mark(DATA)
    if parts.own:
        parts.own(x, y, mark, move)
        return
    parts.clear()
    mark(OPTIMIZER)
    under_way = LOSS

    def reached(part: Part, _: torch.Tensor) -> None:
        nonlocal under_way
        mark(under_way)
        under_way = part

    for number, (_, call) in enumerate(parts.layers):
        before, x = x, call(x)
        mark(("forward", number))
        if look and x.requires_grad and x is not before:
            x.register_hook(partial(reached, ("backward", number)))
            mark(LOOKING)
    loss = parts.loss(x, y)
    mark(LOSS)
    loss.backward()
    mark(under_way)
    if move:
        parts.update()
    mark(OPTIMIZER)


@dataclass
class Steps:
    """Steps of one kind: how long each part of each of them took, in milliseconds."""

    taken: list[dict[Part, float]] = field(default_factory=list)

    def typical(self) -> dict[Part, float]:
        """Each part's mean over the quicker half of the steps, so that the parts add up."""
        quicker = quicker_half(self.taken, lambda step: sum(step.values()))
        return {part: float(np.mean([step[part] for step in quicker])) for part in quicker[0]}


def quicker_half(steps: Sequence[Step], ms: Callable[[Step], float]) -> list[Step]:
    """Half of some steps, at least one: whatever disturbs a step makes it slower."""
    return sorted(steps, key=ms)[: (len(steps) + 1) // 2]


class Stopwatch:
    """The time between marks on a device's own clock, without waits for the host."""

    def __init__(self, clock: Clock, run_ahead: Callable[[], None]) -> None:
        """
        Args:
            run_ahead: what keeps the device busy while the host goes ahead.
        """
        self._clock, self._run_ahead = clock, run_ahead
        self._ended: list[Part] = []

    def start(self) -> None:
        self._ended.clear()
        self._clock.restart()
        self._run_ahead()
        self._clock.mark()

    def mark(self, part: Part) -> None:
        """What went on until now was `part`."""
        self._clock.mark()
        self._ended.append(part)

    def read(self) -> dict[Part, float]:
        """Milliseconds of each part since the start."""
        found: dict[Part, float] = defaultdict(float)
        for part, ms in zip(self._ended, self._clock.read(), strict=True):
            found[part] += ms
        return dict(found)


def mark_ms(watch: Stopwatch, device: str) -> float:
    """What one mark adds to a step, in milliseconds: from a backward pass over nothing, with a mark
    at each of its operations and without.
    """
    start = torch.zeros(1, device=device, requires_grad=True)

    def backward(look: bool) -> float:
        x = start
        for _ in range(CHAIN):
            x = x.neg()
            if look:
                x.register_hook(lambda _: watch.mark(LOSS))
        watch.start()
        x.backward()
        watch.mark(LOSS)
        return watch.read()[LOSS]

    looked, plain = (min(backward(look) for _ in range(CHAINS)) for look in (True, False))
    return max(looked - plain, 0.0) / CHAIN


def plain_mark_ms(watch: Stopwatch) -> float:
    """The same for a mark that needs no hook."""

    def marks() -> float:
        watch.start()
        for _ in range(CHAIN):
            watch.mark(LOSS)
        return watch.read()[LOSS]

    return min(marks() for _ in range(CHAINS)) / CHAIN


class Walker:
    """Takes steps of an engine part by part and times them."""

    def __init__(self, parts: Parts, watch: Stopwatch) -> None:
        self._parts, self._watch = parts, watch
        self._batches: Iterator[tuple[Any, Any]] = iter(())
        x, y = self.batch()
        self._one = x[:1].contiguous(), y[:1]
        self.plain, self.marked, self.single = Steps(), Steps(), Steps()

    def batch(self) -> tuple[Any, Any]:
        """The next batch; of the next epoch where one is through."""
        try:
            return next(self._batches)
        except StopIteration:
            self._batches = iter(self._parts.batches())
            return next(self._batches)

    def take(self, stop: Stop, seconds: float) -> None:
        """Some of each kind in turn, for about so many seconds in all and at least a few each.

        Raises:
            Stopped: somebody asked for it.
        """
        kinds = (
            (self.plain, self._plain, 0.3),
            (self.marked, lambda: self._marked(self.batch), 0.5),
            # Its gradients move nothing: a network that knows one picture by heart computes with
            # numbers so small that a CPU takes many times as long for them.
            (self.single, lambda: self._marked(lambda: self._one, move=False), 0.2),
        )
        for steps, timed, share in kinds:
            until, least = time.perf_counter() + share * seconds, LEAST_STEPS
            timed()  # the first of a kind is not counted: other memory is in the caches
            while least > 0 or time.perf_counter() < until:
                if stop():
                    raise Stopped
                steps.taken.append(timed())
                least -= 1

    def _plain(self) -> dict[Part, float]:
        self._watch.start()
        take_step(self._parts, self.batch, lambda part: None, look=False)
        self._watch.mark(DATA)
        return self._watch.read()

    def _marked(self, batch: Batch, move: bool = True) -> dict[Part, float]:
        self._watch.start()
        take_step(self._parts, batch, self._watch.mark, look=True, move=move)
        return self._watch.read()


def profile(spec: ExperimentSpec, stop: Stop, *, seconds: float = SECONDS) -> Profile:
    """Take the steps of a spec apart, on pictures of noise in the shape of its data set's.

    Args:
        seconds: how long it measures, about.

    Raises:
        LabError: the spec or its device cannot work, or does not fit into memory, or the device has
            no clock for parts of a step.
        Stopped: somebody asked for it.
    """
    with cleared(spec) as device:
        clock = clock_for(device)
        if isinstance(clock, WaitingClock):
            raise LabError(
                f"On {device} torch has no clock for the parts of a step, so it cannot be taken "
                "apart; do it on the CPU."
            )
        return _profile(spec, device, clock, stop, seconds)


def _profile(
    spec: ExperimentSpec, device: str, clock: Clock, stop: Stop, seconds: float
) -> Profile:
    """All that holds the model."""
    pictures, facts = noise(spec)
    check_room(spec, pictures, device)
    job, _ = build(spec, pictures)
    watch = Stopwatch(clock, _ahead(device))
    walker = Walker(job.parts(), watch)
    own: list[float] = []
    sampler = devices.LoadSampler(helpers=spec.compile)
    sampler.start(device)
    try:
        for _ in range(ROUNDS):
            until = time.perf_counter() + OWN_SHARE * seconds / ROUNDS
            callback = MeasuringCallback(spec, device, _ignore, stop, until, until_steady=False)
            fit_a_while(callback, job, facts.train_images)
            own.extend(callback.steady_ms())
            walker.take(stop, (1 - OWN_SHARE) * seconds / ROUNDS)
    finally:
        disturbances = sampler.stop()
    table = models.layer_table(spec.model, facts.image_shape, facts.classes)
    return put_together(
        table[1:],
        [type(layer).__name__ for layer, _ in job.parts().layers],
        spec.batch_size,
        float(np.mean(quicker_half(own, float))),
        walker,
        plain_mark_ms(watch) if job.parts().own else mark_ms(watch, device),
    ).model_copy(
        update={
            "ceilings": devices.measure_ceilings(
                device, spec.precision, spec.model.family, DEFAULT_THREADS
            ),
            "threads": torch.get_num_threads() if device == "cpu" else None,
            "marks": disturbances.marks,
        }
    )


def _ignore(event: Event) -> None:
    """Nobody is told of the steps of a profile."""


def _ahead(device: str) -> Callable[[], None]:
    """What keeps a device busy for a while, without the host; nothing where they go together."""
    if device == "cpu":
        return lambda: None
    matrix = torch.rand(4096, 4096, device=device)
    seconds = 2 * 4096**3 / devices.matmul_peak(device, "float32", seconds=0.1) / 1e9
    times = max(round(AHEAD_SECONDS / seconds), 1)

    def busy() -> None:
        for _ in range(times):
            torch.mm(matrix, matrix)

    return busy


def rows_of(kinds: Sequence[str], table: Sequence[models.Layer]) -> list[int]:
    """For each of Keras's layers the row of the layer table that it belongs to.

    Behind a batch normalisation Keras has the activation as a layer of its own.
    """
    rows: list[int] = []
    for kind in kinds:
        rows.append((rows[-1] if rows else -1) + (kind != "Activation"))
    assert [table[row].kind for row in rows] == [
        table[row].kind if kind == "Activation" else kind
        for row, kind in zip(rows, kinds, strict=True)
    ]
    return rows


def put_together(
    table: Sequence[models.Layer],
    kinds: Sequence[str],
    batch_size: int,
    step_ms: float,
    walker: Walker,
    mark_ms: float,
) -> Profile:
    """The profile from steps of all kinds.

    Args:
        table: the layers, without the input.
        kinds: the classes of Keras's layers, likewise.
        step_ms: the engine's own step.
        mark_ms: what a mark costs.
    """
    looked, single = (without(steps, mark_ms) for steps in (walker.marked, walker.single))
    walk_ms = sum(walker.plain.typical().values())
    scaled = min(step_ms / walk_ms, 1.0)
    # What the marks cost is off already; the rest of the difference is chance.
    to_walk = walk_ms / sum(looked.values())

    def ms(found: Mapping[Part, float], part: Part) -> float:
        return found.get(part, 0.0) * to_walk * scaled

    rows = rows_of(kinds, table)

    def layer_ms(found: Mapping[Part, float], way: str, row: int) -> float:
        return sum(ms(found, (way, number)) for number, its in enumerate(rows) if its == row)

    def time_of(row: int, layer: models.Layer) -> LayerTime:
        forward, backward = (layer_ms(looked, way, row) for way in WAYS)
        alone = sum(layer_ms(single, way, row) for way in WAYS)
        fixed = unchanging(forward + backward, alone, batch_size)
        kind, detail = layer.kind, layer.detail
        return LayerTime(
            kind=kind, detail=detail, forward_ms=forward, backward_ms=backward, fixed_ms=fixed
        )

    layers = tuple(time_of(row, layer) for row, layer in enumerate(table))
    data, loss, optimizer = (ms(looked, part) for part in (DATA, LOSS, OPTIMIZER))
    parts_ms = sum(layer.ms for layer in layers) + data + loss + optimizer
    return Profile(
        step_ms=step_ms,
        layers=layers,
        data_ms=data,
        loss_ms=loss,
        optimizer_ms=optimizer,
        host_ms=max(step_ms - parts_ms, 0.0),
        looking_ms=mark_ms * len(looked) + walker.marked.typical().get(LOOKING, 0.0),
        scaled=scaled,
        steps=len(walker.marked.taken),
    )


def without(steps: Steps, mark_ms: float) -> dict[Part, float]:
    """What each part took, less the cost of the mark at its end."""
    typical = steps.typical()
    return {part: max(ms - mark_ms, 0.0) for part, ms in typical.items() if part != LOOKING}


def unchanging(whole_ms: float, one_ms: float, batch_size: int) -> float:
    """What does not grow with the batch, where the rest grows in proportion.

    Args:
        whole_ms: the time with the whole batch.
        one_ms: the same with one picture.
    """
    if batch_size == 1:
        return whole_ms
    fixed = (batch_size * one_ms - whole_ms) / (batch_size - 1)
    return min(max(fixed, 0.0), whole_ms)
