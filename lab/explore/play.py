"""One connection as a person plays it: the lab's end of it, and the server program's."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from lab.explore.web import Web
from lab.scenario.connection import Connection
from lab.scenario.peer import Peer
from lab.scenario.record import Call, Packet
from lab.scenario.server import Socket
from lab.tcp.segment import RST, SYN, Flags
from lab.tcp.state import NO_CONNECTION, SYNCHRONIZED, Event, State


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
    begun: bool = False
    """Whether the server listened before anything happened on it."""
    walked: list[tuple[Packet | Call, State, State]] = field(default_factory=list)
    """What has happened on it, each with the states that the lab's end and the server's were in then."""
    sent: list[Packet] = field(default_factory=list)
    """Every segment that went out on it, of ours and of old connections."""
    codes: dict[int, str] = field(default_factory=dict)
    """How each of them is written in a scenario, at any time, by its number."""
    stood: bool = False
    """Whether it has been one that a program could take."""
    ended: int = 0
    """How many earlier lives of it stood, and were over before a program took them: a kernel gives them to it still."""
    missed: bool = False
    """Whether something that the server should have said was missed, and told."""
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
        return not self.sent and not self.connection.server_spoke and set(ends) <= NO_CONNECTION

    @property
    def told(self) -> bool:
        """Whether the server's program does what the person says, and nothing else."""
        return self.connection.conversation.told

    def walks(self, entry: Packet | Call) -> None:
        """Note the states that both ends are in now, after `entry`."""
        before = self.walked[-1][2] if self.walked else State.CLOSED
        self.walked.append((entry, self.connection.peer_state, self.connection.server_state))
        if before is not self.connection.server_state:
            self._server_moves(before, self.connection.server_state)

    def way(self, who: Literal["peer", "server"]) -> tuple[list[State], list[Event | None]]:
        """Every state that an end has been in; and what led from each to the next, where it is not the one arrow that
        the document draws between the two.

        Where a segment left the server is sometimes known only when its answer has come: then that counts.
        """
        states: list[State] = [State.CLOSED]
        events: list[Event | None] = []
        if who == "server" and self.begun:
            states.append(State.LISTEN)
            events.append(None)
        for entry, peer_state, server_state in self.walked:
            state = peer_state if who == "peer" else server_state
            if isinstance(entry, Packet):
                state = (entry.peer_state if who == "peer" else entry.server_state) or state
            if state is not states[-1]:
                states.append(state)
                events.append(_event(entry, who, state))
        return states, events

    def _server_moves(self, before: State, now: State) -> None:
        """Another life of the connection is one that no program has taken yet."""
        if now is State.SYN_RECEIVED and before in (State.CLOSED, State.LISTEN, State.TIME_WAIT):
            self.ended += self.stood and not self.taken
            self.taken = self.stood = False
            self.socket = None
        self.stood = self.stood or now in SYNCHRONIZED

    def begins(self) -> None:
        """Note that the server listens already, where it does: no entry of this connection tells it."""
        self.begun = self.connection.server_state is State.LISTEN and not self.walked


def _event(entry: Packet | Call, who: str, to: State) -> Event | None:
    """What took an end to that state, where it was a RST or a SYN out of place (RFC 9293 §3.10.7.4)."""
    if to not in NO_CONNECTION:
        return None
    if isinstance(entry, Call):
        return Event.ABORT if entry.text.endswith("abort()") else None
    flags = entry.segment.flags if entry.segment else Flags(0)
    if RST in flags and entry.sender == who:
        return Event.ABORT
    if RST in flags:
        return Event.RCV_RST_PASSIVE if to is State.LISTEN else Event.RCV_RST
    if SYN in flags and entry.sender != who:
        return Event.RCV_SYN_PASSIVE if to is State.LISTEN else Event.RCV_SYN_IN_WINDOW
    return None
