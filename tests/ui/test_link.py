"""A recipe survives its link, and whatever a link says ends in a spec or in a sentence."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from cnnlab.spec import (
    PRESETS,
    Block,
    CnnModel,
    Conv,
    DenseModel,
    ExperimentSpec,
    Problem,
    RnnModel,
    SpecError,
    change,
)
from cnnlab.ui import link

units = some.integers(1, 16_384)
dropouts = some.floats(0, 1, exclude_max=True)
activations = some.sampled_from(["relu", "gelu", "tanh", "leaky_relu"])
initializers = some.sampled_from(["he_normal", "glorot_uniform", "lecun_uniform"])


def tuples(of, least=0, most=4):
    return some.lists(of, min_size=least, max_size=most).map(tuple)


convs = some.builds(Conv, filters=some.integers(1, 4096), kernel=some.integers(1, 31))
blocks = some.builds(Block, convs=tuples(convs, 1), pool=some.integers(0, 16))
common = {"dense": tuples(units), "dropout": dropouts, "activation": activations}
models = some.one_of(
    some.builds(
        CnnModel,
        blocks=tuples(blocks, 1),
        padding=some.sampled_from(["valid", "same"]),
        initializer=initializers,
        batch_norm=some.booleans(),
        head=some.sampled_from(["global_average", "flatten"]),
        **common,
    ),
    some.builds(DenseModel, initializer=initializers, batch_norm=some.booleans(), **common),
    some.builds(
        RnnModel,
        cell=some.sampled_from(["simple", "lstm", "gru"]),
        recurrent=tuples(units, 1),
        sequence_length=some.none() | some.integers(1, 100_000),
        initializer=initializers,
        **common,
    ),
)
specs = some.builds(
    ExperimentSpec,
    dataset=some.one_of(some.sampled_from(["shapes", "mnist", "none"]), some.text(min_size=1)),
    train_limit=some.none() | some.integers(2, 100_000_000),
    validation_split=some.floats(0, 1, exclude_min=True, exclude_max=True),
    model=models,
    epochs=some.integers(1, 10_000),
    batch_size=some.integers(1, 65_536),
    optimizer=some.sampled_from(["adam", "adamw", "sgd", "rmsprop"]),
    learning_rate=some.floats(0, 10, exclude_min=True),
    tf32=some.sampled_from(["default", "on", "off"]),
    precision=some.sampled_from(["float32", "mixed_bfloat16", "mixed_float16"]),
    engine=some.sampled_from(["stock", "fast"]),
    compile=some.booleans(),
    device=some.sampled_from(["auto", "cpu", "cuda", "cuda:1", "mps"]),
    gpu_off=some.sampled_from(["none", "device", "environment", "override"]),
    threads=some.none() | some.integers(1, 1024),
    seed=some.integers(0, 2**32 - 1),
)


@given(specs)
@settings(max_examples=200, deadline=None)
def test_a_link_brings_back_the_spec_it_was_made_from(spec):
    travelled = dict(parse_qsl(urlencode(link.encode(spec)), strict_parsing=True))
    assert link.decode(travelled) == spec
    assert not link.left_out(travelled)


@pytest.mark.parametrize("name", PRESETS)
def test_a_presets_link_is_its_name(name):
    assert link.encode(PRESETS[name].spec) == {"preset": name}


def test_a_link_names_only_what_differs_from_a_preset():
    spec = change(PRESETS["article"].spec, epochs=3)
    assert link.encode(spec) == {"preset": "article", "epochs": "3"}


def test_an_empty_link_is_the_preset_that_trains_anywhere():
    assert link.decode({}) == PRESETS[link.DEFAULT_PRESET].spec


names = some.sampled_from([field.name for field in link.FIELDS] + ["preset", "blocks", "nonsense"])
texts = some.text(max_size=12) | some.sampled_from(
    ["cnn", "rnn", "article", "none", "1", "-1", "nan"]
)


@given(some.dictionaries(names, texts, max_size=4))
@settings(max_examples=300, deadline=None)
def test_any_link_is_a_spec_or_a_sentence(parameters):
    try:
        spec = link.decode(parameters)
    except SpecError as error:
        said = [link.sentence(problem) for problem in error.problems]
    else:
        said = ["None."]
        assert link.decode(link.encode(spec)) == spec
    assert said
    assert all(sentence.endswith(".") for sentence in said)


def test_a_bad_value_is_refused_by_its_name_in_the_form():
    with pytest.raises(SpecError) as caught:
        link.decode({"epochs": "zero", "batch_size": "0"})
    said = [link.sentence(problem) for problem in caught.value.problems]
    assert any(sentence.startswith('Epochs is "zero", but it should be') for sentence in said)
    assert any(
        "Batch size" in sentence and "greater than or equal to 1" in sentence for sentence in said
    )


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"preset": "nope"}, 'Preset is "nope", but'),
        ({"family": "zzz"}, 'Family is "zzz", but'),
        ({"blocks": "zzz"}, 'Blocks is "zzz", but'),
        ({"epochs": "-3"}, 'Epochs is "-3", but'),
    ],
)
def test_every_refusal_names_its_field_and_quotes_its_value(parameters, said):
    with pytest.raises(SpecError) as refused:
        link.decode(parameters)
    (problem,) = refused.value.problems
    assert link.sentence(problem).startswith(said)


def test_blocks_that_cannot_be_read_are_refused_with_an_example():
    with pytest.raises(SpecError, match="128x7-p2_256x3"):
        link.decode({"blocks": "many"})


def test_a_parameter_that_names_no_field_is_told_of_but_does_no_harm():
    assert link.left_out({"preset": "tiny", "utm_source": "meetup"}) == ["utm_source"]
    assert link.decode({"utm_source": "meetup"}) == PRESETS[link.DEFAULT_PRESET].spec


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("model.blocks.0.convs.1.kernel", "Block 1, Conv2D 2, kernel"),
        ("model.blocks.1.pool", "Block 2, pool"),
        ("model.dense.1", "Dense units"),
        ("learning_rate", "Learning rate"),
    ],
)
def test_a_problem_is_named_as_the_form_names_the_field(path, label):
    problem = Problem(field=path, value="9", allowed="it should be less")
    assert link.sentence(problem) == f"{label} is 9, but it should be less."


def test_names_of_fields_are_unique_in_a_link():
    names = [field.name for field in link.FIELDS]
    assert len(names) == len(set(names))
