"""Recipes that visitors put before the presenter."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from time import monotonic
from uuid import uuid4

from cnnlab.room.entries import Doorkeeper, checked_name
from cnnlab.spec import ExperimentSpec, LabError

MOST_OPEN, MOST_OF_ONE = 20, 2


@dataclass(frozen=True)
class Proposal:
    """One recipe, and who would like to see it trained."""

    proposal_id: str
    visitor: str
    name: str
    spec: ExperimentSpec


class Proposals:
    """The short list: it holds few, so that a presenter can look at each."""

    def __init__(self, clock: Callable[[], float] = monotonic) -> None:
        self._lock = threading.Lock()
        self._door = Doorkeeper(clock)
        self._open: dict[str, Proposal] = {}
        self._changes = 0

    @property
    def changes(self) -> int:
        """Counts what came and went."""
        with self._lock:
            return self._changes

    def propose(self, visitor: str, name: str, spec: ExperimentSpec) -> None:
        """Put a recipe, which can work here, on the list.

        Raises:
            LabError: the name is no good, the list is full, this visitor has its share of it, the
                recipe lies there, or it was too quick.
        """
        with self._lock:
            self._door.admit(visitor)
            name = checked_name(name)
            if any(one.spec == spec for one in self._open.values()):
                raise LabError("This recipe lies before the presenter already.")
            if sum(one.visitor == visitor for one in self._open.values()) >= MOST_OF_ONE:
                raise LabError(f"You have proposed {MOST_OF_ONE} recipes; wait for the presenter.")
            if len(self._open) >= MOST_OPEN:
                raise LabError(f"The list is full: {MOST_OPEN} recipes wait for the presenter.")
            made = Proposal(uuid4().hex[:12], visitor, name, spec)
            self._open[made.proposal_id] = made
            self._changes += 1

    def proposed(self) -> tuple[Proposal, ...]:
        """What lies before the presenter, the oldest first."""
        with self._lock:
            return tuple(self._open.values())

    def take_off(self, proposal_id: str) -> Proposal:
        """Take a recipe off the list; another presenter can then no longer do so.

        Raises:
            LabError: it is not there any more.
        """
        with self._lock:
            if proposal_id not in self._open:
                raise LabError("This recipe is no longer on the list; another presenter took it.")
            self._changes += 1
            return self._open.pop(proposal_id)

    def put_back(self, proposal: Proposal) -> None:
        """Let a recipe lie there again that could not be queued."""
        with self._lock:
            self._changes += 1
            self._open[proposal.proposal_id] = proposal
