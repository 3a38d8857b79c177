"""Specs are built once, hold no data and nothing live, and draw what the analysis hands them."""

import base64
import copy
import io
import json
import re
from collections import Counter
from itertools import combinations
from typing import Any

import altair as alt
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import vl_convert
from PIL import Image
from streamlit import dataframe_util
from streamlit.testing.v1 import AppTest

from cnnlab import analysis, charts, ladder
from cnnlab.analysis import answers as answering
from cnnlab.analysis import sureness
from cnnlab.charts.colours import shape_of
from cnnlab.charts.dress import LETTERS, WORDS
from cnnlab.race import lanes, pairs_frame
from cnnlab.room import Bet, dots_frame
from tests.analysis.pretend import Pretend
from tests.analysis.twelve_runs import TWELVE, run
from tests.race.examples import raced

RUN = Pretend(3, 60)
SERIES, EPOCHS = RUN.series(), RUN.rows()
BOTH = analysis.curves(SERIES, EPOCHS, 60)
LOSS, ACCURACY = (analysis.only(BOTH, metric) for metric in analysis.METRICS)
RUNS = (("On the CPU", charts.CPU), ("On the GPU", charts.ACCELERATOR))
LEDGER = pd.DataFrame(
    {
        "run": ["a", "a", "b"],
        "phase": ["data", "training", "training"],
        "seconds": [1.0, 20.0, 200.0],
    }
)
OVERLAY = analysis.overlay({label: LOSS for label, _ in RUNS})
LINES = analysis.line_frame(
    [
        analysis.Line(label, split, np.array([1.0, 2.0]), np.array([0.5, 0.25]))
        for label, _ in RUNS
        for split in ("training", "validation")
    ]
)
RUNGS = [run(str(place), seconds, 0.4) for place, seconds in enumerate((40.0, 50.0, 10.0))]
LADDER = ladder.frame(RUNGS, ladder.climb(RUNGS)).assign(change=["start", "a", "b"])
FRONT = analysis.front_frame(analysis.repeats(list(TWELVE.values()), list(TWELVE)))
NETWORKS = analysis.drawn_frame(analysis.matched(TWELVE["base"], TWELVE["slim"]), ("base", "slim"))
VARIED = analysis.varied(list(TWELVE.values()))
PARALLEL = analysis.parallel_frame(
    VARIED, analysis.repeats(list(TWELVE.values()), list(TWELVE))
).assign(text="")  # that column is of the table beside it, "ticks"
GAP = pd.DataFrame({"epoch": [1, 2], "accuracy": [0.1, 0.8], "val_accuracy": [0.1, 0.4]})
ANSWERS = answering.Answers(
    np.array([[0.9, 0.1, 0.0], [0.3, 0.7, 0.0], [0.6, 0.4, 0.0], [0.1, 0.2, 0.7]]),
    np.array([0, 0, 1, 2]),
    ("cat", "dog", "owl"),
    np.arange(4),
)
BY_CLASS = pd.concat(
    [answering.by_class(ANSWERS).assign(run=name, place=range(3)) for name, _ in RUNS]
)
CONFUSION = answering.confusion_frame(answering.confusion(ANSWERS), ANSWERS.names, range(3))
RELIABILITY = sureness.reliability(ANSWERS).assign(run=RUNS[0][0])
BARS = pd.DataFrame(
    {"place": [0, 1], "name": ["cat", "dog"], "share": [0.9, 0.1], "text": ["90 %", "10 %"]}
)
RED = io.BytesIO()
Image.new("RGB", (32, 32), (200, 30, 30)).save(RED, "PNG")
URL = f"data:image/png;base64,{base64.b64encode(RED.getvalue()).decode()}"
PICTURES = pd.DataFrame(
    {"picture": [7, 9], "column": [0, 1], "row": [0, 0], "url": URL, "above": "cat", "below": "dog"}
)
SIGNAL = pd.DataFrame({"step": [1, 2, 3], "value": [0.0, 1.0, 0.5], "feature": 1})
PULL = pd.DataFrame({"step": [1, 2, 3], "pull": [0.0, 1.0, 0.5]})
BETS = dots_frame([Bet("Ann", 2.0), Bet("Bob", 2.1), Bet("Cem", 9.0)], 2.0)
PAIRS = pairs_frame(lanes(raced([4.0, 4.1, 3.9], [2.0, 2.0, 2.0])))

