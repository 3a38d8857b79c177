"""Two runs against each other: the ratio, what differs, the ledger."""

import pytest

from cnnlab import analysis
from cnnlab.spec import (
    PRESETS,
    Timing,
    change,
    spoken,
)
from tests.analysis.pretend import ARTICLE, CPU, GPU, card
from tests.example_runs import disturbances

FEWER_FILTERS = ARTICLE | {
    "blocks": [{"convs": [{"filters": 64, "kernel": 7}], "pool": 2}, *ARTICLE["blocks"][1:]]
}


def test_a_fair_pair_gets_its_ratio_without_the_first_epoch():
    gain = analysis.speed_up(CPU, GPU)
    assert gain.ratio == pytest.approx(343 / 22.8)
    assert gain.warm


def test_the_verdict_is_one_sentence_whichever_run_comes_first():
    said = (
        "The GPU ran 15 times as fast (15 to 15.1 from epoch to epoch): 22.8 s an epoch against "
        "5 min 43 s; equally accurate, within what 7,500 pictures can tell."
    )
    assert analysis.verdict(CPU, GPU) == said
    assert analysis.verdict(GPU, CPU) == said


def test_the_cpu_can_win():
    slow = card("cuda:0", (9, 4.0, 4.0))
    quick = card("cpu", (3, 2.5, 2.5))
    said = "The CPU ran 1.6 times as fast: 2.5 s an epoch against 4 s; "
    assert analysis.verdict(quick, slow).startswith(said)


def test_a_lead_within_the_spread_of_epochs_is_no_lead():
    assert analysis.verdict(card("cpu", (9, 22.5)), card("cuda:0", (9, 22.0))).startswith(
        "About equally fast: the CPU at 22.5 s an epoch, the GPU at 22 s; "
    )


def test_two_runs_of_one_kind_go_by_the_names_of_their_devices_or_their_own():
    other = card("cuda:1", (20, 10, 10), name="Second")
    assert "“Second” ran 2.28 times as fast as “On cuda:0”" in analysis.verdict(GPU, other)
    named = other.device.model_copy(update={"name": "NVIDIA H200"})
    faster = other.model_copy(update={"device": named})
    assert analysis.verdict(GPU, faster).startswith("The NVIDIA H200 ran 2.28 times as fast")


def test_single_epochs_are_compared_and_their_warm_up_confessed():
    said = analysis.verdict(card("cpu", (40,)), GPU)
    assert said.startswith(
        "“On cuda:0” ran 1.33 times as fast as “On cpu”: 30 s an epoch against 40 s "
        "(first epochs, warm-up included); "
    )
    assert said.endswith("On accuracy bears as well: epochs is 1 against 3.")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("batch_size", 64),
        ("precision", "mixed_bfloat16"),
        ("engine", "stock"),
        ("compile", True),
        ("optimizer", "sgd"),
        ("train_limit", 1000),
        ("validation_split", 0.2),
    ],
)
def test_a_speed_up_is_the_devices_alone_and_else_the_number_says_whose_it_is(field, value):
    other = GPU.model_copy(update={"spec": change(GPU.spec, **{field: value})})
    reasons = analysis.comparability(CPU, other)
    assert len(reasons) == 1
    assert reasons[0].startswith(f"{spoken(field)} is ")
    assert analysis.speed_up(CPU, other) is None
    found = analysis.between(CPU, other)
    assert found.speed.ratio > 1
    assert {thing.name for thing in found.speed.things} == {field, "device"}
    assert reasons[0] in analysis.verdict(CPU, other)


@pytest.mark.parametrize(
    ("field", "value"),
    [("gpu_off", "device"), ("epochs", 50), ("seed", 3), ("learning_rate", 0.01)],
)
def test_what_decides_no_duration_is_no_reason_against_a_pair(field, value):
    other = CPU.model_copy(update={"spec": change(CPU.spec, **{field: value})})
    assert analysis.comparability(other, GPU) == []


