"""The form has a widget for every field of a spec, of whatever family."""

from __future__ import annotations

import pytest

from cnnlab.spec import PRESETS
from cnnlab.ui import link
from tests.quiet_lab import page


def leaves(raw, path=""):
    """The paths of a spec's fields, lists of numbers and blocks counted as one."""
    for name, value in raw.items():
        where = f"{path}{name}"
        yield from leaves(value, f"{where}.") if isinstance(value, dict) else [where]


@pytest.mark.parametrize("family", link.FRESH)
def test_every_field_of_a_spec_has_a_place_in_the_form(family):
    raw = PRESETS["tiny"].spec.model_dump(mode="json")
    raw["model"] = link.FRESH[family].model_dump(mode="json")
    shown = {field.path for field in link.fields_of(family)} | {"model.blocks"}
    assert set(leaves(raw)) <= shown


def widgets(app) -> set[str]:
    """The keys of the form's widgets."""
    kinds = ("number_input", "text_input", "selectbox", "toggle", "button_group")
    found = {str(item.key) for kind in kinds for item in app.get(kind)}
    return {key.removeprefix("form.") for key in found if key.startswith("form.")}


@pytest.mark.parametrize("family", link.FRESH)
def test_every_field_has_a_widget(quiet_lab, family):
    # Without a card, and without a cluster, these are shown where the recipe has them.
    app = page("train", family=family, tf32="on", machine="one")
    shown = widgets(app)
    assert {field.path for field in link.fields_of(family)} <= shown
    for number, block in enumerate(app.session_state["recipe"]["model"].get("blocks", [])):
        where = f"model.blocks.{number}"
        assert f"{where}.pool" in shown
        for index in range(len(block["convs"])):
            assert {f"{where}.convs.{index}.{name}" for name in ("filters", "kernel")} <= shown


def test_no_other_familys_fields_are_asked_for(quiet_lab):
    assert not {key for key in widgets(page("train", family="dense")) if "blocks" in key}
    assert "model.cell" not in widgets(page("train", family="cnn"))


def test_a_folded_part_opens_where_something_in_it_is_wrong(quiet_lab):
    app = page("train", device="cuda", gpu_off="override")
    opened = {item.label: item.proto.expanded for item in app.expander}
    assert opened["More about the device"]
    assert not opened["More about the training"]
