"""Benches measure in pairs and their table replaces the old one."""

import json
import sys
from itertools import count
from types import ModuleType

import pytest

from bench import __main__ as page
from bench import measure, refresh, ui_tax
from bench.page import refreshed
from bench.quiet import unwatched


def test_pairs_alternate_and_the_first_round_does_not_count():
    order: list[str] = []
    ticks = count(1)

    def arm(name, scale):
        def run():
            order.append(name)
            return scale * next(ticks)

        return run

    result = measure.paired(arm("a", 1.0), arm("b", 1.0), 3, unwatched)
    assert order == ["a", "b", "a", "b", "b", "a", "a", "b"]
    assert result["ratios"] == [4 / 3, 5 / 6, 8 / 7]
    assert result["ratio"]["median"] == 8 / 7
    assert result["pairs"] == 3


def test_a_ratio_above_one_means_the_baseline_is_slower():
    result = measure.paired(lambda: 2.0, lambda: 10.0, 4, unwatched)
    assert result["ratio"]["median"] == 5
    assert result["a"]["median"] == 2


def test_the_machine_is_named():
    assert measure.machine()["cpu"]
    assert measure.machine()["cores"] >= 1

    assert all(card["name"] for card in measure.machine()["cards"])


CARD = {
    "key": "cuda:0",
    "name": "NVIDIA H100 80GB HBM3",
    "kind": "cuda",
    "driver": "580.65",
    "compute_capability": "9.0",
    "memory_mb": 85_000.0,
    "power_limit_w": 700.0,
    "clock_mhz": 1980.0,
}


def test_a_card_is_named_with_its_driver_and_what_lasts_of_it(monkeypatch):
    monkeypatch.setattr(measure, "cards", lambda: [CARD])
    (card,) = measure.machine()["cards"]
    assert (card["name"], card["driver"]) == (CARD["name"], "580.65")
    assert "clock_mhz" not in card
    result = measure.paired(lambda: 2.0, lambda: 10.0, 2, unwatched)
    result |= {"name": "Refresh", "unit": "ms", "arms": {"a": "ours", "b": "usual"}}
    assert ", NVIDIA H100 80GB HBM3 (driver 580.65), " in page.table([result])


