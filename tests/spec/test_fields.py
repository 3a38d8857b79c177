"""Any field can be set by its dotted path, and the spec judges what comes of it."""

import pytest

from cnnlab.spec import PRESETS, SpecError
from cnnlab.spec.fields import assign, get, paths

TINY = PRESETS["tiny"].spec


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("model.blocks.0.convs.0.filters=48", 48),
        ("model.dense=300,100", (300, 100)),
        ("model.dense=[7]", (7,)),
        ("model.dense=7", (7,)),
        ("model.batch_norm=true", True),
        ("train_limit=null", None),
        ("train_limit = 200", 200),
        ("learning_rate=1e-2", 0.01),
        ("optimizer=sgd", "sgd"),
        ("dataset=1234", "1234"),
    ],
)
def test_a_field_takes_the_value(text, value):
    spec = assign(TINY, [text])
    found = spec
    for part in text.partition("=")[0].strip().split("."):
        found = found[int(part)] if isinstance(found, tuple) else getattr(found, part)
    assert found == value


def test_another_family_begins_with_its_usual_layers_and_can_be_changed_at_once():
    spec = assign(TINY, ["model.family=rnn", "model.recurrent=8,8"])
    assert spec.model.recurrent == (8, 8)


@pytest.mark.parametrize(
    ("texts", "complaint"),
    [
        (["nope=1"], "nope is"),
        (["model.blocks.9.pool=2"], "no such field"),
        (["epochs.x=2"], "no such field"),
        (["model.blocks.first.pool=2"], "no such field"),
        (["model.recurrent=2"], "no such field"),
        (["epochs"], "set like"),
        (["epochs=0"], "greater than"),
        (["epochs=NaN"], "epochs is"),
        (["model.dense=a,b"], "list"),
        (["one=1", "two=2"], "two is"),
    ],
)
def test_what_leads_nowhere_or_cannot_work_is_named(texts, complaint):
    with pytest.raises(SpecError, match=complaint):
        assign(TINY, texts)


def test_every_listed_path_is_one_of_some_preset():
    specs = [preset.spec.model_dump(mode="json") for preset in PRESETS.values()]

    def somewhere(path):
        for raw in specs:
            try:
                get(raw, path)
            except LookupError:
                continue
            return True
        return False

    listed = [path.replace(".N", ".0") for path in paths()]
    assert listed
    assert all(map(somewhere, listed))
