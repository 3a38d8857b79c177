"""A PostgreSQL server for tests: its own files, its own socket, and a new database on demand.

It needs Debian's package `postgresql`, or its programs in the path, and tests that ask for it are
skipped where they are missing. PostgreSQL refuses to run as root, so root lends it another name.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

from sqlalchemy import create_engine

from cnnlab.history import History
from tests.patience import PATIENCE_SECONDS

USERS = ("postgres", "nobody")
# What a power failure would lose need not be kept here, and texts are ordered as people do it,
# which is as far from SQLite's order as a server's can be.
FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=64MB")
LANGUAGE = ("--encoding=UTF8", "--locale=C.UTF-8", "--locale-provider=icu", "--icu-locale=en-US")


def programs() -> Path | None:
    """The folder with `initdb` and `postgres`, of the newest version; None where there is none."""
    found = shutil.which("initdb")
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: path.parent.name)
    places = [*([Path(found).resolve().parent] if found else []), *folders[::-1]]
    return next((place for place in places if (place / "postgres").exists()), None)


def _account() -> dict[str, str | int]:
    """As whom the server runs; nothing special where these tests run as somebody already."""
    if os.getuid() != 0:
        return {}
    known = {entry.pw_name for entry in pwd.getpwall()}
    name = next(user for user in USERS if user in known)
    return {"user": name, "group": pwd.getpwnam(name).pw_gid}


class Server:
    """A server that runs until it is closed."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._data = folder, folder / "data"
        self._numbers = count(1)
        self._make()
        self.begin()
        History(self.empty()).close()  # what new ones are copied from

    def _make(self) -> None:
        place, account = programs(), _account()
        assert place
        if user := account.get("user"):
            shutil.chown(self._folder, user, account["group"])
        command = [place / "initdb", "-D", self._data, "-U", "lab", "-A", "trust", *LANGUAGE]
        subprocess.run(command, check=True, capture_output=True, cwd=self._folder, **account)

    def begin(self) -> None:
        """Start it, and wait until it answers."""
        place = programs()
        assert place
        options = [f"unix_socket_directories={self._folder}", "listen_addresses=", *FAST]
        words = [word for each in options for word in ("-c", each)]
        with (self._folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [place / "postgres", "-D", self._data, *words],
                stdout=log,
                stderr=log,
                cwd=self._folder,
                **_account(),
            )
        self._wait()

    def halt(self) -> None:
        """Stop it in order, whoever is connected; `begin` starts it again."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait()

    def _wait(self) -> None:
        end = time.monotonic() + PATIENCE_SECONDS
        while not self._answers():
            assert self.process.poll() is None, (self._folder / "log").read_text()
            assert time.monotonic() < end, "the server did not begin"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            self.say("SELECT 1")
        except Exception:  # noqa: BLE001  whatever it is, it is not up yet
            return False
        return True

    def url(self, database: str) -> str:
        return f"postgresql+psycopg://lab@/{database}?host={self._folder}"

    def say(self, statement: str, database: str = "postgres") -> None:
        """One statement, outside any transaction."""
        engine = create_engine(self.url(database), isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.exec_driver_sql(statement)
        engine.dispose()

    def empty(self) -> str:
        """The address of a new database without a table."""
        name = f"lab{next(self._numbers)}"
        self.say(f"CREATE DATABASE {name}")
        return self.url(name)

    def new(self) -> str:
        """The address of a new history."""
        name = f"lab{next(self._numbers)}"
        self.say(f"CREATE DATABASE {name} TEMPLATE lab1")
        return self.url(name)

    def drop(self, address: str) -> None:
        """Do away with a database, whoever is connected to it still."""
        name = address.partition("@/")[2].partition("?")[0]
        self.say(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")

    def close(self) -> None:
        """End it at once."""
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait()


@contextmanager
def server() -> Iterator[Server]:
    """A server for as long as it is needed, in a folder that its user may enter."""
    with tempfile.TemporaryDirectory(
        prefix="lab-", dir="/tmp", ignore_cleanup_errors=True
    ) as folder:
        Path(folder).chmod(0o755)
        with closing(Server(Path(folder))) as begun:
            yield begun
