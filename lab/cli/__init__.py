"""The `lab` command: parse, call, print. It imports what a command needs when that command runs, and nothing before."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager


def main() -> None:
    """The entry point of the `lab` command. Ends the process with one of the exit codes of `lab.cli.ends`."""
    try:
        _open_standard_streams()
        with uninterrupted():
            from lab.cli.commands import app
            from lab.cli.ends import LabGroup, told

        LabGroup.alone = True
        try:
            app(prog_name="lab")
        except OSError as error:  # typer's own help cannot be written
            sys.exit(told(error))
    except KeyboardInterrupt:  # so early, or so late, that no command answers it
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        os.write(2, b"lab: interrupted\n")
        sys.exit(128 + signal.SIGINT)
    except SystemExit as end:
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Python's own end would answer with a traceback
        if end.code == 1 and _interrupted(end):  # click's code for it, and here a violation's
            sys.exit(128 + signal.SIGINT)
        raise


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Let a Ctrl-C wait for what imports something: in the middle of it, Python may lose it with a traceback."""
    held = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _interrupted(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, KeyboardInterrupt):
            return True
        error = error.__context__
    return False


def _open_standard_streams() -> None:
    """Where one was closed (`lab run >&-`), let it lead nowhere: the next socket would pass for it otherwise."""
    while (fd := os.open(os.devnull, os.O_RDWR)) <= 2:
        os.set_inheritable(fd, True)
    os.close(fd)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            # Not to be closed at Python's end, and with nothing in it that could be lost.
            setattr(sys, name, open(number, "w" if number else "r", encoding="utf-8", closefd=False))  # noqa: SIM115
