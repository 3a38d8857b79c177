"""The app in a process of its own, and the browser to look at it with: for benches and tests."""

from __future__ import annotations

import os
import random
import shutil
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from time import monotonic, sleep

ROOT = Path(__file__).resolve().parents[1]
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
"""Where the browser lies; null where none is installed."""
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
"""What the browser is started with."""
START_SECONDS, END_SECONDS = 300.0, 300.0


@dataclass(frozen=True)
class Server:
    """A running app: its process id and address."""

    pid: int
    url: str


def plainly(port: int) -> list[str]:
    """The command that starts the app as the README says, on a port."""
    options = ["--server.headless", "true", "--server.port", str(port)]
    return [sys.executable, "-m", "streamlit", "run", "app.py", *options]


@contextmanager
def serving(
    home: Path,
    command: Callable[[int], Sequence[str]] = plainly,
    environment: Mapping[str, str] | None = None,
    stdin: int = subprocess.DEVNULL,
) -> Iterator[Server]:
    """The app, with its state in `home`, from its first answer until it has ended.

    Args:
        command: what starts it on a port.
        environment: variables beside those of this process.
        stdin: where it reads from, as for `subprocess.Popen`.

    Raises:
        TimeoutError: it did not answer within `START_SECONDS`.
        ChildProcessError: it ended before it did.
    """
    port = free_port()
    process = subprocess.Popen(
        command(port),
        cwd=ROOT,
        env={**os.environ, "CNNLAB_HOME": str(home), **(environment or {})},
        stdin=stdin,
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _wait(process, f"{url}/_stcore/health")
        yield Server(process.pid, url)
    finally:
        process.terminate()
        process.wait(timeout=END_SECONDS)


def free_port() -> int:
    """A port on which nobody listens, to be used in a while.

    None of those that systems give to whoever asks for any: other programs would take it meanwhile.
    """
    for port in random.SystemRandom().sample(range(20_000, 32_000), 100):
        with socket.socket() as trying, suppress(OSError):
            trying.bind(("127.0.0.1", port))
            return port
    raise OSError("There is no free port here.")


def _wait(process: subprocess.Popen[bytes], url: str) -> None:
    end = monotonic() + START_SECONDS
    while process.poll() is None:
        try:
            urllib.request.urlopen(url, timeout=5).close()
        except OSError as error:
            if monotonic() > end:
                raise TimeoutError(f"The app did not start: {url} does not answer.") from error
            sleep(0.2)
        else:
            return
    raise ChildProcessError(f"The app ended before it answered, with code {process.returncode}.")
