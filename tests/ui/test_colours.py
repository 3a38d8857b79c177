"""Which colour a run is given, on a page of its own and among others."""

from dataclasses import dataclass

from cnnlab import charts
from cnnlab.ui.colours import Palette


@dataclass(frozen=True)
class Run:
    run_id: str
    created_at: str = "2026-01-01"


def runs(count):
    return [Run(f"run{number:02}") for number in range(count)]


def test_a_run_has_the_colour_of_its_own_page_among_others_too():
    palette, seen = Palette(), runs(charts.PLACES)
    alone = {run.run_id: palette.of_run(run) for run in reversed(seen)}
    assert palette.of_runs(seen) == alone
    assert {run.run_id: palette.of_run(run) for run in seen} == alone
    assert len(set(alone.values())) == charts.PLACES


def test_a_run_that_stood_among_others_has_that_colour_on_its_own_page():
    palette, seen = Palette(), runs(3)
    among = palette.of_runs(seen)
    assert {run.run_id: palette.of_run(run) for run in seen} == among
    assert palette.of_run(Run("new")) not in among.values()


def test_where_there_are_more_runs_than_colours_a_new_one_is_apart_from_the_latest():
    palette, seen = Palette(), runs(3 * charts.PLACES)
    colours = [palette.of_run(run) for run in seen]
    for end in range(charts.PLACES, len(colours)):
        assert len(set(colours[end - charts.PLACES : end])) == charts.PLACES
