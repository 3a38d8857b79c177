"""Variants along axes of any field: what they are, and what is refused."""

from __future__ import annotations

import pytest

from cnnlab.spec import PRESETS, LabError
from cnnlab.sweep.variants import variants

TINY = PRESETS["tiny"].spec


def test_any_field_may_be_an_axis_and_every_combination_is_made():
    found = variants(TINY, ["learning_rate=0.001,0.01", "model.dropout=0,0.5", "seed=1,2"])
    assert len(found) == 8
    assert found[0].values == {"learning_rate": "0.001", "model.dropout": "0", "seed": "1"}
    last = found[-1].spec
    assert (last.learning_rate, last.model.dropout, last.seed) == (0.01, 0.5, 2)
    assert {variant.spec.optimizer for variant in variants(TINY, ["optimizer=adam,sgd"])} == {
        "adam",
        "sgd",
    }


def test_axes_of_timed_sweeps_and_lists_work_too():
    assert [v.spec.model.dense for v in variants(TINY, ["units=8,16"])] == [(8,), (16,)]
    lists = variants(TINY, ["model.dense=64;300,100"])
    assert [variant.spec.model.dense for variant in lists] == [(64,), (300, 100)]


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ([], "needs axes"),
        (["seed=1", "seed=2"], "each once"),
        (["learning_rate="], "has no values"),
        (["learning_rate=0.1,,0.2"], "has no values"),
        (["nonsense=1"], "no such field"),
        (["learning_rate=fast"], "learning_rate"),
        (["seed=" + ",".join(map(str, range(101)))], "at most 100"),
    ],
)
def test_what_makes_no_variant_is_refused_with_its_reason(axes, said):
    with pytest.raises(LabError, match=said):
        variants(TINY, axes)
