"""Yardsticks train the lab's own recipes, in the lab's own environment, and lose no row."""

import json
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from bench import measure
from bench.measure import summary
from bench.peers import __main__ as command
from bench.peers import by_hand, contenders, table
from bench.peers.contenders import CONTENDERS, Contender, Unable, running
from bench.peers.works import VALIDATION_PICTURES, WORKS, draw
from cnnlab import datasets, models
from cnnlab.devices import worker_environment
from cnnlab.spec import PRESETS


def test_every_preset_has_its_recipe_and_three_more():
    untouched = {work.preset for work in WORKS.values() if not work.changes}
    assert untouched == set(PRESETS)
    article = {
        (w.spec.precision, w.spec.batch_size) for w in WORKS.values() if w.preset == "article"
    }
    assert article >= {("float32", 32), ("mixed_bfloat16", 32), ("mixed_bfloat16", 128)}
    assert WORKS["simple"].spec.model.cell == "simple"


@pytest.mark.parametrize("name", WORKS)
def test_an_epoch_is_whole_batches(name, tmp_path):
    work = WORKS[name]
    spec = work.on(tmp_path / "work.npz", "cpu")
    train, validation = models.split(spec, work.pictures)
    assert (train, validation) == (work.steps * spec.batch_size, VALIDATION_PICTURES)
    assert spec.model == work.spec.model


@pytest.mark.parametrize("name", ["article", "deeper", "dense", "lstm"])
def test_the_network_by_hand_is_the_labs(name):
    spec = WORKS[name].spec
    info = datasets.info(spec.dataset)
    network = by_hand.network_of(spec.model, info.image_shape, info.classes)
    ours = sum(each.numel() for each in network.parameters())
    layers = models.layer_table(spec.model, info.image_shape, info.classes)
    # Torch's LSTM has a second bias, which adds nothing that the first could not.
    extra = 4 * 48 if name == "lstm" else 0
    assert ours - extra == models.parameters(layers)


def test_adam_written_out_is_torchs_fused_one():
    work = replace(WORKS["dense"], steps=4)
    random = np.random.default_rng(0)
    x = random.integers(0, 256, (128, 28, 28, 1), dtype=np.uint8)
    made = []
    for way in ("step", "written_out"):
        torch.manual_seed(0)
        each = by_hand.ByHand(work.spec, x, random.integers(0, 10, 128), "cpu")
        each.labels = torch.arange(128) % 10
        for index in torch.arange(128).split(32):
            getattr(each, way)(index)
        made.append(each)
    for one, other in zip(made[0].parameters, made[1].parameters, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=5e-5)
    assert made[0].total == pytest.approx(float(made[1].total), rel=1e-5)


def test_every_step_by_hand_lowers_the_loss_of_a_picture_network():
    work = WORKS["tiny"]
    x = np.random.default_rng(0).integers(0, 256, (32, 32, 32, 3), dtype=np.uint8)
    made = by_hand.ByHand(work.spec, x, np.arange(32) % 10, "cpu")
    losses = []
    for _ in range(30):
        made.total.zero_()
        made.step(torch.arange(32))
        losses.append(float(made.total))
    assert losses[-1] < losses[0]


def test_contenders_answer_with_the_time_of_a_step_in_the_labs_environment(tmp_path, monkeypatch):
    given = []
    popen = contenders.subprocess.Popen
    monkeypatch.setattr(
        contenders.subprocess,
        "Popen",
        lambda *command, **options: (given.append(options["env"]), popen(*command, **options))[1],
    )
    work, file = replace(WORKS["dense"], steps=3), tmp_path / "work.npz"
    draw(work, file)
    with ExitStack() as stack:
        arms = [
            stack.enter_context(running(CONTENDERS[name], work, file, "cpu"))
            for name in ("fast", "torch")
        ]
        assert all(0 < arm() < 60_000 for arm in arms)
    for environment in given:
        assert environment.items() >= worker_environment("none").items()


def test_plain_keras_takes_the_quickest_setting(monkeypatch):
    from bench.peers import keras_fit

    slow = {"run_eagerly": True, "steps_per_execution": 1}
    monkeypatch.setitem(keras_fit.SETTINGS, "torch", (slow, {}))
    seconds = iter([0.5, 0.5, 0.5, 0.1, 0.1, 0.1])

    def on_epoch_end(self, epoch, logs=None):
        self.step_ms.append(next(seconds))

    monkeypatch.setattr(keras_fit.Times, "on_epoch_end", on_epoch_end)
    spec = WORKS["dense"].spec
    fit = {"x": np.zeros((32, 28, 28, 1), np.float32), "y": np.eye(10)[:1].repeat(32, 0)}
    model = keras_fit.quickest(spec, 1, fit | {"batch_size": 32, "verbose": 0})
    assert not model.run_eagerly


