"""What bounds a run's step, in words."""

from __future__ import annotations

from cnnlab import words
from cnnlab.analysis.bounds import LayerBound, StepBound, bounds, slowest
from cnnlab.analysis.cures import LITTLE_OVERHEAD, Patient, next_batch, whole_percent
from cnnlab.spec import LabError, Profile, RunCard


def step_bound(card: RunCard) -> StepBound:
    """What bounds the step of a run that has a profile.

    Raises:
        LabError: it has none, or the network's data are not known.
    """
    if card.profile is None or card.dataset is None or card.device is None:
        raise LabError(
            f"The run {card.run_id} has no profile; `python -m cnnlab why {card.run_id}` takes one."
        )
    shape, classes = card.dataset.image_shape, card.dataset.classes
    return bounds(card.spec, shape, classes, card.profile)


def sentence(one: Patient) -> str:
    """What bounds the step, and what a larger batch would make of it."""
    found = one.found
    share = whole_percent(found.share(found.bound))
    match found.bound:
        case "overhead":
            return f"{share} of this step is overhead: {_waits(one)} {_larger(one)}".rstrip()
        case "memory":
            return (
                f"{share} of this step is memory traffic: {_device(one)} waits for weights and "
                f"activations. {_longest(found)}"
            )
        case _:
            return f"{share} of this step is arithmetic{_reached(found)}. {_longest(found)}"


def _device(one: Patient) -> str:
    return "the CPU" if one.device == "cpu" else "the card"


def _waits(one: Patient) -> str:
    batch = f"at batch size {one.spec.batch_size}"
    if one.device == "cpu":
        idle = one.found.idle_ms > 0 and one.profile.threads and one.profile.ceilings
        few = f", on {one.profile.threads} of its threads" if idle else ""
        return f"{batch} the CPU is busy with Python and with starting kernels{few}."
    return f"{batch} the card waits for Python."


def _larger(one: Patient) -> str:
    batch = next_batch(one)
    if batch is None:
        return ""
    then = one.found.overhead_at(batch)
    still = "still " if then > LITTLE_OVERHEAD else ""
    return f"At batch size {batch} it would {still}be {whole_percent(then)}."


def _reached(found: StepBound) -> str:
    floor = sum(row.compute_ms or 0.0 for row in found.layers)
    if not floor or not found.compute_ms:
        return ""
    share = min(floor / found.compute_ms, 1.0)
    return f", done at {whole_percent(share)} of the most that this device reaches"


def _longest(found: StepBound) -> str:
    row = slowest(found, 1)[0]
    return f"{row.kind} {row.detail}".strip() + f" takes {whole_percent(row.share)} of it."


def host_words(found: StepBound) -> str:
    """The host's own time in a step, by what it goes to."""
    host = found.host
    said = [f"{words.number(host.launching_ms)} ms for starting kernels"]
    if host.framework_ms is not None:
        said.append(f"{words.number(host.framework_ms)} ms for the framework around them")
    if host.waiting_ms is not None:
        said.append(f"{words.number(host.waiting_ms)} ms in which the card waits for it")
    return f"The host's own time in a step: {', '.join(said)}."


def layer_words(row: LayerBound) -> str:
    """What holds one layer up."""
    if row.bound is None:
        return words.UNKNOWN
    if row.bound == "overhead" or row.of_ceiling is None:
        return "overhead"
    what = {"compute": "arithmetic", "memory": "memory"}[row.bound]
    return f"{what}, at {whole_percent(row.of_ceiling)} of the ceiling"


def rest(profile: Profile) -> tuple[tuple[str, float], ...]:
    """The parts of a step that are no layer's, with their milliseconds."""
    on_card = profile.threads is None
    return (
        ("loss", profile.loss_ms),
        ("optimizer", profile.optimizer_ms),
        ("data", profile.data_ms),
        ("the card waits" if on_card else "framework", profile.host_ms),
    )


def caveats(profile: Profile) -> list[str]:
    """What one should know before one believes a profile."""
    said = [f"It was disturbed. {mark}" for mark in profile.marks]
    if profile.scaled < 0.9:
        said.append(
            "The engine does the step as one function; the parts were timed without that, and are "
            f"shown at {whole_percent(profile.scaled)} of what they took."
        )
    if profile.ceilings is None or profile.ceilings.missing:
        why = profile.ceilings.missing if profile.ceilings else "they were not measured"
        said.append(f"The ceilings of the device are not known: {why}.")
    return said
