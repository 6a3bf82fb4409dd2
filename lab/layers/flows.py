"""TCP segments of a capture by connection, so that the streams that they carry can be read.

What is in a stream is told by `lab.websocket.trace`; here it is only found out which segments make one, who the client
is, and how far a number is from its SYN.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from lab.layers.transport import TcpPart
from lab.tcp.segment import ACK, SYN
from lab.tcp.sequence import Seq

End = tuple[bytes, int]
"""Address and port of one end."""
_METHODS: Final = (b"GET ", b"POST ", b"PUT ", b"HEAD ", b"DELETE ", b"OPTIONS ", b"PATCH ", b"CONNECT ", b"TRACE ")


@dataclass(slots=True)
class Carried:
    """The payload of one segment, and its place in the stream."""

    key: int
    """Whatever tells its owner which segment it was."""
    frame: int
    """The number of the frame that brought it, or its last fragment, from 1."""
    source: End
    seq: int
    """Of its first octet, the sender's SYN being 0; does not wrap."""
    payload: bytes
    syn: bool
    sound: bool | None
    """Whether its checksum holds; None where that cannot be told."""


@dataclass(slots=True)
class Flow:
    """One connection: what it carried, and where its numbers began."""

    ends: tuple[End, End]
    number: int
    """From 1, in the capture's order."""
    carried: list[Carried] = field(default_factory=list)
    opener: End | None = None
    """Who sent a SYN without ACK."""
    answerer: End | None = None
    """Who sent a SYN with ACK."""
    first: dict[End, Seq] = field(default_factory=dict)
    """The number that counts as 0 in each direction: the SYN's, or the one before the first that was seen."""
    began: dict[End, bool] = field(default_factory=dict)
    """Whether that was a SYN's."""
    last: dict[End, int] = field(default_factory=dict)
    asks: End | None = None
    """Who the client is, once that has been found out."""

    def relative(self, end: End, seq: int) -> int:
        """`seq`, a number that `end` sends, counted from its SYN; beyond 2**32 it goes on."""
        near = self.last.get(end, 0)
        found = near + Seq(seq).ahead_of(self.first[end] + near)
        self.last[end] = max(near, found)
        return found

    @property
    def client(self) -> End:
        """Who asks: whose data begin like HTTP, else who sent the first SYN, else who has the higher port."""
        if self.asks is None:
            self.asks = self._client()
        return self.asks

    def _client(self) -> End:
        for one in self.carried:
            if one.payload.startswith(_METHODS):
                return one.source
        if self.opener is not None:
            return self.opener
        a, b = self.ends
        if self.answerer is not None:
            return b if self.answerer == a else a
        return max(self.ends, key=lambda end: end[1])

    def readable(self) -> Iterator[Carried]:
        """What a receiver would have taken.

        A segment with a wrong checksum is left out, unless all of its sender's are wrong: then the capture was taken
        before the network card had filled them in.
        """
        fills_in = {one.source for one in self.carried if one.payload and one.sound}
        return (one for one in self.carried if one.sound is not False or one.source not in fills_in)


class Flows:
    """Sorts segments by connection."""

    def __init__(self) -> None:
        self.all: list[Flow] = []
        self._now: dict[frozenset[End], Flow] = {}

    def of(self, source: End, destination: End, part: TcpPart) -> Flow:
        """The connection of a segment; a SYN with a new number begins one, also between the same two ends."""
        key = frozenset((source, destination))
        flow = self._now.get(key)
        seq = Seq(part.seq)
        opens = SYN in part.flags and ACK not in part.flags
        if flow is None or (opens and flow.began.get(source) and flow.first[source] != seq):
            flow = Flow((source, destination), len(self.all) + 1)
            self.all.append(flow)
            self._now[key] = flow
        if SYN in part.flags:
            if source not in flow.first:  # behind data whose beginning is unknown, the count stays as it is
                flow.first[source], flow.began[source] = seq, True
            if opens:
                flow.opener = flow.opener or source
            else:
                flow.answerer = flow.answerer or source
        elif source not in flow.first:
            flow.first[source] = seq + -1
        return flow

    def relative(self, flow: Flow, source: End, destination: End, part: TcpPart) -> tuple[int | None, int | None]:
        """A segment's numbers counted from the SYNs that the capture has; None for one that it has not."""
        seq = Seq(part.seq).ahead_of(flow.first[source]) if flow.began.get(source) else None
        ack = None
        if ACK in part.flags and flow.began.get(destination):
            ack = Seq(part.ack).ahead_of(flow.first[destination])
        return seq, ack
