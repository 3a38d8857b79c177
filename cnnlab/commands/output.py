"""Standard output wherever a command runs: closed, full, or of another encoding than UTF-8."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
import warnings

LOST = (errno.EPIPE, errno.ENOSPC, errno.EBADF, errno.EIO)
"""What a stream that is closed, full or gone answers."""


def open_to_all() -> None:
    """Make sure that whatever is printed can be: where a sign has no code, or nobody listens.

    Files take the lowest free number: without the first, a database could become the standard
    output.
    """
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    if not sys.warnoptions:  # libraries warn each other, with paths of theirs
        warnings.simplefilter("ignore")


def flush() -> None:
    """Write out what is still kept back.

    Raises:
        OSError: the stream cannot take it.
    """
    if sys.stdout:
        sys.stdout.flush()


def is_lost(error: OSError) -> bool:
    """Whether an error says that a standard stream cannot be written, and is of no file."""
    return error.errno in LOST and error.filename is None


def give_up(error: OSError) -> int:
    """Say that output was lost, if anybody can hear it; the exit code."""
    gone = os.open(os.devnull, os.O_WRONLY)
    os.dup2(gone, 1)  # what is still kept back has somewhere to go
    if error.errno != errno.EPIPE:  # a reader that had enough, such as `head`, knows it
        with contextlib.suppress(OSError):
            sys.stderr.write(
                f"Error: the output could not be written ({error.strerror}); what was done is "
                "kept in the history.\n"
            )
            sys.stderr.flush()
    return 1
