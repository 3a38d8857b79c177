"""What a lesson trains, before it does: some of the pictures, and the network or both of them."""

from __future__ import annotations

import streamlit as st

from cnnlab import charts, datasets
from cnnlab.datasets import DatasetInfo
from cnnlab.lessons import Lesson
from cnnlab.models import layer_table
from cnnlab.spec import ExperimentSpec
from cnnlab.ui import network, samples, tables


def show(lesson: Lesson) -> None:
    """The pictures at the left, the networks that differ beside each other."""
    specs = _unlike(lesson)
    info = datasets.info(next(iter(specs.values())).dataset)
    shares = [2, *[14 // len(specs)] * len(specs)]
    goes_in, *places = st.container(key="between-lesson").columns(shares, gap="medium")
    with goes_in:
        samples.pictures(info, samples.of(info))
    for number, ((title, spec), place) in enumerate(zip(specs.items(), places, strict=True)):
        with place:
            if len(specs) > 1:
                st.markdown(f"**{tables.plain(title)}**")
            _network(spec, info, number)


def _unlike(lesson: Lesson) -> dict[str, ExperimentSpec]:
    """Its runs by title, without those whose network another one has as well."""
    found: dict[str, ExperimentSpec] = {}
    for title, spec in lesson.runs.items():
        if spec.model not in [other.model for other in found.values()]:
            found[title] = spec
    return found


def _network(spec: ExperimentSpec, info: DatasetInfo, number: int) -> None:
    assert info.image_shape
    assert info.classes
    layers = layer_table(spec.model, info.image_shape, info.classes)
    with st.container(key=f"drawing-{number}"):  # by which the style sheet finds it
        st.vega_lite_chart(
            charts.packed(network.frame(layers)),
            network.chart(layers),
            key=f"network-{number}",
            alt=network.alt_text(layers),
        )
