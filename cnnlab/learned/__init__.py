"""What finished runs have learnt: weights over the epochs, and what they answered.

Of each run a folder `home()/learned/RUN_ID`: `facts.json`, and plain numbers as safetensors
(`final`, `best`, `film/NNNN` by epoch, `predictions`, `gallery`). Nothing in it is a program, so
nothing that is read runs. NumPy and safetensors alone are needed: a page may read it.
"""

from cnnlab.learned.files import (
    Facts,
    Settings,
    folder,
    settings,
    write_settings,
)
from cnnlab.learned.packing import ENDING, pack, packed_runs, unpack
from cnnlab.learned.reading import (
    At,
    Gallery,
    Learned,
    Predictions,
    kept,
    open_run,
    paired,
)
from cnnlab.learned.room import bring_back, discard, set_aside, tidy, used_bytes
from cnnlab.learned.writing import About, Answers, Writer

__all__ = [
    "ENDING",
    "About",
    "Answers",
    "At",
    "Facts",
    "Gallery",
    "Learned",
    "Predictions",
    "Settings",
    "Writer",
    "bring_back",
    "discard",
    "folder",
    "kept",
    "open_run",
    "pack",
    "packed_runs",
    "paired",
    "set_aside",
    "settings",
    "tidy",
    "unpack",
    "used_bytes",
    "write_settings",
]
