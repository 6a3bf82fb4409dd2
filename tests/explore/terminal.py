"""A terminal with `lab explore` in it: what is typed, and what its screen shows. It waits for texts, not for times.

No cursor position is asked for here (PROMPT_TOOLKIT_NO_CPR), so that the prompt stands in the last line, without the
line below it that tells where the connection stands.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pyte
from processes import ROOT, killed

PICTURES = Path(__file__).parent / "pictures"
PATIENCE = 15.0
"""Seconds after which a screen that does not show what it should has failed. Nothing is measured by them."""
TAB, UP, CTRL_C, CTRL_D, ENTER = "\t", "\x1b[A", "\x03", "\x04", "\r"


def environment(**more: str) -> dict[str, str]:
    """That of a plain UTF-8 terminal."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("LAB_", "LC_", "COLUMNS", "LINES", "NO_COLOR"))}
    plain = {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8", "TERM": "xterm-256color", "PROMPT_TOOLKIT_NO_CPR": "1"}
    return {**kept, **plain, **more}


class Terminal:
    """A screen that also remembers what has left it at the top."""

    def __init__(self, child: pexpect.spawn, rows: int, columns: int) -> None:
        self.child = child
        self.screen = pyte.HistoryScreen(columns, rows, history=10000, ratio=0.5)
        self._stream = pyte.ByteStream(self.screen)
        self.written = b""

    @property
    def lines(self) -> list[str]:
        """All that was shown, oldest first."""
        above = ["".join(row[column].data for column in range(self.screen.columns)) for row in self.screen.history.top]
        return [line.rstrip() for line in [*above, *self.screen.display]]

    @property
    def text(self) -> str:
        """The same as a text."""
        return "\n".join(self.lines).rstrip()

    def until(self, *wanted: str | Callable[[str], bool]) -> str:
        """Wait until all that is shown; the text then."""

        def holds(text: str) -> bool:
            return all(one in text if isinstance(one, str) else one(text) for one in wanted)

        end = time.monotonic() + PATIENCE
        while not holds(self.text):
            assert time.monotonic() < end, f"{wanted} is not shown:\n{self.text}"
            if not self._read():
                assert holds(self.text), f"{wanted} was never shown:\n{self.text}"
                break
        return self.text

    def _read(self) -> bool:
        try:
            data = self.child.read_nonblocking(65536, timeout=1)
        except pexpect.TIMEOUT:
            return True
        except pexpect.EOF:
            return False
        self.written += data
        self._stream.feed(data)
        return True

    def types(self, *keys: str) -> None:
        """Type without Enter."""
        for one in keys:
            self.child.send(one)

    def does(self, line: str, *wanted: str | Callable[[str], bool]) -> str:
        """Type a line and Enter; wait until the next prompt stands below it, and for what is wanted."""
        done = sum(1 for row in self.lines if row.strip())
        self.child.send(line + ENTER)
        return self.until(lambda text: at_prompt(text) and len([r for r in text.splitlines() if r]) > done, *wanted)

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size."""
        self.screen.resize(rows, columns)
        self.child.setwinsize(rows, columns)

    def ends(self) -> int:
        """Its exit code, once it has ended; 128 and more for a signal."""
        end = time.monotonic() + PATIENCE
        while self._read():
            assert time.monotonic() < end, self.text
        self.child.wait()
        return int(self.child.exitstatus if self.child.exitstatus is not None else 128 + self.child.signalstatus)


def at_prompt(text: str) -> bool:
    """Whether a prompt waits with nothing typed behind it."""
    rows = [row for row in text.splitlines() if row.strip()]
    return bool(rows) and re.fullmatch(r"[\w -]+(/\d+)?>", rows[-1].strip()) is not None


@contextlib.contextmanager
def terminal(*words: str, rows: int = 50, columns: int = 80, **more: str) -> Iterator[Terminal]:
    """`lab explore` in a terminal of that size; killed at the end, if it has not ended."""
    child = pexpect.spawn(
        sys.executable,
        ["-m", "lab", "explore", *words],
        env=environment(**more),
        dimensions=(rows, columns),
        timeout=PATIENCE,
    )
    try:
        yield Terminal(child, rows, columns)
    finally:
        killed(child)


def normalised(text: str) -> str:
    """Without what differs from run to run and from kernel to kernel: times, ports, and great numbers."""
    text = re.sub(r"^ *\d[\d.]* [mµ]?s(?= )", lambda m: "time".rjust(len(m[0])), text, flags=re.M)
    text = re.sub(r"rto .*", "rto …", text)
    text = re.sub(r"ws \d+\b", "ws N", text)
    text = re.sub(r"(in |\+)\d[\d.]* m?s\b", r"\1TIME", text)
    text = re.sub(r"Linux [\w.+-]+", "Linux", text)
    text = re.sub(r"\d+ checks", "N checks", text)
    # The terminal breaks a long path wherever its row ends.
    text = re.sub(r"capture in\s+(\S+\s)*?\S*\.pcapng", "capture in PLACE", text)
    return re.sub(r"(?<!RFC )\b\d{5,}", lambda m: "#" * len(m[0]), text)


def held_against(picture: str, text: str) -> None:
    """Compare with a stored picture; LAB_TESTS_DRAW=1 stores this one instead."""
    path = PICTURES / f"{picture}.txt"
    text = "\n".join(line.rstrip() for line in normalised(text).strip("\n").splitlines()) + "\n"
    if os.environ.get("LAB_TESTS_DRAW"):
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
