"""One end of a connection as a capture shows it: where it stands by the model, and what is odd about what it sends.

Several profiles are followed at once, since a stack may do otherwise than the plain text asks (a challenge ACK in place
of an end, RFC 5961); an end that speaks on is not one that has closed, so what it sends tells which of them are true.
"""

from __future__ import annotations

from bisect import bisect_left

from lab.tcp.endpoint import Endpoint
from lab.tcp.evolve import evolve
from lab.tcp.octets import EMPTY
from lab.tcp.profile import LINUX, MITIGATED, RFC9293
from lab.tcp.segment import ACK, FIN, RST, SYN, Segment
from lab.tcp.sequence import Seq, later
from lab.tcp.state import NO_CONNECTION, SYNCHRONIZED, State
from lab.tcp.world import RETRANSMISSION

FAR = 2**28
"""Octets. A number this far from the last one belongs to another count."""


class Followed:
    """One end, told what it sent and what reached it. Nothing here raises, whatever it is told."""

    def __init__(self, listens: bool) -> None:
        """`listens`: a program listens at that port, whenever there is no connection."""
        self.listens = listens
        self.asked: Seq | None = None
        """The number that it acknowledged last."""
        self.window = 0
        """The window field of its last segment."""
        self._worlds = [Endpoint(profile=p) for p in (RFC9293, MITIGATED, LINUX)]
        self._heard: list[State] = []
        """For each of them, where the last segment that reached it has left it."""
        self._listen_again()
        self._crossing: Segment | None = None
        """A SYN that came while nobody listened: if this end's own SYN comes next, the two have crossed."""
        self._answered = False
        """Whether it has sent a SYN with an ACK."""
        self._first: Seq | None = None
        self._high: Seq | None = None
        self._starts: list[int] = []
        self._ends: list[int] = []

    @property
    def state(self) -> State:
        """Where it stands, by the plainest profile that explains what it sent."""
        return self._worlds[0].state

    @property
    def heard(self) -> State | None:
        """Where the last segment that reached it has left it, as what it has sent since tells."""
        return self._heard[0] if self._heard else None

    @property
    def iss(self) -> Seq | None:
        """The number of its SYN, None as long as none was seen."""
        return self._worlds[0].iss

    def sends(self, segment: Segment, now: float) -> None:
        """It was seen to send `segment`."""
        able = [i for i, world in enumerate(self._worlds) if _can_send(world, segment)]
        if able:
            self._worlds = [self._worlds[i] for i in able]
            self._heard = [self._heard[i] for i in able] if self._heard else []
        self._worlds = [w.sent(segment, now, implied_calls=True) for w in self._worlds]
        self._answered = self._answered or SYN | ACK in segment.flags
        if SYN in segment.flags and self._crossing is not None:
            if ACK not in segment.flags:
                self.receives(self._crossing, now)
                self._heard = []  # it did not reach it where it stands, but later
            self._crossing = None
        if ACK in segment.flags:
            self.asked, self.window = segment.ack, segment.window
        if SYN in segment.flags and self.iss == segment.seq and self._first != segment.seq:
            self._first = self._high = segment.seq
            self._starts, self._ends = [], []
        end = self._worlds[0]
        if segment.length and (end.own_offer is None or segment.end.ahead_of(end.snd_nxt) <= 0):
            self._note(segment)

    def receives(self, segment: Segment, now: float) -> None:
        """`segment` reached it."""
        self._listen_again()
        if segment.flags & (SYN | ACK | RST) == SYN and self.state is State.CLOSED:
            self._crossing = segment
        worlds = [w.arrives(segment, now).endpoint for w in self._worlds]
        self._heard = [w.state for w in worlds]
        # Nobody asks what its program has read: a long stream would only pile up there.
        self._worlds = [evolve(w, receive_buffer=EMPTY) if w.receive_buffer else w for w in worlds]

    def word_for(self, segment: Segment, other: Followed) -> str:
        """What is odd about a segment that this end is about to be seen to send to the `other`; mostly ""."""
        if self._first is None or self._high is None or segment.flags & RST:
            return ""
        before = self._high.ahead_of(segment.seq)
        if not segment.flags & (SYN | FIN) and before == 1 and len(segment.payload) <= 1 and other.asked == self._high:
            return "keep-alive probe" if other.window else "zero-window probe"
        if not segment.length or abs(before) >= FAR:
            return ""
        if SYN in segment.flags and segment.seq != self._first:
            return ""  # another life
        if before < 0:
            octets = f"{-before:,} octets" if before < -1 else "1 octet"
            return f"{octets} before it not seen" if self._starts else ""
        start = segment.seq.ahead_of(self._first)
        there = self._covered(start, start + segment.length)
        if there == segment.length:
            if SYN | ACK in segment.flags and not self._answered:
                return ""  # its SYN again, with the ACK that it now owes: the SYNs have crossed
            return RETRANSMISSION
        if there:
            return "retransmission in part"
        return "out of order" if before else ""

    def _listen_again(self) -> None:
        if self.listens:
            self._worlds = [
                Endpoint(profile=w.profile).open_passive().endpoint if w.state is State.CLOSED else w
                for w in self._worlds
            ]

    def _note(self, segment: Segment) -> None:
        """Remember which numbers were used: disjoint ranges in order, counted from the first."""
        if self._first is None or self._high is None:
            self._first = self._high = segment.seq
        start = segment.seq.ahead_of(self._first)
        end = start + segment.length
        first = bisect_left(self._ends, start)
        last = first
        while last < len(self._starts) and self._starts[last] <= end:
            start, end = min(start, self._starts[last]), max(end, self._ends[last])
            last += 1
        self._starts[first:last], self._ends[first:last] = [start], [end]
        self._high = later(self._high, segment.end)

    def _covered(self, start: int, end: int) -> int:
        """How many of these numbers were used before."""
        found = 0
        for i in range(bisect_left(self._ends, start), len(self._starts)):
            if self._starts[i] >= end:
                break
            found += max(0, min(end, self._ends[i]) - max(start, self._starts[i]))
        return found


def _can_send(end: Endpoint, segment: Segment) -> bool:
    """Whether an end in that state sends such a thing at all (RFC 9293 §3.10.7.1, §3.10.7.2)."""
    if RST in segment.flags:
        return True
    if SYN in segment.flags:
        return end.state not in SYNCHRONIZED or end.iss == segment.seq
    return end.state not in NO_CONNECTION
