"""`/game/FIELD`: small inputs in, the state of the field back to all players at once, many times a second.

To the server: `{"type":"move","dx":-1…1,"dy":-1…1}`. From it: `welcome` (you), and `state` (number, players, and
whose input brought it: by, input, its count of that player's) after each input, each arrival and each departure.
"""

from __future__ import annotations

from typing import Any, Final

from websockets.frames import CloseCode

from lab.server.sites.connection import Connection
from lab.server.sites.crowd import FULL, MOST, Crowd, complain, messages

SIZE: Final = 100
"""Squares on each side of the field."""
PLAYERS: Final = 100
"""Players on a field at a time."""


class Field:
    """One field."""

    def __init__(self) -> None:
        self._crowd = Crowd("player")
        self._at: dict[str, list[int]] = {}
        self._number = 0

    @property
    def taken(self) -> int:
        """How many players are on it."""
        return len(self._at)

    async def play(self, connection: Connection) -> None:
        """Let one client play until its connection has ended."""
        own = self._crowd.join(connection)
        place = self._at[own] = [SIZE // 2, SIZE // 2]
        inputs = 0
        self._crowd.tell(own, {"type": "welcome", "you": own, "size": SIZE})
        self._show(own, inputs)
        try:
            async for message in messages(connection):
                step = (message.get("dx", 0), message.get("dy", 0))
                if message.get("type") != "move" or not all(type(part) is int and -1 <= part <= 1 for part in step):
                    complain(connection, "an input is a move, its dx and dy from -1 to 1")
                    continue
                inputs += 1
                place[:] = [min(SIZE - 1, max(0, part + by)) for part, by in zip(place, step, strict=True)]
                self._show(own, inputs)
        finally:
            self._crowd.leave(own)
            del self._at[own]
            self._show(own, inputs)

    def _show(self, by: str, inputs: int) -> None:
        self._number += 1
        state: dict[str, Any] = {"type": "state", "number": self._number, "by": by, "input": inputs}
        self._crowd.tell_all({**state, "players": self._at})


class Game:
    """All fields: one comes to be with its first player and goes with its last."""

    def __init__(self) -> None:
        self._fields: dict[str, Field] = {}

    async def serve(self, connection: Connection) -> None:
        """Serve one client until its connection has ended."""
        name = connection.visit.name
        field = self._fields.get(name)
        if field.taken >= PLAYERS if field else len(self._fields) >= MOST:
            await connection.close(CloseCode.TRY_AGAIN_LATER, FULL)
            return
        if field is None:
            field = self._fields[name] = Field()
        try:
            await field.play(connection)
        finally:
            if not field.taken and self._fields.get(name) is field:
                del self._fields[name]
