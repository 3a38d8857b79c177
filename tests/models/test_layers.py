from __future__ import annotations

import keras
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from cnnlab import models
from cnnlab.spec import (
    PRESETS,
    Block,
    CnnModel,
    Conv,
    DenseModel,
    ExperimentSpec,
    RnnModel,
    SpecError,
)

CIFAR100 = ((32, 32, 3), 100)
units = st.lists(st.integers(1, 12), max_size=2).map(tuple)
recurrent = st.lists(st.integers(1, 12), min_size=1, max_size=2).map(tuple)
convs = st.builds(Conv, filters=st.integers(1, 6), kernel=st.integers(1, 5))
blocks = st.builds(
    Block, convs=st.lists(convs, min_size=1, max_size=2).map(tuple), pool=st.integers(0, 3)
)
networks = st.one_of(
    st.builds(
        CnnModel,
        blocks=st.lists(blocks, min_size=1, max_size=2).map(tuple),
        padding=st.sampled_from(["valid", "same"]),
        batch_norm=st.booleans(),
        head=st.sampled_from(["global_average", "flatten"]),
        dense=units,
        dropout=st.sampled_from([0.0, 0.5]),
    ),
    st.builds(DenseModel, dense=units, batch_norm=st.booleans()),
    st.builds(
        RnnModel,
        cell=st.sampled_from(["simple", "lstm", "gru"]),
        recurrent=recurrent,
        dense=units,
        sequence_length=st.none() | st.integers(1, 9),
    ),
)


def test_the_article_has_975692_parameters_and_18_gflop_a_step() -> None:
    layers = models.layer_table(PRESETS["article"].spec.model, *CIFAR100)
    assert models.parameters(layers) == 975_692
    assert models.flops_per_image(layers) * 3 * 32 == pytest.approx(18.5e9, rel=0.01)


def test_the_dense_preset_has_266610_parameters_on_mnist() -> None:
    layers = models.layer_table(PRESETS["dense"].spec.model, (28, 28, 1), 10)
    assert models.parameters(layers) == 266_610


@settings(max_examples=40, deadline=None)
@given(
    networks, st.sampled_from([(8, 8, 3), (9, 7, 1), (9, 2, 1)]), st.sampled_from(["first", "last"])
)
def test_the_table_says_what_keras_builds(network, shape: tuple[int, ...], channels: str) -> None:
    spec = ExperimentSpec(model=network)
    try:
        layers = models.layer_table(network, shape, 5)
    except SpecError:
        assume(False)
    model = models.build_model(spec, shape, 5, data_format=f"channels_{channels}")
    assert models.parameters(layers) == model.count_params()
    assert model.output_shape == (None, 5)


# Counted by hand, for one sequence of 20 steps of 3 features and 5 units: each gate of a cell has a
# 3 x 5 and a 5 x 5 matrix, a multiplication and an addition for each weight and step.
@pytest.mark.parametrize(
    ("cell", "flops", "parameters"),
    [
        ("simple", 20 * 2 * 1 * (3 * 5 + 5 * 5), 3 * 5 + 5 * 5 + 5),
        ("gru", 20 * 2 * 3 * (3 * 5 + 5 * 5), 3 * (3 * 5 + 5 * 5 + 2 * 5)),
        ("lstm", 20 * 2 * 4 * (3 * 5 + 5 * 5), 4 * (3 * 5 + 5 * 5 + 5)),
    ],
)
def test_the_flops_of_a_cell_are_those_counted_by_hand(cell, flops, parameters) -> None:
    whole = RnnModel(cell=cell, recurrent=(5,))
    layers = models.layer_table(whole, (20, 3, 1), 4)
    assert models.flops_per_image(layers) == flops + 2 * 5 * 4
    assert models.parameters(layers) == parameters + (5 + 1) * 4
    half = models.layer_table(whole.model_copy(update={"sequence_length": 10}), (20, 3, 1), 4)
    assert models.flops_per_image(half) == flops // 2 + 2 * 5 * 4
    assert models.parameters(half) == models.parameters(layers)


