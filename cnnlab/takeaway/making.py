"""Makes a file, opens it again and holds its answers against the network's."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from cnnlab.spec import LabError
from cnnlab.takeaway.forms import WRITERS, probabilities
from cnnlab.takeaway.order import About, Form
from cnnlab.takeaway.plain import model_of, questions

TOLERANCE = 1e-4
"""By how much a probability may differ."""


def make_file(about: About, weights: Mapping[str, np.ndarray], form: Form, path: Path) -> float:
    """Write the file; by how much its answers differ from the network's at most.

    Args:
        weights: as `model_of` takes them.

    Raises:
        LabError: the weights cannot be used, a library is missing, or the file answers otherwise.
    """
    model, asked = model_of(about, weights), questions(about)
    right = probabilities(model, asked)
    WRITERS[form].write(model, about, path)
    answer = WRITERS[form].opened(about, path)
    given = np.concatenate([answer(asked), answer(asked[:1])])
    apart = float(np.abs(given - np.concatenate([right, right[:1]])).max())
    if not apart <= TOLERANCE:
        raise LabError(
            f"The {form} file of {about.name} answers otherwise than the network (by {apart:.2g}, "
            f"and {TOLERANCE:g} is allowed), so it is not handed over: choose another format."
        )
    return apart