# Each chart as a page calls it, and the frame that goes with it.
CHARTS = {
    "loss": (lambda: charts.curve_spec("loss", "step", charts.CPU), LOSS),
    "accuracy": (lambda: charts.curve_spec("accuracy", "seconds", charts.ACCELERATOR), ACCURACY),
    "step_times": (lambda: charts.step_times_spec(charts.CPU), analysis.step_times(SERIES)),
    "step_histogram": (
        lambda: charts.step_histogram_spec(charts.CPU),
        analysis.step_histogram(SERIES),
    ),
    "throughput": (lambda: charts.throughput_spec(charts.CPU), analysis.throughput(SERIES, 32)),
    "memory": (lambda: charts.memory_spec(charts.CPU), analysis.memory(SERIES)),
    "overlay_loss": (lambda: charts.overlay_spec("loss", "epoch", RUNS), OVERLAY),
    "overlay_accuracy": (lambda: charts.overlay_spec("accuracy", "seconds", RUNS), OVERLAY),
    "overlay_step_ms": (lambda: charts.overlay_spec("step_ms", "step", RUNS), OVERLAY),
    **{
        f"compare_{measure}": (
            lambda measure=measure: charts.comparison_spec(measure, "images", RUNS, log=True),
            LINES,
        )
        for measure in charts.MEASURES
    },
    "gap": (lambda: charts.gap_spec(charts.CPU), GAP),
    "ledger": (lambda: charts.ledger_spec(("a", "b"), tuple(analysis.PHASES)), LEDGER),
    "race_pairs": (lambda: charts.pairs_spec("A", 1, 0.03), PAIRS),
    "bets": (lambda: charts.bets_spec("#10171F"), BETS),
    "front": (lambda: charts.front_spec((("base", charts.CPU), ("half", charts.CPU))), FRONT),
    "networks": (charts.networks_spec, NETWORKS),
    "parallel": (
        lambda: charts.parallel_spec(("Batch size", "Training time"), "#FFFFFF"),
        PARALLEL,
    ),
    "waterfall": (lambda: charts.waterfall_spec(3), LADDER),
    "rungs": (lambda: charts.rungs_spec(3), LADDER),
    "by_class": (lambda: charts.by_class_spec(RUNS, 3), BY_CLASS),
    "confusion": (lambda: charts.confusion_spec(ANSWERS.names), CONFUSION),
    "reliability": (lambda: charts.reliability_spec(RUNS), RELIABILITY),
    "bars": (lambda: charts.bars_spec(charts.CPU, 2), BARS),
    "pictures": (lambda: charts.pictures_spec(1), PICTURES),
    "signal": (lambda: charts.signal_spec(1), SIGNAL),
    "pull": (lambda: charts.pull_spec(charts.CPU), PULL),
}
FINISHED = ("accuracy", "loss")
"""Of a run that is over: sent once, with places for the names at the ends of its lines."""
OF_ANSWERS = ("by_class", "confusion", "reliability", "bars", "pictures", "signal", "pull")
ZOOMED = [
    name
    for name in CHARTS
    if name not in ("ledger", "race_pairs", "waterfall", "rungs", "networks", "front")
    and name not in ("parallel", "bets", *OF_ANSWERS)
]
every_chart = pytest.mark.parametrize("name", list(CHARTS))


def keys_of(value, found=None) -> set[str]:
    found = set() if found is None else found
    if isinstance(value, dict):
        found |= set(value)
        for item in value.values():
            keys_of(item, found)
    elif isinstance(value, list):
        for item in value:
            keys_of(item, found)
    return found


def fields_of(value) -> set[str]:
    if isinstance(value, dict):
        own = {value["field"]} if isinstance(value.get("field"), str) else set()
        return own.union(*map(fields_of, value.values()))
    if isinstance(value, list):
        return set().union(*map(fields_of, value))
    return set()