def test_versions_threads_and_data_count_where_both_runs_know_them():
    other = GPU.model_copy(update={"environment": {"torch": "2.4.1", "threads": 4}})
    assert analysis.comparability(CPU, other) == [
        "CPU threads is 8 against 4",
        "torch is 2.13.0 against 2.4.1",
    ]
    assert analysis.comparability(CPU, GPU.model_copy(update={"environment": {}})) == []
    smaller = GPU.dataset.model_copy(update={"train_images": 1700})
    assert analysis.comparability(CPU, GPU.model_copy(update={"dataset": smaller})) == [
        "examples to train on is 42,500 against 1,700"
    ]
    assert analysis.comparability(CPU, GPU.model_copy(update={"dataset": None})) == []


def test_another_network_is_named_with_everything_else_that_differs():
    other = GPU.model_copy(update={"spec": change(PRESETS["tiny"].spec, dataset="cifar100")})
    said = analysis.verdict(CPU, other)
    assert "examples used is all against 8,000; the blocks of their networks differ; " in said
    assert "and the number is theirs together" in said


@pytest.mark.parametrize(
    ("changes", "facts", "reasons"),
    [
        (
            {"dataset": "shapes", "train_limit": 2000},
            {"name": "shapes", "train_images": 1700, "validation_images": 300, "classes": 10},
            ["data set is cifar100 against shapes", "examples used is all against 2,000"],
        ),
        (
            {"train_limit": 2000},
            {"train_images": 1700, "validation_images": 300},
            ["examples used is all against 2,000"],
        ),
        ({}, {"name": "cifar10", "classes": 10}, ["data set found is cifar100 against cifar10"]),
        ({"model": {"family": "dense"}}, {}, ["family is CNN against Dense"]),
        ({"model": FEWER_FILTERS}, {}, ["block 1, Conv2D 1, filters is 128 against 64"]),
    ],
)
def test_what_only_follows_from_another_difference_is_not_told_again(changes, facts, reasons):
    relearnt = "model" in changes or "name" in facts  # so the number of parameters follows
    other = GPU.model_copy(
        update={
            "spec": change(GPU.spec, **changes),
            "dataset": GPU.dataset.model_copy(update=facts),
            "model": GPU.model.model_copy(update={"parameters": 1 if relearnt else 975_692}),
        }
    )
    assert analysis.comparability(CPU, other) == reasons


def test_a_run_without_a_finished_epoch_is_no_contestant():
    assert analysis.verdict(CPU, card("cuda:0", ())).startswith(
        "No speed to compare: On cuda:0 has no finished epoch."
    )


def test_only_what_differs_is_listed_by_dotted_name_as_text():
    other = GPU.model_copy(update={"spec": change(GPU.spec, batch_size=64, compile=True)})
    frame = analysis.differences([CPU, other])
    assert frame.loc["batch_size"].tolist() == ["32", "64"]
    assert frame.loc["compile"].tolist() == ["no", "yes"]
    assert frame.loc["device.name"].tolist() == ["Core i7-10875H", "GeForce RTX 3060"]
    assert "seed" not in frame.index
    assert list(frame.columns) == ["run-cpu", "run-cuda:0"]
    assert analysis.differences([CPU, CPU.model_copy(update={"name": "Again"})]).empty


def test_a_spec_is_flattened_to_dotted_names():
    flat = analysis.flatten(PRESETS["article"].spec.model_dump(mode="json"))
    assert flat["model.blocks.1.convs.1.filters"] == 256
    assert flat["model.dense"] == [200]
    assert flat["batch_size"] == 32


def test_the_kind_of_a_device_is_read_from_its_name():
    kinds = [analysis.device_kind(used) for used in ("cpu", "cpu:0", "cuda:0", "mps", "xpu")]
    assert kinds == ["cpu", "cpu", "accelerator", "accelerator", "accelerator"]


def test_the_ledger_has_a_row_for_each_phase_that_was_measured():
    timing = Timing(startup_seconds=3, warmup_seconds=2, train_seconds=400)
    frame = analysis.ledger([CPU.model_copy(update={"timing": timing}), GPU])
    assert frame.astype({"run": str, "phase": str}).values.tolist() == [
        ["run-cpu", "start-up", 3.0],
        ["run-cpu", "warm-up", 2.0],
        ["run-cpu", "training", 400.0],
    ]


