"""Who stands beside a race without driving in it: a run of the history, or one that was recorded or
published elsewhere."""

from __future__ import annotations

from collections.abc import Callable

from cnnlab import recorded
from cnnlab.analysis import DeviceKind, device_kind
from cnnlab.analysis.bearing import asked_facts
from cnnlab.published import REFERENCES, Reference
from cnnlab.spec import PRESETS, ExperimentSpec, LabError, RunCard, Status, spoken

Opponent = Reference | RunCard


def kind(entry: Opponent) -> DeviceKind:
    """Whether a run or an opponent is the CPU's or an accelerator's."""
    return entry.kind if isinstance(entry, Reference) else device_kind(device_of(entry))


def device_of(card: RunCard) -> str:
    """The device that a run used, or, before that is known, the one it asks for."""
    return card.device.used if card.device else card.spec.device


def opponent_named(name: str, card: Callable[[str], RunCard]) -> Opponent:
    """The opponent that a key of the published or recorded runs, or a run's id, names.

    Args:
        card: reads a run of the history.

    Raises:
        LabError: there is no such run, or it did not finish.
    """
    if name in REFERENCES:
        return REFERENCES[name]
    if name in recorded.OPPONENTS:
        return recorded.opponent(name)
    found = card(name)
    if found.status is not Status.FINISHED:
        raise LabError(f"The run {found.run_id} is {found.status}; race against a finished one.")
    return found


def described(opponent: Opponent) -> str:
    """Who it is and where its figures come from."""
    if isinstance(opponent, Reference):
        return f"{opponent.title}, {opponent.device}, published, not measured here"
    day = opponent.created_at[:10]
    if recorded.ships(opponent):
        return f"“{opponent.name}”, recorded on {day}, not measured here"
    where = opponent.device.name if opponent.device else opponent.spec.device
    return f"“{opponent.name}” on {where}, recorded on {day}, not in this race"


def other_than_published(spec: ExperimentSpec) -> list[str]:
    """What of a spec that decides speed is not as in the published runs, each as it is spoken."""
    ours, theirs = asked_facts(spec), asked_facts(PRESETS["article"].spec)
    names = (name for name in {**theirs, **ours} if ours.get(name) != theirs.get(name))
    return [spoken(field) for field in dict.fromkeys(name.split(".")[0] for name in names)]
