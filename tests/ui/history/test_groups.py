"""Races and repeats have one row in the history, which opens to their runs."""

from __future__ import annotations

import pytest

from cnnlab.runner import RaceSnapshot
from cnnlab.spec import PRESETS, LabError, Lane, Part, RacePlan, Status, change, repeats_of
from cnnlab.ui import lab
from cnnlab.ui.history.groups import gathered
from tests.example_runs import TINY, add_run
from tests.quiet_lab import QuietLab, own_history, page, said

pytestmark = pytest.mark.usefixtures("quiet_lab")


def race_part(lane: int, turn: int) -> Part:
    return Part(
        kind="race", group_id="r", group="Race: Tiny", lane=lane, lane_title="AB"[lane], turn=turn
    )


def add_repeats(step_ms: float = 2.0) -> list[str]:
    history = own_history()
    return [
        add_run(history, spec=spec, name="tiny", part=part, epochs=turn + 1, step_ms=step_ms)
        for turn, (spec, part) in enumerate(repeats_of(TINY, 3, "g", "Tiny"))
    ]


def test_repeats_and_races_have_one_row_each_among_the_other_runs() -> None:
    history = own_history()
    alone = add_run(history, name="alone")
    repeats = add_repeats()
    race = [add_run(history, part=race_part(lane, 0)) for lane in range(2)]
    rows, behind = gathered(history.summaries())
    assert [row.name for row in rows] == ["Race: Tiny (2 runs)", "Tiny (mean of 3 seeds)", "alone"]
    assert behind == {race[-1]: race, repeats[-1]: repeats}
    assert alone not in behind


def test_the_row_of_repeats_holds_means_and_that_of_a_race_no_figure() -> None:
    history = own_history()
    add_repeats()
    for lane in range(2):
        add_run(history, part=race_part(lane, 0))
    (race, repeats), _ = gathered(history.summaries())
    assert race.timing.step_ms_median is None
    assert race.last_val_accuracy is None
    assert repeats.last_val_accuracy == pytest.approx(0.08)  # 4, 8 and 12 %
    assert repeats.timing.step_ms_median == 2.0


def test_a_group_is_finished_when_all_its_runs_are() -> None:
    history = own_history()
    add_run(history, part=race_part(0, 0), status=Status.FAILED)
    add_run(history, part=race_part(1, 0))
    ((row,), _) = gathered(history.summaries())
    assert row.status is Status.FAILED


def test_an_open_group_tells_mean_and_spread_and_a_race_leads_to_its_verdict() -> None:
    app = page("history", run=add_repeats())
    assert "Over 3 seeds\\: validation accuracy 8 %" in said(app, "markdown")
    history = own_history()
    race = [add_run(history, part=race_part(lane, 0)) for lane in range(2)]
    app = page("history", run=race)
    links = [item.proto.label for item in app.get("page_link")]
    assert "See the race and its verdict" in links


def test_as_many_seeds_are_queued_as_were_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    history = own_history()

    def submit(self: QuietLab, spec, *, name: str, session: str, part: Part | None = None) -> str:
        return history.create(spec, name=name, session=session, part=part)

    monkeypatch.setattr(QuietLab, "submit", submit)
    app = page("train")
    app.number_input(key="seeds.count").set_value(4).run()
    app.button(key="seeds.queue").click().run()
    assert not app.exception
    queued = history.summaries()[::-1]
    assert [run.spec.seed for run in queued] == [0, 1, 2, 3]
    assert len({run.part.group_id for run in queued}) == 1
    assert app.query_params["run"] == queued[0].run_id


def test_a_queue_that_takes_not_all_seeds_takes_none(
    quiet_lab: QuietLab, monkeypatch: pytest.MonkeyPatch
) -> None:
    history = own_history()

    def submit(self: QuietLab, spec, *, name: str, session: str, part: Part | None = None) -> str:
        if len(history.summaries()) == 2:
            raise LabError("100 runs are waiting already; withdraw some first.")
        return history.create(spec, name=name, session=session, part=part)

    monkeypatch.setattr(QuietLab, "submit", submit)
    monkeypatch.setattr("cnnlab.ui.lab.session_name", lambda: "today")
    monkeypatch.setattr("cnnlab.ui.rights.may_act", lambda: True, raising=False)
    with pytest.raises(LabError, match="withdraw some first"):
        lab.start_repeats(PRESETS["tiny"].spec, 3)
    assert quiet_lab.stopped == [run.run_id for run in history.summaries()]


# --- races that wait ------------------------------------------------------------------------


def waiting_race(race_id: str, begun: bool = False, *run_ids: str) -> RaceSnapshot:
    lanes = tuple(Lane(title=name, spec=change(TINY, engine=name)) for name in ("stock", "fast"))
    plan = RacePlan(lanes=lanes, leg_seconds=3)
    return RaceSnapshot(race_id, f"Race {race_id}", plan, begun, run_ids, 0, {}, 0.0)


def test_a_race_that_waits_says_what_is_before_it(quiet_lab: QuietLab) -> None:
    history = own_history()
    run_id = history.create(TINY, name="trains", session="today")
    quiet_lab.add(run_id, TINY)
    quiet_lab.waiting = [history.create(TINY, name="waits", session="today")]
    quiet_lab.raced = [waiting_race("one"), waiting_race("two")]
    app = page("history")
    first, second = [x.value for x in app.markdown if "waits behind" in x.value]
    assert "Race one" in first
    assert first.endswith("waits behind 2 runs.")
    assert second.endswith("waits behind 2 runs and 1 race.")
    links = [item.proto.query_string for item in app.get("page_link")]
    assert {"race=one", "race=two"} <= set(links)
    app.button(key="withdraw-two").click().run()
    assert quiet_lab.races_ended == ["two"]


def test_the_runs_of_a_race_before_it_are_not_counted_twice(quiet_lab: QuietLab) -> None:
    run_id = own_history().create(TINY, name="leg", session="today")
    quiet_lab.add(run_id, TINY)
    quiet_lab.raced = [waiting_race("one", True, run_id), waiting_race("two")]
    (line,) = [x.value for x in page("history").markdown if "waits behind" in x.value]
    assert line.endswith("waits behind 1 race.")


def test_a_race_that_has_begun_is_found_among_the_runs(quiet_lab: QuietLab) -> None:
    quiet_lab.raced = [waiting_race("one", begun=True)]
    assert "Race one" not in said(page("history"))