@every_chart
def test_a_spec_is_valid_vega_lite_without_data(name):
    spec = CHARTS[name][0]()
    alt.Chart.from_dict(spec, validate=True)
    assert spec["data"] == {"name": "source"}
    assert not keys_of(spec) & {"datasets", "values"}


@every_chart
def test_a_spec_is_built_once_and_small(name):
    build, _ = CHARTS[name]
    assert build() is build()
    still = name.startswith("compare_") or name in ("gap", "parallel", *FINISHED, *OF_ANSWERS)
    live = not still  # sent again and again
    assert len(json.dumps(build())) < (3450 if live else 6300)


@every_chart
def test_a_spec_asks_for_no_field_that_its_frame_lacks(name):
    build, frame = CHARTS[name]
    made_in_the_browser = {"series", "value", "place", "last", "rows", ""}
    if name.startswith("compare_"):  # the columns of the table beside it, "hover"
        made_in_the_browser |= {str(place) for place in range(len(RUNS))}
    assert fields_of(build()) <= set(frame.columns) | made_in_the_browser


@every_chart
def test_what_goes_by_the_window_is_looked_at_again_when_the_window_changes(name):
    # Vega evaluates an expression anew when a signal in it changes; a window's size is none.
    asked = re.findall(
        r"[^\"]*(?:windowSize|containerSize)\(\)[^\"]*", json.dumps(CHARTS[name][0]())
    )
    assert all("width" in expression for expression in asked)


@every_chart
def test_a_chart_has_a_fixed_text_for_those_who_cannot_see_it(name):
    assert charts.alt_text(name).endswith(".")


def test_no_text_lacks_its_chart():
    in_tests_of_their_frames = {"roofline", "step_parts"}  # tests/analysis/test_anatomy.py
    assert set(charts.ALT_TEXT) == set(CHARTS) | in_tests_of_their_frames


@every_chart
def test_a_chart_draws_its_data(name):
    build, frame = CHARTS[name]
    drawn = render(charts.with_data(build(), frame))
    blank = render(charts.with_data(build(), frame.head(0)))
    coloured = [int((saturation(picture) > 80).sum()) for picture in (drawn, blank)]
    assert coloured[0] > coloured[1] + 200


def render(spec: charts.Spec) -> Image.Image:
    return Image.open(io.BytesIO(vl_convert.vegalite_to_png(spec | {"width": 500})))


def saturation(picture: Image.Image) -> np.ndarray:
    return np.asarray(picture.convert("RGB").convert("HSV"))[..., 1]


@pytest.mark.parametrize("name", ZOOMED)
def test_a_chart_over_time_can_be_zoomed_by_a_selection_that_streamlit_knows(name):
    params = {param["name"]: param for param in CHARTS[name][0]()["params"]}
    zoom = params[charts.KEEP_ZOOM["selection_mode"]]
    assert zoom["bind"] == "scales"
    assert zoom["select"]["type"] == "interval"


@pytest.mark.parametrize("name", ["step_times", "memory", "overlay_loss"])
def test_a_legend_shows_and_hides(name):
    params = {param["name"]: param for param in CHARTS[name][0]()["params"]}
    assert params["shown"]["bind"] == "legend"


def test_each_line_of_a_run_bears_its_name_and_an_earlier_run_lies_behind_in_grey():
    ghost = ACCURACY[ACCURACY["split"] == "validation"].assign(split=charts.BEFORE)
    rows = pd.concat([ACCURACY.astype({"split": str}), ghost])
    spec = charts.curve_spec("accuracy", "step", "#2121FF")
    svg = vl_convert.vegalite_to_svg(charts.with_data(spec, rows) | {"width": 700})
    for name in ("training", "validation", charts.BEFORE):
        assert svg.count(f">{name}</text>") == 2  # one of them is the ground behind it
    assert charts.REFERENCE.lower() in svg.lower()


@every_chart
def test_the_renderer_is_fixed_whatever_the_number_of_rows(name):
    assert CHARTS[name][0]()["usermeta"] == {"embedOptions": {"renderer": "canvas"}}


@every_chart
def test_every_tooltip_names_its_quantity(name):
    assert all(item["title"] for item in tooltips_of(CHARTS[name][0]()))
    assert tooltips_of(CHARTS[name][0]())


