"""The ratio of two lanes from pairs of runs: how sure it is, and who is ahead by more than chance.

Each pair gives the logarithm of a ratio; their mean is the ratio (a geometric mean), and Student's
interval around it is its spread. Two things keep that interval honest:

- It is looked at after every pair, and the race ends when it is narrow. Ending depends on its width
  alone, never on who leads: for normal noise the mean is independent of the variance, so nobody is
  favoured by when the race ends. What a race ended early does favour is a spread that came out
  narrow by chance. Therefore the quantile of a 98 % interval is taken for one of 95 %; of
  up to 3 % of noise a pair it then holds the truth in 95 % of races or more, of 5 % in 92 %, of 8 %
  in 93 % (`tests/race/test_spread.py` counts).
- Three pairs may agree by chance. So their variance is moderated by what pairs of runs of one spec
  differ by as a rule (Smyth, Stat. Appl. Genet. Mol. Biol. 3, 2004: the prior counts as so many
  further degrees of freedom).

A lane is ahead where the whole interval lies beyond what two runs of one spec may differ by.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from statistics import NormalDist, fmean, variance

from cnnlab.analysis.grades import LEVEL_RATIO_OF_DISTURBED
from cnnlab.spec import Frozen

LEAST_PAIRS = 3
WIDTH = 0.03
"""A ratio is known well enough once its spread is within so much of it, up and down."""
LEVEL = 0.03
"""Within so much nobody is ahead: processes of one spec lie as far apart on one machine."""
LEVEL_OF_ONE_PAIR = 0.10
"""The same for a single pair, whose spread nobody has measured."""
LEVEL_OF_DISTURBED_PAIRS = LEVEL_RATIO_OF_DISTURBED - 1
"""The same where pairs were disturbed, as a neighbour does not come and go pair by pair."""
USUAL_DEVIATION = 0.018
"""What pairs of runs of one spec differ by as a rule on a quiet machine: a standard deviation, as a
share."""
USUAL_FREEDOM = 4
"""How much that counts: as so many degrees of freedom."""
QUANTILE = NormalDist().inv_cdf(0.99)


class Gain(Frozen):
    """How many times as fast a lane is as the first one, by pairs of their runs."""

    ratio: float
    """The geometric mean of the pairs' ratios."""
    low: float | None
    """Between this and `high` the ratio lies with a confidence of 95 %; null where there was one
    pair only, which has no spread."""
    high: float | None
    pairs: int

    @property
    def width(self) -> float | None:
        """How far the spread reaches from the ratio, as a share of it."""
        return None if self.high is None else self.high / self.ratio - 1

    @property
    def sure(self) -> bool:
        """Enough pairs, which agree well enough."""
        narrow = self.width is not None and self.width <= WIDTH
        return self.pairs >= LEAST_PAIRS and narrow

    @property
    def level(self) -> bool:
        """Nobody is ahead by more than what two runs of one spec may differ by."""
        return self.within(LEVEL if self.pairs > 1 else LEVEL_OF_ONE_PAIR)

    def within(self, level: float) -> bool:
        """The ratio, or an end of its spread, lies no further from 1 than that."""
        low, high = self.low or self.ratio, self.high or self.ratio
        return low <= 1 + level and high >= 1 / (1 + level)

    @property
    def agreed(self) -> bool:
        """The pairs are enough to know the ratio, and it may well be 1."""
        return self.sure and (self.low or 0.0) <= 1 <= (self.high or 0.0)


def gain(ratios: Sequence[float]) -> Gain:
    """What pairs come to.

    Args:
        ratios: of each pair, the first lane's time over the other's; one or more, all above 0.
    """
    logs, pairs = [math.log(ratio) for ratio in ratios], len(ratios)
    middle = fmean(logs)
    if pairs < 2:
        return Gain(ratio=math.exp(middle), low=None, high=None, pairs=pairs)
    freedom = USUAL_FREEDOM + pairs - 1
    moderated = USUAL_FREEDOM * USUAL_DEVIATION**2 + (pairs - 1) * variance(logs)
    reach = _student(freedom) * math.sqrt(moderated / freedom / pairs)
    low, high = math.exp(middle - reach), math.exp(middle + reach)
    return Gain(ratio=math.exp(middle), low=low, high=high, pairs=pairs)


def _student(freedom: int) -> float:
    """Student's quantile for 5 degrees of freedom or more, to 1 % (Abramowitz, Stegun, 26.7.5)."""
    z, v = QUANTILE, freedom
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / v + second / v**2 + third / v**3
