"""A profile as frames: every millisecond once, and every layer beneath its roofs."""

import pytest

from cnnlab.analysis.anatomy import parts_frame, points_frame, roofs_frame
from cnnlab.analysis.bounds import bounds
from cnnlab.charts import ROOFS, roofline_spec, step_parts_spec
from cnnlab.models import layer_table
from cnnlab.spec import PRESETS
from tests.example_profiles import CEILINGS, DENSE, layer

SPEC = PRESETS["dense"].spec
FOUND = bounds(SPEC, (28, 28, 1), 10, DENSE)


def test_the_bars_of_a_step_are_the_whole_step():
    frame = parts_frame(DENSE)
    assert frame["ms"].sum() == pytest.approx(DENSE.step_ms)
    assert frame["share"].sum() == pytest.approx(1)
    assert frame["part"].nunique() == len(DENSE.layers) + 4
    assert list(frame["part"].drop_duplicates())[-1] == "8. framework"
    assert set(frame.loc[frame["part"].str.contains("Dense"), "way"]) == {"forward", "backward"}


def test_only_layers_that_compute_are_points():
    frame = points_frame(FOUND)
    assert list(frame["layer"]) == ["Dense", "Dense", "Dense"]
    first = FOUND.layers[1]
    assert frame["gflops"][0] == pytest.approx(first.flops / first.ms / 1e6)
    assert frame["held"][2] == "overhead"


def test_a_slanted_roof_meets_the_level_one():
    frame = roofs_frame(CEILINGS, FOUND)
    level = frame[frame["level"]]
    assert set(level["roof"]) == {"float32 matrix products"}
    assert set(level["gflops"]) == {200.0}
    for speed, name in ((100.0, "cache, 100 GB/s"), (10.0, "memory, 10 GB/s")):
        slant = frame[frame["roof"] == name]
        assert list(slant["gflops"]) == pytest.approx(list(speed * slant["intensity"]))
        assert slant["gflops"].max() == pytest.approx(200)


def test_a_network_of_convolutions_has_their_roof_as_well():
    spec = PRESETS["tiny"].spec
    table = layer_table(spec.model, (32, 32, 3), 10)[1:]
    layers = tuple(layer(one.kind, 0.1, 0.1) for one in table)
    found = bounds(spec, (32, 32, 3), 10, DENSE.model_copy(update={"layers": layers}))
    roofs = roofs_frame(CEILINGS, found)
    assert {"float32 matrix products", "float32 convolutions"} <= set(roofs["roof"])


def test_there_is_no_roof_where_no_ceiling_is_known():
    bare = CEILINGS.model_copy(update={"bandwidths": ()})
    assert roofs_frame(bare, FOUND).empty


def test_the_charts_are_built_once_and_hold_no_data():
    for spec in (roofline_spec, step_parts_spec):
        assert spec() is spec()
        assert "datasets" not in spec()
    assert ROOFS.name in str(roofline_spec())
    log = [layer["encoding"]["x"]["scale"]["type"] for layer in roofline_spec()["layer"]]
    assert set(log) == {"log"}
