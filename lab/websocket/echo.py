"""Holds a server to a promise: each message comes back, of the same type, with the same octets, in order.

No document makes a server echo. Where it is known to, an echo that is wrong shows that a message was not received as it
was sent (RFC 6455 §6.2), or not sent as it was received (§6.1).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from lab.tcp.world import Finding
from lab.websocket.frames import Opcode, opcode_name, show
from lab.websocket.rules import Message

MOST_AWAITED = 2**24
"""Octets of messages that are kept to be compared."""


@dataclass(frozen=True, slots=True)
class Awaited:
    """A message that has to come back."""

    message: Message
    since: float
    certain: bool
    """Whether the server has to take it at all: one that is large it may refuse (RFC 6455 §10.4)."""


@dataclass(slots=True)
class Echo:
    """What the client has sent, and has not come back."""

    awaited: deque[Awaited] = field(default_factory=deque)
    octets: int = 0
    """Of those messages."""
    lost: bool = False
    """Whether nobody knows any more which message the next one answers: one was wrong, or too much is on its way."""

    def sends(self, message: Message, now: float, *, certain: bool) -> None:
        """The client has sent a message in order."""
        self.octets += len(message[1]) + 64  # an empty message takes room, too
        if self.octets > MOST_AWAITED:
            self._loses()
        if not self.lost:
            self.awaited.append(Awaited(message, now, certain))

    def comes(self, message: Message) -> Finding | None:
        """The server's next message: what is wrong with it as an echo. One that nobody waits for is none."""
        if not self.awaited:
            return None
        expected = self.awaited.popleft().message
        self.octets -= len(expected[1]) + 64
        if message == expected:
            return None
        self._loses()
        same_type = message[0] == expected[0]
        said = "The server echoes, and what it sends back is not what it was sent."
        return Finding("payload" if same_type else "opcode", brief(expected), brief(message), said, "RFC 6455 §6.1")

    def _loses(self) -> None:
        self.lost = True
        self.awaited.clear()

    @property
    def owed(self) -> Awaited | None:
        """The message that has to come back next, where the server has to send it back."""
        first = self.awaited[0] if self.awaited else None
        return first if first is not None and first.certain else None


def brief(message: Message) -> str:
    """A message by its type and its beginning."""
    opcode, payload = message
    said = show(opcode if opcode == Opcode.TEXT else Opcode.BINARY, payload) or "nothing"
    return f"{opcode_name(opcode)} {said}"