def test_a_result_is_kept_as_json_apart_from_that_of_another_device(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(measure, "cards", lambda: [])
    on_cpu = measure.save("x", {"a": 1})
    monkeypatch.setattr(measure, "cards", lambda: [CARD])
    on_card = measure.save("x", {"a": 2})
    assert on_card.parent.name == "nvidia-h100-80gb-hbm3"
    assert json.loads(on_cpu.read_text()) == {"a": 1}
    assert json.loads(on_card.read_text()) == {"a": 2}


def test_what_watching_costs_is_measured_on_the_cpu_by_name_and_on_a_card(monkeypatch):
    monkeypatch.setattr(ui_tax, "cards", lambda: [])
    assert {spec.device for spec in ui_tax.on_each_device().values()} == {"cpu"}
    monkeypatch.setattr(ui_tax, "cards", lambda: [CARD])
    devices = {name.split(", ")[-1]: spec.device for name, spec in ui_tax.on_each_device().items()}
    assert devices == {"cpu": "cpu", "cuda": "cuda:0"}


def test_the_table_replaces_that_of_its_place_and_leaves_the_rest_of_the_page():
    def table(where, text):
        return f"<!-- bench on {where}: begin -->\n{text}\n<!-- bench on {where}: end -->\n"

    old = f"# Title\n\n{table('cpu', 'old')}\nWords.\n"
    assert refreshed(old, "new", "bench on cpu") == f"# Title\n\n{table('cpu', 'new')}\nWords.\n"
    both = refreshed(old, "new", "bench on card")
    assert both == f"{old}\n{table('card', 'new')}"
    assert refreshed(both, "newer", "bench on card") == f"{old}\n{table('card', 'newer')}"


def test_the_page_leads_with_the_yardsticks_and_has_the_tables_without_a_card():
    text = page.PAGE.read_text()
    parts = ["<!-- yardsticks on cpu: begin -->", "<!-- bench on cpu: begin -->"]
    assert [text.count(part) for part in parts] == [1, 1]
    assert text.index(parts[0]) < text.index(parts[1])


@pytest.fixture
def two_benches(tmp_path, monkeypatch):
    """A page of figures, and two benches of which the first opens a page of the lab."""
    figures = {"unit": "ms", "arms": {"a": "ours", "b": "usual"}, "name": "First"}
    monkeypatch.setattr(page, "PAGE", tmp_path / "BENCHMARKS.md")
    monkeypatch.setattr(measure, "RESULTS", tmp_path)
    monkeypatch.setattr(page, "ABOUT_MINUTES", {"first": 1, "second": 1})
    page.PAGE.write_text("# Benchmarks\n")
    mains = []

    def first():
        sys.modules["__main__"] = ModuleType("a page")  # as Streamlit's script runner does
        return measure.paired(lambda: 2.0, lambda: 10.0, 2, unwatched) | figures

    def second():
        mains.append(sys.modules["__main__"])
        raise RuntimeError

    monkeypatch.setattr(page, "benches", lambda: {"first": first, "second": second})
    return mains


def test_a_bench_that_fails_loses_nothing_and_finds_the_process_as_it_began(two_benches):
    ours = sys.modules["__main__"]
    with pytest.raises(RuntimeError):
        page.main()
    assert two_benches == [ours]
    assert "| First | 2 ms, ours | 10 ms, usual | 5 |" in page.PAGE.read_text()


def taken(*shares):
    """A watch that tells these shares, one for each block of rounds."""
    left = iter(shares)
    return lambda: lambda: next(left)


@pytest.fixture
def blocks_of_one(monkeypatch):
    monkeypatch.setattr(measure, "BLOCK_SECONDS", 0.0)


def test_a_disturbed_pair_is_left_out_counted_and_repeated(blocks_of_one):
    ticks = count(1)
    watch = taken(0.0, 0.3, 0.01, 0.9, 0.0)
    result = measure.paired(lambda: 1.0, lambda: float(next(ticks)), 3, watch)
    assert result["ratios"] == [2.0, 4.0, 6.0]
    assert (result["pairs"], result["left_out"]) == (3, 2)


def test_too_few_quiet_pairs_give_no_figure(blocks_of_one):
    watch = taken(0.0, 0.3, 0.5, 0.0, 0.2, 0.4, 0.3)
    with pytest.raises(measure.Disturbed, match=r"5 of 7 rounds .* up to 50% of a core"):
        measure.rounds({"a": lambda: 1.0}, 5, watch)


@pytest.mark.parametrize(("patience_seconds", "ran"), [(0.0, 3), (60.0, 40)])
def test_what_is_disturbed_from_the_start_ends_once_patience_does(
    blocks_of_one, monkeypatch, patience_seconds, ran
):
    monkeypatch.setattr(measure, "PATIENCE_SECONDS", patience_seconds)
    calls = count()
    said = f"^{ran} of {ran} rounds were disturbed and left out, .*: no figure\\.$"
    with pytest.raises(measure.Disturbed, match=said):
        measure.rounds({"a": lambda: float(next(calls))}, 40, taken(*[0.9] * 40))
    assert next(calls) == ran


def test_one_disturbance_is_not_the_end_of_a_single_round(blocks_of_one):
    found = measure.rounds({"a": lambda: 1.0}, 1, taken(0.3, 0.3, 0.0))
    assert (len(found.kept), found.left_out) == (1, 2)


def test_every_round_is_told_as_it_ends(blocks_of_one, capsys):
    measure.rounds({"a": lambda: 1.0, "b": lambda: 2.5}, 2, taken(0.0, 0.3, 0.0))
    assert capsys.readouterr().err.splitlines() == [
        "  1 of 2 rounds, 0 left out; a 1, b 2.5",
        "  1 of 2 rounds, 1 left out; b 2.5, a 1; 30% of a core was taken: left out",
        "  2 of 2 rounds, 1 left out; a 1, b 2.5",
    ]


def test_short_rounds_are_judged_together(monkeypatch):
    monkeypatch.setattr(measure, "BLOCK_SECONDS", 60.0)
    with pytest.raises(measure.Disturbed, match="8 of 8"):
        measure.rounds({"a": lambda: 1.0}, 8, taken(0.1))
    assert len(measure.rounds({"a": lambda: 1.0}, 8, taken(0.01)).kept) == 8


def test_a_bench_that_was_disturbed_leaves_the_others_their_rows(monkeypatch, tmp_path):
    def disturbed():
        raise measure.Disturbed("7 of 7 rounds were left out.")

    def measured():
        result = measure.paired(lambda: 2.0, lambda: 10.0, 2, unwatched)
        return result | {"name": "Refresh", "unit": "ms", "arms": {"a": "ours", "b": "usual"}}

    monkeypatch.setattr(page, "benches", lambda: {"first": disturbed, "second": measured})
    monkeypatch.setattr(page, "ABOUT_MINUTES", {"first": 1, "second": 1})
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr(page, "place", lambda: "cpu")
    page.PAGE.write_text("# Title\n")
    page.main()
    assert "| Refresh | 2 ms, ours |" in page.PAGE.read_text()
    assert "Not measured: first. 7 of 7 rounds were left out." in page.PAGE.read_text()


def test_a_result_without_a_figure_keeps_its_row_and_says_why():
    def refuse():
        raise measure.NoFigure("It is not installed.")

    row = page.row(measure.attempted("Refresh", refuse))
    assert row == "| Refresh | not measured | It is not installed. | - | - | - | - |"
    assert row.count("|") == page.HEAD[0].count("|")


def test_the_interval_of_a_median_is_that_of_the_order_of_values():
    assert measure.median_interval([*range(20)]) == (5, 14)
    low, high = measure.median_interval([*range(10_000)])
    assert (low, high) == (4902, 5097)


def test_how_long_it_takes_is_said_of_every_bench(monkeypatch, tmp_path, capsys):
    assert set(page.ABOUT_MINUTES) == set(page.benches())
    monkeypatch.setattr(page, "benches", lambda: {"data": list, "sweep": list})
    monkeypatch.setattr(page, "ABOUT_MINUTES", {"data": 6, "sweep": 3})
    monkeypatch.setattr(page, "PAGE", tmp_path / "page.md")
    page.PAGE.write_text("# Title\n")
    page.main()
    first, data, took = capsys.readouterr().out.splitlines()[:3]
    assert first == "data, sweep: about 9 min on two quiet cores."
    assert data == "Measuring data, about 6 min …"
    assert took.startswith("data took ")


def test_every_bench_is_found_and_the_helpers_are_none():
    assert page.benches()["refresh"] is refresh.main
    assert "measure" not in page.benches()


def test_a_row_names_both_arms_with_their_unit():
    result = measure.paired(lambda: 2.0, lambda: 10.0, 2, unwatched)
    result |= {"name": "Refresh", "unit": "ms", "arms": {"a": "ours", "b": "usual"}}
    row = page.row(result)
    assert row == "| Refresh | 2 ms, ours | 10 ms, usual | 5 | 5 to 5 | 2 | 0 |"
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
        refresh.presented,
    ],
)
def test_every_way_to_refresh_runs_on_the_page_and_sends_charts(way):
    arm = refresh.Arm(way, refresh.example_run())
    assert arm() > 0
    assert arm.bytes[0] > 10_000


