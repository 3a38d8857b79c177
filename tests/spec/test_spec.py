from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnlab.spec import (
    EVENT,
    PRESETS,
    CnnModel,
    DatasetFacts,
    DeviceFacts,
    Epoch,
    EpochEnded,
    ExperimentSpec,
    ModelFacts,
    SpecError,
    change,
    choice,
    label,
    parse_spec,
    spoken,
    warmup_steps,
)
from cnnlab.spec.labels import LABELS


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_json(name: str) -> None:
    spec = PRESETS[name].spec
    assert parse_spec(json.loads(spec.model_dump_json())) == spec


def test_one_error_names_every_bad_field_its_value_and_what_is_allowed() -> None:
    conv = {"filters": 0, "kernel": "big"}
    bad = {
        "model": {"family": "cnn", "blocks": [{"convs": [conv], "pool": -1}]},
        "epochs": "many",
        "device": "gpu",
        "colour": 3,
    }
    with pytest.raises(SpecError) as caught:
        parse_spec(bad)
    fields = {problem.field: problem.value for problem in caught.value.problems}
    assert fields == {
        "model.blocks.0.convs.0.filters": "0",
        "model.blocks.0.convs.0.kernel": '"big"',
        "model.blocks.0.pool": "-1",
        "epochs": '"many"',
        "device": '"gpu"',
        "colour": "3",
    }
    assert "greater than or equal to 1" in str(caught.value)
    assert "no such field exists" in str(caught.value)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.sampled_from([*ExperimentSpec.model_fields, "other"]), json_values))
def test_any_data_is_a_spec_or_is_refused_in_a_sentence(data: dict) -> None:
    try:
        spec = parse_spec(data)
    except SpecError as error:
        said = str(error)
    else:
        said = "a spec"
        assert parse_spec(spec.model_dump(mode="json")) == spec
    assert said
    assert "\n" not in said


@pytest.mark.parametrize("empty", [None, False, 0, 1])
def test_every_way_to_say_no_pooling_is_the_same_spec(empty: object) -> None:
    data = PRESETS["tiny"].spec.model_dump(mode="json")
    data["model"]["blocks"][0]["pool"] = empty
    assert parse_spec(data).model.blocks[0].pool == 0


@pytest.mark.parametrize("name", ["", "../etc", "a b", "-x", "x" * 64])
def test_a_machine_is_named_by_a_plain_word(name: str) -> None:
    with pytest.raises(SpecError, match=r"machine is .*`python -m cnnlab machines list` names"):
        change(PRESETS["tiny"].spec, machine=name)
    assert change(PRESETS["tiny"].spec, machine="gpu-box.example.org").machine
    assert PRESETS["tiny"].spec.machine == "here"


def test_a_change_is_validated() -> None:
    with pytest.raises(SpecError, match="batch_size is 0"):
        change(PRESETS["tiny"].spec, batch_size=0)


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_nan_and_infinity_survive_an_event(value: float) -> None:
    row = Epoch(
        epoch=1,
        loss=value,
        accuracy=0.5,
        val_loss=value,
        val_accuracy=0.5,
        seconds=1,
        step_ms_mean=1,
    )
    event = EpochEnded(row=row)
    assert repr(EVENT.validate_json(event.model_dump_json())) == repr(event)


@pytest.mark.parametrize(("steps", "warm"), [(0, 0), (1, 0), (4, 2), (10, 5), (26_580, 5)])
def test_warm_up_is_five_steps_or_half_of_a_short_run(steps: int, warm: int) -> None:
    assert warmup_steps(steps) == warm


def test_every_field_has_one_name_for_people_and_no_two_share_one() -> None:
    fields = [*ExperimentSpec.model_fields, *(f"model.{name}" for name in CnnModel.model_fields)]
    found = {"model": ModelFacts, "dataset": DatasetFacts, "device": DeviceFacts}
    told_apart = {"dataset.understood", "dataset.warnings"}  # in sentences, not as fields
    facts = {f"{part}.{name}" for part, kind in found.items() for name in kind.model_fields}
    assert [name for name in (*fields, *(facts - told_apart)) if label(name) == name] == []
    assert len(set(LABELS.values())) == len(LABELS)
    assert label("model.blocks.0.convs.1.filters") == "Block 1, Conv2D 2, filters"
    assert label("model.dense.0") == "Dense units"
    assert label("environment.cpu") == label("cpu") == "CPU"
    assert label("environment.seed") == "environment.seed"
    assert (spoken("batch_size"), spoken("tf32"), spoken("python")) == (
        "batch size",
        "TF32",
        "Python",
    )
    assert choice("model.cell", "gru") == "GRU"
    assert choice("dataset", "shapes") == "shapes"
