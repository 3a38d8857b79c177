"""A presenter and an audience on one lab: who watches, where they are led, what they say.

State without pages or threads: each part holds a lock of its own, and goes by a clock it is given.
"""

from cnnlab.room.audience import Audience
from cnnlab.room.bets import Bet, Bets, Book, Entered, nearest
from cnnlab.room.entries import LEAST_TIMES, LONGEST_NAME, MOST_TIMES
from cnnlab.room.hall import Room
from cnnlab.room.lead import Lead, Led, Place
from cnnlab.room.proposals import Proposal, Proposals
from cnnlab.room.spread import LANDED, NEAREST, dots_frame, told

__all__ = [
    "LANDED",
    "LEAST_TIMES",
    "LONGEST_NAME",
    "MOST_TIMES",
    "NEAREST",
    "Audience",
    "Bet",
    "Bets",
    "Book",
    "Entered",
    "Lead",
    "Led",
    "Place",
    "Proposal",
    "Proposals",
    "Room",
    "dots_frame",
    "nearest",
    "told",
]
