"""Bets on the Race page: announced, placed, seen while it runs, and decided."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab.history import History
from cnnlab.race import Gain
from cnnlab.runner import RaceSnapshot
from cnnlab.spec import Lane, Part, RacePlan, change
from cnnlab.ui import audience
from tests.example_runs import TINY, add_run
from tests.quiet_lab import QuietLab, own_history
from tests.ui import sharing
from tests.ui.sharing import again, keys, presenter, press, visitor

LANES = ("stock engine", "fast engine")


@pytest.fixture(autouse=True)
def shared(quiet_lab: QuietLab, monkeypatch: pytest.MonkeyPatch) -> None:
    quiet_lab.find_cpu_alone()
    sharing.share(monkeypatch)


@pytest.fixture
def history() -> History:
    return own_history()


def written(app: AppTest) -> str:
    """The HTML of the page, in which names stand."""
    return "\n".join(item.proto.body for item in app.get("html"))


def bet(app: AppTest, name: str, times: float) -> AppTest:
    app.text_input(key="bets.name").input(name)
    app.number_input(key="bets.times").set_value(times)
    app.button(key="bets.bet").click()
    return app.run()


def the_race(begun: bool, ratio: float | None = None) -> RaceSnapshot:
    lanes = tuple(Lane(title=title, spec=change(TINY, engine=title.split()[0])) for title in LANES)
    gains = {} if ratio is None else {1: Gain(ratio=ratio, low=None, high=None, pairs=1)}
    plan = RacePlan(lanes=lanes, leg_seconds=3)
    return RaceSnapshot("a-race", "Race", plan, begun, (), 1, gains, 4.0)


def test_the_presenter_announces_a_race_and_everybody_bets(quiet_lab: QuietLab) -> None:
    phone = visitor("race")
    assert "bets.bet" not in keys(phone)
    assert "bets.open" not in keys(phone)
    ann = presenter("race")
    press(ann, "bets.open")
    phone = bet(again(phone), "<i>Bob</i>", 3.5)
    assert "How many times as fast as stock engine will fast engine be?" in written(phone)
    assert "You bet 3.5 as &lt;i&gt;Bob&lt;/i&gt;" in written(phone)
    assert "1 bet" in [item.value for item in phone.caption]
    book = audience.room().bets.book()
    assert [(one.name, one.times) for one in book.all] == [("<i>Bob</i>", 3.5)]


def test_what_cannot_be_a_bet_is_said() -> None:
    press(presenter("race"), "bets.open")
    phone = visitor("race")
    phone.text_input(key="bets.name").input("Bob")
    phone.button(key="bets.bet").click()
    phone.run()
    assert "A bet is a number" in phone.toast[0].value


def test_the_race_takes_its_bets_along_and_closes_them(quiet_lab: QuietLab) -> None:
    ann = presenter("race")
    press(ann, "bets.open")
    phone = bet(visitor("race"), "Bob", 3.5)
    quiet_lab.raced.append(the_race(begun=False))
    phone = visitor("race", race="a-race")
    assert "bets.bet" in keys(phone)  # it waits
    quiet_lab.raced[:] = [the_race(begun=True, ratio=2.0)]
    again(phone)
    assert "bets.bet" not in keys(phone)
    assert "So far 2 times. Nearest: Bob with 3.5." in written(phone)


def test_in_the_end_the_nearest_is_named(quiet_lab: QuietLab, history: History) -> None:
    press(presenter("race"), "bets.open")
    for name, times in (("Bob", 3.0), ("Cem", 9.0)):
        bet(visitor("race"), name, times)
    quiet_lab.raced.append(the_race(begun=True))
    visitor("race", race="a-race")
    quiet_lab.raced.clear()
    for turn in range(2):
        for lane, (title, step_ms) in enumerate(zip(LANES, (40.0, 10.0), strict=True)):
            part = Part(
                kind="race",
                group_id="a-race",
                group="Race",
                lane=lane,
                lane_title=title,
                turn=turn,
            )
            add_run(history, step_ms=step_ms, part=part)
    assert "Nearest: Bob with 3." in written(visitor("race", race="a-race"))


def test_a_race_nobody_bet_on_speaks_of_none(quiet_lab: QuietLab) -> None:
    quiet_lab.raced.append(the_race(begun=True))
    app = visitor("race", race="a-race")
    assert "bet" not in " ".join(item.value for item in app.caption)
