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
from lab.tcp.state import State


class Driver:
    """One end that behaves well. Calls raise what the Endpoint's calls raise; what arrives raises nothing."""

    __slots__ = ("_out", "_received", "endpoint", "notices")

    def __init__(self, endpoint: Endpoint) -> None:
        """`endpoint` needs an `iss`: nobody else chooses it."""
        if endpoint.iss is None:
            raise ValueError("an endpoint that is driven needs an iss")
        self.endpoint = endpoint
        self.notices: list[str] = []
        """All that the user was told, in order."""
        self._out: list[Segment] = []
        self._received = b""

    @property
    def state(self) -> State:
        """The endpoint's state."""
        return self.endpoint.state

    @property
    def next_timeout(self) -> float | None:
        """When `tick` wants to be called next, None where no timer runs."""
        return self.endpoint.next_timeout

    def listen(self) -> None:
        """OPEN, passive."""
        self._take(self.endpoint.open_passive(), 0.0)

    def open(self, now: float) -> None:
        """OPEN, active."""
        self._take(self.endpoint.open_active(now), now)

    def send(self, data: bytes, now: float) -> None:
        """SEND."""
        self._take(self.endpoint.send(data, now), now)

    def receive(self, size: int | None = None) -> bytes:
        """What has arrived in sequence and was not taken yet, up to `size` octets; b"" where there is nothing."""
        size = len(self._received) if size is None else size
        data, self._received = self._received[:size], self._received[size:]
        return data

    def close(self, now: float) -> None:
        """CLOSE: the FIN follows the last data; what the peer still sends can be read."""
        self._take(self.endpoint.shutdown(now), now)

    def abort(self) -> None:
        """ABORT."""
        self._take(self.endpoint.abort(), 0.0)

    def arrives(self, segment: Segment, now: float) -> None:
        """A segment from the peer."""
        self._take(self.endpoint.arrives(segment, now), now)

    def tick(self, now: float) -> None:
        """Lets the timers run that are due."""
        self._take(self.endpoint.timeout(now), now)

    def segments(self) -> list[Segment]:
        """What is to be sent now, in order; it is forgotten here."""
        out, self._out = self._out, []
        return out

    def _take(self, outcome: Outcome, now: float) -> None:
        self.endpoint = outcome.endpoint
        self.notices += outcome.notices
        answers = [reply.segment for reply in outcome.replies if not reply.due]
        answers += self._read()
        more = self.endpoint.transmit(now)
        self.endpoint = more.endpoint
        sent = [reply.segment for reply in more.replies]
        if sent:
            # What is sent carries the ACK, so that a bare one beside it says nothing more (RFC 9293 §3.10.7.4).
            answers = [s for s in answers if s.flags != ACK or s.payload or s.ack != sent[0].ack]
        self._out += answers + sent

    def _read(self) -> list[Segment]:
        """Takes what can be read, so that the window stays open."""
        if not self.endpoint.receive_buffer or self.endpoint.closed_for_reading:
            return []
        outcome = self.endpoint.receive(len(self.endpoint.receive_buffer))
        self.endpoint = outcome.endpoint
        self._received += outcome.data
        return [reply.segment for reply in outcome.replies if not reply.due]
