"""What the form offers of the choices that may or may not pay here."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from cnnlab import sweep
from cnnlab.devices import NO_COMPILER, compiler
from cnnlab.spec import HERE
from cnnlab.sweep import CHOICES, COMPILING
from cnnlab.ui import lab, machines
from cnnlab.ui.explore import sweeps
from cnnlab.ui.link import Raw
from cnnlab.ui.train.compiling import Weighed, weighed
from cnnlab.ui.train.gains import GAINS_FROM, measured_alike, pays, said_of_batches, told
from cnnlab.ui.train.recipe import Recipe

_UNKNOWN = "Calibrate on the Hardware page to see what this device gains by."
_UNEVEN = (
    "The last calibration was too uneven to tell what this device gains by; calibrate again on the "
    "Hardware page while nothing else runs."
)


@dataclass(frozen=True)
class Offer:
    """Which choices the form offers, by field, and what is known of them on this machine."""

    options: Mapping[str, Mapping[str, str]]
    """The values that there are on this machine, each with its label."""
    useless: Mapping[str, Container[Any]]
    """Values that are known to gain nothing here."""
    notes: dict[str, str] = field(default_factory=dict)
    """In Markdown."""
    withheld: frozenset[str] = frozenset()
    """Fields that gain nothing here; shown only where the recipe has them on already."""


def offered(filled: Recipe) -> Offer:
    """What to offer in a form that is filled in so far.

    Before a calibration everything is offered; after it all but what does not gain. What it tells
    is of its own networks, so nothing is withheld from those of another engine or family. Compiling
    is weighed against the length of the run.
    """
    raw = filled.raw
    device = sweeps.device_of(raw["device"], raw["gpu_off"])
    found = _gains(raw, device)
    compiled = weighed(filled, device)
    options = {
        "dataset": lab.dataset_labels(),
        "device": lab.device_labels(raw["machine"]),
        "machine": machines.labels(),
    }
    useless = {name: _useless(name, found) for name in ("precision", "tf32")}
    pointless = not (compiled.pays if compiled else pays(found.get(COMPILING, GAINS_FROM)))
    withheld = _withheld(raw["machine"]) | ({"compile"} if pointless else set())
    return Offer(options, useless, _notes(raw, device, found, compiled), frozenset(withheld))


def _gains(raw: Raw, device: str) -> dict[str, float]:
    """What is known of choices for such a recipe."""
    alike = raw["machine"] == HERE and measured_alike(raw["engine"], raw["model"]["family"])
    return sweep.gains(sweeps.calibrated()).get(device, {}) if alike else {}


def _notes(
    raw: Raw, device: str, found: Mapping[str, float], compiled: Weighed | None
) -> dict[str, str]:
    """What is known of fields, each in Markdown."""
    family, here = raw["model"]["family"], raw["machine"] == HERE
    cells = sweeps.calibrated() if here else []
    fields = sorted({one.field for one in CHOICES.values()})
    notes = {name: _note(name, raw[name], found) for name in fields}
    if here and measured_alike(raw["engine"], family) and not found:
        notes["precision"] = _UNEVEN if cells else _UNKNOWN
    if compiled:
        away = "" if compiled.pays or raw["compile"] else ", so it is left out"
        notes["compile"] = f"{compiled.said()}{away}."
    if compiler() is None:
        notes["compile"] = f"torch.compile is left out: {NO_COMPILER}."
    batches = sweep.batch_gains(cells).get(device, {}).get(family)
    if batches and raw["engine"] == "fast":
        notes["batch_size"] = said_of_batches(batches)
    return notes


def _useless(name: str, found: Mapping[str, float]) -> set[Any]:
    """The values of a field that are known to gain nothing."""
    choices = (CHOICES[choice] for choice, gain in found.items() if not pays(gain))
    return {choice.value for choice in choices if choice.field == name}


def _withheld(machine: str) -> set[str]:
    """Fields that nothing there can follow."""
    alone = set() if machines.address() else {"machine"}
    cards = any(map(CHOICES["TF32"].has, lab.devices_here(machine)))
    vain = set() if compiler() or machine != HERE else {"compile"}
    return alone | vain | (set() if cards else {"tf32"})


def _note(name: str, chosen: Any, found: Mapping[str, float]) -> str:
    """What is known of a field's values, and which of them the form does not offer therefore."""
    here = {choice: gain for choice, gain in found.items() if CHOICES[choice].field == name}
    sentences = []
    for choice, gain in here.items():
        offered_still = pays(gain) or name == "threads" or chosen == CHOICES[choice].value
        away = "" if offered_still else ", so it is left out"
        sentences.append(f"{_opened(told(choice, gain))}{away}.")
    return " ".join(sentences)


def _opened(sentence: str) -> str:
    """With a capital, but for the name of a policy or a function."""
    return sentence[0].upper() + sentence[1:] if sentence.startswith("one ") else sentence
