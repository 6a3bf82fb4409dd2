"""Both ends of a connection seen from outside: the lab's, as its segments imply it, and the server's shadow."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field

from lab.tcp.debts import after_sending, after_taking
from lab.tcp.endpoint import Endpoint
from lab.tcp.outcome import Reply
from lab.tcp.profile import LINUX, MITIGATED, RFC9293, Profile
from lab.tcp.segment import SYN, Hurdle, Segment
from lab.tcp.sequence import Seq
from lab.tcp.shadow import Shadow
from lab.tcp.world import Sight


@dataclass(slots=True)
class Conversation:
    """One connection: the lab's end, as its segments imply it, and the shadow of the server's."""

    profiles: Sequence[Profile] = (RFC9293, MITIGATED, LINUX)
    exact: bool = True
    told: bool = True
    """Whether the calls of the server's program will be told (`Shadow`)."""
    peer: Endpoint = field(default_factory=lambda: Endpoint(profile=RFC9293))
    server: Shadow = field(init=False)
    peer_isn: Seq | None = None
    server_isn: Seq | None = None
    owed: tuple[Reply, ...] = ()
    """What our end owes for what has arrived and has not sent yet, oldest first (`lab.tcp.debts`)."""

    def __post_init__(self) -> None:
        self.server = Shadow(self.profiles, exact=self.exact, told=self.told)

    def copy(self) -> Conversation:
        """Another that goes its own way from here."""
        other = copy(self)
        other.server = self.server.copy()
        return other

    def peer_sends(self, segment: Segment, now: float, *, ours: bool = True, hurdle: Hurdle | None = None) -> None:
        """The lab sends `segment`. `hurdle`: what keeps it from the server's TCP, or may.

        Not `ours`: an old duplicate that the network delivers; our end did not send it now.
        """
        if ours:
            self.peer, self.owed = after_sending(self.peer, self.owed, segment, now)
            if SYN in segment.flags and self.peer.iss is not None:
                self.peer_isn = self.peer.iss
        if not (hurdle and hurdle.sure):
            self.server.receives(segment, now, hurdle)

    def server_sends(self, segment: Segment, now: float) -> Sight:
        """The server is seen to send `segment`."""
        if SYN in segment.flags:
            self.server_isn = segment.seq
        sight = self.server.observe(segment, now)
        self.peer, self.owed = after_taking(self.peer, self.owed, segment, now)
        return sight
