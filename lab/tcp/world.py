"""One profile that could be the server's, and what has been seen of the connection if it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from lab.tcp.endpoint import Endpoint, Reply
from lab.tcp.segment import ACK, Segment
from lab.tcp.sequence import Seq


@dataclass(frozen=True, slots=True)
class Finding:
    """What the model objects to."""

    field: str
    """The header field, or "state", "payload", "checksum", "silence"."""
    expected: str
    observed: str
    message: str
    section: str
    expected_segment: Segment | None = None


@dataclass(frozen=True, slots=True)
class Sight:
    """What the model makes of one segment of the server."""

    finding: Finding | None
    note: str = ""
    """"retransmission", "window update", "delayed ACK" … where it is worth a word."""
    rule: str = ""

    @property
    def incidental(self) -> bool:
        """Whether a stack may send it at any time, so that a script that waits for something else passes over it."""
        return self.note in ("retransmission", "window update", "overtaken")


@dataclass(frozen=True, slots=True)
class Owed:
    """A reply that must come, and the time by which it must."""

    reply: Reply
    since: float
    until: float


@dataclass(slots=True)
class World:
    """One profile that could be the server's, and what has been seen of the connection if it is."""

    endpoint: Endpoint
    owed: tuple[Owed, ...] = ()
    choices: tuple[str, ...] = ()
    rule: str = ""
    why: str = ""
    written: bytes = b""
    """All that the server's program has sent on this connection."""
    finished: bool = False
    """Whether the program has said that it has nothing more to send."""
    first_syn: Segment | None = None
    """The server's SYN or SYN+ACK."""
    peer_syn: Segment | None = None
    sent_at: tuple[tuple[int, int, float], ...] = ()
    """Ranges of the stream that were seen, by offset (0 is the SYN), with the time of the last sighting."""
    edge: Seq | None = None
    """The right edge of the window the server has offered: rcv_nxt + window at most (RFC 9293 §3.8.6)."""
    peer_edge: Seq | None = None
    """The right edge of the window that the lab has offered."""
    overtaken: tuple[tuple[Seq, float], ...] = ()
    """Delayed ACKs that another segment answered for, with the time: they may still be on their way."""
    acks: tuple[tuple[Seq, float], ...] = ()
    """Earlier values of rcv_nxt with the time at which each was overtaken."""
    stamps: frozenset[int] = frozenset()
    """The TSval of every segment of the lab's."""
    last_stamp: int | None = None
    """The TSval of the server's last segment (RFC 7323 §4.1: the clock does not go back)."""
    duplicate_acks: int = 0
    last_sent: float = 0.0

    @property
    def offered_scale(self) -> int:
        """The shift count of the server's windows: what its SYN said, if both SYNs spoke of it (RFC 7323 §2.2)."""
        mine, theirs = self.first_syn, self.peer_syn
        if mine is None or theirs is None:
            return 0
        if theirs.window_scale is None and not self.scales_alone:
            return 0
        return min(mine.window_scale or 0, 14)

    @property
    def scales_alone(self) -> bool:
        """Whether this stack forgets that its offer was not taken up: choice "crossing-syns-scale"."""
        mine, theirs = self.first_syn, self.peer_syn
        return (
            self.endpoint.profile.has("crossing-syns-scale")
            and mine is not None
            and theirs is not None
            and ACK not in mine.flags | theirs.flags
            and mine.window_scale is not None
            and theirs.window_scale is None
        )

    def note_overtaken(self, answered: Iterable[Owed], now: float) -> None:
        """These are owed no longer, though a timer may have sent them already."""
        self.overtaken += tuple((o.reply.segment.ack, now) for o in answered if o.reply.due)

    def offset(self, seq: Seq) -> int | None:
        """Where `seq` lies in the server's stream, its SYN being 0; None while its ISN is unknown."""
        return None if self.endpoint.iss is None else seq.ahead_of(self.endpoint.iss)
