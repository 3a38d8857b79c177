"""Sharing the lab on a network: the presenter's passphrase, how often it may be guessed, addresses.

Nothing here knows Streamlit: the command line prints what the page then asks for.
"""

from __future__ import annotations

import hmac
import os
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from threading import Lock
from time import monotonic, time
from urllib.parse import urlsplit

import psutil

from cnnlab.spec import LabError

PASSPHRASE = "CNNLAB_PASSPHRASE"
"""The environment variable that holds the presenter's passphrase."""
SHORTEST, LONGEST = 8, 200
# Without the signs that look like another one on a projector.
SIGNS = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS, GROUP = 4, 4

FREE_TRIES, LONGEST_WAIT = 3, 900.0
"""Of one browser: wrong words before it must wait, and how long at most (seconds)."""
FREE_TRIES_OF_ALL, LONGEST_WAIT_OF_ALL = 20, 60.0
"""Of all browsers together: somebody may open a new one for each guess."""


# --- the passphrase -------------------------------------------------------------------------


def new_passphrase() -> str:
    """One that nobody guesses (79 bits) and everybody can type: `k7wd-3mfp-q9xa-2htz`."""
    return "-".join("".join(map(secrets.choice, [SIGNS] * GROUP)) for _ in range(GROUPS))


def given_passphrase() -> str | None:
    """The passphrase in the environment, if there is one.

    Raises:
        LabError: it is too short to keep anybody out, or too long to be typed.
    """
    given = os.environ.get(PASSPHRASE, "").strip()
    if given and not SHORTEST <= len(given) <= LONGEST:
        raise LabError(
            f"{PASSPHRASE} has {len(given)} characters; choose from {SHORTEST} to {LONGEST}, or "
            "leave it out and one is made."
        )
    return given or None


@dataclass
class Tries:
    """Wrong words of one browser, or of all."""

    free: int = FREE_TRIES
    longest_wait: float = LONGEST_WAIT
    wrong: int = 0
    closed_until: float = 0.0
    """Seconds of the monotonic clock."""

    def seconds_left(self, now: float) -> float:
        return max(0.0, self.closed_until - now)

    def count(self, now: float) -> None:
        """One more wrong word: from `free` on, each doubles the time until the next."""
        self.wrong += 1
        if self.wrong >= self.free:
            doubled = min(self.wrong - self.free, 30)  # guesses go on for days, a float does not
            self.closed_until = now + min(2.0**doubled, self.longest_wait)


TICKET_SECONDS = 8 * 3600.0
"""How long a browser that was let in may come back without the passphrase: an evening."""


class Door:
    """Knows the passphrase, and lets nobody guess it quickly."""

    def __init__(self, passphrase: str) -> None:
        self._passphrase = passphrase.encode()
        self._all = Tries(FREE_TRIES_OF_ALL, LONGEST_WAIT_OF_ALL)
        self._lock = Lock()
        self._seal = secrets.token_bytes(32)
        self._torn: set[str] = set()
        self.key = object()
        """What who has been let in holds: no message from a browser can carry it."""

    def open(self, word: str, tries: Tries) -> object:
        """The key, for the right word.

        Args:
            tries: those of the browser that asks; counted here.

        Raises:
            LabError: the word is wrong, or it is too early for another; says how long to wait.
        """
        now = monotonic()
        with self._lock:
            if left := max(tries.seconds_left(now), self._all.seconds_left(now)):
                raise LabError(f"Too many wrong passphrases: try again in {left + 1:.0f} s.")
            right = hmac.compare_digest(word.strip().encode("utf-8", "replace"), self._passphrase)
            if not right:
                tries.count(now)
                self._all.count(now)
                raise LabError("That is not the passphrase; it was printed where the lab started.")
            tries.wrong = self._all.wrong = 0
            return self.key

    def ticket(self) -> str:
        """What a browser may show instead of the passphrase until it expires: a time, signed."""
        until = f"{time() + TICKET_SECONDS:.0f}.{secrets.token_hex(8)}"
        return f"{until}.{self._signed(until)}"

    def admits(self, ticket: str) -> bool:
        """Whether a ticket was made here, has not expired and was not torn."""
        until, _, signed = ticket.rpartition(".")
        genuine = hmac.compare_digest(
            signed.encode("utf-8", "replace"), self._signed(until).encode()
        )
        return genuine and ticket not in self._torn and time() < float(until.partition(".")[0])

    def tear(self, ticket: str) -> None:
        """Let nobody in with this ticket any more."""
        if self.admits(ticket):
            self._torn.add(ticket)

    def _signed(self, text: str) -> str:
        return hmac.new(self._seal, text.encode("utf-8", "replace"), "sha256").hexdigest()


# --- addresses ------------------------------------------------------------------------------


def is_local(address: str | None) -> bool:
    """Whether a server bound there can be reached from its own computer only."""
    if not address:
        return False  # bound to every interface
    if address == "localhost" or address.startswith("unix:"):
        return True
    try:
        return ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def host_names() -> list[str]:
    """Under which this computer may be found on its network: addresses first, then its names."""
    found = [
        entry.address
        for entries in psutil.net_if_addrs().values()
        for entry in entries
        if entry.family is socket.AF_INET and not is_local(entry.address)
    ]
    name = socket.gethostname().lower()
    names = [name, f"{name.partition('.')[0]}.local"]
    return list(dict.fromkeys([*found, *names]))


def visitors_address(seen: str, allowed: Sequence[str], port: int, path: str = "") -> str:
    """Under which visitors reach the app: `http://192.168.1.5:8501`.

    Args:
        seen: the address that the presenter's own browser shows.
        allowed: the names that the server answers, the ones that were asked for first.
        port: the server's.
        path: below which the app lies, behind a proxy.
    """
    here = urlsplit(seen)
    below = f"/{path.strip('/')}" if path.strip("/") else ""
    if here.scheme in ("http", "https") and here.hostname and not is_local(here.hostname):
        return f"{here.scheme}://{here.netloc}{below}"
    scheme = here.scheme if here.scheme in ("http", "https") else "http"
    reached = [host for host in (*allowed, *host_names()) if not is_local(host)]
    return f"{scheme}://{reached[0]}:{port}{below}"
