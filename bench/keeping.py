"""What keeping what a run learns costs an epoch: its weights on the disk, its answers, the gallery.

Both arms are whole epochs (`bench.epochs`), each with its validation and all that is done before
the next one begins. The epochs are short ones, which the cost does not depend on but for the few
answers; it is held against an epoch of the preset's own length.
"""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.epochs import epochs_of, held, of_each_work
from bench.measure import median_interval, result_of, rounds
from bench.peers.contenders import Contender
from bench.peers.works import Work
from cnnlab import datasets, learned, models

BUDGET_SHARE = 0.01
PAIRS = 40
FILM_EPOCHS = 20
RUN = "bench"
"""As whose learning `bench.peers.kept` keeps it."""
KEEPING = Contender("the lab, keeping what it learns", "bench.peers.kept")


def whole_steps(work: Work) -> int:
    """Steps of an epoch of the work's preset on its own data set."""
    spec = work.spec
    train, _ = models.split(spec, datasets.info(spec.dataset).train_images or 0)
    return math.ceil(train / spec.batch_size)


def measured(name: str, device: str) -> dict[str, Any]:
    """Both arms at one work."""
    with epochs_of(name, device, KEEPING) as (work, epoch, home):
        arms = {"a": lambda: epoch(kept=True), "b": lambda: epoch(kept=False)}
        found = rounds(arms, PAIRS)
        frame_mb = mean_frame_mb(home)
    longer_ms = [each["a"] - each["b"] for each in found.kept]
    epoch_ms = statistics.median(found.of("b")) / work.steps * whole_steps(work)
    return result_of(found) | {
        "unit": "ms",
        "arms": {"a": "a short epoch, all kept", "b": "nothing kept"},
        "budget": {"share": BUDGET_SHARE},
        "notes": [f"{note(work.title, longer_ms, epoch_ms)} {film_note(frame_mb)}"],
    }


def mean_frame_mb(home: Path) -> float:
    """What an epoch's weights take on the disk, by the film that lies there."""
    kept = learned.open_run(RUN, home).facts
    return kept.sizes["film"] / len(kept.frames) / 1e6


def film_note(frame_mb: float) -> str:
    """What a film takes, in a sentence."""
    return f"A film of {FILM_EPOCHS} epochs takes {FILM_EPOCHS * frame_mb:.0f} MB on the disk."


def note(title: str, longer_ms: Sequence[float], epoch_ms: float) -> str:
    """The cost in a sentence, and whether it keeps within its budget.

    Args:
        epoch_ms: of the preset's own length.
    """
    low, high = median_interval(longer_ms)
    limit = BUDGET_SHARE * epoch_ms
    middle = statistics.median(longer_ms)
    return (
        f"Keeping what {title} learns takes {middle:.1f} ms an epoch (95 % interval of the median "
        f"{low:.1f} to {high:.1f}, {len(longer_ms)} pairs), {middle / epoch_ms:.2%} of an epoch of "
        f"{epoch_ms / 1e3:.1f} s (budget {BUDGET_SHARE:.0%}: {held(low, high, limit)})."
    )


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    return of_each_work("keeping", "Keeping what is learnt,", measured)


if __name__ == "__main__":
    print(json.dumps(main(), indent=2))
