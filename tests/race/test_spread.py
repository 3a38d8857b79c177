"""The spread of a race's ratio, held against noise that is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from cnnlab.race import LEAST_PAIRS, LEVEL, WIDTH, Gain, gain

RACES, MOST_PAIRS = 2000, 12


@dataclass
class Counted:
    """What many races of two lanes came to, as shares."""

    ahead: float
    """The second lane was said to be ahead."""
    behind: float
    covered: float
    """The spread held the true ratio."""
    near: float
    """The ratio was within 3 % of the true one."""
    pairs: float


def races(noise: Callable[[np.random.Generator], np.ndarray], ratio: float = 1.0) -> Counted:
    """Many races, each ended as the referee ends one: when its ratio is sure."""
    random = np.random.default_rng(0)
    found = [race(ratio * np.exp(noise(random))) for _ in range(RACES)]
    return Counted(
        ahead=np.mean([not one.level and one.ratio > 1 for one in found]),
        behind=np.mean([not one.level and one.ratio < 1 for one in found]),
        covered=np.mean([one.low <= ratio <= one.high for one in found]),
        near=np.mean([abs(math.log(one.ratio / ratio)) <= math.log(1.03) for one in found]),
        pairs=np.mean([one.pairs for one in found]),
    )


def race(ratios: np.ndarray) -> Gain:
    for pairs in range(LEAST_PAIRS, MOST_PAIRS + 1):
        found = gain(ratios[:pairs].tolist())
        if found.sure:
            break
    return found


def normal(deviation: float) -> Callable[[np.random.Generator], np.ndarray]:
    return lambda random: random.normal(0, deviation, MOST_PAIRS)


def heavy_tailed(deviation: float) -> Callable[[np.random.Generator], np.ndarray]:
    """Student's noise with 3 degrees of freedom: now and then a pair is far off."""
    return lambda random: deviation * random.standard_t(3, MOST_PAIRS) / math.sqrt(3)


@pytest.mark.parametrize("deviation", [0.005, 0.02, 0.03])
@pytest.mark.parametrize("noise", [normal, heavy_tailed])
def test_a_spec_against_itself_is_never_told_apart(noise, deviation: float) -> None:
    found = races(noise(deviation))
    assert found.ahead + found.behind <= 0.001


@pytest.mark.parametrize("deviation", [0.05, 0.08])
def test_even_where_pairs_hardly_agree_a_wrong_winner_is_rare(deviation: float) -> None:
    found = races(normal(deviation))
    assert found.ahead + found.behind <= 0.01


@pytest.mark.parametrize("noise", [normal, heavy_tailed])
def test_a_twin_that_is_ten_per_cent_slower_is_found_out_and_by_how_much(noise) -> None:
    found = races(noise(0.02), 1.1)
    assert found.ahead >= 0.99
    assert found.near >= 0.99
    assert found.behind == 0


@pytest.mark.parametrize(
    ("deviation", "covered"), [(0.01, 0.99), (0.02, 0.97), (0.03, 0.95), (0.05, 0.91), (0.08, 0.91)]
)
def test_the_spread_holds_the_truth_although_the_race_ends_when_it_is_narrow(
    deviation: float, covered: float
) -> None:
    assert races(normal(deviation), 1.5).covered >= covered


def test_when_a_race_ends_favours_nobody() -> None:
    found = races(normal(0.04))
    assert abs(found.ahead - found.behind) < 0.01


def test_noise_takes_more_pairs() -> None:
    quiet, noisy = (races(normal(deviation)).pairs for deviation in (0.01, 0.05))
    assert quiet < 5 < 8 < noisy


def test_three_pairs_that_agree_by_chance_are_no_proof() -> None:
    found = gain([1.04, 1.04, 1.04])
    assert found.low < 1.04 < found.high  # pairs of one spec differ by 1.8 % as a rule
    assert found.level


def test_one_pair_has_no_spread_and_needs_a_larger_lead() -> None:
    (lone,) = {gain([1.05])}
    assert (lone.low, lone.high, lone.width) == (None, None, None)
    assert lone.level
    assert not gain([1.2]).level
    assert not gain([3.0]).sure


def test_a_ratio_and_its_inverse_are_judged_alike() -> None:
    there, back = gain([1.1, 1.12, 1.08]), gain([1 / 1.1, 1 / 1.12, 1 / 1.08])
    assert there.ratio == pytest.approx(1 / back.ratio)
    assert there.low == pytest.approx(1 / back.high)
    assert there.level == back.level


def test_within_the_level_nobody_is_ahead_however_many_pairs_say_so() -> None:
    edge = 1 + LEVEL - 0.002
    assert gain([edge] * 20).level
    assert not gain([1 + 2 * LEVEL] * 20).level
    assert gain([edge] * 20).width < WIDTH
