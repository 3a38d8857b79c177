from __future__ import annotations

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
        RnnModel, cell=st.sampled_from(["simple", "lstm", "gru"]), recurrent=recurrent, dense=units
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
@given(networks, st.sampled_from([(8, 8, 3), (9, 7, 1)]), st.sampled_from(["first", "last"]))
def test_the_table_says_what_keras_builds(network, shape: tuple[int, ...], channels: str) -> None:
    spec = ExperimentSpec(model=network)
    try:
        layers = models.layer_table(network, shape, 5)
    except SpecError:
        assume(False)
    model = models.build_model(spec, shape, 5, data_format=f"channels_{channels}")
    assert models.parameters(layers) == model.count_params()
    assert model.output_shape == (None, 5)


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
    import numpy as np
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
