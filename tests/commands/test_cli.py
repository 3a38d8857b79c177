from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from cnnlab.__main__ import main
from cnnlab.history import History
from cnnlab.spec import PRESETS, ExperimentSpec, RunCard, Status, change
from tests.example_runs import CARD, add_run
from tests.example_sweeps import AXES, add_sweep
from tests.patience import PATIENCE_SECONDS

pytestmark = pytest.mark.usefixtures("peaks")


def cnnlab(*arguments: object) -> subprocess.CompletedProcess[str]:
    """A command in a process of its own."""
    command = [sys.executable, "-m", "cnnlab", *map(str, arguments)]
    return subprocess.run(
        command, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=False
    )


@pytest.fixture
def refused(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Callable[..., str]:
    """The complaint of a command that must not work: exit code 2, one sentence, no history."""

    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["cnnlab", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
        said = capsys.readouterr()
        assert ended.value.code == 2
        assert said.out == ""
        assert "Traceback" not in said.err
        assert History().summaries(include_deleted=True) == []
        return " ".join(said.err.split())

    return run


def test_train_prints_one_run_card_and_the_history_keeps_it() -> None:
    short = ("--preset", "tiny", "--limit", 300, "--epochs", 2, "--device", "cpu")
    done = cnnlab("train", *short, "--json")
    assert done.returncode == 0, done.stderr
    card = RunCard.model_validate_json(done.stdout)
    assert card.status == "finished"
    assert card.name == "Tiny · 2 epochs · 300 examples · CPU"  # as the pages name it
    assert [row.epoch for row in card.epochs] == [1, 2]
    assert len(card.steps.ms) == 2 * 8
    assert card.device.used == "cpu"
    assert cnnlab("--version").stdout.split()[-1] == card.environment["cnnlab"]
    assert card.dataset.synthetic
    shown = cnnlab("runs", "show", card.run_id[:8], "--json")
    assert RunCard.model_validate_json(shown.stdout) == card
    (listed,) = json.loads(cnnlab("runs", "list", "--json").stdout)
    assert listed["run_id"] == card.run_id
    assert "finished" in cnnlab("runs", "list").stdout
    assert "val. accuracy" in cnnlab("runs", "show", card.run_id).stdout
    assert cnnlab("runs", "delete", card.run_id).returncode == 0
    assert json.loads(cnnlab("runs", "list", "--json").stdout) == []
    assert "is deleted" in cnnlab("runs", "show", card.run_id).stderr


def test_any_field_can_be_set_and_common_ones_go_by_name() -> None:
    short = ("--limit", 64, "--epochs", 1, "--device", "cpu", "--json")
    named = ("--filters", "4,8", "--units", 16, "--learning-rate", 0.01, "--optimizer", "sgd")
    done = cnnlab("train", *short, *named, "--set", "model.blocks.0.convs.0.kernel=3")
    assert done.returncode == 0, done.stderr
    spec = RunCard.model_validate_json(done.stdout).spec
    assert [conv.filters for block in spec.model.blocks for conv in block.convs] == [4, 8]
    assert spec.model.blocks[0].convs[0].kernel == 3
    assert (spec.model.dense, spec.learning_rate, spec.optimizer) == ((16,), 0.01, "sgd")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--filters", "3,4,5"), "Conv2D layers"),
        (("--preset", "dense", "--filters", "3"), "use --units"),
        (("--filters", "many"), "write it like 48,32"),
        (("--set", "model.blocks.0.convs.0.filter=48"), "no such field"),
        (("--set", "epochs=many"), "epochs is"),
    ],
)
def test_a_field_that_cannot_be_set_is_named(
    refused: Callable[..., str], arguments: tuple, complaint: str
) -> None:
    assert complaint in refused("train", *arguments)


def test_the_help_lists_every_field_and_cuts_no_sentence() -> None:
    helped = cnnlab("train", "--help").stdout
    assert "model.blocks.N.convs.N.filters" in helped
    assert all(field in helped for field in ExperimentSpec.model_fields if field != "model")
    for group in ((), ("runs",), ("datasets",)):
        assert "..." not in cnnlab(*group, "--help").stdout.partition("Commands:")[2]


def test_the_list_of_runs_fits_a_hundred_columns() -> None:
    history = History()
    add_run(history, name="[red]A name that is much longer than any column of a table " * 2)
    add_run(history, name="Short", device=CARD, status=Status.INTERRUPTED)
    lines = cnnlab("runs", "list").stdout.splitlines()
    assert "…" in lines[-1]
    assert "[red]A name" in lines[-1]
    assert max(map(len, lines)) <= 100


