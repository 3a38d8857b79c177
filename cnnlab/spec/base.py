"""What every room shares: the lab's home, errors that a person can mend, immutable records."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict


def home() -> Path:
    """The folder of the lab's state: history, data sets, checkpoints."""
    return Path(os.environ.get("CNNLAB_HOME", "~/.cnnlab")).expanduser()


class LabError(Exception):
    """Something a person can mend, said in one plain sentence that names the thing and the cure."""


class SpecError(LabError, ValueError):
    """A spec that cannot work; `problems` names every bad field."""

    def __init__(self, problems: list[Problem]) -> None:
        self.problems = problems
        super().__init__("; ".join(str(problem) for problem in problems))


def quoted(value: Any) -> str:
    """A bad value as a `Problem` shows it: as JSON, so that texts have quotes; 60 signs at most."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}..."


class Frozen(BaseModel):
    """Base of every record: immutable, and no field goes unnoticed."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="strings")


class Problem(Frozen):
    """One bad field: where it is, what it holds, what is allowed there."""

    field: str
    value: str
    allowed: str

    def __str__(self) -> str:
        return f"{self.field} is {self.value}, but {self.allowed}"
