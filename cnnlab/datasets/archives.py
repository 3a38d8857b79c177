"""The files in a folder, a zip or a tar archive, one after the other in memory.

Nothing is ever extracted to disk. An archive is read as if its maker wished us ill: it is refused,
with the member's name, if a member has an absolute path or climbs out with `..`, is a link, a
device or encrypted, or if the archive holds too many entries or decompresses to too much. What
counts is what comes out, not what a header declares.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import stat
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, NamedTuple, cast

from cnnlab.spec import LabError

ENTRIES = 1_000_000
"""Most entries of a folder or an archive."""
RATIO = 200
"""Most bytes that may come out of one byte of an archive; pictures hardly compress."""
FREE_BYTES = 256 * 10**6
"""What may come out of any archive, however small: drawings compress well."""
HEADER_BYTES = 2**20
"""Most bytes of a tar member's headers. A header may declare gigabytes and is read whole."""
CHUNK = 2**16
UNREADABLE = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
"""In a name: control characters, and bytes that are no UTF-8 (which Python shows as surrogates)."""

UTF8_FLAG = 0x800
READ_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
METHODS = {1: "Shrink", 6: "Implode", 9: "Deflate64", 10: "PKWARE Implode", 93: "Zstandard"}
METHODS |= {94: "MP3", 95: "XZ", 96: "JPEG", 97: "WavPack", 98: "PPMd", 99: "AES encryption"}

SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".txz", ".tar.bz2", ".tbz2")

Listing = list[tuple[str, int, int]]


class Member(NamedTuple):
    """A file of a folder or an archive."""

    name: str
    """Its parts are separated by `/`."""
    size: int
    """Bytes, as declared."""
    read: Callable[[int], bytes]
    """Its content, refused above so many bytes. Call it before going on to the next member."""


def members(path: Path) -> Iterator[Member]:
    """Every file below `path`: a folder, or an archive with one of `SUFFIXES`.

    Raises:
        LabError: hostile, corrupt or truncated (also from `read`); names the file and the member.
    """
    if path.is_dir():
        return _folder_members(path)
    return (_zip_members if path.suffix.lower() == ".zip" else _tar_members)(path)


