from __future__ import annotations

import json
import signal
import subprocess
import sys
import threading

import numpy as np
import pytest

from bench.equality import HALF_A_BIT, run
from cnnlab import datasets
from cnnlab.__main__ import main
from cnnlab.engines import Pictures
from cnnlab.history import History
from cnnlab.published import REFERENCES
from cnnlab.race import (
    driven,
    entries,
    judge,
    lanes,
    opponent_for,
    opponent_named,
    other_than_published,
)
from cnnlab.spec import (
    PRESETS,
    DeviceFacts,
    Epoch,
    ExperimentSpec,
    LabError,
    RunCard,
    Status,
    Timing,
    change,
)
from tests.example_runs import CARD, CPU, TINY, add_run, started

ARTICLE = REFERENCES["article-gpu-20"]


def ran(
    device: DeviceFacts,
    seconds: float,
    *,
    start: str = "a",
    name: str = "race",
    epochs: int = 3,
    status: Status = Status.FINISHED,
) -> RunCard:
    """A run that is over, whose epochs took so long."""
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
        for number in range(1, epochs + 1)
    )
    return RunCard(
        run_id=f"{device.used}-{seconds}",
        name=name,
        session="race",
        status=status,
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
    assert result.verdict == (
        "The GPU is 15.5 times as fast (median of 2 pairs; lowest to highest 15 to 16): "
        "20 s an epoch against 5 min 10 s."
    )
    assert "On the CPU, training took 66.7 %" in result.where
    assert result.same_start


def test_a_cpu_may_win() -> None:
    result = judge([ran(CPU, 10), ran(CARD, 20)])
    assert result.verdict.startswith("The CPU is 2 times as fast: 10 s an epoch against 20 s.")
    assert result.speed_up.ratio == 0.5
    assert result.speed_up.low is None  # one pair has no spread


def test_the_spread_is_told_from_the_winners_side() -> None:
    result = judge([ran(CPU, 10), ran(CARD, 20), ran(CPU, 10), ran(CARD, 40)])
    assert (result.speed_up.low, result.speed_up.high) == (0.25, 0.5)
    assert "CPU is 3 times as fast (median of 2 pairs; lowest to highest 2 to 4)" in result.verdict


def test_a_lead_within_what_epochs_of_one_run_differ_is_none() -> None:
    assert judge([ran(CPU, 20), ran(CARD, 19.5)]).verdict.startswith("Too close to call")


def test_first_epochs_alone_are_said_to_hold_the_warm_up() -> None:
    result = judge([ran(CPU, 300, epochs=1), ran(CARD, 20, epochs=1)])
    assert result.verdict.endswith("(first epochs, warm-up included).")


@pytest.mark.parametrize(
    ("status", "ended"),
    [
        (Status.STOPPED, "was stopped"),
        (Status.FAILED, "failed"),
        (Status.INTERRUPTED, "was interrupted"),
    ],
)
def test_a_run_that_did_not_finish_leaves_no_verdict(status: Status, ended: str) -> None:
    result = judge([ran(CPU, 300), ran(CARD, 20, status=status)])
    assert result.speed_up is None
    assert result.verdict == f"No verdict: the run cuda:0-20 on cuda:0 {ended}."


def test_a_race_in_which_nothing_ran_says_so() -> None:
    assert judge([]).verdict == "No verdict: nothing ran."


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
    assert "batch size" in " ".join(result.reasons)


def test_one_lane_stands_beside_what_was_published_and_claims_no_number() -> None:
    result = judge([ran(CPU, 300)], ARTICLE)
    assert result.speed_up is None
    assert result.heading == ("An epoch took 5 min here, 20 s to 22 s in the published run.")
    assert "published, not measured here" in result.verdict
    assert result.verdict.startswith(result.heading)
    assert "not as published: data set, examples used, network" in result.reasons
    assert judge([ran(CPU, 300)]).verdict.startswith("No verdict")


def test_the_published_recipe_is_the_preset() -> None:
    article = PRESETS["article"].spec
    assert other_than_published(article) == []
    assert other_than_published(change(article, device="cpu", epochs=3, seed=7)) == []
    assert other_than_published(change(article, batch_size=64)) == ["batch size"]


def test_a_recorded_run_of_the_same_recipe_gives_a_number_and_is_named_as_recorded() -> None:
    recorded = ran(CARD, 20, name="yesterday")
    result = judge([ran(CPU, 300), ran(CPU, 320)], recorded)
    assert (result.speed_up.low, result.speed_up.high) == (15, 16)
    assert result.verdict.startswith("The GPU is 15.5 times as fast")
    assert "“yesterday” on Example GPU, recorded on 2026-01-01, not in this race" in result.verdict
    assert judge([ran(CARD, 20)], ran(CPU, 300)).speed_up.ratio == 15


def test_a_recorded_run_of_another_machine_gives_none() -> None:
    recorded = ran(CARD, 20)
    elsewhere = recorded.model_copy(
        update={"environment": recorded.environment | {"cpu": "Another CPU"}}
    )
    result = judge([ran(CPU, 300)], elsewhere)
    assert result.speed_up is None
    assert "CPU is Example CPU against Another CPU" in result.verdict
    assert "recorded on" in result.verdict


def test_an_opponent_takes_the_lane_of_its_kind() -> None:
    assert driven(["cuda:0", "cuda:1"]) == ["cpu", "cuda:0"]
    assert driven([]) == ["cpu"]
    assert driven(["cuda:0"], ran(CARD, 20)) == ["cpu"]
    assert driven(["cuda:0"], ran(CPU, 300)) == ["cuda:0"]
    assert driven([], ran(CPU, 300)) == ["cpu"]


def test_an_opponent_is_a_published_run_or_a_finished_one() -> None:
    cards = {"done": ran(CARD, 20), "cut": ran(CARD, 20, status=Status.STOPPED)}
    assert opponent_named("article-gpu-20", cards.__getitem__) is ARTICLE
    assert opponent_named("done", cards.__getitem__) is cards["done"]
    with pytest.raises(LabError, match="is stopped; race against a finished one"):
        opponent_named("cut", cards.__getitem__)


def test_the_opponent_is_the_lane_that_is_missing() -> None:
    assert opponent_for(["cpu"]).kind == "accelerator"
    assert opponent_for(["cuda:0"]).kind == "cpu"
    assert opponent_for(["cpu", "cuda:0"]) is None


def test_lanes_keep_the_order_of_the_runs() -> None:
    cpu, accelerator = lanes([ran(CPU, 1), ran(CARD, 2), ran(CPU, 3)])
    assert [card.run_id for card in cpu] == ["cpu-1", "cpu-3"]
    assert len(accelerator) == 1


def raced(*arguments: str) -> subprocess.CompletedProcess[str]:
    """A short race in a process of its own."""
    command = [sys.executable, "-m", "cnnlab", "race", "--limit", "200", "--epochs", "1"]
    return subprocess.run(
        [*command, *arguments, "--json"], capture_output=True, text=True, check=False
    )


def test_a_race_on_this_machine_finishes_and_names_its_opponent() -> None:
    done = raced("--preset", "tiny", "--repeats", "2")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert result["schema"] == "cnnlab.race/1"
    assert result["same_start"] is True
    devices = [lane["device"] for lane in result["lanes"]]
    assert devices[0] == "cpu"
    assert len(result["runs"]) == 2 * len(devices)
    if len(devices) == 1:
        assert result["speed_up"] is None
        assert result["opponent"]["title"] in result["verdict"]
        assert result["opponent"]["origin"] == "published, not measured here"
    first, second = (History().card(run_id) for run_id in result["lanes"][0]["runs"])
    assert first.model.weights_sha256 == second.model.weights_sha256
    assert first.epochs[0].loss == second.epochs[0].loss
    assert first.epochs[0].val_loss == second.epochs[0].val_loss


def test_a_race_runs_against_a_recorded_run() -> None:
    history = History()
    recorded = add_run(history, device=CARD, name="recorded")
    done = raced("--against", recorded[:9])
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    assert [lane["device"] for lane in result["lanes"]] == ["cpu"]
    assert result["opponent"]["run_id"] == recorded
    assert result["opponent"]["origin"] == "recorded, not in this race"
    assert result["speed_up"] is None  # it trained on more pictures
    assert result["reasons"]
    assert len(result["runs"]) == 1


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--against", "nobody"), "There is no run nobody"),
        (("--device", "cpu"), "leave out --device"),
        (("--repeats", "0"), "0 is not in the range"),
    ],
)
def test_a_race_that_cannot_be_is_refused(
    arguments: tuple[str, ...],
    complaint: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys, "argv", ["cnnlab", "race", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    said = capsys.readouterr()
    assert ended.value.code == 2
    assert said.out == ""
    assert complaint in " ".join(said.err.split())


def test_an_interrupted_race_ends_in_order_with_one_document() -> None:
    command = [sys.executable, "-m", "cnnlab", "race", "--limit", "200", "--epochs", "9000"]
    process = subprocess.Popen(
        [*command, "--json"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    history, waited = History(), threading.Event()
    while not any(run.epochs_done for run in history.summaries()):
        assert process.poll() is None
        waited.wait(0.2)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=60)
    assert process.returncode == 130
    result = json.loads(said)
    assert result["verdict"].endswith("was stopped.")
    assert result["speed_up"] is None
    (run,) = history.summaries()
    assert run.status is Status.STOPPED


# Fifty batches of the preset `tiny` in whole float32, and without the kink of its relu: beyond that
# two lanes may part by 1e-3, as one does from itself once its first weights are moved by 1e-5.
ALIKE = change(
    TINY,
    train_limit=1900,
    epochs=1,
    tf32="off",
    model=TINY.model.model_copy(update={"activation": "elu"}).model_dump(),
)


def losses_of(spec: ExperimentSpec, moved: float = 0.0) -> list[float]:
    """The loss of each batch alone, with the weights and the batches of a run of the spec."""
    found = datasets.load(spec.dataset, spec.train_limit, validation_split=spec.validation_split)
    data = Pictures(found.images, found.labels, len(found.class_names))
    return run(spec, data, spec.device, moved).losses


def test_the_lanes_first_losses_are_not_decided_by_what_is_rounded() -> None:
    """What a race's lanes may differ in, on the CPU alone: half of the last bit of each weight."""
    moved = losses_of(change(ALIKE, device="cpu"), HALF_A_BIT)
    plain = losses_of(change(ALIKE, device="cpu"))
    assert moved != plain
    np.testing.assert_allclose(moved, plain, rtol=1e-4)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda:0", marks=pytest.mark.gpu)])
def test_both_lanes_learn_alike_over_their_first_steps(device: str) -> None:
    """On a machine without a card the CPU races itself, which shows that the batches are one's."""
    first, second = (losses_of(spec) for spec in entries(ALIKE, ("cpu", device), 1))
    assert len(first) == 50
    np.testing.assert_allclose(second, first, rtol=1e-4)


def test_the_published_speed_up_is_fifteen() -> None:
    ratio = REFERENCES["article-cpu-20"].fit_seconds / ARTICLE.fit_seconds
    assert ratio == pytest.approx(15, rel=0.02)