def test_the_turns_of_other_lanes_are_a_phase_of_the_runs_that_took_turns():
    leg = GPU.model_copy(
        update={"timing": Timing(train_seconds=4, held_seconds=6, other_seconds=1)}
    )
    assert "other lanes' turns" not in analysis.phases_of([CPU, GPU])
    assert list(analysis.phases_of([CPU, leg])) == list(analysis.PHASES)
    frame = analysis.ledger([leg]).astype({"phase": str})
    assert frame[["phase", "seconds"]].values.tolist() == [
        ["training", 4.0],
        ["other lanes' turns", 6.0],
        ["other", 1.0],
    ]


# --- what a card does not say ---------------------------------------------------------------


def test_a_card_that_does_not_say_how_many_pictures_it_had_is_held_by_another_of_the_same_data():
    bare = GPU.model_copy(update={"dataset": None})
    known = analysis.between(CPU, GPU).speed.ratio
    assert analysis.between(CPU, bare).speed.ratio == pytest.approx(known)
    fewer = bare.model_copy(update={"spec": change(GPU.spec, train_limit=1000)})
    found = analysis.between(CPU, fewer).speed
    assert found.ratio is None
    assert found.why == "On cuda:0 has no count of the examples it trained on"


def test_a_batch_of_more_pictures_than_there_are_trains_on_those_there_are():
    large = change(CPU.spec, batch_size=65_536)
    timing = Timing(step_ms_median=425.0)
    cells = [
        CPU.model_copy(update={"epochs": (), "timing": timing, "run_id": name, "spec": spec})
        for name, spec in (("a", CPU.spec), ("b", large))
    ]
    one, other = analysis.paces_of(*cells)
    assert other.seconds == pytest.approx(0.425 / 42_500)
    assert one.seconds == pytest.approx(0.425 / 32)


def test_a_run_without_an_accuracy_says_so_beside_its_speed():
    unknown = tuple(row.model_copy(update={"val_accuracy": float("nan")}) for row in GPU.epochs)
    said = analysis.verdict(CPU, GPU.model_copy(update={"epochs": unknown}))
    assert "The GPU ran 15 times as fast" in said
    assert "; no accuracy to compare: On cuda:0 has no validation accuracy." in said


def test_where_nothing_was_measured_what_differs_is_named_all_the_same():
    other = card("cuda:0", (), spec=change(GPU.spec, batch_size=64, learning_rate=0.1))
    said = analysis.verdict(CPU, other)
    for part in ("batch size is 32 against 64", "device is CPU", "learning rate is 0.001"):
        assert part in said


def test_no_speed_is_put_down_to_what_decides_none():
    other = CPU.model_copy(
        update={"spec": change(CPU.spec, seed=3), "epochs": GPU.epochs, "name": "Lucky"}
    )
    said = analysis.verdict(CPU, other)
    assert said.startswith("“Lucky” ran 15 times as fast as “On cpu”")
    assert "One thing differs: seed is 0 against 3." in said


def test_a_disturbed_run_makes_nobody_ahead_by_a_lead_that_a_neighbour_may_have_given():
    busy = {"disturbances": disturbances("Other processes kept 2 of 8 cores busy.")}
    slow = card("cpu", (9, 24.0, 24.0), run_id="slow", name="Slow", **busy)
    quick = card("cpu", (9, 20.0, 20.0), run_id="quick", name="Quick")
    assert analysis.verdict(quick, slow).startswith(
        "Nobody is ahead for certain: “Quick” at 20 s an epoch, “Slow” at 24 s, no more than "
        "disturbed runs may differ by; "
    )
    undisturbed = slow.model_copy(update={"disturbances": None})
    assert "“Quick” ran 1.2 times as fast" in analysis.verdict(quick, undisturbed)
    far = slow.model_copy(update={"epochs": card("cpu", (9, 40.0, 40.0)).epochs})
    assert "“Quick” ran about 2 times as fast" in analysis.verdict(quick, far)
