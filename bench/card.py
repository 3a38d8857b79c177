"""`python -m bench.card --minutes N --out DIR`: what the project wants to know of a card, at once.

Most valuable first, each part with a share of the time and its result on the disk as soon as it is
there; a part that fails or runs over its share is noted and the next one begins. At the end all
runs are one bundle, `cards.json`, which `python -m cnnlab runs import` reads. With `--device cpu`
the same is done without a card, the CPU's two engines racing each other.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import click

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
    tests = "gpu" if device != "cpu" else "not browser and not soak"
    chosen = ["tests"] if device != "cpu" else ["tests/engines/test_parts.py"]
    race_weight, sweep_weight = 0.22 / len(PRESETS), 0.22 / len(SWEEPS)
    found = [
        Part("machine", 0.03, (*lab, "devices", "--json")),
        Part("tests", 0.19, (sys.executable, "-m", "pytest", "-q", "-m", tests, *chosen)),
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


def _article(lab: tuple[str, ...], device: str) -> list[Part]:
    """The article's run whole: its accuracy over its 20 epochs tells when 41 % were reached."""
    train = (*lab, "train", "--preset", "article", "--device", device, "--epochs", "20", "--json")
    found = [Part("article-drawn", 0.07, (*train, "--dataset", "shapes"))]
    if ARCHIVE.exists():
        found.append(Part("article-cifar10", 0.1, (*train, "--dataset", str(ARCHIVE))))
    return found


def run_part(part: Part, out: Path, seconds: float) -> dict[str, object]:
    """Run a part for so many seconds at most; what is to be noted of it.

    Its output is in `out/NAME.json` and `out/NAME.log`, the tests' report in `out/tests.xml`.
    """
    environment = os.environ | {
        "CNNLAB_HOME": str(out / "home"),
        "PYTEST_ADDOPTS": f"--junitxml={out / 'tests.xml'}",
    }
    began = time.perf_counter()
    with (
        (out / f"{part.name}.json").open("w") as results,
        (out / f"{part.name}.log").open("w") as log,
    ):
        try:
            done = subprocess.run(
                part.command, cwd=ROOT, env=environment, stdout=results, stderr=log, timeout=seconds
            )
            ended = "done" if done.returncode == 0 else f"exit code {done.returncode}"
        except subprocess.TimeoutExpired:
            ended = f"stopped after its {seconds:.0f} s"
    return {"part": part.name, "ended": ended, "seconds": time.perf_counter() - began}


def bundle(out: Path) -> str:
    """Write the cards of all finished runs, cells of sweeps included, into `out/cards.json`."""
    environment = os.environ | {"CNNLAB_HOME": str(out / "home")}
    lab = (sys.executable, "-m", "cnnlab", "runs")
    listed = subprocess.run(
        (*lab, "list", "--cells", "--json"),
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    ids = [
        run["run_id"] for run in json.loads(listed.stdout or "[]") if run["status"] == "finished"
    ]
    if not ids:
        return "no run was finished"
    command = (*lab, "export", *ids, "--force", "-o", str(out / "cards.json"))
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    return f"{len(ids)} runs" if done.returncode == 0 else done.stderr.strip()


@click.command()
@click.option("--minutes", type=click.FloatRange(min=0.05), default=8.0, show_default=True)
@click.option("--out", type=click.Path(path_type=Path, file_okay=False), required=True)
@click.option("--device", default="cuda:0", show_default=True, help="cpu: without a card.")
def command(minutes: float, out: Path, device: str) -> None:
    """Measure a card, most valuable first, within so many minutes."""
    out = out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    ends = time.perf_counter() + 60 * minutes
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
        if notes[-1]["ended"] == "done" and part.keeps_runs:
            bundled = bundle(out)
    click.echo(f"cards.json: {bundled}", err=True)


if __name__ == "__main__":
    command()
