"""The process that looks into networks: started on demand, low in rank, never beside timed work."""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import psutil
import pytest

from cnnlab.history import History
from cnnlab.insight import Foresee, Insight, Look, Network, helper
from cnnlab.insight import __main__ as process
from cnnlab.insight.questions import packed, unpacked
from cnnlab.runner import turns
from cnnlab.spec import HERE, LabError
from tests.kept_runs import NAMES, add_kept_run, marks, spec_of
from tests.patience import PATIENCE_SECONDS


@pytest.fixture
def network(tmp_path: Path) -> Network:
    """One of a run that is kept."""
    file = marks(tmp_path)
    history = History()
    run_id = add_kept_run(history, file)
    history.close()
    spec = spec_of(str(file))
    return Network(run_id=run_id, spec=spec, image_shape=(12, 12, 1), classes=len(NAMES))


def ask(insight: Insight, network: Network) -> np.ndarray:
    picture = np.full((12, 12, 1), 90, np.uint8)
    return insight.answer(Look(network=network), picture).arrays["probabilities"]


def test_a_process_of_its_own_answers_at_the_lowest_rank_and_again_after_it_was_killed(
    network: Network,
):
    insight = Insight({}, nullcontext)
    try:
        first = ask(insight, network)
        assert first.sum() == pytest.approx(1)
        (child,) = (c for c in psutil.Process().children() if "cnnlab.insight" in c.cmdline())
        assert child.nice() in (19, getattr(psutil, "IDLE_PRIORITY_CLASS", None))
        early = ask(insight, network.model_copy(update={"at": 1}))
        assert not np.allclose(first, early)
        pictures = np.full((3, 12, 12, 1), 90, np.uint8)
        many = insight.answer(Foresee(network=network), pictures).arrays["probabilities"]
        np.testing.assert_allclose(many, np.stack([first] * 3), atol=1e-3)
        with pytest.raises(LabError, match="not kept"):
            ask(insight, network.model_copy(update={"run_id": "gone"}))
        with pytest.raises(LabError, match=r"sees \(12, 12, 1\), and was shown \(5, 5, 1\)"):
            insight.answer(Look(network=network), np.zeros((5, 5, 1), np.uint8))
        child.kill()
        child.wait()
        np.testing.assert_allclose(ask(insight, network), first)
    finally:
        insight.end()


def test_what_the_process_loads_is_no_part_of_its_answers_time(network: Network, monkeypatch):
    monkeypatch.setattr(helper, "ANSWER_SECONDS", 0.01)
    insight = Insight({}, nullcontext)
    try:
        assert ask(insight, network).sum() == pytest.approx(1)
    finally:
        insight.end()


def test_nothing_is_asked_while_something_is_timed(network: Network):
    insight = Insight({}, turns.between)
    with turns.turn_on(HERE), pytest.raises(LabError, match="is being timed"):
        ask(insight, network)
    assert not [c for c in psutil.Process().children() if "cnnlab.insight" in c.cmdline()]


def test_what_is_timed_begins_only_when_the_answer_is_there():
    with turns.between():
        assert not turns.turn_on(HERE).acquire(blocking=False)
    assert turns.turn_on(HERE).acquire(blocking=False)
    turns.turn_on(HERE).release()


def test_a_process_that_nobody_asks_ends_by_itself():
    code = "from cnnlab.insight.__main__ import serve; serve(0.1)"
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, env=environment
    ) as child:
        assert child.wait(timeout=PATIENCE_SECONDS) == 0


def test_a_question_that_fails_is_answered_by_a_sentence_and_the_next_one_works():
    def broken(*_):
        raise ValueError("no such thing")

    line = packed(Foresee(network=NETWORK).model_dump(mode="json"), {"input": np.zeros(3)})
    said = unpacked(process._reply(line, broken)).facts["error"]
    assert said == "The network could not be asked (ValueError); the log says more."
    assert "log" in unpacked(process._reply("{}", broken)).facts["error"]
    fine = unpacked(process._reply(line, lambda *_: {"probabilities": np.ones(2)}))
    assert fine.arrays["probabilities"].tolist() == [1, 1]


NETWORK = Network(run_id="a", spec=spec_of("shapes"), image_shape=(12, 12, 1), classes=3)


def test_layers_of_one_name_stay_apart_and_in_order():
    names = [f"maps/{number:03d}/MaxPooling2D 2x2" for number in (12, 2)]
    answer = unpacked(packed({}, {name: np.full(1, n) for n, name in enumerate(names)}))
    assert [int(maps[0]) for _, maps in answer.named("maps")] == [1, 0]


def test_arrays_cross_as_they_are_and_nothing_is_unpickled():
    arrays = {"maps/003/Conv2D 4 3x3": np.arange(6, dtype=np.float16).reshape(2, 3)}
    answer = unpacked(packed({"a": 1}, arrays))
    assert answer.facts == {"a": 1}
    ((layer, maps),) = answer.named("maps")
    assert layer == "Conv2D 4 3x3"
    assert maps.dtype == np.float16
    with pytest.raises(ValueError, match="allow_pickle"):
        packed({}, {"bad": np.array([object()])})
