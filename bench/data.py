"""Data: memory of the two engines, preparing an archive, and growth with the number of pictures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from bench.measure import paired, save
from bench.quiet import unwatched

ARCHIVE = Path(__file__).resolve().parents[2] / "shared" / "data" / "cifar10-images.tar.xz"
PAIRS = 5
CIFAR = (60_000, 32, 32, 3)
SMALL, LARGE = 5_000, 500_000


def _train(file: Path, *options: object) -> dict[str, Any]:
    """A run on the CPU, in a process of its own; its card."""
    command = [sys.executable, "-m", "cnnlab", "train", "--device", "cpu", "--dataset", file]
    done = subprocess.run(
        [*map(str, [*command, *options]), "--json"], capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout)


def _noise(file: Path, shape: tuple[int, ...]) -> Path:
    random = np.random.default_rng(0)
    np.savez(
        file,
        x_train=random.integers(0, 256, shape, dtype=np.uint8),
        y_train=random.integers(0, 10, shape[0]),
    )
    return file


def memory(folder: Path) -> dict[str, Any]:
    """Peak RSS of an epoch over as many pictures as CIFAR has, `fast` against `stock`."""
    file = _noise(folder / "cifar.npz", CIFAR)

    def arm(engine: str) -> float:
        card = _train(
            file, "--preset", "tiny", "--limit", CIFAR[0], "--epochs", 1, "--engine", engine
        )
        return card["memory"]["peak_rss_mb"]

    result = paired(lambda: arm("fast"), lambda: arm("stock"), 2, unwatched)
    arms = {"a": "fast", "b": "stock"}
    return result | {"name": "Peak memory, 60,000 pictures, cpu", "unit": "MB", "arms": arms}


def preparing() -> dict[str, Any]:
    """CIFAR-10 from its JPEG archive once, and from the store afterwards."""

    def load(home: str) -> float:
        code = (
            "import time; from cnnlab import datasets; began = time.perf_counter(); "
            f"datasets.load({str(ARCHIVE)!r}); print(time.perf_counter() - began)"
        )
        environment = {**os.environ, "CNNLAB_HOME": home}
        command = [sys.executable, "-c", code]
        return float(subprocess.check_output(command, env=environment, text=True))

    def anew() -> float:
        with tempfile.TemporaryDirectory() as home:
            return load(home)

    with tempfile.TemporaryDirectory() as home:
        load(home)
        result = paired(lambda: load(home), anew, 3)
    arms = {"a": "from the store", "b": "from the archive"}
    return result | {"name": "CIFAR-10 as JPEG, ready to train", "unit": "s", "arms": arms}


def growth(folder: Path) -> dict[str, Any]:
    """Training time per picture, 5,000 against 500,000 pictures (8 x 8 pixels, so both fit).

    Both arms take as many steps: the first fifty of a process are the quickest, by some 5 %.
    """
    files = [_noise(folder / f"{count}.npz", (count, 8, 8, 3)) for count in (SMALL, LARGE)]

    def arm(file: Path, count: int) -> float:
        epochs = LARGE // count
        options = ("--preset", "dense", "--limit", count, "--epochs", epochs, "--batch-size", 100)
        return 1e3 * _train(file, *options)["timing"]["step_ms_median"] / 100

    small, large = (lambda: arm(files[0], SMALL)), (lambda: arm(files[1], LARGE))
    arms = {"a": "500,000 pictures", "b": "5,000 pictures"}
    return paired(large, small, PAIRS) | {
        "name": "Training time per picture, dense, cpu",
        "unit": "µs",
        "arms": arms,
    }


def main() -> list[dict[str, Any]]:
    """Measure, keep and return the results."""
    began = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        os.environ["CNNLAB_HOME"] = f"{folder}/home"
        results = [memory(Path(folder)), growth(Path(folder))]
    if ARCHIVE.exists():
        results.append(preparing())
    print(f"Measured in {time.perf_counter() - began:.0f} s", file=sys.stderr)
    save("data", results)
    return results


if __name__ == "__main__":
    for result in main():
        print(result["name"], result["arms"], result["a"], result["b"], result["ratio"])