def tooltips_of(value) -> list[dict]:
    if isinstance(value, dict):
        own = value["tooltip"] if isinstance(value.get("tooltip"), list) else []
        return own + [tip for item in value.values() for tip in tooltips_of(item)]
    if isinstance(value, list):
        return [tip for item in value for tip in tooltips_of(item)]
    return []


def test_the_run_decides_the_colour_and_the_axis_its_title():
    cpu = json.dumps(charts.curve_spec("loss", "step", charts.CPU))
    gpu = json.dumps(charts.curve_spec("loss", "seconds", charts.ACCELERATOR))
    assert charts.CPU in cpu
    assert charts.ACCELERATOR not in cpu
    assert charts.ACCELERATOR in gpu
    assert charts.AXIS_TITLES["seconds"] in gpu


def test_the_bars_of_the_ledger_stand_in_the_order_given_and_phases_in_theirs():
    spec = charts.ledger_spec(("b", "a"), tuple(analysis.PHASES))
    assert spec["encoding"]["y"]["sort"] == ["b", "a"]
    assert spec["encoding"]["color"]["scale"]["domain"] == list(analysis.PHASES)


def test_beside_the_bars_of_the_ledger_a_projector_has_more_room_for_names():
    spec = charts.ledger_spec(("b", "a"), tuple(analysis.PHASES))
    assert LETTERS in spec["encoding"]["y"]["axis"]["labelLimit"]["expr"]


# --- colours --------------------------------------------------------------------------------


def test_no_two_runs_have_one_colour_while_there_are_others():
    runs = [str(number) for number in range(10)]
    assert len(set(charts.run_colours(runs).values())) == 10
    assert len(set(charts.run_colours(runs, "dark").values())) == 10


# What the eye makes of linear RGB without its red, green or blue cones (Machado et al. 2009).
EYES = {
    "all": np.eye(3),
    "no red": [[0.152, 1.053, -0.205], [0.115, 0.786, 0.099], [-0.004, -0.048, 1.052]],
    "no green": [[0.367, 0.861, -0.228], [0.280, 0.673, 0.047], [-0.012, 0.043, 0.969]],
    "no blue": [[1.256, -0.077, -0.179], [-0.078, 0.931, 0.148], [0.005, 0.691, 0.304]],
}
TO_XYZ = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])


def seen(colour: str, eye: str) -> np.ndarray:
    """A colour in CIELAB, where distances are about as large as they look."""
    share = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    white = TO_XYZ @ np.ones(3)
    x, y, z = np.cbrt(TO_XYZ @ np.clip(EYES[eye] @ linear, 0, 1) / white)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


GROUNDS = {"light": "#FFFFFF", "dark": "#12171D"}


@pytest.mark.parametrize("eye", EYES)
@pytest.mark.parametrize("theme", GROUNDS)
def test_ten_colours_stay_apart_for_every_eye_and_from_the_published_grey(theme, eye):
    colours = charts.IDENTITIES[theme]
    assert len(colours) >= 10
    apart = [
        float(np.linalg.norm(seen(one, eye) - seen(other, eye)))
        for one, other in combinations([*colours, charts.REFERENCE], 2)
    ]
    assert min(apart) > 17


@pytest.mark.parametrize("theme", GROUNDS)
def test_every_colour_of_a_run_stands_out_from_the_ground_and_has_its_own_shape(theme):
    def luminance(colour: str) -> float:
        return float(((seen(colour, "all")[0] + 16) / 116) ** 3)

    ground = luminance(GROUNDS[theme])
    for colour in (*charts.IDENTITIES[theme], charts.REFERENCE):
        darker, lighter = sorted((luminance(colour), ground))
        assert (lighter + 0.05) / (darker + 0.05) >= 3
    assert len({shape_of(colour) for colour in charts.IDENTITIES[theme]}) >= 10


def test_each_run_has_its_shape():
    spec = charts.comparison_spec(
        "loss", "epoch", tuple(zip("ab", charts.IDENTITIES["light"], strict=False))
    )
    points = spec["layer"][1]["encoding"]
    assert points["shape"]["scale"]["range"] == ["circle", "square"]


