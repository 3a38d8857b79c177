"""What is raced: the usual lanes, and lanes of one's own."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cnnlab import datasets, words
from cnnlab.analysis import flatten
from cnnlab.spec import (
    HERE,
    MOST_LANES,
    PRESETS,
    ExperimentSpec,
    LabError,
    Lane,
    RunCard,
    change,
    choice,
    network_name,
    spoken,
)
from cnnlab.spec.fields import assign

LEG_SECONDS = 3.0
"""Of training, in each run of a race of short pairs."""
BUDGET_SECONDS = 90.0
LONGEST_TITLE = 60
_NETWORK = "network="
_CHANGE = re.compile(r",(?=\s*[\w.]+=)")
"""Between two changes: a comma, unless it is one within a list such as `model.dense=300,100`."""


@dataclass(frozen=True)
class Here:
    """What there is to race on."""

    accelerators: tuple[str, ...]
    """As `device` names them, the best first."""
    cores: int
    """That a run may use."""
    machines: tuple[str, ...] = ()
    """Of the cluster, without the lab's own computer."""


@dataclass(frozen=True)
class Way:
    """Lanes that many want to see."""

    title: str
    shows: str
    lanes: Callable[[ExperimentSpec, Here], Sequence[ExperimentSpec]]
    missing: Callable[[Here], str | None] = lambda here: None
    """What it lacks here, in a sentence."""


def _devices(spec: ExperimentSpec, here: Here) -> Sequence[ExperimentSpec]:
    devices = ("cpu", *here.accelerators)[:MOST_LANES]
    return [change(spec, device=device, gpu_off="none") for device in devices]


def _each(field: str, *values: Any) -> Callable[[ExperimentSpec, Here], Sequence[ExperimentSpec]]:
    return lambda spec, here: [change(spec, **{field: value}) for value in values]


WAYS: dict[str, Way] = {
    "devices": Way(
        "CPU against GPU",
        "The same network, from the same weights, over the same batches, on each device.",
        _devices,
        lambda here: None if here.accelerators else "There is no accelerator here.",
    ),
    "engines": Way(
        "The article's way against the lab's",
        "Keras as a tutorial uses it, against the lab's engine: the same mathematics.",
        _each("engine", "stock", "fast"),
    ),
    "threads": Way(
        "One core against all",
        "What more cores bring, which for a small network is less than nothing.",
        lambda spec, here: [change(spec, threads=count) for count in (1, here.cores)],
        lambda here: None if here.cores > 1 else "There is one core only here.",
    ),
    "precision": Way(
        "float32 against bfloat16",
        "Half the bytes, and fewer digits.",
        _each("precision", "float32", "mixed_bfloat16"),
    ),
    "machines": Way(
        "Here against the cluster",
        "The same network on each machine, all at the same time.",
        lambda spec, here: [
            change(spec, machine=machine) for machine in (HERE, *here.machines)[:MOST_LANES]
        ],
        lambda here: None if here.machines else "This lab has no cluster with a free machine.",
    ),
    "itself": Way(
        "A recipe against itself",
        "What chance does to times: nobody is ahead.",
        lambda spec, here: [spec, spec],
    ),
}
"""By the name that the command line and the links have for them."""


def usual_way(here: Here) -> str:
    """What a race is about where nothing is said."""
    return "engines" if WAYS["devices"].missing(here) else "devices"


def lanes_of(way: str, spec: ExperimentSpec, here: Here) -> tuple[Lane, ...]:
    """The lanes of one of the `WAYS`.

    Raises:
        LabError: what it needs is not here.
    """
    if why := WAYS[way].missing(here):
        raise LabError(f"{why} Choose another race than “{WAYS[way].title}”.")
    return titled(WAYS[way].lanes(spec, here))


# --- how they run ---------------------------------------------------------------------------


def side_by_side(specs: Sequence[ExperimentSpec], accelerators: int) -> bool:
    """Whether short runs of these lanes, all of one machine, take turns of tenths of a second.

    Two runs on one card would share its memory, and a cluster gives a machine to one.

    Args:
        accelerators: that the machine has.
    """
    on_card = [spec for spec in specs if spec.device != "cpu" and spec.gpu_off == "none"]
    alone = accelerators == 0 or len(on_card) < 2
    return len(specs) > 1 and alone and all(spec.machine == HERE for spec in specs)


