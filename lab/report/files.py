"""Writing files whole or not at all, and saying in one sentence why one cannot be written."""

from __future__ import annotations

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from lab.scenario.errors import LabError


class CannotWrite(LabError):
    """A report or capture cannot be written (exit code 3): one sentence, with the next step."""


_NEXT_STEP = {
    errno.ENOSPC: "make room or choose another place",
    errno.EDQUOT: "your disk quota is used up: make room or choose another place",
    errno.EACCES: "you may not write there: choose another place",
    errno.EPERM: "you may not write there: choose another place",
    errno.EROFS: "that file system is read-only: choose another place",
    errno.ENOTDIR: "a part of that path is a file: choose another place",
    errno.EEXIST: "a part of that path is a file: choose another place",
    errno.EISDIR: "that is a folder: name a file",
}


def cannot_write(path: Path | str, error: OSError, *, option: str = "--out") -> CannotWrite:
    """The sentence for an OSError met while writing `path`, with the option that would have it elsewhere."""
    reason = (error.strerror or str(error)).lower()
    step = _NEXT_STEP.get(error.errno or 0, "choose another place")
    return CannotWrite(f"cannot write {path}: {reason}; {step} with {option}")


@contextmanager
def failures(path: Path | str, *, option: str) -> Iterator[None]:
    """Turn OSErrors inside into CannotWrite for `path`."""
    try:
        yield
    except OSError as error:
        raise cannot_write(path, error, option=option) from error


def write_whole(path: Path, text: str, *, option: str) -> None:
    """Write `text` to `path` so that no reader and no full disk ever leaves half of it. Raises CannotWrite.

    What is there and is no regular file (`/dev/stdout`, a pipe) is written to directly.
    """
    with failures(path, option=option):
        if path.exists() and not path.is_file():
            if path.is_dir():
                raise IsADirectoryError(errno.EISDIR, "is a folder")
            with path.open("w", encoding="utf-8") as stream:
                stream.write(text)
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with open(handle, "w", encoding="utf-8") as stream:  # noqa: PTH123 - a descriptor, not a path
                stream.write(text)
                mask = os.umask(0)
                os.umask(mask)
                os.fchmod(stream.fileno(), 0o666 & ~mask)
            os.replace(name, path)  # noqa: PTH105
        except BaseException:
            with suppress(OSError):
                os.unlink(name)  # noqa: PTH108
            raise


def folder_for(path: Path, *, option: str) -> None:
    """Make a folder and try to write in it, so that a run fails before it began. Raises CannotWrite."""
    with failures(path, option=option):
        path.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path, prefix=".try-")
        try:
            os.write(handle, b"\0" * 4096)  # an empty file can be made on a full disk
        finally:
            os.close(handle)
            os.unlink(name)  # noqa: PTH108
