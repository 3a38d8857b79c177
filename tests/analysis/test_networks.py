"""Two networks side by side: what they share, what differs, and what each layer costs."""

from __future__ import annotations

import pytest

from cnnlab import analysis
from cnnlab.models import layer_table
from cnnlab.spec import PRESETS, Profile, RunCard, change
from cnnlab.spec.profile import LayerTime
from tests.analysis.twelve_runs import TWELVE, run

BASE, SLIM = TWELVE["base"], TWELVE["slim"]


def of(preset: str) -> RunCard:
    return run(preset, 10.0, 0.4, asked={"model": PRESETS[preset].spec.model.model_dump()})


def states(a: RunCard, b: RunCard) -> dict[str, str]:
    """The state of each place by the layer that stands there first."""
    found = analysis.matched(a, b)
    return {(m.first or m.second).said: m.state for m in found}


def test_a_narrower_layer_differs_and_what_it_feeds_stays_the_same():
    found = states(BASE, SLIM)
    assert found["Conv2D 128 7x7 relu"] == "differs"
    assert found["MaxPooling2D 2x2"] == "differs"  # of as many channels
    assert found["Conv2D 256 3x3 relu"] == "the same"
    assert found["Dense 200 relu"] == "the same"
    assert analysis.differ(BASE, SLIM)


def test_a_layer_that_one_network_lacks_is_only_here():
    lacking = [m for m in analysis.matched(BASE, of("deeper")) if m.first is None]
    assert [m.second.layer.kind for m in lacking] == ["MaxPooling2D", "Conv2D"]
    assert {m.state for m in lacking} == {"only here"}


def test_equal_networks_and_unknown_ones_have_nothing_to_show():
    assert not analysis.differ(BASE, TWELVE["half"])
    assert not analysis.differ(BASE, SLIM.model_copy(update={"dataset": None}))


def test_each_layer_has_its_figures_and_they_add_up_to_the_network():
    frame = analysis.layers_frame(analysis.matched(BASE, SLIM), ("a", "b"))
    assert frame["Parameters: a"].sum() == 975_692
    narrower = 64 * (7 * 7 * 3 + 1) + 64 * 3 * 3 * 256  # its filters, and what reads them
    assert frame["Parameters: b"].sum() == 975_692 - narrower
    assert "Time in a step (ms): a" not in frame  # neither was profiled


def test_times_of_a_profile_stand_at_their_layers():
    count = len(analysis.matched(BASE, BASE)) - 1
    parts = tuple(
        LayerTime(kind="x", detail="", forward_ms=1.0, backward_ms=float(place), fixed_ms=0.0)
        for place in range(count)
    )
    rest = dict.fromkeys(("data_ms", "loss_ms", "optimizer_ms", "host_ms", "looking_ms"), 0.0)
    profile = Profile(step_ms=100.0, layers=parts, steps=5, **rest)
    frame = analysis.layers_frame(
        analysis.matched(BASE.model_copy(update={"profile": profile}), SLIM), ("a", "b")
    )
    assert list(frame["Time in a step (ms): a"])[1:] == pytest.approx(
        [1.0 + place for place in range(count)]
    )


def test_the_drawing_has_both_networks_on_one_scale_and_common_columns():
    frame = analysis.drawn_frame(analysis.matched(BASE, of("deeper")), ("a", "b"))
    above, below = (frame[frame["network"] == name] for name in ("a", "b"))
    assert len(below) == len(above) + 2
    assert set(above["middle"]) < set(below["middle"])
    assert (above["bottom"] > 0).all()
    assert (below["top"] < 0).all()
    assert frame["left"].min() >= 0
    assert frame["right"].max() <= 1


def test_another_family_is_drawn_too():
    dense = change(PRESETS["dense"].spec, dataset="cifar100")
    card = run("dense", 10.0, 0.3).model_copy(update={"spec": dense})
    frame = analysis.drawn_frame(analysis.matched(BASE, card), ("a", "b"))
    assert {"differs", "only here"} & set(frame["state"])


def test_networks_that_nobody_trained_are_matched_by_their_layers():
    one, other = (
        layer_table(PRESETS[name].spec.model, (32, 32, 3), 100) for name in ("article", "deeper")
    )
    found = analysis.matched_layers(one, other)
    assert analysis.apart(found) == analysis.apart(analysis.matched(BASE, of("deeper"))) > 0
    assert analysis.apart(analysis.matched_layers(one, one)) == 0
