"""What the themes colour can be read: a contrast of at least 4.5, as WCAG 2 AA asks."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Sequence
from pathlib import Path

import pytest

from cnnlab.ui.top import STYLE

ROOT = Path(__file__).resolve().parents[2]
CONFIG = tomllib.loads((ROOT / ".streamlit" / "config.toml").read_text("utf-8"))
THEMES = {name: CONFIG["theme"] | CONFIG["theme"][name] for name in ("light", "dark")}
CAPTION = 0.6  # Streamlit draws captions at this share of the text's colour
CHOSEN = 0.1  # and what is chosen on a ground with this share of the accent
READABLE = 4.5


def rgb(text: str) -> list[float]:
    return [int(text[i : i + 2], 16) / 255 for i in (1, 3, 5)]


def mixed(upper: str, lower: str, share: float) -> list[float]:
    pairs = zip(rgb(upper), rgb(lower), strict=True)
    return [share * above + (1 - share) * below for above, below in pairs]


def luminance(colour: Sequence[float]) -> float:
    """Relative luminance as WCAG 2 defines it."""
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in colour)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: Sequence[float], other: Sequence[float]) -> float:
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def styled(selector: str, name: str) -> str:
    """The colour that the style sheet gives what a selector finds, in a theme."""
    rule = STYLE.read_text("utf-8").split(selector)[1].split("}")[0]
    found = re.search(r"light-dark\((#\w{6}), (#\w{6})\)", rule)
    assert found
    return found[1 if name == "light" else 2]


def test_contrast_of_black_on_white_is_the_highest_there_is():
    assert contrast(rgb("#000000"), rgb("#FFFFFF")) == pytest.approx(21)


@pytest.mark.parametrize("name", THEMES)
@pytest.mark.parametrize("ground", ["backgroundColor", "secondaryBackgroundColor"])
def test_captions_can_be_read(name, ground):
    theme = THEMES[name]
    caption = mixed(theme["textColor"], theme[ground], CAPTION)
    assert contrast(caption, rgb(theme[ground])) >= READABLE


@pytest.mark.parametrize("name", THEMES)
def test_what_is_chosen_can_be_read_in_the_accent(name):
    accent, ground = THEMES[name]["primaryColor"], THEMES[name]["backgroundColor"]
    assert contrast(rgb(accent), mixed(accent, ground, CHOSEN)) >= READABLE


@pytest.mark.parametrize("name", THEMES)
def test_the_large_button_can_be_read(name):
    words = styled("stBaseButton-primary", name)
    assert contrast(rgb(words), rgb(THEMES[name]["primaryColor"])) >= READABLE


@pytest.mark.parametrize("name", THEMES)
def test_the_words_of_the_drawing_can_be_read(name):
    words = styled('[class*="st-key-drawing"] svg text', name)
    assert contrast(rgb(words), rgb(THEMES[name]["backgroundColor"])) >= READABLE