def test_cells_of_sweeps_are_listed_on_demand() -> None:
    history = History()
    add_sweep(history, axes=AXES[:1])
    run_id = add_run(history, name="Mine")
    (listed,) = json.loads(cnnlab("runs", "list", "--json").stdout)
    assert listed["run_id"] == run_id
    assert len(json.loads(cnnlab("runs", "list", "--cells", "--json").stdout)) == 7
    assert "Cells of sweeps: 6; `runs list --cells` shows them." in cnnlab("runs", "list").stdout


def test_the_article_trains_on_real_pictures_with_ten_classes(cifar10: Path) -> None:
    arguments = ("--dataset", cifar10, "--limit", 300, "--epochs", 2, "--device", "cpu", "--json")
    done = cnnlab("train", "--preset", "article", *arguments)
    assert done.returncode == 0, done.stderr
    card = json.loads(done.stdout)
    assert card["model"]["parameters"] == 975_692 - 90 * 201  # ten outputs for a hundred
    assert card["device"]["used"] == "cpu"
    losses = [row["loss"] for row in card["epochs"]]
    assert np.isfinite(losses).all()
    assert losses[1] < losses[0]


def test_dense_reaches_96_per_cent_on_mnist(mnist: Path) -> None:
    done = cnnlab("train", "--preset", "dense", "--dataset", mnist, "--epochs", 2, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["epochs"][-1]["val_accuracy"] >= 0.96


@pytest.mark.parametrize("way", ["environment", "override", "device"])
def test_each_way_to_switch_the_gpu_off_ends_on_the_cpu(way: str) -> None:
    done = cnnlab("train", "--limit", 100, "--epochs", 1, "--gpu-off", way, "--json")
    assert done.returncode == 0, done.stderr
    device = json.loads(done.stdout)["device"]
    assert (device["used"], device["gpu_off"]) == ("cpu", way)


def test_who_trains_beside_another_process_is_told_so() -> None:
    history = History()
    run_id = history.create(PRESETS["tiny"].spec, name="My run", session="test")
    history.mark(run_id, Status.RUNNING)
    done = cnnlab("train", "--preset", "tiny", "--limit", 200, "--epochs", 1)
    history.close()
    assert done.returncode == 0
    assert f"Another process is training My run ({run_id})" in done.stderr
    assert "Another process" not in cnnlab("runs", "list").stderr


def test_a_spec_file_is_the_same_run_as_its_options(tmp_path: Path) -> None:
    spec = change(PRESETS["tiny"].spec, train_limit=200, epochs=1, device="cpu")
    file = tmp_path / "spec.json"
    file.write_text(spec.model_dump_json())
    card = json.loads(cnnlab("train", "--spec", file, "--json").stdout)
    options = ("--limit", 200, "--epochs", 1, "--device", "cpu")
    same = json.loads(cnnlab("train", *options, "--json").stdout)
    assert card["spec"] == same["spec"] == spec.model_dump(mode="json")
    assert card["epochs"][0]["loss"] == same["epochs"][0]["loss"]


def disturbed(epoch: int, disturb: Callable[[subprocess.Popen], None]) -> tuple[int, dict]:
    """Start a long run, disturb it once an epoch is done: the exit code and what is kept."""
    command = [sys.executable, "-m", "cnnlab", "train", "--limit", "200", "--epochs", "9000"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
    )
    with process.stderr as lines:
        next(line for line in lines if line.startswith(f"epoch {epoch}/"))
        disturb(process)
        lines.read()
    code = process.wait(timeout=PATIENCE_SECONDS)
    (run,) = json.loads(cnnlab("runs", "list", "--json").stdout)
    return code, run


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_in_order_and_exits_with_130(number: signal.Signals) -> None:
    code, run = disturbed(2, lambda process: process.send_signal(number))
    assert code == 130
    assert run["status"] == "stopped"
    assert run["epochs_done"] >= 2


def test_a_killed_run_is_interrupted_with_its_epochs() -> None:
    _, run = disturbed(3, lambda process: process.kill())
    assert run["status"] == "interrupted"
    assert run["epochs_done"] >= 3


def test_a_killed_run_is_resumed_and_keeps_its_id() -> None:
    _, run = disturbed(3, lambda process: process.kill())
    assert run["error"].endswith("resume it or train it again.")
    command = [sys.executable, "-m", "cnnlab", "train", "--resume", run["run_id"][:11]]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    with process.stderr as lines:
        first = next(line for line in lines if line.startswith("epoch "))
        process.send_signal(signal.SIGTERM)
        lines.read()
    assert process.wait(timeout=PATIENCE_SECONDS) == 130
    assert int(first.split()[1].split("/")[0]) > 3
    card = json.loads(cnnlab("runs", "show", run["run_id"], "--json").stdout)
    assert card["status"] == "stopped"
    assert [row["epoch"] for row in card["epochs"]] == list(range(1, len(card["epochs"]) + 1))
    assert card["timing"]["resumed_after"][0] >= 3


def test_what_cannot_be_resumed_is_refused_in_a_sentence(refused: Callable[..., str]) -> None:
    assert "leave the other options out" in refused("train", "--resume", "x", "--epochs", 3)
    assert "no run nothere" in refused("train", "--resume", "nothere")


@pytest.mark.parametrize(
    ("arguments", "complaint"),
    [
        (("--device", "cuda:99"), "cuda:99"),
        (("--device", "toaster"), "device is"),
        (("--dataset", "nowhere.zip"), "nowhere.zip"),
        (("--batch-size", "0"), "batch_size is 0"),
        (("--epochs", "many"), "'many' is not a valid integer"),
        (("--preset", "tiny", "--spec", "x.json"), "give one of them"),
        (("--spec", "missing.json"), "missing.json cannot be read"),
    ],
)
def test_bad_input_is_refused_in_a_sentence(
    refused: Callable[..., str], arguments: tuple[str, ...], complaint: str
) -> None:
    assert complaint in refused("train", *arguments)


def test_a_data_set_that_is_not_there_is_refused_before_a_bar_is_drawn(
    refused: Callable[..., str],
) -> None:
    said = refused("train", "--dataset", "/nope.npz")
    assert said.startswith("Error: There is no data set '/nope.npz'")
    assert said.endswith("a folder or an archive of pictures, a .npz file or a .csv file.")


def test_a_spec_file_with_mistakes_names_them_all(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    data = PRESETS["tiny"].spec.model_dump(mode="json")
    data["colour"] = "blue"
    data["epochs"] = "many"
    data["model"]["blocks"][0]["convs"][0]["kernel"] = 0
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(data))
    said = refused("train", "--spec", file)
    for part in ("colour", "epochs", "model.blocks.0.convs.0.kernel"):
        assert part in said
    file.write_text("{nonsense")
    assert "is not JSON" in refused("train", "--spec", file)


def test_a_kernel_larger_than_its_input_is_refused(
    refused: Callable[..., str], tmp_path: Path
) -> None:
    data = PRESETS["tiny"].spec.model_dump(mode="json")
    data["model"]["blocks"][1]["convs"][0]["kernel"] = 31
    file = tmp_path / "spec.json"
    file.write_text(json.dumps(data))
    assert "14 x 14 there" in refused("train", "--spec", file)


def test_damaged_data_is_refused_by_name(refused: Callable[..., str], tmp_path: Path) -> None:
    file = tmp_path / "broken.npz"
    file.write_bytes(b"PK\x03\x04 this is no archive")
    assert "broken.npz" in refused("train", "--dataset", file)
    np.savez(tmp_path / "flat.npz", x_train=np.zeros(10, np.uint8), y_train=np.zeros(10, int))
    assert "flat.npz" in refused("train", "--dataset", tmp_path / "flat.npz")


def test_devices_and_datasets_say_what_is_here() -> None:
    hardware = json.loads(cnnlab("devices", "--json").stdout)
    assert hardware["cpu"]["name"]
    assert hardware["versions"]["keras"]
    names = [item["name"] for item in json.loads(cnnlab("datasets", "list", "--json").stdout)]
    assert names[:7] == [
        "shapes10",
        "shapes",
        "waves",
        "cifar10",
        "cifar100",
        "mnist",
        "fashion_mnist",
    ]
    assert "cpu" in cnnlab("devices").stdout
    assert "shapes" in cnnlab("datasets", "list").stdout


def test_a_run_that_is_not_there_is_named(refused: Callable[..., str]) -> None:
    assert "nothere" in refused("runs", "show", "nothere")


def test_a_data_set_can_be_fetched_ahead(mnist: Path) -> None:
    done = cnnlab("datasets", "fetch", mnist, "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["ready"] is True


def test_runs_travel_as_cards_and_are_compared(tmp_path: Path) -> None:
    card = json.loads(cnnlab("train", "--limit", 200, "--epochs", 2, "--json").stdout)
    file = tmp_path / "card.json"
    assert cnnlab("runs", "export", card["run_id"], "-o", file).returncode == 0
    assert json.loads(file.read_text()) == card
    again = cnnlab("runs", "export", card["run_id"], "-o", file)
    assert again.returncode == 2
    assert "is there already" in again.stderr.replace("\n", " ")
    there = [f"elsewhere-{number}" for number in range(2)]
    for run_id in there:
        # Whatever kept this computer busy meanwhile would be a reason for no verdict.
        told = card | {"run_id": run_id, "name": "From afar", "disturbances": None}
        file.write_text(json.dumps(told))
        assert run_id in cnnlab("runs", "import", file).stdout
    compared = json.loads(cnnlab("compare", *there, "--json").stdout)
    assert compared["runs"] == there
    assert compared["pairs"][0]["speed_up"] == 1.0
