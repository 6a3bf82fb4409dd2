"""Those who are at one room, game, document or feed, and the JSON messages that go between them and the program."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any, Final

from websockets.frames import CloseCode

from lab.server.sites.connection import Connection

MOST: Final = 1000
"""Rooms of one kind at a time."""
FULL: Final = "there are too many of these just now"

Message = dict[str, Any]

_dumps: Final = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


def encoded(message: Message) -> str:
    """A message as one line of ASCII: whatever a client has written can be sent on."""
    return _dumps(message)


class Crowd:
    """Connections by name, in the order in which they came."""

    def __init__(self, kind: str) -> None:
        """`kind` begins the names that are given: "guest" makes guest-1, guest-2 …"""
        self._kind = kind
        self._given = 0
        self.members: dict[str, Connection] = {}

    def join(self, connection: Connection) -> str:
        """Take a connection in; returns the name that it is given."""
        connection.subscribe()
        name = ""
        while not name or name in self.members:
            self._given += 1
            name = f"{self._kind}-{self._given}"
        self.members[name] = connection
        return name

    def leave(self, name: str) -> None:
        """Forget a connection."""
        self.members.pop(name, None)

    def tell(self, name: str, message: Message) -> None:
        """Send to one."""
        self.members[name].publish(encoded(message))

    def tell_all(self, message: Message, *, but: str = "") -> None:
        """Send to all, in the order of the calls; nobody waits for anybody. `but` names one who is left out."""
        line = encoded(message)
        for name, connection in list(self.members.items()):
            if name != but:
                connection.publish(line)


def complain(connection: Connection, sentence: str) -> None:
    """Tell a client what was wrong with its message."""
    connection.publish(encoded({"type": "error", "text": sentence}))


async def messages(connection: Connection) -> AsyncIterator[Message]:
    """The objects that a client sends, until its connection ends.

    What is no object is complained of. A binary message closes the connection with 1003 (RFC 6455 §7.4.1): this
    program takes text.
    """
    async for text in connection:
        if isinstance(text, bytes):
            await connection.close(CloseCode.UNSUPPORTED_DATA, "this resource takes text")
            return
        try:
            message = json.loads(text)
        except (ValueError, RecursionError):
            message = None
        if isinstance(message, dict):
            yield message
        else:
            complain(connection, "a message must be one JSON object")