WITHOUT_POINTS = (
    "ledger",
    "step_histogram",
    "networks",
    "parallel",
    "confusion",
    "bars",
    "pictures",
)


@pytest.mark.parametrize("name", [name for name in CHARTS if name not in WITHOUT_POINTS])
def test_no_point_lies_on_the_frame(name):
    encoding = CHARTS[name][0]()["layer"][0]["encoding"]
    assert encoding["x"]["scale"]["padding"] > 0


def test_a_run_added_at_the_end_changes_no_other_colour():
    places = charts.run_places("ab")
    assert places.items() <= charts.run_places("abc").items()


def test_more_runs_than_colours_share_them_evenly():
    places = charts.run_places(map(str, range(23)))
    assert set(Counter(places.values()).values()) == {2, 3}


def test_a_run_keeps_its_colour_whoever_goes_or_comes():
    before = charts.run_places("abc")
    after = charts.run_places("dbce", before)
    assert (after["b"], after["c"]) == (before["b"], before["c"])
    assert len(set(after.values())) == 4


def test_two_runs_that_were_given_one_colour_apart_do_not_share_it_together():
    places = charts.run_places("ab", {"a": 0, "b": 0})
    assert places["a"] == 0
    assert places["b"] != 0


# --- many runs ------------------------------------------------------------------------------


def named(count: int) -> tuple[tuple[str, str], ...]:
    return tuple((f"Run {place}", charts.CPU) for place in range(count))


def test_few_runs_have_a_rule_that_tells_every_run_and_no_legend_of_their_own():
    spec = charts.comparison_spec("loss", "epoch", named(3))
    rule = next(layer for layer in spec["layer"] if layer["mark"].get("type") == "rule")
    assert rule["data"] == {"name": "hover"}
    assert [item["title"] for item in rule["encoding"]["tooltip"]][1:] == [
        "Run 0",
        "Run 1",
        "Run 2",
    ]
    assert spec["layer"][0]["encoding"]["color"]["legend"] is None


def test_of_too_many_runs_a_pointer_finds_one_at_a_time():
    spec = charts.comparison_spec("loss", "epoch", named(charts.NAMED_RUNS + 1))
    assert all(layer["mark"].get("type") != "rule" for layer in spec["layer"])


def test_a_point_is_as_large_as_its_network_and_has_its_runs_colour():
    points = charts.front_spec((("a", "#2121FF"), ("b", "#B58463")))["layer"][2]["encoding"]
    assert points["size"]["field"] == "parameters"
    assert points["color"]["scale"] == {"domain": ["a", "b"], "range": ["#2121FF", "#B58463"]}
    assert points["shape"]["scale"]["range"] == ["circle", "square"]


# --- what is sent ---------------------------------------------------------------------------


@every_chart
def test_a_packed_frame_holds_what_the_frame_held(name):
    frame = CHARTS[name][1]
    back = charts.packed(frame).to_pandas()
    assert list(back.columns) == list(frame.columns)
    for column in frame:
        expected, found = frame[column], back[column]
        np.testing.assert_array_equal(found.astype(expected.dtype), expected)


def test_a_gap_is_sent_as_null():
    frame = pd.DataFrame({"value": np.array([1, np.nan], np.float32)})
    assert charts.packed(frame)["value"].to_pylist() == [1.0, None]


def test_streamlit_takes_a_packed_frame_as_it_is_and_it_is_smaller():
    sent = dataframe_util.convert_anything_to_arrow_bytes(charts.packed(LOSS))
    with pa.ipc.open_stream(sent) as stream:
        assert stream.read_all().schema.pandas_metadata is None
    assert len(sent) < len(dataframe_util.convert_anything_to_arrow_bytes(LOSS))


def test_a_spec_that_was_shown_is_unchanged_and_a_refresh_sends_the_same_one_again():
    before = {name: copy.deepcopy(build()) for name, (build, _) in CHARTS.items()}
    first, second = (protos_of_a_page() for _ in range(2))
    assert {name: build() for name, (build, _) in CHARTS.items()} == before
    assert [proto.spec for proto in first] == [proto.spec for proto in second]
    assert [proto.id for proto in first] == [proto.id for proto in second]
    assert len(first) == len(ZOOMED)


