"""The form: the recipe as widgets, with what is wrong beside each field."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import streamlit as st

from cnnlab.devices import OFF_SWITCHES
from cnnlab.spec import CHOICES, PRESETS, Problem
from cnnlab.ui import link, prepared, tables
from cnnlab.ui.link import Field, Raw, Section
from cnnlab.ui.train import changed, recipe
from cnnlab.ui.train.offer import Offer
from cnnlab.ui.train.recipe import KEY, PILLS, Recipe

LABELS: dict[str, dict[str, str]] = {
    **CHOICES,
    "gpu_off": {"none": "Nothing", **{way: item.title for way, item in OFF_SWITCHES.items()}},
}
STEPS = {"filters": 16, "kernel": 2, "batch_size": 16, "train_limit": 1000, "sequence_length": 8}
PLAIN = {
    *("dataset", "family", "cell", "dropout", "batch_norm", "activation", "epochs", "batch_size"),
    *("optimizer", "learning_rate", "machine", "device", "seed"),
}
SEGMENTED = ("family", "engine", "padding")
WIDER = {"dataset": 1.4}
"""Fields with long values, by their width beside another one's."""
HEADINGS: dict[Section, str] = {
    "data": "Data",
    "network": "Network",
    "training": "Training",
    "device": "Device",
}


# --- widgets --------------------------------------------------------------------------------


def show(form: Recipe, offer: Offer) -> None:
    """Draw the form, with what is known of a field and what is wrong with it beside it."""
    _show_presets(form)
    for section, heading in HEADINGS.items():
        st.markdown(f"##### {heading}")
        fields = [
            field
            for field in link.fields_of(form.raw["model"]["family"])
            if field.section == section
            and (offer.notes.get(field.name) or not _is_withheld(field, form, offer))
        ]
        if section == "network":
            _show_field(fields.pop(0), form, offer)
            if "blocks" in form.raw["model"]:
                _show_blocks(form)
        _show_grid([field for field in fields if not field.folded], form, offer)
        folded = [field for field in fields if field.folded]
        if folded:
            wrong = any(_problems(form, field.path) for field in folded)
            with st.expander(f"More about the {heading.lower()}", expanded=wrong):
                _show_grid(folded, form, offer)
        if section == "data":
            prepared.folded(form.raw["dataset"])


def _show_presets(form: Recipe) -> None:
    same = next((key for key, item in PRESETS.items() if item.spec == form.spec), None)
    st.session_state[PILLS] = same
    st.pills(
        "Start from",
        list(PRESETS),
        format_func=lambda key: PRESETS[key].title,
        key=PILLS,
        on_change=recipe.choose_preset,
    )
    if form.spec:
        changed.show(form.spec)


def _show_grid(fields: list[Field], form: Recipe, offer: Offer) -> None:
    for start in range(0, len(fields), 2):
        pair = fields[start : start + 2]
        widths = [WIDER.get(field.name, 1.0) for field in pair]
        columns = st.columns(widths, wrap=False) if len(pair) == 2 else [st.container()]
        for column, field in zip(columns, pair, strict=True):
            with column:
                _show_field(field, form, offer)


def _problems(form: Recipe, path: str) -> list[Problem]:
    return [p for p in form.problems if p.field == path or p.field.startswith(f"{path}.")]


def _complain(form: Recipe, path: str) -> None:
    _say(_problems(form, path))


def _say(problems: list[Problem]) -> None:
    for problem in problems:
        st.caption(f":red[:material/error: {tables.plain(link.sentence(problem))}]")


def _show_field(field: Field, form: Recipe, offer: Offer) -> None:
    if _is_withheld(field, form, offer):
        _note(field, offer)
        return
    key, value = KEY + field.path, recipe.shown(field, link.get(form.raw, field.path))
    recipe.hold(key, value)
    facts = link.schema_of(field, form.raw["model"]["family"])
    choices = offer.options.get(field.name) or _choices(field, facts, offer)
    if choices:
        _show_choice(field, key, {**choices, **({} if value in choices else {value: str(value)})})
    elif facts["type"] == "boolean":
        st.toggle(field.label, key=key, help=_help(field))
    elif field.typed or facts["type"] == "array":
        st.text_input(field.label, key=key, help=_help(field), max_chars=200)
    else:
        _show_number(field.name, field.label, key, facts, _help(field))
    _note(field, offer)
    _complain(form, field.path)


def _help(field: Field) -> str | None:
    """What a field does, where its name does not say so to who has trained a network before."""
    return None if field.name in PLAIN else field.help


def _is_withheld(field: Field, form: Recipe, offer: Offer) -> bool:
    """Whether its widget is left out: it gains nothing here, and the recipe does not use it."""
    if field.name not in offer.withheld:
        return False
    facts = link.schema_of(field, form.raw["model"]["family"])
    return bool(link.get(form.raw, field.path) == facts["default"])


