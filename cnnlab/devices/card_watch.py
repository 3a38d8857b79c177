"""Who else used a run's card while it was timed, and whether it held its clock down."""

from __future__ import annotations

from cnnlab.devices.cards import Card, Unreadable


class CardWatch:
    """Looks at an NVIDIA card from time to time; for any other device it sees nothing."""

    def __init__(self, device: str) -> None:
        self.there = device.startswith("cuda")
        self._card: Card | None = None
        if self.there:
            try:
                self._card = Card(device)
            except Unreadable:  # said by all being null; the run itself needs no sensor
                self._card = None
        self._looks = self._slow = 0
        self._shared_looks = self._shared = 0

    def look(self) -> None:
        """Take one sample."""
        if self._card is None:
            return
        try:
            self._slow += self._card.slowed()
            self._looks += 1
            busy = self._card.used_by_others()
        except Unreadable:  # it will not answer later either; what was seen stands
            self._card = None
            return
        if busy is not None:
            self._shared += busy
            self._shared_looks += 1

    @property
    def slowed(self) -> bool | None:
        """Whether it was seen to be slowed down; a no takes a look that came through."""
        return True if self._slow else (False if self._looks and self._card else None)

    @property
    def slowed_share(self) -> float | None:
        return self._slow / self._looks if self._looks else None

    @property
    def shared_share(self) -> float | None:
        return self._shared / self._shared_looks if self._shared_looks else None