def short_runs(specs: Sequence[ExperimentSpec], accelerators: int) -> str:
    """The short runs of a race in words: "runs of 3 s side by side".

    Args:
        accelerators: of the lab's own computer.
    """
    said = f"runs of {words.duration(LEG_SECONDS)}"
    if len({spec.machine for spec in specs}) > 1:
        return f"{said} on all machines at the same time"
    if side_by_side(specs, accelerators):
        return f"{said} side by side"
    return f"{said} one after the other" if len(specs) > 1 else said


# --- lanes of one's own ---------------------------------------------------------------------


def own_lanes(
    texts: Sequence[str], spec: ExperimentSpec, card: Callable[[str], RunCard]
) -> tuple[Lane, ...]:
    """The lanes that are written as changes of a spec, or name a run whose spec is raced.

    Args:
        texts: such as `engine=stock`, `threads=1,batch_size=128`, `network=dense`,
            `model.dropout=0.2`, or a run's id.
        card: reads a run of the history.

    Raises:
        LabError: too few or too many, one that cannot be read, or a spec that cannot work.
    """
    if not 2 <= len(texts) <= MOST_LANES:
        were = "was" if len(texts) == 1 else "were"
        raise LabError(f"A race has 2 to {MOST_LANES} lanes, but {len(texts)} {were} given.")
    return titled([_own_lane(text, spec, card) for text in texts])


def _own_lane(text: str, spec: ExperimentSpec, card: Callable[[str], RunCard]) -> ExperimentSpec:
    if "=" not in text:
        return card(text).spec
    changes = [part.strip() for part in _CHANGE.split(text)]
    networks = [part for part in changes if part.startswith(_NETWORK)]
    for part in networks:
        spec = change(spec, model=_network(part.removeprefix(_NETWORK)))
    return assign(spec, [part for part in changes if part not in networks])


def _network(name: str) -> dict[str, Any]:
    if name not in PRESETS:
        raise LabError(f"There is no network {name!r}; choose one of {', '.join(PRESETS)}.")
    return PRESETS[name].spec.model.model_dump(mode="json")


# --- what they are called -------------------------------------------------------------------


def titled(specs: Sequence[ExperimentSpec]) -> tuple[Lane, ...]:
    """Lanes under what tells them apart; letters where nothing does."""
    if len(specs) == 1:
        return (Lane(title=_phrase("device", specs[0].device), spec=specs[0]),)
    facts = [flatten(spec.model_dump(mode="json")) for spec in specs]
    names = dict.fromkeys(name for each in facts for name in each)
    differ = [name for name in names if len({str(each.get(name)) for each in facts}) > 1]
    titles = [_title(spec, each, differ) for spec, each in zip(specs, facts, strict=True)]
    if len(set(titles)) < len(titles):
        letters = "ABCD"
        titles = [
            f"{title[: LONGEST_TITLE - 2]} {letters[number]}".strip()
            for number, title in enumerate(titles)
        ]
    return tuple(Lane(title=title, spec=spec) for title, spec in zip(titles, specs, strict=True))


def _title(spec: ExperimentSpec, facts: dict[str, Any], differ: Sequence[str]) -> str:
    network = [name for name in differ if name.startswith("model.")]
    fields = [name for name in differ if name not in network and name != "gpu_off"]
    said = [_phrase(name, facts[name]) for name in fields]
    if len(network) == 1 and network[0] in facts:
        said.append(_phrase(network[0], facts[network[0]]))
    elif network:
        said.append(network_name(spec.model))
    title = ", ".join(said)
    return title if len(title) <= LONGEST_TITLE else f"{title[: LONGEST_TITLE - 1]}…"


def _phrase(name: str, value: Any) -> str:
    """A field of one lane, short enough for a heading."""
    match name:
        case "dataset":
            return datasets.title(str(value))
        case "device":
            kind = str(value).partition(":")[0]
            return "CPU" if kind == "cpu" else "GPU" if value in ("cuda:0", "mps") else str(value)
        case "machine":
            return "here" if value == HERE else f"on {value}"
        case "engine":
            return f"{value} engine"
        case "precision":
            return str(value).removeprefix("mixed_")
        case "threads":
            return (
                "threads as it chooses" if value is None else f"{value} thread" + "s" * (value > 1)
            )
        case "batch_size":
            return f"batch {value:,}"
        case "optimizer":
            return choice(name, str(value))
        case "compile":
            return "compiled" if value else "not compiled"
    said = words.count(value) if type(value) is int else str(value)
    return f"{spoken(name)} {choice(name, said)}"
