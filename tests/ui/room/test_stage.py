"""Present: what stands on each screen with no run, with one, with a race on and over."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from streamlit.testing.v1 import AppTest

from cnnlab import words
from cnnlab.history import History
from cnnlab.race import Gain
from cnnlab.room import Bet, Place
from cnnlab.runner import RaceSnapshot
from cnnlab.spec import PRESETS, ExperimentSpec, Lane, Part, RacePlan, Status, change
from cnnlab.ui import audience, following
from cnnlab.ui.room import stage
from tests.example_runs import CARD, CPU, TINY, add_run, epoch, started
from tests.quiet_lab import QuietLab, own_history, page
from tests.ui import sharing
from tests.ui.sharing import keys, presenter, visitor

SCREENS = ("run", "result", "race", "comparison")


@pytest.fixture(autouse=True)
def lab(quiet_lab: QuietLab) -> QuietLab:
    return quiet_lab


@pytest.fixture
def history() -> History:
    return own_history()


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> None:
    sharing.share(monkeypatch)


def written(app: AppTest) -> str:
    return "\n".join(item.proto.body for item in app.get("html"))


def charts(app: AppTest) -> int:
    return len(app.get("vega_lite_chart"))


def the_race(lab: QuietLab, history: History, ratio: float | None) -> None:
    """A race under way, with a first pair or none that is whole yet."""
    lanes = tuple(
        Lane(title=title, spec=change(TINY, engine=title.split()[0]))
        for title in ("stock engine", "fast engine")
    )
    plan = RacePlan(lanes=lanes, leg_seconds=3)
    if ratio is None:
        lab.raced.append(RaceSnapshot("r", "Race", plan, True, (), 1, {}, 2.0))
        return
    gain = Gain(ratio=ratio, low=None, high=None, pairs=1)
    runs = pair(history)
    lab.raced.append(RaceSnapshot("r", "Race", plan, True, runs, 2, {1: gain}, 9.0))


def pair(history: History, fast_ms: float = 10.0) -> tuple[str, ...]:
    return tuple(
        add_run(
            history,
            step_ms=step_ms,
            part=Part(kind="race", group_id="r", group="Race", lane=lane, lane_title=title),
        )
        for lane, (title, step_ms) in enumerate((("stock engine", 40.0), ("fast engine", fast_ms)))
    )


@pytest.mark.parametrize("screen", SCREENS)
def test_before_anything_was_run_each_screen_says_what_will_stand_there(screen: str) -> None:
    app = page("present", screen=screen)
    assert "appear" in written(app)
    assert charts(app) == 0


def test_a_run_that_trains_is_there_with_three_figures_its_chart_and_network(
    lab: QuietLab, history: History
) -> None:
    run_id = history.create(TINY, name="Mine <3", session="today")
    run = lab.add(run_id, TINY)
    for event in (started(TINY, CPU), *epoch(1, 12.0)):
        run.apply(event)
        history.record(run_id, event)
    app = page("present")
    assert "Mine &lt;3 · running" in written(app)
    assert written(app).count("<dt>") == 3
    assert "<dd>4 %</dd>" in written(app)
    assert "<dd>2 of 5</dd>" in written(app)
    assert "Epoch 2 of 5" in written(app)
    assert charts(app) == 2
    assert app.session_state[following.SHOWN] == Place.of("", {"run": run_id})


def test_thousands_of_epochs_are_separated(lab: QuietLab, history: History) -> None:
    spec = change(TINY, epochs=4000)
    run_id = history.create(spec, name="Long", session="today")
    run = lab.add(run_id, spec)
    for event in (started(spec, CPU), *epoch(1, 12.0)):
        run.apply(event)
        history.record(run_id, event)
    said = written(page("present"))
    assert "<dd>2 of 4,000</dd>" in said
    assert "Epoch 2 of 4,000" in said


def test_one_run_that_is_over_stands_on_the_first_two_screens(history: History) -> None:
    run_id = add_run(history, name="Mine", epochs=3)
    for screen in ("run", "result"):
        app = page("present", screen=screen)
        assert "Mine · finished" in written(app)
        assert "<dd>12 %</dd>" in written(app)
        assert "validation accuracy 12 % after 3 epochs" in written(app)
        assert charts(app) == 2
        assert app.session_state[following.SHOWN] == Place.of("", {"run": run_id})


def test_a_long_verdict_ends_with_a_sentence_not_within_one() -> None:
    whole = "It is 1.07 times as fast. It costs 4.0 points."
    assert stage._for_a_room(f"{whole} {'The times are about right at best, ' * 9}.") == whole
    assert stage._for_a_room(whole) == whole
    assert stage._for_a_room("Long " * 60) == "Long " * 60


def test_a_run_that_failed_says_why(history: History) -> None:
    add_run(history, epochs=1, status=Status.FAILED)
    assert "The data set is gone" in written(page("present", screen="result"))


def test_a_race_that_is_on_comes_first_with_lanes_and_ratio(
    lab: QuietLab, history: History
) -> None:
    the_race(lab, history, ratio=3.9)
    app = page("present")
    assert "stock engine against fast engine" in written(app)
    assert "<dt>Times as fast, so far</dt><dd>3.9×</dd>" in written(app)
    assert "<dd>40 ms a step</dd>" in written(app)
    assert "Round 2, 9 s so far." in written(app)


def test_before_the_first_pair_the_lanes_stand_there_and_what_they_will_tell(
    lab: QuietLab, history: History
) -> None:
    the_race(lab, history, None)
    said = written(page("present", screen="race"))
    assert said.count('class="lane ') == 2
    assert "<dt>So far</dt><dd>2 s</dd>" in said
    assert "<dt>At most</dt><dd>1 min 30 s</dd>" in said
    assert "how many times as fast: fast engine against stock engine, until" in said
    assert words.UNKNOWN not in re.findall("<dd>(.*?)</dd>", said)


def test_a_race_of_whole_trainings_says_how_many_before_the_first_pair(lab: QuietLab) -> None:
    lanes = tuple(Lane(title=title, spec=TINY) for title in ("A", "B", "C"))
    plan = RacePlan(lanes=lanes, rounds=2)
    lab.raced.append(RaceSnapshot("r", "Race", plan, True, (), 1, {}, 2.0))
    said = written(page("present", screen="race"))
    assert "<dt>Trainings of each</dt><dd>2</dd>" in said
    assert "When each was trained, it says how many times as fast: B and C against A." in said


def test_a_race_that_waits_shows_who_will_run(lab: QuietLab) -> None:
    plan = RacePlan(lanes=tuple(Lane(title=title, spec=TINY) for title in "AB"), leg_seconds=3)
    lab.raced.append(RaceSnapshot("r", "Race", plan, False, (), 0, {}, 0.0))
    said = written(page("present", screen="race"))
    assert said.count("lane-waits") == 2
    assert "The race waits for what runs before it. Each pair of runs tells how many" in said
    assert re.findall('lane-clock">(.*?)<', said) == ["waits", "waits"]
    assert "<dt>Lanes</dt><dd>2</dd>" in said


@pytest.mark.parametrize("status", [Status.STOPPED, Status.INTERRUPTED, Status.FAILED])
def test_a_race_that_broke_off_says_how_each_lane_ended(history: History, status: Status) -> None:
    for lane, title in enumerate("AB"):
        part = Part(kind="race", group_id="r", group="Race", lane=lane, lane_title=title)
        add_run(history, epochs=0, status=status, part=part)
    said = written(page("present", screen="race"))
    assert words.UNKNOWN not in re.findall("<dd>(.*?)</dd>", said)
    assert f"<dt>A</dt><dd>{status}</dd>" in said
    assert re.findall('lane-clock">(.*?)<', said) == [str(status)] * 2
    assert "Nobody came through" in said


def test_a_run_that_waits_says_what_it_will_be_and_draws_no_empty_axes(history: History) -> None:
    history.create(TINY, name="Next", session="today")
    app = page("present", screen="run")
    assert f"<dt>Epochs</dt><dd>{TINY.epochs}</dd>" in written(app)
    assert words.UNKNOWN not in written(app)
    assert charts(app) == 0


def test_a_run_that_came_to_nothing_has_no_figures_and_no_empty_axes(history: History) -> None:
    add_run(history, epochs=0, status=Status.STOPPED)
    app = page("present", screen="result")
    assert words.UNKNOWN not in re.findall("<dd>(.*?)</dd>", written(app))
    assert "before its first epoch" in written(app)
    assert len(app.get("vega_lite_chart")) == 1  # its network


@pytest.mark.parametrize("screen", ["run", "result", "comparison"])
def test_where_nothing_was_run_one_click_begins_a_run_and_shows_it(
    screen: str, monkeypatch: pytest.MonkeyPatch, lab: QuietLab, history: History
) -> None:
    monkeypatch.setattr(lab, "submit", begun_in(lab, history))
    app = page("present", screen=screen)
    app.button(key="stage-train").click().run()
    assert app.query_params["screen"] == "run"
    assert "A first one · running" in written(app)
    assert "stage-train" not in keys(app)


def begun_in(lab: QuietLab, history: History) -> Callable[..., str]:
    def submit(spec: ExperimentSpec, **_: object) -> str:
        run_id = history.create(spec, name="A first one", session="today")
        run = lab.add(run_id, spec)
        for event in (started(spec, CPU), *epoch(1, 12.0)):
            run.apply(event)
            history.record(run_id, event)
        return run_id

    return submit


def test_where_nothing_was_raced_a_button_leads_to_the_race() -> None:
    (link,) = page("present", screen="race").get("page_link")
    assert link.proto.label == "Set up a race"


def test_a_visitor_may_not_begin_the_first_run(shared: None) -> None:
    assert visitor("present").button(key="stage-train").disabled


def test_a_race_that_is_over_has_its_verdict(history: History) -> None:
    pair(history)
    app = page("present", screen="race")
    assert "<dt>Times as fast</dt><dd>4×</dd>" in written(app)
    assert "Fast engine ran 4 times as fast as stock engine" in written(app)
    assert charts(app) == 2


def test_of_lanes_that_cannot_be_told_apart_nobody_is_said_to_be_faster(history: History) -> None:
    pair(history, fast_ms=40.0)
    assert "<dt>Nobody is ahead</dt><dd>1×</dd>" in written(page("present", screen="race"))


def test_bets_stand_beside_the_race_they_are_on(
    shared: None, lab: QuietLab, history: History
) -> None:
    bets = audience.room().bets
    bets.open_bets(("stock engine", "fast engine"))
    bets.place_bet("a", "Ann <3", 3.5)
    the_race(lab, history, ratio=3.9)
    app = presenter("present")
    assert "So far 3.9 times. Nearest: Ann &lt;3 with 3.5." in written(app)
    assert bets.book("r").all == (Bet("Ann <3", 3.5),)


def test_two_runs_are_held_against_each_other(history: History) -> None:
    first = add_run(history, name="One", device=CPU, step_ms=12.0)
    second = add_run(history, name="Two", device=CARD, step_ms=3.0)
    app = page("present", screen="comparison")
    assert "Two against One" in written(app)
    assert "<dd>4×</dd>" in written(app)
    assert "<dd>+0.0 points</dd>" in written(app)
    assert app.session_state[following.SHOWN].page == "compare"
    third = add_run(history, name="Three", step_ms=6.0)
    app = page("present", screen="comparison", runs=f"{first},{third}")
    assert "Three against One" in written(app)
    app = page("present", screen="comparison", runs=f"{second},{third}")
    assert "Two against Three" in written(app)  # the faster one is said to be faster
    assert "<dd>2×</dd>" in written(app)
    app = page("present", screen="comparison", runs=f"{second},nowhere")
    assert "Nothing to compare yet" in written(app)


def test_by_itself_it_compares_the_newest_two_on_the_same_data(history: History) -> None:
    for name, preset in (("Old", "dense"), ("One", "tiny"), ("Two", "tiny"), ("Wave", "lstm")):
        add_run(history, name=name, spec=PRESETS[preset].spec)
    assert "Two against One" in written(page("present", screen="comparison"))


def test_keys_step_through_the_screens_and_lead_out_to_the_page(history: History) -> None:
    run_id = add_run(history)
    app = page("present")
    for key, screen in (
        ("stage-next", "result"),
        ("stage-n", "race"),
        ("stage-back", "result"),
        ("stage-p", "run"),
        ("stage-p", "comparison"),
    ):
        app.button(key=key).click().run()
        assert app.query_params["screen"] == screen
    app.button(key="stage-n").click().run()
    app.button(key="stage-leave").click().run()
    assert "stage-leave" not in keys(app)
    assert app.query_params["run"] == run_id


def test_the_shortcuts_are_arrows_letters_and_escape() -> None:
    app = page("present")
    keys = {button.key: button.proto.shortcut for button in app.button if button.proto.shortcut}
    assert keys == {
        "stage-back": "left",
        "stage-next": "right",
        "stage-p": "p",
        "stage-n": "n",
        "stage-leave": "escape",
    }
    assert visitor().button(key="present").proto.shortcut == "p"


def test_in_a_shared_lab_the_last_screen_is_the_way_in(shared: None) -> None:
    visitor()
    app = presenter("present", screen="visitors")
    assert "<dt>Visitors</dt><dd>1</dd>" in written(app)
    assert 'alt="QR code of http://' in written(app)
    assert "data:image/svg+xml" in written(app)
    assert page("present", screen="run").query_params["screen"] == "run"


def test_at_its_own_computer_there_is_nobody_to_let_in() -> None:
    app = page("present", screen="visitors")
    assert "QR code" not in written(app)
    assert "of 4" in app.markdown[0].value


def test_those_who_follow_see_the_page_of_what_is_presented(shared: None, history: History) -> None:
    run_id = add_run(history)
    presenter("present", screen="result")
    phone = visitor()
    assert phone.session_state[following.PAGE] == ""
    assert phone.query_params["run"] == run_id
