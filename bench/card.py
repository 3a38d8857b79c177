"""`python -m bench.card --minutes N --out DIR`: what the project wants to know of a card, at once.

Most valuable first, each part with a share of the time and its result on the disk as soon as it is
there; a part that fails is noted, one that runs over its share is interrupted, which leaves what it
has done, and the next one begins. After each part all runs so far are one bundle, `cards.json`,
which `python -m cnnlab runs import` reads. With `--device cpu` the same is done without a card, in
shorter form: the CPU's two engines race each other, and the article's run is cut short.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from cnnlab.spec import Status

ROOT = Path(__file__).parents[1]
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


def parts(device: str, seconds: float) -> list[Part]:
    """What is measured, in order.

    Args:
        seconds: what is to be spent in all, for the commands that are given a budget.
    """
    lab = (sys.executable, "-m", "cnnlab")
    yardsticks = (sys.executable, "-m", "bench.peers", "--figures-only", "--only", YARDSTICKS)
    race_weight, sweep_weight = 0.22 / len(PRESETS), 0.22 / len(SWEEPS)
    found = [
        Part("machine", 0.03, (*lab, "devices", "--json")),
        Part("tests", 0.19, _tests(device)),
        Part("yardsticks", 0.16, yardsticks),
    ]
    way = "devices" if device != "cpu" else "engines"
    for preset in PRESETS:
        data = () if preset in SEQUENCES else DRAWN
        budget = f"{max(1.0, race_weight * seconds / 2):.0f}"
        race = ("race", "--preset", preset, *data, "--way", way, "--budget", budget, "--json")
        found.append(Part(f"race-{preset}", race_weight, (*lab, *race)))
    devices = "cpu" if device == "cpu" else f"cpu,{device}"
    for preset, axis in SWEEPS.items():
        budget = f"{max(1.0, sweep_weight * seconds / 2):.0f}"
        sweep = ("sweep", "--preset", preset, "--axis", BATCHES, "--axis", axis)
        options = ("--devices", devices, "--budget", budget, "--json")
        found.append(Part(f"crossover-{preset}", sweep_weight, (*lab, *sweep, *options)))
    return [*found, *_article(lab, device)]


def _tests(device: str) -> tuple[str, ...]:
    """Those of a card; a file of tests that wants what is not installed does not keep the others
    from being run.
    """
    pytest = (sys.executable, "-m", "pytest", "-q", "--continue-on-collection-errors", "-m")
    if device == "cpu":
        return (*pytest, "not browser and not soak", "tests/engines/test_parts.py")
    return (*pytest, "gpu", "tests")


def _article(lab: tuple[str, ...], device: str) -> list[Part]:
    """The article's run whole: its accuracy over its 20 epochs tells when 41 % were reached. Of a
    CPU, which takes hours for that, a few steps.
    """
    length = ("--epochs", "20") if device != "cpu" else ("--epochs", "1", "--limit", "640")
    train = (*lab, "train", "--preset", "article", "--device", device, *length, "--json")
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
    lab = (sys.executable, "-m", "cnnlab", "runs")
    listed = _said((*lab, "list", "--cells", "--json"), out)
    runs = json.loads(listed.stdout or "[]")
    over = [run for run in runs if Status(run["status"]).over]
    ids = [run["run_id"] for run in over if run["status"] == "finished" or run["epochs_done"]]
    if not ids:
        return "no run was finished"
    done = _said((*lab, "export", *ids, "--force", "-o", str(out / "cards.json")), out)
    return f"{len(ids)} runs" if done.returncode == 0 else done.stderr.strip()


def _said(command: tuple[str, ...], out: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=ROOT, env=_environment(out), capture_output=True, text=True)


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0.5), default=8.0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--device", default="cuda:0", show_default=True, help="cpu: without a card.")
def command(minutes: float, out: Path, device: str) -> None:
    """Measure a card, most valuable first, within so many minutes."""
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    ends = time.perf_counter() + 60 * minutes - GRACE_SECONDS
    notes: list[dict[str, object]] = []
    bundled = "no run was finished"
    for part in parts(device, 60 * minutes):
        left = ends - time.perf_counter()
        # What the parts before did not use is there for the next.
        share = min(left, max(part.weight * 60 * minutes, left / 4))
        skipped = {"part": part.name, "ended": "no time was left", "seconds": 0.0}
        notes.append(run_part(part, out, share) if left > 0 else skipped)
        (out / "parts.json").write_text(json.dumps(notes, indent=2) + "\n")
        click.echo(f"{part.name}: {notes[-1]['ended']}", err=True)
        if left > 0 and part.keeps_runs:
            bundled = bundle(out)
    click.echo(f"cards.json: {bundled}", err=True)


if __name__ == "__main__":
    command()
