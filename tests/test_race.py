from __future__ import annotations

import json
import subprocess
import sys

import pytest
from example_runs import CARD, CPU, TINY, started

from cnnlab.published import REFERENCES
from cnnlab.race import entries, judge, lanes, opponent_for
from cnnlab.spec import DeviceFacts, Epoch, RunCard, Status, Timing

ARTICLE = REFERENCES["article-gpu-20"]


def ran(device: DeviceFacts, seconds: float, *, start: str = "a", name: str = "race") -> RunCard:
    """A finished run whose epochs took so long."""
    facts = started(TINY, device)
    rows = tuple(
        Epoch(
            epoch=number,
            loss=1,
            accuracy=0.5,
            val_loss=1,
            val_accuracy=0.5,
            seconds=seconds,
            step_ms_mean=1,
        )
        for number in (1, 2, 3)
    )
    return RunCard(
        run_id=f"{device.used}-{seconds}",
        name=name,
        session="race",
        status=Status.FINISHED,
        created_at="2026-01-01T00:00:00+00:00",
        spec=TINY.model_copy(update={"device": device.used}),
        model=facts.model.model_copy(update={"weights_sha256": start}),
        dataset=facts.dataset,
        device=device,
        environment=facts.environment,
        timing=Timing(train_seconds=2 * seconds, total_seconds=3 * seconds),
        epochs=rows,
    )


def test_devices_take_turns() -> None:
    order = [spec.device for spec in entries(TINY, ("cpu", "cuda:0"), 3)]
    assert order == ["cpu", "cuda:0"] * 3


def test_a_race_says_who_is_faster_by_how_much_and_where_the_time_went() -> None:
    result = judge([ran(CPU, 300), ran(CARD, 20), ran(CPU, 320), ran(CARD, 20)])
    assert result.speed_up.pairs == 2
    assert (result.speed_up.low, result.speed_up.high) == (15, 16)
    assert result.speed_up.ratio == pytest.approx(15.5)
    assert "The GPU is 15.5 times as fast (15 to 16 in 2 pairs): 20 s an epoch" in result.verdict
    assert "On the CPU, training took 66.7 %" in result.where
    assert result.same_start


def test_a_cpu_may_win() -> None:
    result = judge([ran(CPU, 10), ran(CARD, 20)])
    assert result.verdict.startswith("The CPU is 2 times as fast: 10 s an epoch against 20 s.")
    assert result.speed_up.ratio == 0.5


def test_pairs_that_disagree_are_too_close_to_call() -> None:
    result = judge([ran(CPU, 20), ran(CARD, 19), ran(CPU, 19), ran(CARD, 20)])
    assert result.verdict.startswith("Too close to call")


def test_runs_that_began_from_other_weights_are_no_race() -> None:
    result = judge([ran(CPU, 300), ran(CARD, 20, start="b")])
    assert result.speed_up is None
    assert not result.same_start
    assert "same weights" in result.verdict


def test_an_unfair_pair_gets_its_reasons_and_no_number() -> None:
    other = ran(CARD, 20)
    other = other.model_copy(update={"spec": other.spec.model_copy(update={"batch_size": 64})})
    result = judge([ran(CPU, 300), other])
    assert result.speed_up is None
    assert "batch_size" in " ".join(result.reasons)


def test_one_lane_stands_beside_what_was_published_and_claims_no_number() -> None:
    result = judge([ran(CPU, 300)], ARTICLE)
    assert result.speed_up is None
    assert "published, not measured here" in result.verdict
    assert "20 s to 22 s" in result.verdict
    assert judge([ran(CPU, 300)]).verdict.startswith("No verdict")


def test_the_opponent_is_the_lane_that_is_missing() -> None:
    assert opponent_for(["cpu"]).kind == "accelerator"
    assert opponent_for(["cuda:0"]).kind == "cpu"
    assert opponent_for(["cpu", "cuda:0"]) is None


def test_lanes_keep_the_order_of_the_runs() -> None:
    cpu, accelerator = lanes([ran(CPU, 1), ran(CARD, 2), ran(CPU, 3)])
    assert [card.run_id for card in cpu] == ["cpu-1", "cpu-3"]
    assert len(accelerator) == 1


def test_a_race_on_this_machine_finishes_and_names_its_opponent() -> None:
    command = [sys.executable, "-m", "cnnlab", "race", "--limit", "200", "--epochs", "1"]
    done = subprocess.run(
        [*command, "--repeats", "2", "--json"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["schema"] == "cnnlab.race/1"
    assert result["same_start"] is True
    devices = [lane["device"] for lane in result["lanes"]]
    assert devices[0] == "cpu"
    assert len(result["runs"]) == 2 * len(devices)
    if len(devices) == 1:
        assert result["opponent"]["title"] in result["verdict"]
        assert result["opponent"]["origin"] == "published, not measured here"


def test_the_published_speed_up_is_fifteen() -> None:
    ratio = REFERENCES["article-cpu-20"].fit_seconds / ARTICLE.fit_seconds
    assert ratio == pytest.approx(15, rel=0.02)
