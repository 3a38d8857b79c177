"""All that a room holds."""

from __future__ import annotations

from dataclasses import dataclass, field

from cnnlab.room.audience import Audience
from cnnlab.room.bets import Bets
from cnnlab.room.lead import Lead
from cnnlab.room.proposals import Proposals


@dataclass(frozen=True)
class Room:
    """One room; it lasts as long as the lab is open."""

    audience: Audience = field(default_factory=Audience)
    lead: Lead = field(default_factory=Lead)
    bets: Bets = field(default_factory=Bets)
    proposals: Proposals = field(default_factory=Proposals)