def output_limit(path: Path) -> int:
    """Most bytes that may come out of the archive at `path`."""
    return max(FREE_BYTES, RATIO * path.stat().st_size)


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong while the file at `path` is read into one plain sentence."""
    try:
        yield
    except LabError:
        raise
    except Exception as error:  # parsers of untrusted bytes fail in more ways than they list
        reason = str(error) or type(error).__name__
        raise LabError(
            f"{path.name} is corrupt or truncated ({reason}): get a fresh copy of it."
        ) from error


def _check_name(path: Path, name: str) -> None:
    parts = name.replace("\\", "/").split("/")
    if not name or parts[0] == "" or ".." in parts or re.match(r"[A-Za-z]:", name):
        raise LabError(f"{path.name} is refused: its member {name!r} points outside the archive.")
    if UNREADABLE.search(name):
        raise LabError(f"{path.name} is refused: its member {name!r} has an unreadable name.")


def _check_size(path: Path, name: str, size: int, most: int) -> None:
    if size > most:
        raise LabError(
            f"{path.name} is refused: {name!r} has {size / 1e6:,.0f} MB, "
            f"and at most {most / 1e6:,.0f} MB are read."
        )


def _too_many(path: Path) -> LabError:
    return LabError(f"{path.name} is refused: it has more than {ENTRIES:,} entries.")


def _too_much(path: Path) -> LabError:
    return LabError(
        f"{path.name} is refused: it decompresses to more than "
        f"{output_limit(path) / 1e6:,.0f} MB, which no archive of pictures does."
    )


# --- folders --------------------------------------------------------------------------------


def listing(folder: Path) -> Listing:
    """Every file below a folder: name, bytes and time of change (ns), sorted by name.

    Hidden files are left out. Links to files are followed, for the folder is the owner's own.

    Raises:
        LabError: too many files, a link to a folder, a device, or a folder that cannot be read.
    """
    found: Listing = []
    try:
        _list(folder, "", found)
    except OSError as error:
        raise LabError(f"{folder} cannot be read: {error.strerror or error}.") from error
    return sorted(found)


def _list(folder: Path, prefix: str, found: Listing) -> None:
    with os.scandir(folder / prefix) as entries:
        for entry in entries:
            name = prefix + entry.name
            if entry.name.startswith("."):
                continue
            _check_name(folder, name)
            if entry.is_dir(follow_symlinks=False):
                _list(folder, name + "/", found)
                continue
            facts = _facts(folder, name, entry)
            if not stat.S_ISREG(facts.st_mode):
                raise LabError(f"{folder} is refused: {name!r} is neither a file nor a folder.")
            found.append((name, facts.st_size, facts.st_mtime_ns))
            if len(found) > ENTRIES:
                raise _too_many(folder)


def _facts(folder: Path, name: str, entry: os.DirEntry[str]) -> os.stat_result:
    try:
        return entry.stat()
    except FileNotFoundError as error:
        target = f", to {Path(entry.path).readlink()}" if entry.is_symlink() else ""
        raise LabError(
            f"{folder} cannot be read: {name!r} is a broken link{target}: mend or remove it."
        ) from error


def _folder_members(folder: Path) -> Iterator[Member]:
    for name, size, _ in listing(folder):
        yield Member(name, size, partial(_folder_content, folder, name, size))


def _folder_content(folder: Path, name: str, size: int, most: int) -> bytes:
    _check_size(folder, name, size, most)
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise LabError(f"{folder / name} cannot be read: {error.strerror or error}.") from error


# --- zip ------------------------------------------------------------------------------------


def _zip_members(path: Path) -> Iterator[Member]:
    with readable(path):
        check_zip_entries(path)
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            if sum(info.file_size for info in infos) > output_limit(path):
                raise _too_much(path)
            for info in infos:
                _check_zip_member(path, info)
                name = _zip_name(path, info)
                yield Member(name, info.file_size, partial(_zip_content, path, archive, info))


def _zip_content(path: Path, archive: zipfile.ZipFile, info: zipfile.ZipInfo, most: int) -> bytes:
    _check_size(path, info.filename, info.file_size, most)
    with readable(path), archive.open(info) as member:
        # Beyond the declared size nothing comes out; at the end the checksum is compared.
        return member.read(info.file_size + 1)


def check_zip_entries(path: Path) -> None:
    """Count the entries before `zipfile` makes an object of each.

    Raises:
        LabError: there are too many.
    """
    signature, entries, rest = b"PK\x01\x02", 0, b""
    if path.stat().st_size < 46 * ENTRIES:  # an entry of the directory has at least 46 bytes
        return
    with path.open("rb") as file:
        while chunk := file.read(16 * CHUNK):
            entries += (rest + chunk).count(signature)
            rest = chunk[-3:]
            if entries > ENTRIES:
                raise _too_many(path)


def _zip_name(path: Path, info: zipfile.ZipInfo) -> str:
    """The name of a member, its parts separated by `/`.

    Python takes a name without the flag for UTF-8 as DOS wrote it; most such names are UTF-8
    nevertheless, and what is not could be anything. Windows has written backslashes.
    """
    name = info.filename
    as_written = name == info.orig_filename.partition("\0")[0]  # and in no extra field, as UTF-8
    if as_written and not info.flag_bits & UTF8_FLAG and not name.isascii():
        try:
            name = name.encode("cp437").decode("utf-8")
        except UnicodeError:
            raise LabError(
                f"{path.name} is refused: the name of its member {name.encode('cp437')!r} is no "
                "UTF-8, so it cannot be read for certain: unpack it and name the folder, or pack "
                "it again with UTF-8 names."
            ) from None
    _check_name(path, name)
    return name.replace("\\", "/").removeprefix("./")


def _check_zip_member(path: Path, info: zipfile.ZipInfo) -> None:
    _check_name(path, info.filename)
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG):
        raise LabError(f"{path.name} is refused: {info.filename!r} is a link or a device.")
    if info.flag_bits & 1:
        raise LabError(f"{path.name} is refused: {info.filename!r} is encrypted.")
    if info.compress_type not in READ_METHODS:
        method = METHODS.get(info.compress_type, f"method {info.compress_type}")
        raise LabError(
            f"{path.name} is packed with {method}, which is not read ({info.filename!r}): unpack "
            "it and name the folder, or pack it again the usual way (Deflate)."
        )


# --- tar ------------------------------------------------------------------------------------


class _Meter:
    """The decompressed bytes of a tar archive, read forwards only and counted."""

    def __init__(self, path: Path, stream: IO[bytes]) -> None:
        self._path, self._stream = path, stream
        self.limit = output_limit(path)
        self._position = 0
        self.allowed = HEADER_BYTES
        """Position up to which reading is expected, so that no header can ask for more."""
        self.last = b""
        """What was read last."""

    def read(self, size: int) -> bytes:
        if self._position + size > self.allowed:
            raise LabError(f"{self._path.name} is refused: the headers of a member are too long.")
        self.last = self._stream.read(size)
        self._position += len(self.last)
        if self._position > self.limit:
            raise _too_much(self._path)
        return self.last

    def tell(self) -> int:
        return self._position

    def seek(self, target: int) -> None:
        while self._position < target and self.read(min(CHUNK, target - self._position)):
            pass

    def drain(self) -> None:
        """Read to the end, where compressed streams have their checksum."""
        self.allowed = self.limit + 2 * CHUNK
        while self.read(CHUNK):
            pass


def _decompressed(path: Path, file: IO[bytes]) -> IO[bytes]:
    start = file.read(6)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return cast(IO[bytes], gzip.open(file))
    if start == b"\xfd7zXZ\x00":
        return lzma.open(file)
    if start.startswith(b"BZh"):
        return cast(IO[bytes], bz2.open(file))
    return file


def _tar_members(path: Path) -> Iterator[Member]:
    with readable(path), path.open("rb") as file, _decompressed(path, file) as stream:
        meter = _Meter(path, stream)
        with tarfile.open(fileobj=cast(IO[bytes], meter), mode="r:") as archive:
            entries = 0
            while (info := archive.next()) is not None:
                archive.members.clear()  # type: ignore[attr-defined]  # it keeps every header
                entries += 1
                if entries > ENTRIES:
                    raise _too_many(path)
                end = info.offset_data + info.size + 512
                if _is_file(path, info, meter.limit):
                    meter.allowed = end
                    name = info.name.removeprefix("./")
                    yield Member(name, info.size, partial(_tar_content, path, archive, info))
                meter.allowed = end + HEADER_BYTES
            _check_end(path, meter)


def _is_file(path: Path, info: tarfile.TarInfo, limit: int) -> bool:
    """Whether a member is a file (else a folder); anything else is refused."""
    if info.isdir() and info.name in (".", ""):  # what `tar c .` writes first
        return False
    _check_name(path, info.name)
    if info.isdir():
        return False
    if not info.isreg() or info.issparse():
        raise LabError(
            f"{path.name} is refused: {info.name!r} is a link, a device or no plain file."
        )
    if info.size < 0 or info.size > limit:
        raise _too_much(path)
    return True


def _tar_content(path: Path, archive: tarfile.TarFile, info: tarfile.TarInfo, most: int) -> bytes:
    _check_size(path, info.name, info.size, most)
    with readable(path):
        member = archive.extractfile(info)
        data = member.read() if member is not None else b""
        if len(data) != info.size:
            raise LabError(f"{path.name} is truncated in {info.name!r}: get a fresh copy of it.")
        return data


def _check_end(path: Path, meter: _Meter) -> None:
    """Tell the end of an archive from a damaged header, which `tarfile` takes for the end."""
    if len(meter.last) < 512 or meter.last.strip(b"\0"):
        raise LabError(f"{path.name} is truncated or damaged in the middle: get a fresh copy.")
    meter.drain()
