"""Benches measure in pairs and their table replaces the old one."""

import json
from itertools import count

import pytest

from bench import __main__ as page
from bench import measure, refresh


def test_pairs_alternate_and_the_first_round_does_not_count():
    order: list[str] = []
    ticks = count(1)

    def arm(name, scale):
        def run():
            order.append(name)
            return scale * next(ticks)

        return run

    result = measure.paired(arm("a", 1.0), arm("b", 1.0), 3)
    assert order == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert result["ratios"] == [4 / 3, 5 / 6, 8 / 7]
    assert result["ratio"]["median"] == 8 / 7
    assert result["pairs"] == 3


def test_a_ratio_above_one_means_the_baseline_is_slower():
    result = measure.paired(lambda: 2.0, lambda: 10.0, 4)
    assert result["ratio"]["median"] == 5
    assert result["a"]["median"] == 2


def test_the_machine_is_named():
    assert measure.machine()["cpu"]
    assert measure.machine()["cores"] >= 1


def test_a_result_is_kept_as_json(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results")
    assert json.loads(measure.save("x", {"a": 1}).read_text()) == {"a": 1}


def test_the_table_replaces_the_old_one_and_leaves_the_rest_of_the_page():
    old = f"# Title\n\n{page.BEGIN}\nold\n{page.END}\n\nWords.\n"
    assert page.refreshed(old, "new") == f"# Title\n\n{page.BEGIN}\nnew\n{page.END}\n\nWords.\n"
    assert page.refreshed("# Title\n", "new") == f"# Title\n{page.BEGIN}\nnew\n{page.END}\n"


def test_every_bench_is_found_and_the_helpers_are_none():
    assert page.benches()["refresh"] is refresh.main
    assert "measure" not in page.benches()


def test_a_row_names_both_arms_with_their_unit():
    result = measure.paired(lambda: 2.0, lambda: 10.0, 2)
    result |= {"name": "Refresh", "unit": "ms", "arms": {"a": "ours", "b": "usual"}}
    row = page.row(result)
    assert row == "| Refresh | 2 ms, ours | 10 ms, usual | 5 | 5 to 5 | 2 |"
    assert page.table([result]).splitlines()[-1] == row
    assert page.table([result | {"notes": ["A sentence."]}]).splitlines()[-3:] == [
        row,
        "",
        "A sentence.",
    ]


@pytest.mark.parametrize(
    "way",
    [
        refresh.send_data_beside_cached_specs,
        refresh.build_and_send_altair_charts,
        refresh.whole_page,
    ],
)
def test_every_way_to_refresh_runs_on_the_page_and_sends_charts(way):
    arm = refresh.Arm(way, refresh.example_run())
    assert arm() > 0
    assert arm.bytes[0] > 10_000


def test_the_baseline_builds_every_chart_that_the_page_draws(monkeypatch):
    drawn: list[str] = []
    monkeypatch.setattr(refresh.run_view, "chart", lambda name, *_: drawn.append(name))
    refresh.Arm(refresh.send_data_beside_cached_specs, refresh.example_run())()
    assert drawn == list(refresh.BUILD)


def test_the_example_is_the_published_run_whole():
    state = refresh.page_state(refresh.example_run())
    assert len(state.series) == 26_580
    assert len(state.card.epochs) == 20


def test_a_refresh_of_the_live_charts_stays_within_its_bytes():
    arm = refresh.Arm(refresh.send_data_beside_cached_specs, refresh.example_run())
    arm()
    assert arm.bytes[0] <= refresh.BUDGET_KB * 1000