def test_a_peer_that_is_not_installed_says_how_it_is(tmp_path):
    missing = Contender("Keras on X", "bench.peers.keras_fit", tmp_path / "python")
    with (
        pytest.raises(Unable, match="`make bench-peers`"),
        running(missing, WORKS["dense"], tmp_path / "work.npz", "cpu"),
    ):
        pass


def test_a_contender_that_fails_gives_its_reason(tmp_path):
    broken = Contender("lab", "bench.peers.lab", changes={"device": "cuda:31"})
    draw(WORKS["lstm"], tmp_path / "work.npz")
    with (
        pytest.raises(Unable, match="LabError: There is no cuda:31 here"),
        running(broken, WORKS["lstm"], tmp_path / "work.npz", "cpu"),
    ):
        pass


def test_a_contender_that_hangs_is_ended(tmp_path, monkeypatch):
    hangs = tmp_path / "python"
    hangs.write_text("#!/bin/sh\nexec sleep 600\n")
    hangs.chmod(0o755)
    monkeypatch.setattr(contenders, "START_SECONDS", 0.1)
    with (
        pytest.raises(Unable, match="did not answer within"),
        running(Contender("X", "x", hangs), WORKS["dense"], tmp_path / "work.npz", "cpu"),
    ):
        pass


SHORT = replace(WORKS["dense"], steps=1)


@pytest.fixture
def started(monkeypatch):
    """Contenders that only answer, and the names of those that were started."""
    names = []

    class Answering:
        def __init__(self, name):
            self.name = name

        def warm(self):
            names.append(f"{self.name} is warm")
            if self.name == "torch":
                raise Unable("it failed")

        def __call__(self):
            return 1.0

    @contextmanager
    def started(contender, *_):
        names.append(next(name for name, each in CONTENDERS.items() if each is contender))
        if names[-1] == "jax":
            raise Unable("it is not installed")
        yield Answering(names[-1])

    monkeypatch.setattr(command, "started", started)
    monkeypatch.setattr(command, "machine", lambda: MACHINE)
    return names


def watched(monkeypatch, *shares):
    """Let others take so much of each round in turn."""
    left = iter(shares)
    monkeypatch.setattr(measure, "BLOCK_SECONDS", 0.0)
    rounds = partial(measure.rounds, watch=lambda: lambda: next(left))
    monkeypatch.setattr(command, "rounds", rounds)


def test_beside_a_busy_core_a_work_ends_before_all_are_started(tmp_path, monkeypatch, started):
    watched(monkeypatch, 0.9, 0.5, 0.7)
    found = command.measured(SHORT, tmp_path, "cpu")
    assert found["refused"].startswith(
        "3 of 3 rounds were disturbed and left out, because up to 90%"
    )
    assert started == ["fast", "fast is warm", "stock", "stock is warm"]


def test_where_the_core_becomes_busy_later_every_round_is_counted(tmp_path, monkeypatch, started):
    watched(monkeypatch, 0.3, 0.0, *[0.4] * 7)
    found = command.measured(SHORT, tmp_path, "cpu")
    assert found["refused"].startswith("7 of 7 rounds were disturbed")
    assert [each for each in started if " " not in each] == list(CONTENDERS)
    assert found["absent"] == {"torch": "it failed", "jax": "it is not installed"}


def test_on_a_card_contenders_warm_up_together(tmp_path, monkeypatch, started):
    watched(monkeypatch, *[0.0] * 8)
    found = command.measured(SHORT, tmp_path, "cuda:0")
    assert started[:4] == ["fast", "stock", "fast is warm", "stock is warm"]
    assert started.index("torch is warm") > started.index("jax")
    assert set(found["rounds"]) == set(CONTENDERS) - {"torch", "jax"}


def test_disturbed_rounds_are_counted_beside_those_that_give_the_figures(
    tmp_path, monkeypatch, started
):
    watched(monkeypatch, 0.0, *[0.4, 0.0] * 3, *[0.0] * 4)
    found = command.measured(SHORT, tmp_path, "cpu")
    assert (len(found["rounds"]["fast"]), found["left_out"]) == (7, 3)


