"""`python -m bench.card --minutes N --out DIR`: what the project wants to know of a card, at once.

Most valuable first, each part with its result on the disk as soon as it is there; a part that fails
is noted, one that takes longer than it may is interrupted, which leaves what it has done, and the
next one begins; for what comes too late no time is left. In the end all runs are one bundle,
`cards.json`, which `python -m cnnlab runs import` reads, and which `python -m bench.ship DIR NAME`
puts among what the lab ships; the history they lie in is in `home`. With `--device cpu` the same is
done without a card, in shorter form: the CPU's two engines race each other, and the article's run
is cut short.
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

ROOT = Path(__file__).parents[1]
LAB = (sys.executable, "-m", "cnnlab")
BATCHES = "batch_size=32,128,512"
SWEEPS = {
    "dense": "units=64,512,2048",
    "lstm": "units=16,64,256",
    "gru": "units=16,64,256",
    "tiny": "filters=8,32,128",
}
DRAWN = ("--dataset", "shapes", "--limit", "8000")
SEQUENCES = ("lstm", "gru")
YARDSTICKS = ("dense,tiny", "lstm,article,gru,deeper,simple,article-bfloat16,article-bfloat16-128")
"""What is most in question, and the rest."""
TEST_PROCESSES = 6
RACE_BUDGET_SECONDS = 15
SECONDS_PER_CELL = 3.5
"""Of a sweep: with the start of the process that it is measured in."""
GRACE_SECONDS = 5.0
"""What a part has to end in order, once its time is over."""
BUNDLE_SECONDS = 20.0
"""Kept for the bundle: two commands that import torch."""
ARCHIVE = ROOT.parent / "shared" / "data" / "cifar10-images.tar.xz"
"""The pictures of the article's whole run; left out where they are not."""


@dataclass(frozen=True)
class Part:
    """One command, how long it may take, and the name of the file its stdout goes to."""

    name: str
    seconds: float
    command: tuple[str, ...]


def parts(device: str) -> list[Part]:
    """What is measured, in order."""
    first, rest = (
        (sys.executable, "-m", "bench.peers", "--figures-only", "--only", works)
        for works in YARDSTICKS
    )
    drawn, photographed = _article(device)
    return [
        Part("machine", 30, (*LAB, "devices", "--json")),
        Part("tests", 110, _tests(device)),
        Part("yardsticks", 150, first),
        _race("dense", device),
        _race("article", device),
        _crossover("dense", device),
        *([photographed] if ARCHIVE.exists() else []),
        _race("lstm", device),
        _crossover("lstm", device),
        _race("tiny", device),
        _crossover("tiny", device),
        _race("gru", device),
        _crossover("gru", device),
        _race("deeper", device),
        drawn,
        Part("yardsticks-rest", 600, rest),
    ]


def _race(preset: str, device: str) -> Part:
    """The CPU against the card; without one, the two engines."""
    way = "engines" if device == "cpu" else "devices"
    data = () if preset in SEQUENCES else DRAWN
    budget = ("--budget", str(RACE_BUDGET_SECONDS))
    race = ("race", "--preset", preset, *data, "--way", way, *budget, "--json")
    # Three pairs there always are, each in processes of its own.
    return Part(f"race-{preset}", 6 * RACE_BUDGET_SECONDS, (*LAB, *race))


def _crossover(preset: str, device: str) -> Part:
    """Nine cells on the CPU, and on the card, within a budget that is enough for them."""
    devices = "cpu" if device == "cpu" else f"cpu,{device}"
    axes = ("--axis", BATCHES, "--axis", SWEEPS[preset])
    cells = math.prod(axis.count(",") + 1 for axis in (BATCHES, SWEEPS[preset], devices))
    budget = math.ceil(SECONDS_PER_CELL * cells)
    options = ("--devices", devices, "--budget", str(budget), "--json")
    sweep = ("sweep", "--preset", preset, *axes, *options)
    return Part(f"crossover-{preset}", 1.5 * budget, (*LAB, *sweep))


def _tests(device: str) -> tuple[str, ...]:
    """Those of a card, of the files that have any: what others want need not be installed."""
    pytest = (sys.executable, "-m", "pytest", "-q")
    if device == "cpu":
        return (*pytest, "-m", "not browser and not soak", "tests/engines/test_parts.py")
    files = [each for each in sorted((ROOT / "tests").rglob("test_*.py")) if _on_card(each)]
    return (*pytest, "-n", str(TEST_PROCESSES), "-m", "gpu", *map(str, files))


def _on_card(file: Path) -> bool:
    return "mark.gpu" in file.read_text(encoding="utf-8")


def _article(device: str) -> tuple[Part, Part]:
    """The article's run whole, on drawn pictures and on the photographs: its accuracy over its 20
    epochs tells when 41 % were reached. Of a CPU, which takes hours for that, a few steps.
    """
    length = ("--epochs", "20") if device != "cpu" else ("--epochs", "1", "--limit", "640")
    train = (*LAB, "train", "--preset", "article", "--device", device, *length, "--json")
    return (
        Part("article-drawn", 90, (*train, "--dataset", "shapes")),
        Part("article-cifar10", 120, (*train, "--dataset", str(ARCHIVE))),
    )


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
            ended = "done" if code == 0 else f"exit code {code}: {_last_line(log.name)}"
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            ended = f"stopped after its {seconds:.0f} s"
        finally:
            _end_all(process)
    return {"part": part.name, "ended": ended, "seconds": time.perf_counter() - began}


def _last_line(log: str) -> str:
    """What a part that failed said last."""
    lines = Path(log).read_text(encoding="utf-8", errors="replace").split("\n")
    return next((line.strip() for line in reversed(lines) if line.strip()), "it said nothing")


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
    for part in chosen:
        seconds = min(part.seconds, ends - time.perf_counter())
        skipped = {"part": part.name, "ended": "no time was left", "seconds": 0.0}
        notes.append(run_part(part, out, seconds) if seconds > 0 else skipped)
        (out / "parts.json").write_text(json.dumps(notes, indent=2) + "\n")
        click.echo(f"{part.name}: {notes[-1]['ended']}", err=True)
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
    measure(parts(device), out, ends)


if __name__ == "__main__":
    command()
