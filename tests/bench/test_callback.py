"""The cost of the lab's callback is told with an interval that its budget can be held against."""

import pytest

from bench import callback
from bench.measure import Rounds
from bench.peers.contenders import Contender, running
from bench.peers.works import Work, draw


def costs(*longer):
    return Rounds([{"a": 1.0 + each, "b": 1.0} for each in longer])


@pytest.mark.parametrize(
    ("longer", "said"),
    [
        ([0.001] * 40, "kept"),
        ([0.009] * 40, "broken"),
        ([-0.02, 0.03] * 20, "not told apart"),
    ],
)
def test_the_budget_is_held_against_the_interval(longer, said):
    assert callback.note("dense", longer).endswith(f"budget 0.5%: {said}).")


def test_pairs_go_on_until_the_median_is_known(monkeypatch):
    asked = []

    def rounds(arms, wanted):
        asked.append(wanted)
        wide = 0.02 if len(asked) < 3 else 0.0001
        return costs(*[wide * number / wanted for number in range(wanted)])

    monkeypatch.setattr(callback, "rounds", rounds)
    found = callback.settled(lambda: 1.0, lambda: 1.0)
    assert callback.known(found)
    assert 3 <= len(asked) < callback.MOST_PAIRS / callback.PAIRS_AT_ONCE


def test_pairs_that_never_settle_come_to_an_end(monkeypatch):
    monkeypatch.setattr(callback, "rounds", lambda arms, wanted: costs(*[-0.1, 0.1] * 10))
    assert len(callback.settled(lambda: 1.0, lambda: 1.0).kept) == callback.MOST_PAIRS


def test_both_arms_train_in_one_process(tmp_path):
    work = Work("dense", "dense", 3, {})
    draw(work, tmp_path / "work.npz")
    contender = Contender("callback", "bench.peers.told")
    with running(contender, work, tmp_path / "work.npz", "cpu") as epoch:
        assert epoch(told=True) > 0
        assert epoch(told=False) > 0