def test_without_the_lab_itself_there_is_no_figure(tmp_path, monkeypatch):
    broken = Contender("lab", "bench.peers.lab", tmp_path / "python")
    monkeypatch.setitem(command.CONTENDERS, "fast", broken)
    monkeypatch.setattr(command, "machine", lambda: MACHINE)
    found = command.measured(SHORT, tmp_path, "cpu")
    assert "not installed" in found["refused"]


# --- the table --------------------------------------------------------------------------------


def result(title="dense", **step_ms):
    found = command.compared({name: [value] * 3 for name, value in step_ms.items()}, left_out=2)
    about = {"title": title, "measured_at": "2026-11-26T10:00:00+00:00", "absent": {}}
    return found | about | {"machine": MACHINE}


MACHINE = {
    "cpu": "CPU",
    "cores": 2,
    "cards": [],
    "system": "Linux",
    "python": "3.11",
    "load_average": 0.1,
}


def test_the_ratio_is_that_to_the_best_of_the_others_in_the_same_round():
    rounds = {"fast": [2.0, 4.0, 6.0], "torch": [1.0, 2.0, 4.0], "stock": [9.0, 9.0, 9.0]}
    found = command.compared(rounds, 0)
    assert found["best"] == "torch"
    assert found["fast_over_best"] == summary([2.0, 2.0, 1.5])


def test_a_row_has_the_best_in_bold_and_a_dash_for_who_had_no_part():
    columns = ["fast", "stock", "torch", "jax"]
    row = table.row(result(fast=1.0, stock=2.5, torch=0.5), columns)
    assert row == "| dense | 1 | 2.5 | **0.5** | - | 2.00 (2.00 to 2.00) | 3 | 2 |"


def test_who_has_no_figure_in_any_work_has_no_column_and_a_reason_beneath():
    graph = {"torch_graph": "a graph is recorded on a card alone"}
    one = result(fast=1.0, torch=0.5) | {"absent": graph}
    other = result("gru", fast=3.0, jax=2.0) | {"absent": graph | {"torch": "it failed"}}
    head, _, *rows = [line for line in table.table([one, other]).splitlines() if line[:1] == "|"]
    titles = [CONTENDERS[name].title for name in ("fast", "torch", "jax")]
    assert [cell.strip() for cell in head.split("|")[2:5]] == titles
    assert {line.count("|") for line in (head, *rows)} == {8}
    assert rows[1].startswith("| gru | 3 | - | **2** |")
    said = "torch by hand, as a CUDA graph: a graph is recorded on a card alone. (dense; gru)"
    assert said in table.table([one, other])


def test_a_work_that_was_disturbed_has_no_figures_and_says_why():
    about = {"title": "dense", "refused": "7 of 7 rounds were left out.", "absent": {}}
    columns = ["fast", "torch"]
    row = table.row(about, columns)
    assert "7 of 7 rounds were left out." in row
    assert row.count("|") == table.row(result(fast=1.0, torch=0.5), columns).count("|")


def test_each_row_is_written_as_it_comes_and_the_others_stay(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("# Title\n")
    monkeypatch.setattr(command, "PAGE", page)
    monkeypatch.setattr(command, "place", lambda: "cpu")
    monkeypatch.setattr(command, "best_device", lambda: "cpu")
    monkeypatch.setattr(command, "RESULTS", tmp_path)
    monkeypatch.setattr("bench.measure.RESULTS", tmp_path)
    monkeypatch.setattr("bench.measure.place", lambda: "cpu")

    def measured(work, folder, device):
        if work.preset == "gru":
            raise RuntimeError("the power went")
        return result(work.title, fast=1.0, torch=0.5)

    monkeypatch.setattr(command, "measured", measured)
    run = CliRunner().invoke(command.main, ["--only", "dense,gru"])
    assert "the power went" in str(run.exception)
    assert set(json.loads((tmp_path / "cpu" / "peers.json").read_text())) == {"dense"}
    assert CliRunner().invoke(command.main, ["--only", "lstm"]).exit_code == 0
    rows = [line for line in page.read_text().splitlines() if line.startswith("| ")]
    assert [row.split(",")[0] for row in rows[1:]] == ["| dense 784-300-100-10", "| LSTM 48"]


def test_a_work_that_nobody_knows_is_refused():
    run = CliRunner().invoke(command.main, ["--only", "dense,vgg"])
    assert run.exit_code == 2
    assert "vgg: choose of tiny" in run.output
