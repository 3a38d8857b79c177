"""A lab that trains nothing, for tests of commands that drive one."""

from __future__ import annotations

from cnnlab.history import History
from cnnlab.spec import ExperimentSpec, Part
from tests.example_runs import CARD, CPU, add_run


class InstantLab:
    """A lab whose runs are over as soon as they are queued: the fast engine takes half as long."""

    def __init__(self, history: History, environments: object, elsewhere: object) -> None:
        self.history = history

    def submit(
        self,
        spec: ExperimentSpec,
        *,
        name: str,
        session: str,
        part: Part | None = None,
        keep: bool = True,
    ) -> str:
        step_ms = (10.0 if spec.engine == "fast" else 20.0) * (32 / spec.batch_size)
        fields = {
            "spec": spec,
            "name": name,
            "session": session,
            "part": part,
        }
        device = CARD if spec.device.startswith("cuda") else CPU
        return add_run(self.history, step_ms=step_ms, device=device, epochs=spec.epochs, **fields)

    def wait_idle(self, seconds: float) -> bool:
        return True

    def live(self, run_id: str) -> None:
        return None

    def close(self) -> None:
        pass
