"""WebSocket on a connection that is played by hand: both streams put together from the segments, and the server judged.

Whoever plays sends frames in segments of his own making, in order or not. What reached whom is read off the segments,
so that it does not matter which command made them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from lab.scenario.record import Packet
from lab.scenario.server import Site
from lab.tcp.segment import FIN, RST, SYN
from lab.tcp.world import Finding
from lab.websocket.dialogue import Dialogue, Owed, Seen, State
from lab.websocket.echo import Echo

MOST_HELD = 2**20
"""Octets out of order that are kept of one stream."""
MOST_ANSWERS = 5
"""What is kept of a server that goes on talking unasked."""


@dataclass(slots=True)
class Stream:
    """One direction's octets in order, from segments in any order (RFC 9293 §3.4: the first octet has number 1)."""

    at: int = 1
    """The number of the next octet, counted from the SYN."""
    held: dict[int, bytes] = field(default_factory=dict)
    fin: int | None = None
    """The number of the FIN."""

    def takes(self, packet: Packet, reached: int | None = None) -> bytes:
        """What the segment adds to what is in order; nothing from number `reached` on, where that is known."""
        segment, seq = packet.segment, packet.seq
        if segment is None or seq is None:
            return b""
        start = seq + (SYN in segment.flags)
        if FIN in segment.flags and self.fin is None:
            self.fin = start + len(segment.payload)
        if segment.payload and sum(map(len, self.held.values())) < MOST_HELD:
            # What was there in its turn and is still there was refused: then what comes in its place counts.
            known = self.held.get(start, b"") if start > self.at else b""
            self.held[start] = max(known, segment.payload, key=len)
        return self.more(reached)

    def more(self, reached: int | None = None) -> bytes:
        """What is in order by now, `reached` as above."""
        taken = b""
        while (first := next((s for s in sorted(self.held) if s <= self.at), None)) is not None:
            piece = self.held[first][self.at - first :]
            if reached is not None and self.at + len(piece) > reached:
                break
            del self.held[first]
            taken += piece
            self.at += len(piece)
        return taken

    @property
    def ended(self) -> bool:
        """Whether all up to the FIN has come, and the FIN."""
        return self.fin is not None and self.at >= self.fin


@dataclass(slots=True)
class Web:
    """What was said of WebSocket on one connection."""

    site: Site
    echoing: frozenset[str] | None = frozenset()
    """Paths where the server is known to send each message back; None for all of them."""
    dialogue: Dialogue = field(default_factory=Dialogue)
    ours: Stream = field(default_factory=Stream)
    theirs: Stream = field(default_factory=Stream)
    seen: deque[Seen] = field(default_factory=lambda: deque(maxlen=1000))
    """What the server has said that nobody has looked at."""
    answers: deque[tuple[int, Seen]] = field(default_factory=lambda: deque(maxlen=MOST_ANSWERS))
    """What it has said since we said something last, each with the number of the packet that completed it."""
    ended: int = 0
    """The packet that ended its stream, where that came since as well; otherwise 0."""

    @property
    def state(self) -> State:
        """Where the WebSocket connection stands (RFC 6455 §4.1, §7.1.3, §7.1.4)."""
        return self.dialogue.state

    def owed(self, now: float) -> list[Owed]:
        """What the server has to say, or do, as soon as it can."""
        return self.dialogue.owed(now)

    def follows(self, packet: Packet, objects: Callable[[Finding], None], reached: int | None = None) -> None:
        """A segment that has reached the other end; `objects` is told what is wrong with the server's.

        `reached`: how many of our numbers the server has taken in order, where that is known.
        """
        segment = packet.segment
        if segment is None:
            return
        # Whether the server has taken our last segment is sometimes told by its answer alone.
        if data := self.ours.takes(packet, reached) if packet.sender == "peer" else self.ours.more(reached):
            self.dialogue.client_sends(data, packet.time)
            if self.dialogue.response is None and self._is_echoing():
                self.dialogue.echo = Echo()
            self.answers.clear()
            self.ended = 0
        if packet.sender == "peer":
            if self.ours.ended or RST in segment.flags:
                self.dialogue.client_ends(packet.time, reset=RST in segment.flags)
            return
        if data := self.theirs.takes(packet):
            for seen in self.dialogue.server_sends(data, packet.time):
                self.seen.append(seen)
                self.answers.append((packet.number, seen))
                if seen.finding is not None:
                    objects(seen.finding)
        if (self.theirs.ended or RST in segment.flags) and not self.dialogue.server_ended:
            self.ended = packet.number
            finding = self.dialogue.server_ends(packet.time, reset=RST in segment.flags)
            if finding is not None:
                objects(finding)

    def _is_echoing(self) -> bool:
        """Whether what was asked for is known to send each message back."""
        asked = self.dialogue.request
        return asked is not None and (self.echoing is None or asked.target.partition("?")[0] in self.echoing)
