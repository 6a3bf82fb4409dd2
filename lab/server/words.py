"""What the test server's program was told about its WebSocket connections: how each ended, as it saw it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from lab.server.protocol import CallError, ErrorKind

REMEMBERED: Final = 1000
"""Connections that have ended and are still told about; the oldest are forgotten first."""

Remote = tuple[str, int]
"""The client's address and port."""
Answer = Callable[[dict[str, Any] | CallError], None]


@dataclass(slots=True, eq=False)
class Word:
    """One connection, from its 101 on, as the program has it."""

    remote: Remote
    path: str
    """The request's target: path and query."""
    messages: int = 0
    """Whole messages that the program was given."""
    open: bool = True
    code: int | None = None
    """The close code that the program was told: 1005 none came, 1006 no Close came (RFC 6455 §7.1.5); None: open."""
    reason: str = ""
    """The close reason (RFC 6455 §7.1.6)."""
    dropped: str = ""
    """Why the program itself let go of the connection without a closing handshake; empty where it did not."""

    def told(self) -> dict[str, Any]:
        """As the agent's protocol has it."""
        return {
            "path": self.path,
            "messages": self.messages,
            "open": self.open,
            "code": self.code,
            "reason": self.reason,
            "dropped": self.dropped,
        }


@dataclass(slots=True, eq=False)
class _Asked:
    """A question whose answer waits for the connection's end."""

    remote: Remote
    answer: Answer
    timer: asyncio.TimerHandle | None = None


class Words:
    """The program's connections: those that run, and the last that have ended. For one event loop."""

    def __init__(self) -> None:
        self._known: dict[Remote, Word] = {}
        self._ended: dict[Word, None] = {}
        self._asked: list[_Asked] = []

    def begin(self, remote: Remote, path: str) -> Word:
        """A connection from `remote` stands: what was known of an earlier one from there is forgotten."""
        before = self._known.get(remote)
        if before is not None:
            self._ended.pop(before, None)
        word = self._known[remote] = Word(remote, path)
        return word

    def end(self, word: Word, code: int, reason: str) -> None:
        """The program has done with a connection."""
        word.open, word.code, word.reason = False, code, reason
        if self._known.get(word.remote) is not word:
            return
        self._ended[word] = None
        while len(self._ended) > REMEMBERED:
            oldest = next(iter(self._ended))
            del self._ended[oldest], self._known[oldest.remote]
        for asked in [each for each in self._asked if each.remote == word.remote]:
            self._withdraw(asked)
            asked.answer(word.told())

    def ask(self, remote: Remote, timeout: float, answer: Answer) -> dict[str, Any] | Callable[[], None]:
        """What the program has of the connection from `remote`: at once where it has ended or `timeout` (s) is 0.

        Otherwise `answer` is called when it ends, or as it stands when the time is over; what is returned then
        withdraws the question. Raises CallError(TIMEOUT), or gives it to `answer`, where there was no connection.
        """
        word = self._known.get(remote)
        if word is not None and not word.open:
            return word.told()
        if timeout == 0:
            return self._as_it_stands(remote)
        asked = _Asked(remote, answer)
        self._asked.append(asked)
        asked.timer = asyncio.get_running_loop().call_later(timeout, self._late, asked)
        return lambda: self._withdraw(asked)

    def _as_it_stands(self, remote: Remote) -> dict[str, Any]:
        word = self._known.get(remote)
        if word is None:
            raise CallError(
                ErrorKind.TIMEOUT, f"the program has had no WebSocket connection from {remote[0]} port {remote[1]}"
            )
        return word.told()

    def _late(self, asked: _Asked) -> None:
        self._withdraw(asked)
        try:
            asked.answer(self._as_it_stands(asked.remote))
        except CallError as error:
            asked.answer(error)

    def _withdraw(self, asked: _Asked) -> None:
        if asked.timer is not None:
            asked.timer.cancel()
        if asked in self._asked:
            self._asked.remove(asked)
