"""What every room shares: the lab's home, errors that a person can mend, immutable records."""

from __future__ import annotations

import codecs
import json
import math
import os
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, PlainSerializer


def _user_home() -> Path | None:
    try:
        return Path.home()
    except RuntimeError:  # no HOME and no such user
        return None


USER_HOME = _user_home()
"""Null where this user has none, as in a container under a foreign number; asked before libraries
are lent one."""


def home() -> Path:
    """The folder of the lab's state: history, data sets, checkpoints.

    Raises:
        LabError: nobody says where it is: this user has no home, and CNNLAB_HOME is not set.
    """
    named = os.environ.get("CNNLAB_HOME")
    try:
        if not named and USER_HOME is None:
            raise RuntimeError("this user has no home")
        return Path(named or "~/.cnnlab").expanduser()
    except RuntimeError as error:
        raise LabError(
            f"The folder {named or '~/.cnnlab'} for the lab's state cannot be found "
            f"({str(error).rstrip('.')}): set CNNLAB_HOME to a folder."
        ) from error


def decoded(data: bytes) -> str:
    """The text of a file: UTF-8, or UTF-16 if it says so, as PowerShell writes it; marks are taken
    off.

    Raises:
        UnicodeDecodeError: it is neither.
    """
    wide = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    return data.decode("utf-16" if wide else "utf-8-sig")


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


def _number(value: Any) -> Any:
    return float(value) if isinstance(value, str) else value


def _written(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


# NaN and infinity are results too (a diverged loss): JSON has no number for them, so they are
# written as the strings "nan", "inf" and "-inf" and read back as floats.
Number = Annotated[
    float, BeforeValidator(_number), PlainSerializer(_written, when_used="json-unless-none")
]
