"""`python -m bench.card --minutes N --out DIR`: what the project wants to know of a card, at once.

Most valuable first, each part with a share of the time and its result on the disk as soon as it is
there; a part that fails is noted, one that runs over its share is interrupted, which leaves what it
has done, and the next one begins. After each kind of part all runs so far are one bundle,
`cards.json`, which `python -m cnnlab runs import` reads. With `--device cpu` the same is done
without a card, in shorter form: the CPU's two engines race each other, and the article's run is cut
short.
"""

from __future__ import annotations

import json
import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import click

from cnnlab.spec import Status
from cnnlab.sweep import least_seconds

ROOT = Path(__file__).parents[1]
LAB = (sys.executable, "-m", "cnnlab")
PRESETS = ("dense", "tiny", "lstm", "gru", "article", "deeper")
BATCHES = "batch_size=32,128,512"
SWEEPS = {
    "dense": "units=64,512,2048",
    "lstm": "units=16,64,256",
    "gru": "units=16,64,256",
    "tiny": "filters=8,32,128",
}
DRAWN = ("--dataset", "shapes", "--limit", "8000")
SEQUENCES = ("lstm", "gru")
YARDSTICKS = "dense,tiny,lstm,article,gru,deeper,simple,article-bfloat16,article-bfloat16-128"
"""What is most in question comes first: all of them take longer than there is time."""
GRACE_SECONDS = 5.0
"""What a part has to end in order, once its time is over."""
BUNDLE_SECONDS = 5.0
"""Kept for the last bundle."""
ARCHIVE = ROOT.parent / "shared" / "data" / "cifar10-images.tar.xz"
"""The pictures of the article's whole run; left out where they are not."""


@dataclass(frozen=True)
class Part:
    """One command, the share of all time that it may take, and the file its stdout goes to."""

    name: str
    weight: float
    command: tuple[str, ...]

    @property
    def keeps_runs(self) -> bool:
        """Whether it leaves runs in the history."""
        return bool({"race", "sweep", "train"} & set(self.command))

    @property
    def kind(self) -> str:
        """What it is one of several of."""
        return self.name.partition("-")[0]

    def share(self, left: float, weights: float) -> float:
        """Seconds that it may take of those that are left.

        Args:
            weights: its own and those of all parts after it.
        """
        own = left * self.weight / weights
        # Half is for starting; who keeps to a budget of its own is not cut off just before its end.
        return min(left, 2 * own) if "--budget" in self.command else own


def parts(device: str, seconds: float) -> list[Part]:
    """What is measured, in order.

    Args:
        seconds: what is to be spent in all, for the commands that are given a budget.
    """
    yardsticks = (sys.executable, "-m", "bench.peers", "--figures-only", "--only", YARDSTICKS)
    return [
        Part("machine", 0.03, (*LAB, "devices", "--json")),
        Part("tests", 0.19, _tests(device)),
        Part("yardsticks", 0.16, yardsticks),
        *(_race(preset, device, seconds) for preset in PRESETS),
        *(_crossover(preset, device, seconds) for preset in SWEEPS),
        *_article(device),
    ]


def _race(preset: str, device: str, seconds: float) -> Part:
    """The CPU against the card; without one, the two engines."""
    weight, way = 0.22 / len(PRESETS), "engines" if device == "cpu" else "devices"
    data = () if preset in SEQUENCES else DRAWN
    budget = f"{max(1.0, weight * seconds / 2):.0f}"
    race = ("race", "--preset", preset, *data, "--way", way, "--budget", budget, "--json")
    return Part(f"race-{preset}", weight, (*LAB, *race))


def _crossover(preset: str, device: str, seconds: float) -> Part:
    """Nine cells on the CPU, and on the card, within a budget that is enough for them."""
    weight, devices = 0.22 / len(SWEEPS), "cpu" if device == "cpu" else f"cpu,{device}"
    axes = ("--axis", BATCHES, "--axis", SWEEPS[preset])
    cells = math.prod(axis.count(",") + 1 for axis in (BATCHES, SWEEPS[preset], devices))
    budget = math.ceil(max(least_seconds(cells), weight * seconds / 2))
    options = ("--devices", devices, "--budget", str(budget), "--json")
    return Part(f"crossover-{preset}", weight, (*LAB, "sweep", "--preset", preset, *axes, *options))


