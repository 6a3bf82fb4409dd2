"""One connection as a person plays it: the lab's end of it, and the server program's."""

from __future__ import annotations

from dataclasses import dataclass, field

from lab.explore.web import Web
from lab.scenario.connection import Connection
from lab.scenario.peer import Peer
from lab.scenario.record import Packet
from lab.scenario.server import Socket
from lab.tcp.state import State


@dataclass(slots=True)
class Play:
    """A connection in a person's hands."""

    peer: Peer
    socket: Socket | None = None
    """The server program's end, once it has accepted or called."""
    taken: bool = False
    """Whether the program has it, or had."""
    web: Web | None = None
    """What was said of WebSocket on it, where it leads to such a server."""
    ways: tuple[list[State], list[State]] = field(default_factory=lambda: ([State.CLOSED], [State.CLOSED]))
    """Every state that the lab's end and the server's have been in."""
    sent: list[Packet] = field(default_factory=list)
    """Every segment that went out on it, of ours and of old connections."""
    lives: int = 0
    """How often it was opened from our end."""

    @property
    def name(self) -> str:
        """ "A" for the first of a session, then "B" …"""
        return self.connection.name

    @property
    def connection(self) -> Connection:
        """What the bench has of it."""
        return self.peer.connection

    @property
    def fresh(self) -> bool:
        """Whether nothing has happened on it yet."""
        ends = (self.connection.peer_state, self.connection.server_state)
        return not self.sent and not self.connection.server_spoke and set(ends) <= {State.CLOSED, State.LISTEN}

    @property
    def told(self) -> bool:
        """Whether the server's program does what the person says, and nothing else."""
        return self.connection.conversation.told

    def walks(self) -> None:
        """Note the states that both ends are in now."""
        for way, state in zip(self.ways, (self.connection.peer_state, self.connection.server_state), strict=True):
            if way[-1] is not state:
                way.append(state)
