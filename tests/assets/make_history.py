"""Makes history_NNNN.db, a small history as the newest migration, NNNN, leaves it.

To be run once for each migration, before the next one is written, and the file to be kept:
`python -m tests.assets.make_history NNNN`.
"""

import sys
from pathlib import Path

from cnnlab.history import History
from cnnlab.spec import (
    PRESETS,
    DatasetFacts,
    DeviceFacts,
    Epoch,
    EpochEnded,
    ModelFacts,
    RunCard,
    RunEnded,
    RunStarted,
    Status,
    Steps,
    Window,
)

STARTED = RunStarted(
    model=ModelFacts(parameters=975_692, flops_per_image=193_000_000),
    dataset=DatasetFacts(
        name="shapes", train_images=60, validation_images=10, classes=3, image_shape=(32, 32, 3)
    ),
    device=DeviceFacts(requested="auto", used="cpu", name="a processor"),
    environment={"torch": "2.13.0"},
    steps_per_epoch=2,
)


def main(form: str) -> None:
    """Write one run measured here and one imported run."""
    target = Path(__file__).with_name(f"history_{form}.db")
    target.unlink(missing_ok=True)
    history = History(f"sqlite:///{target}", owner=(1, 0.0))
    run_id = history.create(PRESETS["tiny"].spec, name="measured", session="first")
    history.record(run_id, STARTED)
    history.record(
        run_id,
        Window(epoch=1, first_step=1, step_ms=(1.5, 2.5), seconds=0.004, loss=4.5, accuracy=0.1),
    )
    row = Epoch(
        epoch=1,
        loss=float("nan"),
        accuracy=0.25,
        val_loss=float("inf"),
        val_accuracy=0.2,
        seconds=1.0,
        step_ms_mean=2.0,
    )
    history.record(run_id, EpochEnded(row=row))
    history.record(run_id, RunEnded(status=Status.FINISHED))
    card = RunCard(
        run_id="imported",
        name="imported",
        session="second",
        status=Status.FINISHED,
        created_at="2025-01-31T12:00:00Z",
        spec=PRESETS["article"].spec,
        steps=Steps(step=(1,), epoch=(1,), seconds=(None,), ms=(3.5,), loss=(None,), accuracy=(1,)),
    )
    history.add_card(card, origin="elsewhere")
    history.close()


if __name__ == "__main__":
    main(sys.argv[1])
