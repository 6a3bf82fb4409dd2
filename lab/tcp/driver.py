"""Runs an Endpoint: keeps the newest value, collects what it sends, and waits for nobody.

    client = Driver(Endpoint(iss=Seq(1)))
    client.open(now)
    for segment in client.segments():
        wire.send(segment)

Time is passed in; `next_timeout` says when `tick` wants to be called.
"""

from __future__ import annotations

from lab.tcp.endpoint import Endpoint
from lab.tcp.outcome import Outcome
from lab.tcp.segment import ACK, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import State


class Driver:
    """One end that behaves well. Calls raise what the Endpoint's calls raise; what arrives raises nothing.

    There is no congestion window: it sends all that the peer's window takes (`lab.tcp.endpoint`).
    """

    __slots__ = ("_now", "_out", "_reading", "_received", "endpoint", "notices")

    def __init__(self, endpoint: Endpoint) -> None:
        """`endpoint` needs an `iss`: nobody else chooses it."""
        if endpoint.iss is None:
            raise ValueError("an endpoint that is driven needs an iss")
        self.endpoint = endpoint
        self.notices: list[str] = []
        """All that the user was told, in order."""
        self._out: list[Segment] = []
        self._received = bytearray()
        self._reading = True
        self._now = 0.0

    @property
    def state(self) -> State:
        """The endpoint's state."""
        return self.endpoint.state

    @property
    def next_timeout(self) -> float | None:
        """When `tick` wants to be called next, None where no timer runs."""
        return self.endpoint.next_timeout

    @property
    def reading(self) -> bool:
        """Whether what arrives is read at once. False: it stays in the endpoint's buffer, `capacity` octets of it, and
        the window closes as that fills (RFC 9293 §3.8.6). True again: all is read, and the wider window is announced.
        """
        return self._reading

    @reading.setter
    def reading(self, reads: bool) -> None:
        self._reading = reads
        self._out += self._read()

    def listen(self) -> None:
        """OPEN, passive."""
        self._take(self.endpoint.open_passive(), self._now)

    def open(self, now: float) -> None:
        """OPEN, active."""
        self._take(self.endpoint.open_active(now), now)

    def send(self, data: bytes, now: float) -> None:
        """SEND. What the peer's window takes goes out at once: each call in segments of its own."""
        self._take(self.endpoint.send(data, now), now)

    def receive(self, size: int | None = None) -> bytes:
        """What was read in sequence and not taken yet, up to `size` octets; b"" where there is nothing."""
        size = len(self._received) if size is None else max(0, size)
        data = bytes(self._received[:size])
        del self._received[:size]
        return data

    def close(self, now: float) -> None:
        """CLOSE: the FIN follows the last data; what the peer still sends can be read."""
        self._take(self.endpoint.shutdown(now), now)

    def abort(self) -> None:
        """ABORT."""
        self._take(self.endpoint.abort(), self._now)

    def arrives(self, segment: Segment, now: float) -> None:
        """A segment from the peer. An ACK that may wait is sent by `tick`, at the second full-sized segment at once."""
        answered = self.endpoint.last_ack_sent
        self._take(self.endpoint.arrives(segment, now), now, answered)
        due = self.endpoint.ack_due_at
        if due is not None and due <= now:
            self.tick(now)

    def tick(self, now: float) -> None:
        """Lets the timers run that are due."""
        self._take(self.endpoint.timeout(now), now)

    def segments(self) -> list[Segment]:
        """What is to be sent now, in order; it is forgotten here."""
        out, self._out = self._out, []
        return out

    def _take(self, outcome: Outcome, now: float, answered: Seq | None = None) -> None:
        """`answered`: the last acknowledgment before; an ACK that repeats it tells of a gap, and always goes out."""
        self._now = now
        unread = self.endpoint.receive_buffer
        self.endpoint = outcome.endpoint
        self.notices += outcome.notices
        if unread and self.state is State.CLOSED and "connection reset" not in outcome.notices:
            self._received += bytes(unread)  # the connection is gone in good order: what has come can still be read
        answers = [reply.segment for reply in outcome.replies if not reply.due]
        answers += self._read()
        more = self.endpoint.transmit(now)
        self.endpoint = more.endpoint
        sent = [reply.segment for reply in more.replies]
        if sent:
            # What is sent carries the ACK, so that a bare one beside it says nothing more (RFC 9293 §3.10.7.4).
            answers = [s for s in answers if s.flags != ACK or s.payload or s.ack != sent[0].ack or s.ack == answered]
        self._out += answers + sent

    def _read(self) -> list[Segment]:
        """Takes what can be read, so that the window stays open."""
        end = self.endpoint
        if not self._reading or not end.receive_buffer or end.closed_for_reading:
            return []
        outcome = end.receive(len(end.receive_buffer), self._now)
        self.endpoint = outcome.endpoint
        self._received += outcome.data
        return [reply.segment for reply in outcome.replies if not reply.due]
