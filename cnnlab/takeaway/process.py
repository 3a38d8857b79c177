"""The process that makes a file: it loads Keras, which no page may, and is over afterwards."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from cnnlab.spec import LabError
from cnnlab.takeaway.order import About, Form, Order, file_name

log = logging.getLogger(__name__)

PATIENCE_SECONDS = 300.0
QUIETLY = {
    "KERAS_BACKEND": "torch",
    "KERAS_TORCH_DEVICE": "cpu",
    "CUDA_VISIBLE_DEVICES": "",
    "OMP_NUM_THREADS": "1",
}
"""It takes one core at most, and no card from whoever trains on one."""


def make(about: About, form: Form) -> bytes:
    """The file of a run, opened again and found to answer as the run's network does.

    Raises:
        LabError: nothing is kept of what the run learnt, the file cannot be made, or it answers
            otherwise.
    """
    with tempfile.TemporaryDirectory(prefix="cnnlab-") as folder:
        output = Path(folder) / file_name(about, form)
        answer = _ask(Order(about=about, form=form, output=str(output)))
        if "error" in answer:
            raise LabError(answer["error"])
        return output.read_bytes()


def _ask(order: Order) -> dict[str, str]:
    """What the process answers to an order."""
    try:
        done = subprocess.run(
            [sys.executable, "-m", "cnnlab.takeaway"],
            input=order.model_dump_json(),
            env={**os.environ, **QUIETLY},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=PATIENCE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise LabError(
            f"The file was not made within {PATIENCE_SECONDS / 60:.0f} minutes; try again when "
            "less happens here, or choose another format."
        ) from error
    if done.returncode:
        log.warning("no %s file was made: %s", order.form, done.stderr)
        raise LabError(f"The process that makes the {order.form} file failed; the log says why.")
    return dict(json.loads(done.stdout))
