"""What a user's own file may do to the lab that runs it, and what the lab does about that."""

from __future__ import annotations

import os
import signal
import stat
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress


def asked_to_end(error: BaseException) -> bool:
    """Whether it is the lab that shall end, by Ctrl-C or SIGTERM, and not a mistake of the file that was running.

    A process that ignores SIGINT, as that of a run does, meets a KeyboardInterrupt only where the script raises it.
    """
    if isinstance(error, KeyboardInterrupt):
        return signal.getsignal(signal.SIGINT) is not signal.SIG_IGN
    # Such as the lab's own word for SIGTERM. Nothing else of the lab's is anything but an Exception.
    return not isinstance(error, Exception) and type(error).__module__.partition(".")[0] == "lab"


def words_of(error: BaseException) -> str:
    """Its class and what it says, also where its own `__str__` fails."""
    try:
        said = str(error)
    except Exception as second:  # the class is the user's
        said = f"(and its words cannot be had: {type(second).__name__})"
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


@contextmanager
def stdout_aside() -> Iterator[None]:
    """Let what is printed meanwhile go to standard error: standard output is the report's, `--json` above all.

    The descriptor is changed, so that it holds for child processes and os.write() too.
    """
    _flush()
    try:
        kept = os.dup(1)
    except OSError:  # there is none
        yield
        return
    try:
        _lead_away()
        with redirect_stdout(sys.stderr):  # it need not be the one that writes to descriptor 1
            yield
    finally:
        _flush()
        os.dup2(kept, 1)
        os.close(kept)


def stdout_to_stderr() -> None:
    """As `stdout_aside`, for good."""
    _flush()
    _lead_away()
    sys.stdout = sys.stderr


def _lead_away() -> None:
    with suppress(OSError):  # where there is no standard error, there is nothing to keep clean either
        os.dup2(2, 1)


def descriptors() -> dict[int, tuple[int, int]]:
    """The sockets and pipes that this process has open, standard streams left out, each with what it is."""
    found = {}
    for fd in map(int, os.listdir("/proc/self/fd")):  # noqa: PTH208 - no paths are wanted
        with suppress(OSError):  # that of the listing itself, gone by now
            status = os.fstat(fd)
            if fd > 2 and (stat.S_ISSOCK(status.st_mode) or stat.S_ISFIFO(status.st_mode)):
                found[fd] = (status.st_dev, status.st_ino)
    return found


@contextmanager
def mistakes_in_threads() -> Iterator[list[BaseException]]:
    """Collects what ends threads meanwhile, in place of a traceback on standard error."""
    found: list[BaseException] = []
    before = threading.excepthook

    def hook(args: threading.ExceptHookArgs) -> None:
        if args.exc_value is not None and not isinstance(args.exc_value, SystemExit):
            found.append(args.exc_value)

    threading.excepthook = hook
    try:
        yield found
    finally:
        threading.excepthook = before


def _flush() -> None:
    with suppress(Exception):  # None, closed, or whatever the user's file made of it
        sys.stdout.flush()
