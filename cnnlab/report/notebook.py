"""A run as a notebook: the plain Keras script in cells, and the way to open it in Colab."""

from __future__ import annotations

import json
import re
from typing import Any

from cnnlab import words
from cnnlab.report.script import KERAS_SETS, steps, told
from cnnlab.spec import DatasetFacts, Kind, LabError, RunCard

COLAB = "https://colab.research.google.com"
COLAB_FORM = f"{COLAB}/github/OWNER/REPOSITORY/blob/BRANCH/NAME.ipynb"
"""How Colab is asked for a notebook that lies on GitHub."""
HEADINGS = ("Imports", "Data", "Model", "Seeds", "Training")
_GITHUB = re.compile(r"https://github\.com/([\w.-]+/[\w.-]+/blob/[^\s?#]+\.ipynb)")
_GIST = re.compile(r"https://gist\.github\.com/([\w-]+/[0-9a-f]+)/?")


def notebook(card: RunCard, facts: DatasetFacts, data_file: str) -> bytes:
    """The notebook (nbformat 4.5) that trains the run the way `keras_script` does.

    Args:
        facts: the data that the run read.
        data_file: where the data lie that Keras does not load by name, beside the notebook.
    """
    code = steps(card.spec, facts.image_shape, facts.classes, data_file, facts.kind, "notebook")
    cells = [_cell("markdown", "about", _about(card, facts.kind, data_file))]
    for heading, text in zip(HEADINGS, code, strict=True):
        name = heading.lower()
        cells.append(_cell("markdown", f"{name}-heading", f"## {heading}"))
        cells.append(_cell("code", name, text.strip("\n")))
    document = {"cells": cells, "metadata": _metadata(card), "nbformat": 4, "nbformat_minor": 5}
    return (json.dumps(document, indent=1) + "\n").encode()


def colab_link(address: str) -> str:
    """The address under which Colab opens a notebook that lies on GitHub or in a gist.

    Raises:
        LabError: it is the address of no such notebook.
    """
    if found := _GITHUB.fullmatch(address.strip()):
        return f"{COLAB}/github/{found[1]}"
    if found := _GIST.fullmatch(address.strip()):
        return f"{COLAB}/gist/{found[1]}"
    raise LabError(
        "Colab opens notebooks from GitHub and from gists: give an address such as "
        "https://github.com/OWNER/REPOSITORY/blob/BRANCH/NAME.ipynb."
    )


def _about(card: RunCard, kind: Kind, data_file: str) -> str:
    title = f"{card.name} (run {card.run_id})"
    first, *rest = told(card.spec, title, data_file, kind, "notebook")
    lines = [f"# {_plain(first)}", *map(_plain, rest)]
    if card.epochs:
        last = card.epochs[-1]
        lines += [
            "",
            f"In CNN Lab it had a validation accuracy of {words.percent(last.val_accuracy)} after "
            f"epoch {last.epoch}.",
        ]
    if card.spec.dataset not in KERAS_SETS:
        lines += ["", "In Colab, put that file beside it: the folder at the left, then the arrow."]
    return "\n".join(lines)


def _plain(text: str) -> str:
    """Somebody's text, so that Markdown and HTML take no sign in it for their own."""
    return re.sub(r"([\\`*_{}\[\]<>#$~|&!])", r"\\\1", text)


def _cell(kind: str, name: str, text: str) -> dict[str, Any]:
    cell = {"cell_type": kind, "id": name, "metadata": {}, "source": text.splitlines(True)}
    return cell | ({"execution_count": None, "outputs": []} if kind == "code" else {})


def _metadata(card: RunCard) -> dict[str, Any]:
    """What Jupyter and Colab want to know; a GPU is asked for where the run may use one."""
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    found: dict[str, Any] = {"kernelspec": kernel, "language_info": {"name": "python"}}
    if card.spec.device != "cpu" and card.spec.gpu_off == "none":
        found["accelerator"] = "GPU"
    return found | {"colab": {"name": f"run-{card.run_id}.ipynb"}}
