"""The drawing of a network keeps its proportions, and one spec serves every network of a kind."""

from __future__ import annotations

import re

import pytest
import vl_convert
from hypothesis import given, settings
from hypothesis import strategies as some

from cnnlab.models import layer_table
from cnnlab.spec import PRESETS, RnnModel
from cnnlab.ui import network

units = some.integers(1, 16_384)


def article_layers():
    return layer_table(PRESETS["article"].spec.model, (32, 32, 3), 100)


def test_a_block_is_as_high_as_its_picture_and_wide_by_its_channels():
    drawing = network.frame(article_layers())
    heights = dict(zip(drawing["shape"], drawing["top"], strict=True))
    assert heights["13 × 13 × 128"] / heights["26 × 26 × 128"] == pytest.approx(0.5)
    width = drawing["right"] - drawing["left"]
    assert width.iloc[3] / width.iloc[1] == pytest.approx((256 / 128) ** 0.5)


def test_no_block_overlaps_another():
    drawing = network.frame(article_layers())
    assert (drawing["left"].iloc[1:].to_numpy() > drawing["right"].iloc[:-1].to_numpy()).all()


def test_the_drawing_says_itself_in_words():
    said = network.alt_text(article_layers())
    assert "Conv2D 26 × 26 × 128" in said


def test_the_table_adds_up_to_the_articles_parameters():
    assert network.table(article_layers())["Parameters"].sum() == 975_692


@given(some.lists(units, min_size=1, max_size=8).map(tuple))
@settings(max_examples=20, deadline=None)
def test_recurrent_networks_are_drawn_too(recurrent):
    layers = layer_table(RnnModel(recurrent=recurrent), (28, 28, 1), 10)
    assert list(network.frame(layers)["group"]).count("Recurrent") == len(recurrent)


def test_another_network_of_the_same_kinds_of_layers_only_changes_the_data():
    deeper = layer_table(PRESETS["deeper"].spec.model, (32, 32, 3), 100)
    assert network.chart(deeper) is network.chart(article_layers())
    assert len(network.frame(deeper)) > len(network.frame(article_layers()))


def test_the_drawing_itself_carries_no_figures():
    assert network.chart(article_layers())["data"] == {"name": "source"}


def words_under(width: int) -> set[str]:
    """What stands under the blocks of the article's network in a drawing so many pixels wide."""
    layers = layer_table(PRESETS["article"].spec.model, (32, 32, 3), 100)
    data = {"values": network.frame(layers).to_dict("records")}
    svg = vl_convert.vegalite_to_svg(network.chart(layers) | {"data": data, "width": width})
    return set(re.findall(r">([^<>]+)</(?:text|tspan)>", svg))


def test_on_a_phone_every_block_has_its_name_and_on_a_wide_screen_its_shape():
    assert {"Input", "Conv", "7x7", "3x3", "Pool", "Average", "Softmax"} <= words_under(350)
    assert {"Conv 7x7", "26 × 26 × 128", "Conv 3x3", "Softmax"} <= words_under(700)


def test_the_kinds_stand_in_as_many_columns_as_the_drawing_has_room_for():
    """By its own width, and so again whenever that changes; a window's would be asked for once."""
    layers = article_layers()
    data = {"values": network.frame(layers).to_dict("records")}
    heights = []
    for width in (150, 250, 700):
        svg = vl_convert.vegalite_to_svg(network.chart(layers) | {"data": data, "width": width})
        heights.append(float(re.search(r'<svg[^>]* height="([^"]+)"', svg)[1]))
    one_column, two_columns, a_row = heights
    assert one_column > two_columns + 10 > a_row + 20
    assert "windowSize" not in str(network.chart(layers)["layer"][1]["encoding"]["color"])


def test_layers_with_the_same_words_keep_places_of_their_own():
    model = RnnModel(recurrent=(8, 8, 8))
    labels = network.frame(layer_table(model, (28, 28, 1), 10))["label"]
    assert labels.is_unique
    assert list(labels) == sorted(labels)
