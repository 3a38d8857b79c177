"""What a recipe is called says what was changed of its preset."""

import pytest

from cnnlab.spec import PRESETS, change, changes, nearest_preset, recipe_name
from cnnlab.spec.fields import assign

TINY, ARTICLE = PRESETS["tiny"].spec, PRESETS["article"].spec


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_preset_is_called_by_its_title(name):
    assert nearest_preset(PRESETS[name].spec) == name
    assert recipe_name(PRESETS[name].spec) == PRESETS[name].title


@pytest.mark.parametrize(
    ("base", "assignments", "called"),
    [
        ("article", ["batch_size=64"], "Article · batch 64"),
        ("article", ["model.blocks.0.convs.0.filters=64"], "Article · 64-256-256 filters"),
        ("article", ["model.dense=[]"], "Article · no dense layer"),
        ("dense", ["threads=1", "engine=stock"], "Dense · stock · 1 thread"),
        ("dense", ["threads=4", "device=cpu"], "Dense · CPU · 4 threads"),
        ("lstm", ["epochs=1500", "batch_size=2048"], "LSTM · batch 2,048 · 1,500 epochs"),
        ("dense", ["model.dense=[4096,1024]"], "Dense · dense 4,096-1,024"),
        ("article", ["model.blocks.0.convs.0.filters=1024"], "Article · 1,024-256-256 filters"),
        ("gru", ["model.recurrent=[1024,1024]", "seed=12345"], "GRU · 1,024 units · seed 12,345"),
        ("gru", ["model.recurrent=[64,64]"], "GRU · 64 units"),
        ("lstm", ["epochs=1", "learning_rate=0.1"], "LSTM · 1 epoch · rate 0.1"),
        (
            "deeper",
            ["precision=mixed_bfloat16", "optimizer=sgd", "seed=7"],
            "Deeper · SGD · bfloat16 · seed 7",
        ),
    ],
)
def test_what_was_changed_stands_behind_the_preset(base, assignments, called):
    assert recipe_name(assign(PRESETS[base].spec, assignments)) == called


def test_other_blocks_are_named_whole():
    blocks = ARTICLE.model_dump(mode="json")["model"]["blocks"]
    fewer = assign(ARTICLE, [f"model.blocks={[blocks[0]]}".replace("'", '"')])
    assert recipe_name(fewer) == "Article · 128 filters"


def test_changes_are_those_of_single_layers_where_the_layers_are_the_same():
    other = assign(ARTICLE, ["model.blocks.1.convs.0.kernel=5", "batch_size=64"])
    assert changes(other, ARTICLE) == {
        "model.blocks.1.convs.0.kernel": (3, 5),
        "batch_size": (32, 64),
    }
    assert changes(ARTICLE, ARTICLE) == {}


def test_another_family_is_one_change():
    dense = assign(TINY, ["model.family=dense"])
    assert list(changes(dense, TINY)) == ["model.family"]


def test_every_field_has_words():
    for changed in (
        change(TINY, validation_split=0.2, tf32="on", compile=True, gpu_off="device"),
        assign(TINY, ["model.batch_norm=true", "model.padding=same", "model.activation=elu"]),
    ):
        assert "_" not in recipe_name(changed)
