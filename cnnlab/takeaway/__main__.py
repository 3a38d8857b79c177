"""Makes one file: told what by JSON on stdin, answers by JSON on stdout; see `process`."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import psutil

from cnnlab import learned
from cnnlab.spec import LabError
from cnnlab.takeaway.making import make_file
from cnnlab.takeaway.order import Order

NICENESS = 10


def main() -> None:
    """Serve the order."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever a library prints goes to the log
    if os.name == "posix":
        psutil.Process().nice(NICENESS)
    order = Order.model_validate_json(sys.stdin.read())
    try:
        about = order.about
        # By the epoch that the file will name: the run may train on meanwhile.
        weights = learned.open_run(about.run_id).weights(about.epoch or about.weights)
        apart = make_file(about, weights, order.form, Path(order.output))
        answer: dict[str, str | float] = {"apart": apart}
    except LabError as error:
        answer = {"error": str(error)}
    with out:
        json.dump(answer, out)


if __name__ == "__main__":
    main()