def test_data_and_ids_part_a_chart_with_more_steps_keeps_spec_and_id():
    few = protos_of_a_page(head=5)
    many = protos_of_a_page()
    assert [(proto.spec, proto.id) for proto in few] == [(proto.spec, proto.id) for proto in many]
    assert any(a.data.data != b.data.data for a, b in zip(few, many, strict=True))


def protos_of_a_page(head: int | None = None) -> list:
    """What a page with every live chart sends."""
    page = AppTest.from_function(show, kwargs={"head": head}).run()
    assert not page.exception
    return [block.proto for block in page.main.children.values()]


def show(head: int | None) -> None:
    import streamlit as st

    from cnnlab import charts
    from tests.charts.test_charts import CHARTS, ZOOMED

    for name in ZOOMED:
        build, frame = CHARTS[name]
        data = charts.packed(frame.head(head) if head else frame)
        st.vega_lite_chart(data, build(), key=name, alt=charts.alt_text(name), **charts.KEEP_ZOOM)


def test_cells_are_square_and_three_across_fit_a_phone() -> None:
    for columns, rows in ((3, 3), (2, 5), (6, 1), (9, 4)):
        axes = [("", tuple(map(str, range(count)))) for count in (columns, rows)]
        spec = charts.cells_spec(*axes)
        assert spec["width"] / columns == spec["height"] / rows
    assert charts.cells_spec(("", ("a", "b", "c")), ("", ("a",)))["width"] < 300


def texts(spec: charts.Spec) -> list[dict[str, Any]]:
    """The marks of a chart that are words."""
    return [x["mark"] for x in spec["layer"] if x["mark"]["type"] == "text"]


def test_a_cell_without_a_figure_is_seen_and_can_be_clicked() -> None:
    spec = charts.cells_spec(("", ("a", "b")), ("", ("a",)))
    ground, cells, *_ = spec["layer"]
    assert ground["mark"]["cursor"] == "pointer"
    assert "color" not in ground["encoding"]  # a level that is not known has no colour
    assert ground["encoding"]["tooltip"]  # without one, Vega-Lite would not let it be clicked
    assert "color" in cells["encoding"]
    assert texts(spec)[1]["style"] == WORDS  # on a ground that is the page's


def test_words_in_cells_grow_with_the_window_where_there_is_room() -> None:
    few, many = (("", tuple(map(str, range(count)))) for count in (3, 9))
    grows, stays = texts(charts.ratio_spec(few, few))[0], texts(charts.ratio_spec(many, few))[0]
    assert grows["fontSize"] == {"expr": LETTERS}
    assert stays["fontSize"] == 14


def test_words_among_marks_have_the_ink_of_the_theme() -> None:
    (name,) = texts(charts.front_spec((("a", "#000000"),)))
    *_, value = texts(charts.parallel_spec(("A", "B"), "#FFFFFF"))
    for mark in (name, value):
        assert mark["style"] == WORDS
        assert "color" not in mark


def test_each_value_of_an_axis_of_a_grid_has_its_label() -> None:
    names = tuple(f"small cnn, batch {number}" for number in range(19))
    spec = charts.cells_spec(("", ("",)), ("Probe", names))
    axis = spec["layer"][0]["encoding"]["y"]["axis"]
    assert axis["tickCount"] == len(axis["values"]) == 19


@pytest.mark.parametrize("name", ["overlay_loss", "overlay_accuracy"])
def test_a_legend_shows_the_colours_of_runs_as_strong_as_their_lines(name: str) -> None:
    build, frame = CHARTS[name]
    rows = frame.astype(object).where(frame.notna(), None).to_dict("records")
    svg = vl_convert.vegalite_to_svg(build() | {"datasets": {"source": rows}})
    legend = svg[svg.index("role-legend-symbol") :]
    for _, colour in RUNS:
        [symbol] = re.findall(rf'<path[^>]*fill="{colour}"[^>]*stroke-width="1.5"[^>]*>', legend)
        assert 'opacity="1"' in symbol