def _note(field: Field, offer: Offer) -> None:
    if note := offer.notes.get(field.name):
        st.caption(note)


def _choices(field: Field, facts: Mapping[str, Any], offer: Offer) -> dict[str, str]:
    labels, useless = LABELS.get(field.path, {}), offer.useless.get(field.name, ())
    values = list(link.FRESH) if field.name == "family" else facts.get("enum", [])
    return {value: labels.get(value, value) for value in values if value not in useless}


def _show_choice(field: Field, key: str, choices: Mapping[str, str]) -> None:
    common: dict[str, Any] = {
        "options": list(choices),
        "format_func": lambda value: choices[value],
        "key": key,
        "help": _help(field),
        "on_change": recipe.choose_family if field.name == "family" else None,
    }
    if field.name in SEGMENTED:
        st.segmented_control(field.label, required=True, width="stretch", **common)
    else:
        st.selectbox(field.label, **common)


def _show_number(
    name: str, label: str, key: str, facts: Mapping[str, Any], help: str | None = None
) -> None:
    """A number within its bounds; one that is excluded is left for the spec to refuse."""
    kind: type = int if facts["type"] == "integer" else float
    least = facts.get("minimum", facts.get("exclusiveMinimum"))
    most = facts.get("maximum", facts.get("exclusiveMaximum"))
    nullable: dict[str, Any] = {"value": None} if facts["nullable"] else {}
    if name in ("train_limit", "sequence_length"):
        nullable["placeholder"] = "all"
    st.number_input(
        label,
        min_value=kind(least),
        max_value=kind(most),
        step=STEPS.get(name, 1) if kind is int else 0.05,
        format="%d" if kind is int else "%g",
        key=key,
        help=help,
        **nullable,
    )


# --- blocks ---------------------------------------------------------------------------------


def _show_blocks(form: Recipe) -> None:
    blocks = form.raw["model"]["blocks"]
    for number, block in enumerate(blocks):
        with st.container(border=True, key=f"block_{number}"):
            _show_block_head(number, len(blocks))
            for index in range(len(block["convs"])):
                _show_conv(number, index, block)
            _show_block_foot(number, block)
            _complain(form, f"model.blocks.{number}")
    _say([problem for problem in form.problems if problem.field == "model.blocks"])
    limit = link.schema("cnn", "blocks")["maxItems"]
    st.button(
        "Add a block",
        icon=":material/add:",
        on_click=recipe.add_block,
        disabled=len(blocks) >= limit,
        key="add_block",
    )


def _show_block_head(number: int, count: int) -> None:
    buttons: tuple[tuple[str, str, str, Callable[..., None], tuple[int, ...], bool], ...] = (
        ("up", "arrow_upward", "Move up", recipe.move_block, (number, number - 1), number == 0),
        (
            "down",
            "arrow_downward",
            "Move down",
            recipe.move_block,
            (number, number + 1),
            number == count - 1,
        ),
        ("remove", "delete", "Remove", recipe.remove_block, (number,), count == 1),
    )
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.markdown(f"**Block {number + 1}**", width="stretch")
        for name, icon, says, action, arguments, disabled in buttons:
            st.button(
                f":material/{icon}:",
                key=f"{name}_block_{number}",
                help=f"{says} block {number + 1}",
                on_click=action,
                args=arguments,
                disabled=disabled,
                type="tertiary",
            )


def _show_conv(number: int, index: int, block: Raw) -> None:
    where = f"model.blocks.{number}.convs.{index}"
    # Columns have a least width, which two fields and a sign are too narrow for.
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        for name in ("filters", "kernel"):
            key = f"{KEY}{where}.{name}"
            recipe.hold(key, block["convs"][index][name])
            label = "Conv2D filters" if name == "filters" else "Kernel"
            _show_number(name, label, key, link.schema("conv", name))
        st.button(
            ":material/close:",
            key=f"remove_conv_{number}_{index}",
            help="Remove this Conv2D",
            on_click=recipe.remove_conv,
            args=(number, index),
            disabled=len(block["convs"]) == 1,
            type="tertiary",
        )


def _show_block_foot(number: int, block: Raw) -> None:
    key = f"{KEY}model.blocks.{number}.pool"
    recipe.hold(key, block["pool"])
    with st.container(horizontal=True, vertical_alignment="bottom", gap="small"):
        says = "Max pooling over so many pixels each way; 0 for none."
        _show_number("pool", "Pool", key, link.schema("block", "pool"), says)
        st.button(
            "Add Conv2D",
            key=f"add_conv_{number}",
            icon=":material/add:",
            on_click=recipe.add_conv,
            args=(number,),
            disabled=len(block["convs"]) >= link.schema("block", "convs")["maxItems"],
            type="tertiary",
        )