def _tests(device: str) -> tuple[str, ...]:
    """Those of a card; a file of tests that wants what is not installed does not keep the others
    from being run.
    """
    pytest = (sys.executable, "-m", "pytest", "-q", "--continue-on-collection-errors", "-m")
    if device == "cpu":
        return (*pytest, "not browser and not soak", "tests/engines/test_parts.py")
    return (*pytest, "gpu", "tests")


def _article(device: str) -> list[Part]:
    """The article's run whole: its accuracy over its 20 epochs tells when 41 % were reached. Of a
    CPU, which takes hours for that, a few steps.
    """
    length = ("--epochs", "20") if device != "cpu" else ("--epochs", "1", "--limit", "640")
    train = (*LAB, "train", "--preset", "article", "--device", device, *length, "--json")
    found = [Part("article-drawn", 0.07, (*train, "--dataset", "shapes"))]
    if ARCHIVE.exists():
        found.append(Part("article-cifar10", 0.1, (*train, "--dataset", str(ARCHIVE))))
    return found


def run_part(part: Part, out: Path, seconds: float) -> dict[str, object]:
    """Run a part for so many seconds at most; what is to be noted of it.

    Its output is in `out/NAME.json` and `out/NAME.log`, the tests' report in `out/tests.xml`.
    """
    began = time.perf_counter()
    with (
        (out / f"{part.name}.json").open("w") as results,
        (out / f"{part.name}.log").open("w") as log,
        subprocess.Popen(
            part.command,
            cwd=ROOT,
            env=_environment(out),
            stdout=results,
            stderr=log,
            start_new_session=True,
        ) as process,
    ):
        try:
            code = process.wait(seconds)
            ended = "done" if code == 0 else f"exit code {code}"
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            ended = f"stopped after its {seconds:.0f} s"
        finally:
            _end_all(process)
    return {"part": part.name, "ended": ended, "seconds": time.perf_counter() - began}


def _end_all(process: subprocess.Popen[bytes]) -> None:
    """Give a part that was interrupted a moment to end in order; then none of its processes is left
    to disturb the next.
    """
    try:
        process.wait(GRACE_SECONDS)
    except subprocess.TimeoutExpired:
        pass
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass  # as it should be


def _environment(out: Path) -> Mapping[str, str]:
    """A history of its own, and what to call the tests' report."""
    report = f"--junitxml={out / 'tests.xml'}"
    return os.environ | {"CNNLAB_HOME": str(out / "home"), "PYTEST_ADDOPTS": report}


def bundle(out: Path) -> str:
    """Write the cards of all that was measured so far into `out/cards.json`: finished runs, cells
    of sweeps included, and those that were interrupted after some epochs.
    """
    listed = _said((*LAB, "runs", "list", "--cells", "--json"), out)
    runs = json.loads(listed.stdout or "[]")
    over = [run for run in runs if Status(run["status"]).over]
    ids = [run["run_id"] for run in over if run["status"] == "finished" or run["epochs_done"]]
    if not ids:
        return "no run was finished"
    done = _said((*LAB, "runs", "export", *ids, "--force", "-o", str(out / "cards.json")), out)
    return f"{len(ids)} runs" if done.returncode == 0 else done.stderr.strip()


def _said(command: tuple[str, ...], out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=_environment(out), capture_output=True, text=True)


def measure(chosen: Sequence[Part], out: Path, ends: float) -> None:
    """Run the parts one after the other, and note each as soon as it is over.

    Args:
        ends: when there is no time left, on the clock of `time.perf_counter`.
    """
    notes: list[dict[str, object]] = []
    for number, part in enumerate(chosen):
        share = part.share(ends - time.perf_counter(), sum(each.weight for each in chosen[number:]))
        skipped = {"part": part.name, "ended": "no time was left", "seconds": 0.0}
        notes.append(run_part(part, out, share) if share > 0 else skipped)
        (out / "parts.json").write_text(json.dumps(notes, indent=2) + "\n")
        click.echo(f"{part.name}: {notes[-1]['ended']}", err=True)
        last_of_kind = part.kind not in {each.kind for each in chosen[number + 1 :]}
        if part.keeps_runs and last_of_kind:  # it takes seconds, so not after each
            click.echo(f"cards.json: {bundle(out)}", err=True)


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0.5), default=8.0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--device", default="cuda:0", show_default=True, help="cpu: without a card.")
def command(minutes: float, out: Path, device: str) -> None:
    """Measure a card, most valuable first, within so many minutes."""
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    ends = time.perf_counter() + 60 * minutes - GRACE_SECONDS - BUNDLE_SECONDS
    measure(parts(device, 60 * minutes), out, ends)


if __name__ == "__main__":
    command()
