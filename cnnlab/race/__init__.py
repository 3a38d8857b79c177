"""A race: lanes of specs that take turns on one machine, and what can be said of them.

Where a lane cannot be driven here, an opponent that was recorded stands beside: a run of the
history, one that came with the lab, or a published one.
"""

from cnnlab.race.frames import pairs_frame
from cnnlab.race.judge import Result, Standing, judge
from cnnlab.race.lanes import Runs, figure, lanes
from cnnlab.race.opponents import (
    Opponent,
    described,
    kind,
    opponent_named,
    other_than_published,
)
from cnnlab.race.pairs import Compared, Timed, compare, timed
from cnnlab.race.referee import Leg, Referee
from cnnlab.race.spread import LEAST_PAIRS, LEVEL, WIDTH, Gain, gain
from cnnlab.race.ways import (
    BUDGET_SECONDS,
    LEG_SECONDS,
    WAYS,
    Here,
    Way,
    lanes_of,
    own_lanes,
    short_runs,
    side_by_side,
    titled,
    usual_way,
)

__all__ = [
    "BUDGET_SECONDS",
    "LEAST_PAIRS",
    "LEG_SECONDS",
    "LEVEL",
    "WAYS",
    "WIDTH",
    "Compared",
    "Gain",
    "Here",
    "Leg",
    "Opponent",
    "Referee",
    "Result",
    "Runs",
    "Standing",
    "Timed",
    "Way",
    "compare",
    "described",
    "figure",
    "gain",
    "judge",
    "kind",
    "lanes",
    "lanes_of",
    "opponent_named",
    "other_than_published",
    "own_lanes",
    "pairs_frame",
    "short_runs",
    "side_by_side",
    "timed",
    "titled",
    "usual_way",
]
