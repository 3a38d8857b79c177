"""What the calibration found that a device gains by, for the form and in words."""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from typing import Any

from cnnlab import sweep, words
from cnnlab.devices import NO_COMPILER, compiler
from cnnlab.spec import HERE
from cnnlab.sweep import CHOICES, BatchGain
from cnnlab.ui import lab, machines
from cnnlab.ui.explore import sweeps
from cnnlab.ui.link import Raw

GAINS_FROM = 1.05
"""As far as this, two steady measurements of one figure may lie apart."""
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


def pays(gain: float) -> bool:
    """Whether a choice is worth offering that makes a step so many times as fast."""
    return gain >= GAINS_FROM


def measured_alike(engine: str, family: str) -> bool:
    """Whether the calibration's figures hold for a recipe: it tries the choices on such only."""
    return engine == "fast" and family != "rnn"


def offered(raw: Raw) -> Offer:
    """What to offer in a form that is filled in so far as `raw`.

    Before a calibration everything is offered; after it all but what does not gain. What it tells
    is of its own networks, so nothing is withheld from those of another engine or family.
    """
    here = raw["machine"] == HERE
    cells = sweeps.calibrated() if here else []
    device = sweeps.device_of(raw["device"], raw["gpu_off"])
    family = raw["model"]["family"]
    alike = here and measured_alike(raw["engine"], family)
    found = sweep.gains(cells).get(device, {}) if alike else {}
    fields = sorted({one.field for one in CHOICES.values()})
    notes = {name: _note(name, raw[name], found) for name in fields}
    if alike and not found:
        notes["precision"] = _UNEVEN if cells else _UNKNOWN
    if compiler() is None:
        notes["compile"] = f"torch.compile is left out: {NO_COMPILER}."
    batches = sweep.batch_gains(cells).get(device, {}).get(family)
    if batches and raw["engine"] == "fast":
        notes["batch_size"] = said_of_batches(batches)
    options = {
        "dataset": lab.dataset_labels(),
        "device": lab.device_labels(raw["machine"]),
        "machine": machines.labels(),
    }
    useless = {name: _useless(name, found) for name in ("precision", "tf32")}
    alone = set() if machines.address() else {"machine"}
    return Offer(options, useless, notes, frozenset(_withheld(found, raw["machine"]) | alone))


def _useless(name: str, found: Mapping[str, float]) -> set[Any]:
    """The values of a field that are known to gain nothing."""
    choices = (CHOICES[choice] for choice, gain in found.items() if not pays(gain))
    return {choice.value for choice in choices if choice.field == name}


def _withheld(found: Mapping[str, float], machine: str) -> set[str]:
    """Switches that are known to gain nothing, and those that nothing there can follow."""
    useless = {CHOICES[choice].field for choice, gain in found.items() if not pays(gain)}
    cards = any(map(CHOICES["TF32"].has, lab.devices_here(machine)))
    vain = set() if compiler() or machine != HERE else {"compile"}
    return (useless & {"compile"}) | vain | (set() if cards else {"tf32"})


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


def said(gains: Mapping[str, float]) -> str:
    """How each choice did against doing without it, in words."""
    return "; ".join(told(choice, gain) for choice, gain in gains.items())


def told(choice: str, gain: float) -> str:
    """How a choice did against doing without it, in words."""
    against = CHOICES[choice].against
    if pays(gain):
        return f"{choice} is about {words.number(gain, 2)} times as fast as {against} here"
    if pays(1 / gain):
        return f"{choice} takes about {words.number(1 / gain, 2)} times as long as {against} here"
    return f"{choice} is about as fast as {against} here"


def said_of_batches(gain: BatchGain) -> str:
    """What a larger batch does for the time per picture, in words."""
    if not pays(gain.most):
        return f"{gain.large} instead of {gain.small}: no faster per example here."
    low, high = (words.number(value, 2) for value in (gain.least, gain.most))
    times = low if low == high else f"{low} to {high}"
    return (
        f"{gain.large} instead of {gain.small}: about {times} times as fast per example here, on "
        f"small networks, with {gain.large // gain.small} times fewer updates."
    )
