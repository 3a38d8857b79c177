"""What can be asked of a network, and how question and answer cross to its process: as lines."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field, TypeAdapter

from cnnlab.spec import ExperimentSpec, Frozen

At = Literal["final", "best"] | int
"""Which of the weights that a run left: those of its end, of its best epoch, or of an epoch."""


class Network(Frozen):
    """A trained network."""

    run_id: str
    spec: ExperimentSpec
    image_shape: tuple[int, int, int]
    """Height, width, channels of a picture; steps, features, 1 of a sequence."""
    classes: int
    at: At = "final"


class Look(Frozen):
    """What goes on in a network that sees one picture or sequence, `input`.

    `input` is as data sets have it: uint8 (height, width, channels), or float32 (steps, features,
    1). The answer holds `probabilities` (classes,) and what the network's family has of:

    - `maps/NUMBER/LAYER` float16 (channels, height, width): the first channels that a layer makes;
    - `states/NUMBER/LAYER` float16 (steps, units): the hidden state of a recurrent layer;
    - `heat` float32 (rows, columns): where the picture speaks for `target`. Of a CNN that is
      Grad-CAM at its last convolution, in that layer's size; of any other the size of the gradient,
      summed over channels, in the input's; of a sequence (steps, features).
    """

    kind: Literal["look"] = "look"
    network: Network
    target: int | None = None
    """The class that `heat` is about; null: the likeliest."""


class Foresee(Frozen):
    """What a network says of many pictures, `input` (n, …).

    The answer holds `probabilities` float16 (n, classes).
    """

    kind: Literal["foresee"] = "foresee"
    network: Network


Question = Look | Foresee
QUESTION: TypeAdapter[Question] = TypeAdapter(Annotated[Question, Field(discriminator="kind")])


@dataclass(frozen=True, eq=False)
class Answer:
    """What came back."""

    facts: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, np.ndarray] = field(default_factory=dict)

    def named(self, kind: str) -> list[tuple[str, np.ndarray]]:
        """The arrays of one kind, `maps` or `states`, with the words for their layers, in order."""
        found = [name for name in self.arrays if name.startswith(f"{kind}/")]
        return [(name.split("/", 2)[2], self.arrays[name]) for name in sorted(found)]


# --- as lines -------------------------------------------------------------------------------


def packed(facts: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    """Facts and arrays as one line of text."""
    file = io.BytesIO()
    np.savez(file, allow_pickle=False, **{str(n): arrays[name] for n, name in enumerate(arrays)})
    body = base64.b64encode(file.getvalue()).decode("ascii")
    return json.dumps({"facts": dict(facts), "names": list(arrays), "arrays": body})


def unpacked(line: str) -> Answer:
    """The facts and arrays of such a line; nothing in it is ever unpickled."""
    said = json.loads(line)
    with np.load(io.BytesIO(base64.b64decode(said["arrays"])), allow_pickle=False) as file:
        arrays = {name: file[str(number)] for number, name in enumerate(said["names"])}
    return Answer(said["facts"], arrays)
