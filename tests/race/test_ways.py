"""Who races whom."""

from __future__ import annotations

import pytest

from cnnlab.race import WAYS, Here, lanes_of, own_lanes, short_runs, titled, usual_way
from cnnlab.spec import PRESETS, LabError, SpecError, change
from tests.example_runs import TINY
from tests.race.examples import leg

CPU_ALONE, WITH_CARD = Here((), 4), Here(("cuda:0",), 4)


def nobody(run_id: str):
    raise LabError(f"There is no run {run_id}.")


def titles(*texts: str) -> list[str]:
    return [lane.title for lane in own_lanes(texts, TINY, nobody)]


@pytest.mark.parametrize(
    ("way", "names", "field", "values"),
    [
        ("engines", ["stock engine", "fast engine"], "engine", ["stock", "fast"]),
        ("threads", ["1 thread", "4 threads"], "threads", [1, 4]),
        ("precision", ["float32", "bfloat16"], "precision", ["float32", "mixed_bfloat16"]),
        ("devices", ["CPU", "GPU"], "device", ["cpu", "cuda:0"]),
    ],
)
def test_the_usual_races_differ_in_one_thing_and_are_called_by_it(way, names, field, values):
    lanes = lanes_of(way, TINY, WITH_CARD)
    assert [lane.title for lane in lanes] == names
    assert [getattr(lane.spec, field) for lane in lanes] == values
    same = [change(lane.spec, **{field: values[0]}) for lane in lanes]
    assert same[0] == same[1]


def test_without_an_accelerator_the_usual_race_is_one_that_can_be_run() -> None:
    assert usual_way(WITH_CARD) == "devices"
    assert WAYS[usual_way(CPU_ALONE)].missing(CPU_ALONE) is None
    with pytest.raises(LabError, match="There is no accelerator here"):
        lanes_of("devices", TINY, CPU_ALONE)
    with pytest.raises(LabError, match="one core only"):
        lanes_of("threads", TINY, Here((), 1))


def test_a_recipe_against_itself_has_two_names_all_the_same() -> None:
    assert [lane.title for lane in lanes_of("itself", TINY, CPU_ALONE)] == ["A", "B"]


def test_lanes_of_ones_own_differ_in_whatever_is_written() -> None:
    assert titles("batch_size=32", "batch_size=128,optimizer=sgd") == [
        "batch 32, Adam",
        "batch 128, SGD",
    ]
    assert titles("model.dense=64,32,threads=1", "model.dense=64,threads=2") == [
        "1 thread, dense units [64, 32]",
        "2 threads, dense units [64]",
    ]
    assert titles("network=tiny", "network=dense") == ["Tiny", "Dense"]
    assert titles("model.dropout=0", "model.dropout=0.5") == ["dropout 0.0", "dropout 0.5"]
    assert titles("threads=1", "threads=null") == ["1 thread", "threads as it chooses"]


def test_lanes_on_other_data_are_called_as_the_data_are_elsewhere() -> None:
    assert titles("dataset=shapes10", "dataset=cifar10") == ["Ten shapes (synthetic)", "CIFAR-10"]
    assert titles("dataset=/srv/birds.tar.xz", r"dataset=C:\pictures\mine.npz") == [
        "birds.tar.xz",
        "mine.npz",
    ]
    assert titles("dataset=/a/x.csv?window=8", "dataset=/a/x.csv?window=9") == [
        "x.csv?window=8",
        "x.csv?window=9",
    ]
    assert titles("dataset=/old/x.npz", "dataset=/new/x.npz") == ["x.npz A", "x.npz B"]


def test_a_network_keeps_the_data_and_the_rest_of_the_recipe() -> None:
    first, second = own_lanes(["network=tiny", "network=dense"], TINY, nobody)
    assert second.spec == change(TINY, model=PRESETS["dense"].spec.model.model_dump())
    assert first.spec == TINY


def test_a_lane_may_be_a_run_of_the_history() -> None:
    spec = change(TINY, batch_size=256)
    lanes = own_lanes(["engine=fast", "abc"], TINY, lambda run_id: leg(0, 0, 1.0, spec))
    assert [lane.spec.batch_size for lane in lanes] == [32, 256]


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["engine=fast"], "2 to 4 lanes, but 1 was given"),
        (["threads=1"] * 5, "2 to 4 lanes, but 5 were given"),
        (["engine=fast", "engine"], "There is no run engine"),
        (["engine=fast", "threads=1,stock"], "threads is .1,stock."),
        (["network=vgg", "network=tiny"], "no network 'vgg'"),
    ],
)
def test_lanes_that_cannot_be_are_refused_in_a_sentence(texts, complaint):
    with pytest.raises(LabError, match=complaint):
        own_lanes(texts, TINY, nobody)


def test_a_value_that_cannot_be_is_refused_by_the_spec() -> None:
    with pytest.raises(SpecError, match="engine"):
        own_lanes(["engine=fast", "engine=quick"], TINY, nobody)


@pytest.mark.parametrize(
    ("lanes", "accelerators", "said"),
    [
        ([{}, {}], 0, "runs of 3 s side by side"),
        ([{"device": "cpu"}, {"device": "cuda:0"}], 1, "runs of 3 s side by side"),
        ([{"device": "auto"}, {"device": "cuda:0"}], 1, "runs of 3 s one after the other"),
        ([{"device": "auto"}, {"gpu_off": "device"}], 1, "runs of 3 s side by side"),
        ([{"machine": "box"}, {"machine": "box"}], 0, "runs of 3 s one after the other"),
        ([{"machine": "box"}, {}], 0, "runs of 3 s on all machines at the same time"),
        ([{}], 0, "runs of 3 s"),
    ],
)
def test_how_short_runs_of_lanes_follow_each_other_is_said_as_it_is(lanes, accelerators, said):
    assert short_runs([change(TINY, **lane) for lane in lanes], accelerators) == said


def test_titles_stay_short_and_apart() -> None:
    many = [
        change(TINY, dataset="x" * 100, batch_size=size, seed=size, learning_rate=1 / size)
        for size in (16, 32)
    ]
    lanes = titled(many)
    assert all(len(lane.title) <= 60 for lane in lanes)
    assert lanes[0].title != lanes[1].title


def test_large_numbers_in_titles_have_their_separators() -> None:
    assert titles("epochs=1500", "epochs=9") == ["epochs 1,500", "epochs 9"]
    assert titles("batch_size=1024", "batch_size=32") == ["batch 1,024", "batch 32"]
    wide = "network=dense,model.dense=4096"
    assert titles(wide, "network=tiny")[0].endswith("Dense 4,096")
