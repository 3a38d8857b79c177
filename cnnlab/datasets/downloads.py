"""Published archives: from the owner's folder or downloaded, and believed by their SHA-256."""

from __future__ import annotations

import http.client
import os
import ssl
import tempfile
import urllib.request
from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import IO
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit

from cnnlab.datasets import store
from cnnlab.datasets.store import Progress
from cnnlab.spec import LabError

SILENCE_SECONDS = 10
"""How long a host may say nothing. The whole transfer may take as long as it likes."""
CHUNK = 2**17


@dataclass(frozen=True)
class Published:
    """A file on the web: `path` is its place below the owner's data set folder."""

    path: str
    url: str
    sha256: str
    size: int
    """Bytes."""

    @property
    def local(self) -> Path:
        """Where it lies, or will lie, on this machine."""
        return store.folder() / self.path


def obtain(name: str, file: Published, progress: Progress) -> Path:
    """The local path of a published file that the data set `name` needs, downloaded if missing.

    Raises:
        LabError: it cannot be had, or is not what was published; says what to do.
    """
    if file.local.is_file():
        progress(None, f"checking {file.local.name}")
        with file.local.open("rb") as handle:
            if file_digest(handle, "sha256").hexdigest() != file.sha256:
                raise LabError(
                    f"{file.local} is not the published archive of {name} (another SHA-256): "
                    "remove it, or rename it and choose it by that name as a data set of its own."
                )
        return file.local
    try:
        return _download(name, file, progress)
    except HTTPError as error:
        raise _unavailable(name, file, f"answered {error.code} {error.reason}") from error
    except TimeoutError as error:
        raise _unavailable(name, file, f"said nothing for {SILENCE_SECONDS} s") from error
    except (URLError, http.client.HTTPException, ConnectionError, ssl.SSLError) as error:
        reason = getattr(error, "reason", None) or error
        raise _unavailable(name, file, f"cannot be reached ({reason})") from error
    except OSError as error:
        raise LabError(
            f"{file.local.name} cannot be stored in {file.local.parent}: "
            f"{error.strerror or error}. Make room or grant access there."
        ) from error


def _unavailable(name: str, file: Published, what: str) -> LabError:
    return LabError(
        f"The data set {name} could not be downloaded: {urlsplit(file.url).netloc} {what}. "
        f"Get {file.url} some other way and put it at {file.local}, "
        "or choose the data set shapes, which needs no download."
    )


def _download(name: str, file: Published, progress: Progress) -> Path:
    """Download beside the final place, and move there only what has the published SHA-256."""
    target = file.local
    progress(None, f"asking {urlsplit(file.url).netloc} for {target.name}")
    with urllib.request.urlopen(file.url, timeout=SILENCE_SECONDS) as answer:
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, part = tempfile.mkstemp(prefix=".download-", dir=target.parent)
        try:
            with os.fdopen(handle, "wb") as output:
                size, digest = _copy(answer, output, file, progress)
            if size < file.size:
                what = f"sent {size / 1e6:,.1f} of {file.size / 1e6:,.1f} MB and broke off"
                raise _unavailable(name, file, what)
            if digest != file.sha256:
                raise _unavailable(name, file, "sent something else (the SHA-256 differs)")
            Path(part).replace(target)
        finally:
            Path(part).unlink(missing_ok=True)
    return target


def _copy(
    answer: http.client.HTTPResponse, part: IO[bytes], file: Published, progress: Progress
) -> tuple[int, str]:
    """Copy at most one byte more than was published; returns the bytes and their SHA-256."""
    size, digest = 0, sha256()
    while size <= file.size and (data := answer.read1(min(CHUNK, file.size + 1 - size))):
        part.write(data)
        digest.update(data)
        size += len(data)
        share = min(size / file.size, 1.0)
        progress(share, f"downloading {size / 1e6:,.0f} of {file.size / 1e6:,.0f} MB")
    return size, digest.hexdigest()