def test_a_sequence_length_takes_the_last_steps() -> None:
    spec = ExperimentSpec(model=RnnModel(recurrent=(4,), sequence_length=6))
    short = spec.model_copy(update={"model": RnnModel(recurrent=(4,))})
    x = np.random.default_rng(0).normal(0, 1, (5, 9, 2, 1)).astype(np.float32)
    with keras.device("cpu"):  # to the last bit, which no card promises
        model = models.build_model(spec, (9, 2, 1), 3)
        other = models.build_model(short, (6, 2, 1), 3)
        other.set_weights(model.get_weights())
        whole, end = model.predict(x, verbose=0), other.predict(x[:, 3:], verbose=0)
    np.testing.assert_allclose(whole, end)


def test_a_sequence_length_beyond_the_data_is_refused_by_its_name() -> None:
    network = RnnModel(sequence_length=29)
    assert models.layer_table(network.model_copy(update={"sequence_length": 28}), (28, 28, 1), 10)
    with pytest.raises(
        SpecError, match=r"model\.sequence_length is 29, but the data have 28 steps"
    ):
        models.layer_table(network, (28, 28, 1), 10)


def test_longer_sequences_need_more_memory() -> None:
    spec = PRESETS["lstm"].spec
    needs = [
        models.memory_mb(
            spec,
            models.layer_table(
                spec.model.model_copy(update={"sequence_length": steps}), (128, 3, 1), 6
            ),
        )
        for steps in (16, 64, 128)
    ]
    # Of each step of each of 64 sequences at least four gates and the state, with gradients.
    assert needs[2] - needs[1] > 64 * 64 * 48 * 5 * 4 * 2 / 1e6 * 0.95
    assert needs == sorted(needs)


def test_a_network_that_shrinks_the_picture_to_nothing_names_every_layer_that_does() -> None:
    block = Block(convs=(Conv(filters=8, kernel=7),), pool=2)
    network = CnnModel(blocks=(block, block, block))
    with pytest.raises(SpecError) as caught:
        models.layer_table(network, (16, 16, 3), 10)
    fields = [problem.field for problem in caught.value.problems]
    assert fields == ["model.blocks.1.convs.0.kernel", "model.blocks.2.convs.0.kernel"]
    assert "5 x 5" in str(caught.value)


def test_pooling_over_more_than_the_picture_is_refused() -> None:
    network = CnnModel(blocks=(Block(convs=(Conv(filters=8, kernel=1),), pool=9),))
    with pytest.raises(SpecError, match=r"model.blocks.0.pool is 9"):
        models.layer_table(network, (8, 8, 3), 10)


@pytest.mark.parametrize(
    ("share", "images", "empty"), [(0.001, 1, "training"), (0.999, 100, "training")]
)
def test_a_split_that_leaves_no_picture_is_refused(share: float, images: int, empty: str) -> None:
    spec = ExperimentSpec(model=DenseModel(), validation_split=share)
    with pytest.raises(SpecError, match=f"{images} in all that leaves none for {empty}"):
        models.check(spec, (8, 8, 3), 10, images)


@given(st.integers(2, 10_000), st.floats(0.01, 0.99))
def test_the_split_is_keras_own(images: int, share: float) -> None:
    from keras.src.trainers.data_adapters.array_slicing import train_validation_split

    train, validation = models.split(
        ExperimentSpec(model=DenseModel(), validation_split=share), images
    )
    assume(train and validation)
    first, last = train_validation_split((np.zeros(images),), share)
    assert (train, validation) == (len(first[0]), len(last[0]))


def test_a_mixed_precision_and_a_smaller_batch_need_less_memory() -> None:
    spec = PRESETS["article"].spec
    layers = models.layer_table(spec.model, *CIFAR100)
    half = spec.model_copy(update={"precision": "mixed_bfloat16"})
    small = spec.model_copy(update={"batch_size": 8})
    whole = models.memory_mb(spec, layers)
    assert models.memory_mb(half, layers) < whole
    assert models.memory_mb(small, layers) < whole
