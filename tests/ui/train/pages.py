"""What stands on a page, as tests of the Train page ask for it."""

from __future__ import annotations

from streamlit.testing.v1 import AppTest

from cnnlab.spec import (
    parse_spec,
)


def metric(at: AppTest, label: str) -> str:
    return next(item.value for item in at.metric if item.label == label)


def button(at: AppTest, label: str):
    return next(item for item in at.button if item.label == label)


def parameters_of(at: AppTest) -> dict[str, str]:
    """The address; a value that the page wrote is a list, one that the test wrote a text."""
    pairs = at.query_params.items()
    return {name: value if isinstance(value, str) else value[-1] for name, value in pairs}


def recipe_of(at: AppTest):
    return parse_spec(at.session_state["recipe"])


def errors(at: AppTest) -> str:
    return written(at.error)


def written(elements) -> str:
    """What stands in elements, as a person reads it: without the backslashes that tame Markdown."""
    return " ".join(item.value.replace("\\", "") for item in elements)


def links(at: AppTest) -> list[str]:
    return [item.proto.label for item in at.get("page_link")]
