"""`/chat/ROOM`: who opens it subscribes to the room; what one says goes to all in it, in one order for all.

To the server: `{"type":"say","text":…}`, `{"type":"tell","to":NAME,"text":…}`, `{"type":"name","name":NAME}`.
From it: `welcome` (you, members), `say` and `tell` (from, text; `number` counts what was said in the room), `joined`,
`left`, `renamed` (from, name), `error` (text).
"""

from __future__ import annotations

from typing import Final

from websockets.frames import CloseCode

from lab.server.sites.connection import Connection
from lab.server.sites.crowd import FULL, MOST, Crowd, Message, complain, messages

LONGEST_TEXT: Final = 8192
"""Characters that may be said at once."""
LONGEST_NAME: Final = 32


class Room:
    """One room."""

    def __init__(self) -> None:
        self.crowd = Crowd("guest")
        self.said = 0


class Chat:
    """All rooms: one comes to be with its first visitor and goes with its last."""

    def __init__(self) -> None:
        self._rooms: dict[str, Room] = {}

    async def serve(self, connection: Connection) -> None:
        """Serve one client until its connection has ended."""
        name = connection.visit.name
        room = self._rooms.get(name)
        if room is None:
            if len(self._rooms) >= MOST:
                await connection.close(CloseCode.TRY_AGAIN_LATER, FULL)
                return
            room = self._rooms[name] = Room()
        crowd = room.crowd
        own = crowd.join(connection)
        crowd.tell(own, {"type": "welcome", "room": name, "you": own, "members": list(crowd.members)})
        crowd.tell_all({"type": "joined", "name": own}, but=own)
        try:
            async for message in messages(connection):
                own = _take(room, connection, own, message)
        finally:
            crowd.leave(own)
            crowd.tell_all({"type": "left", "name": own})
            if not crowd.members and self._rooms.get(name) is room:
                del self._rooms[name]


def _take(room: Room, connection: Connection, own: str, message: Message) -> str:
    """Do what a message says; returns the name that its sender has from then on."""
    crowd, kind, text = room.crowd, message.get("type"), message.get("text")
    if kind in ("say", "tell"):
        if not isinstance(text, str) or len(text) > LONGEST_TEXT:
            complain(connection, f"text must be text of at most {LONGEST_TEXT} characters")
        elif kind == "say":
            room.said += 1
            crowd.tell_all({"type": "say", "number": room.said, "from": own, "text": text})
        else:
            to = message.get("to")
            if not isinstance(to, str) or to not in crowd.members:
                complain(connection, "there is nobody of that name in this room")
            else:
                crowd.tell(to, {"type": "tell", "from": own, "text": text})
    elif kind == "name":
        name = message.get("name")
        if not isinstance(name, str) or not 0 < len(name) <= LONGEST_NAME or not name.isprintable():
            complain(connection, f"name must be text of 1 to {LONGEST_NAME} characters")
        elif name in crowd.members:
            complain(connection, "somebody has that name already")
        else:
            crowd.leave(own)
            crowd.members[name] = connection
            crowd.tell_all({"type": "renamed", "from": own, "name": name})
            return name
    else:
        complain(connection, "type must be say, tell or name")
    return own
