"""What holds of the verdict on any two runs whatever: whole and broken, here and elsewhere."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab import analysis
from cnnlab.analysis import Grade, Thing, Verdict
from cnnlab.commands.compare import document
from cnnlab.spec import PRESETS, DeviceFacts, Epoch, Memory, Part, RunCard, Status, Timing, change
from tests.analysis.twelve_runs import CARD, CIFAR, CPU, MACHINE, MNIST, SMALLER, epochs_of
from tests.example_runs import disturbances

NAN = math.nan
SECONDS = st.sampled_from([NAN, math.inf, 0.0, 1e-9]) | st.floats(1e-3, 1e6)
SHARE = st.sampled_from([NAN, 41.0, 0.0, 1.0]) | st.floats(0, 1)
CHANGES: dict[str, list[Any]] = {
    "batch_size": [32, 128],
    "precision": ["float32", "mixed_bfloat16"],
    "engine": ["fast", "stock"],
    "optimizer": ["adam", "sgd"],
    "learning_rate": [0.001, 0.01],
    "seed": [0, 1],
    "threads": [None, 1, 2],
    "compile": [False, True],
    "train_limit": [None, 1_000],
    "validation_split": [0.15, 0.3],
    "epochs": [3, 20],
}
DEVICES = [None, CPU, CARD, DeviceFacts(requested="mps", used="mps", name="Apple M3")]
NETWORKS = [
    PRESETS[name].spec.model.model_dump(mode="json") for name in ("article", "tiny", "lstm")
]
LEG = Part(kind="race", group_id="g", group="Race", cut_seconds=3.0)


@st.composite
def epochs(draw: st.DrawFn) -> tuple[Epoch, ...]:
    """None, one or some, with all that a run may say of its epochs."""
    ends = draw(st.lists(st.tuples(SECONDS, SHARE), max_size=4))
    return epochs_of(ends)


@st.composite
def runs(draw: st.DrawFn) -> RunCard:
    """Any run: what it asks for, where it was, how it went, and what its card may lack."""
    asked = {name: draw(st.sampled_from(values)) for name, values in CHANGES.items()}
    if draw(st.booleans()):
        asked["model"] = draw(st.sampled_from(NETWORKS))
    data = draw(st.sampled_from([CIFAR, CIFAR, CIFAR, MNIST, None]))
    if data and draw(st.booleans()):
        data = data.model_copy(update={"validation_images": draw(st.integers(0, 3))})
    here = MACHINE | draw(st.sampled_from([{}, {"torch": "2.4.1"}, {"cpu": "EPYC"}]))
    marks = draw(st.sampled_from([(), ("Other processes took its cores.",)]))
    return RunCard(
        run_id=draw(st.sampled_from(["a", "b", "c"])) * 12,
        name=draw(st.sampled_from(["one", "other"])),
        session="any",
        status=draw(st.sampled_from([Status.FINISHED, Status.STOPPED, Status.FAILED])),
        created_at="2026-10-05T12:00:00Z",
        spec=change(
            PRESETS["article"].spec, dataset="mnist" if data is MNIST else "cifar100", **asked
        ),
        model=draw(st.sampled_from([None, SMALLER])),
        dataset=data,
        device=draw(st.sampled_from(DEVICES)),
        environment=draw(st.sampled_from([{}, here])),
        timing=Timing(step_ms_median=draw(st.none() | SECONDS)),
        memory=Memory(peak_rss_mb=draw(st.none() | SECONDS)),
        disturbances=disturbances(*marks) if draw(st.booleans()) else None,
        part=draw(st.sampled_from([None, None, LEG])),
        epochs=draw(epochs()),
    )


def told(thing: Thing, said: str) -> bool:
    """Whether a sentence names a difference: in so many words, or by both of its values."""
    values = ("CPU", "GPU") if thing.name == "device" and "the GPU" in said else thing.values
    return thing.said in said or all(value.lower() in said.lower() for value in values)


def numbers(found: Verdict) -> list[tuple[float | None, ...]]:
    speed, accuracy = found.speed, found.accuracy
    return [
        (speed.low, speed.ratio, speed.high),
        (accuracy.low, accuracy.difference, accuracy.high),
    ]


@given(a=runs(), b=runs())
def test_every_number_lies_between_its_ends_or_says_why_it_is_not_there(a: RunCard, b: RunCard):
    found = analysis.between(a, b)
    for low, value, high in numbers(found):
        assert all(end is None or math.isfinite(end) for end in (low, value, high))
        assert (low is None) == (high is None)
        assert low is None or low <= value <= high
    assert bool(found.speed.why) == (found.speed.ratio is None)
    assert bool(found.accuracy.why) == (found.accuracy.difference is None)


@given(a=runs(), b=runs())
def test_held_the_other_way_round_each_number_is_its_own_inverse(a: RunCard, b: RunCard):
    one, other = analysis.between(a, b), analysis.between(b, a)
    assert (one.speed.grade, one.accuracy.grade) == (other.speed.grade, other.accuracy.grade)
    assert {x.name for x in one.speed.things} == {x.name for x in other.speed.things}
    assert {one.speed.ahead, other.speed.ahead} in ({None}, {"first", "second"})
    (low, ratio, high), (below, difference, above) = numbers(one)
    (low_, ratio_, high_), (below_, difference_, above_) = numbers(other)
    assert (ratio is None) == (ratio_ is None)
    if ratio is not None:
        assert ratio * ratio_ == pytest.approx(1)
    if low is not None:
        assert (low * high_, high * low_) == pytest.approx((1, 1))
    if difference is not None:
        assert difference == pytest.approx(-difference_)
    if below is not None:
        assert (below, above) == pytest.approx((-above_, -below_), abs=1e-12)


@given(a=runs(), b=runs())
def test_the_grade_is_that_of_the_worst_thing_that_differs(a: RunCard, b: RunCard):
    found = analysis.between(a, b).speed
    bearings = {thing.bearing for thing in found.things}
    expected = (
        Grade.OTHER_WORK
        if "work" in bearings
        else Grade.DISTURBED
        if a.marks or b.marks
        else Grade.MACHINES
        if "machine" in bearings
        else (Grade.NOTHING, Grade.ONE, Grade.SEVERAL)[min(len(found.things), 2)]
    )
    assert found.grade is expected
    if a.spec.dataset != b.spec.dataset:
        assert found.grade is Grade.OTHER_WORK


@given(a=runs(), b=runs())
def test_the_sentence_names_everything_that_differs(a: RunCard, b: RunCard):
    found = analysis.between(a, b)
    said = analysis.sentence(a, b, found)
    assert said.endswith(".")
    assert "nan" not in said.split()
    for thing in (*found.speed.things, *found.accuracy.things):
        if found.speed.grade is not Grade.OTHER_WORK or thing.bearing == "work":
            assert told(thing, said), (thing, said)


@given(a=runs(), b=runs(), c=runs())
def test_the_document_of_any_runs_is_json_to_the_letter(a: RunCard, b: RunCard, c: RunCard):
    cards = [
        card.model_copy(update={"run_id": x * 12}) for x, card in zip("xyz", (a, b, c), strict=True)
    ]
    found = json.loads(json.dumps(document(cards), allow_nan=False))
    for pair in found["pairs"]:
        assert {"ratio", "low", "high", "grade", "differs"} <= pair["speed"].keys()
        assert {"difference", "low", "high", "grade"} <= pair["accuracy"].keys()
        assert pair["speed"]["grade"] in set(Grade)
    for quality in found["ranking"].values():
        assert quality["values"].keys() == set(found["runs"])
    assert found["take"]["sentence"]


@given(run=runs())
def test_a_run_against_its_like_differs_in_nothing(run: RunCard):
    found = analysis.between(run, run.model_copy(update={"run_id": "again", "name": "again"}))
    assert found.speed.things == ()
    assert found.speed.grade is (Grade.DISTURBED if run.marks else Grade.NOTHING)
    assert found.speed.ahead is None
    assert found.accuracy.difference in (0, None)
