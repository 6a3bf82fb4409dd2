"""Keys of a terminal, one at a time, without Enter and not shown; and the terminal as it was afterwards."""

from __future__ import annotations

import os
import select
import signal
import sys
import termios
import tty
from contextlib import suppress
from types import FrameType, TracebackType
from typing import Any, Self

REST = 0.05
"""Seconds that the rest of a key's sequence has to come in, behind its ESC."""

NAMES = {
    "\r": "next", "\n": "next", " ": "next", "\x1b[C": "next", "\x1bOC": "next",
    "b": "back", "\x7f": "back", "\x1b[D": "back", "\x1bOD": "back",
    "g": "first", "\x1b[H": "first", "\x1bOH": "first", "\x1b[1~": "first",
    "G": "last", "\x1b[F": "last", "\x1bOF": "last", "\x1b[4~": "last",
    "p": "panel", "?": "help", "q": "quit", "\x04": "quit",
}  # fmt: skip
"""What a key means, by what a terminal sends for it; the arrows in both of their modes."""


class Keys:
    """Reads keys inside a `with`. Ctrl-C goes on to be a KeyboardInterrupt.

    Whatever ends the block (an exception, SIGTERM where `end_on_sigterm` was called), the terminal is as it was. For
    the main thread, where Python handles signals.
    """

    def __init__(self, descriptor: int | None = None) -> None:
        """`descriptor` is the terminal's; that of standard input when None."""
        self._terminal = sys.stdin.fileno() if descriptor is None else descriptor
        self._waiting = ""
        """What was read and not yet taken."""

    def __enter__(self) -> Self:
        self._before = termios.tcgetattr(self._terminal)
        self._woken, self._wake = os.pipe()
        os.set_blocking(self._wake, False)
        self._handlers: dict[int, Any] = {}
        try:
            for number in (signal.SIGWINCH, signal.SIGCONT):
                self._handlers[number] = signal.signal(number, self._notice)
            self._set()
        except BaseException:
            self._restore()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._restore()

    def read(self) -> str:
        """The next key, as NAMES has it, "" for any other; or "resize" where the terminal has changed meanwhile.

        "quit" as well where there is no terminal any more.
        """
        while not self._waiting:
            ready, _, _ = select.select([self._terminal, self._woken], [], [])
            if self._woken in ready:
                os.read(self._woken, 4096)
                self._set()  # whoever stopped us and let us go on may have left it otherwise
                return "resize"
            if not self._fill():
                return "quit"
        return NAMES.get(self._take(), "")

    def _take(self) -> str:
        """One key's characters off what was read."""
        text = self._waiting
        if text[0] != "\x1b":
            self._waiting = text[1:]
            return text[0]
        while (size := _sequence(self._waiting)) == 0 and select.select([self._terminal], [], [], REST)[0]:
            if not self._fill():
                break
        size = size or len(self._waiting)
        taken, self._waiting = self._waiting[:size], self._waiting[size:]
        return taken

    def _fill(self) -> bool:
        """Read what is there; whether there is a terminal still."""
        try:
            data = os.read(self._terminal, 1024)
        except OSError:  # it was hung up
            return False
        self._waiting += data.decode("latin-1")  # no key of ours needs more
        return bool(data)

    def _set(self) -> None:
        """Each key at once, and none of them shown."""
        tty.setcbreak(self._terminal, termios.TCSADRAIN)
        mode = termios.tcgetattr(self._terminal)
        mode[6][termios.VQUIT] = b"\0"  # Ctrl-\ would leave the terminal so
        termios.tcsetattr(self._terminal, termios.TCSADRAIN, mode)

    def _restore(self) -> None:
        held = signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGTERM))
        try:
            for number, handler in self._handlers.items():
                signal.signal(number, handler)
            os.close(self._woken)
            os.close(self._wake)
            with suppress(termios.error):  # where it is gone, there is nothing to restore
                termios.tcsetattr(self._terminal, termios.TCSADRAIN, self._before)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)

    def _notice(self, number: int, frame: FrameType | None) -> None:
        with suppress(BlockingIOError):  # so many changes at once are one
            os.write(self._wake, b".")


def _sequence(text: str) -> int:
    """How many characters of `text`, which begins with ESC, are its first key; 0 where there may be more of it."""
    if len(text) == 1:
        return 0
    if text[1] not in "[O":
        return 2  # Alt and a key
    for i, character in enumerate(text[2:], 3):
        if "@" <= character <= "~":
            return i
    return 0
