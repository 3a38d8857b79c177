"""The lab's own version, which `pyproject.toml` alone states."""

from __future__ import annotations

import importlib.metadata
import tomllib
from pathlib import Path

PROJECT = Path(__file__).parents[1] / "pyproject.toml"


def _version() -> str:
    """That of the checkout that runs; of the installed package where there is no checkout."""
    if PROJECT.exists():
        return str(tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["version"])
    return importlib.metadata.version("cnnlab")


VERSION = _version()