def test_the_baseline_builds_every_chart_that_the_page_draws(monkeypatch):
    drawn: list[str] = []
    monkeypatch.setattr(refresh.run_charts, "chart", lambda name, *_: drawn.append(name))
    refresh.Arm(refresh.send_data_beside_cached_specs, refresh.example_run())()
    assert drawn == list(refresh.BUILD)


def test_the_example_is_the_published_run_whole():
    state = refresh.page_state(refresh.example_run())
    assert len(state.series) == 26_580
    assert len(state.card.epochs) == 20


@pytest.mark.parametrize("way", [refresh.send_data_beside_cached_specs, refresh.presented])
def test_a_refresh_stays_within_its_bytes(way):
    arm = refresh.Arm(way, refresh.example_run())
    arm()
    assert arm.bytes[0] <= refresh.BUDGET_KB * 1000


def test_some_benches_are_run_and_the_table_keeps_what_the_others_gave(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(page, "PAGE", tmp_path / "BENCHMARKS.md")
    page.PAGE.write_text("# Benchmarks\n")
    ran = []

    def bench(name):
        def run():
            ran.append(name)
            result = measure.paired(lambda: 2.0, lambda: 10.0, 2, unwatched)
            named = {"name": f"Time of {name}", "unit": "ms", "arms": {"a": "ours", "b": "usual"}}
            measure.save(name, result | named)
            return result | named

        return run

    monkeypatch.setattr(page, "benches", lambda: {name: bench(name) for name in ("one", "two")})
    monkeypatch.setattr(page, "ABOUT_MINUTES", {"one": 1, "two": 1})
    page.main(["one"])
    assert "Time of one" in page.PAGE.read_text()
    assert "Time of two" not in page.PAGE.read_text()
    page.main(["two"])
    assert ran == ["one", "two"]
    assert page.PAGE.read_text().count("Time of one") == 1
    assert "Time of two" in page.PAGE.read_text()
