"""A Driver on the sandbox's link, against a real kernel whose program nobody tells; the model judges every segment."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable

from lab.tcp.conversation import Conversation
from lab.tcp.driver import Driver
from lab.tcp.endpoint import Endpoint, Offer
from lab.tcp.profile import FRUGAL, LINUX_EARLIER, MITIGATED, RFC9293, linux
from lab.tcp.segment import Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import State
from lab.tcp.world import Sight
from lab.testbed.sandbox import Sandbox
from lab.wire.codec import TcpFrame, decode, encode
from lab.wire.neighbours import answer

_ports = itertools.count(21000)


class EndOnWire:
    """One connection from the lab's side. `lose_in` and `lose_out` say which segments get lost on the way."""

    def __init__(self, box: Sandbox, server_port: int, *, capacity: int = 65535, offer: Offer | None = None) -> None:
        assert box.agent is not None
        self.box, self.server_port, self.port = box, server_port, next(_ports)
        self.server, self.peer = str(box.server_address("ipv4")), str(box.peer_address("ipv4"))
        self.driver = Driver(Endpoint(iss=Seq(2**32 - 1), capacity=capacity, offer=offer or Offer(mss=1460)))
        profiles = (RFC9293, MITIGATED, linux(box.settings), LINUX_EARLIER, FRUGAL)
        self.talk = Conversation(profiles, exact=True, told=False)
        self.talk.server.listen()
        self.began = time.time()
        self.sights: list[tuple[Segment, Sight]] = []
        self.sent: list[Segment] = []
        self.lose_in: Callable[[Segment], bool] = lambda segment: False
        self.lose_out: Callable[[Segment], bool] = lambda segment: False

    def now(self) -> float:
        return time.time() - self.began

    def until(self, done: Callable[[], object], seconds: float = 20.0) -> None:
        """Lets both ends talk until `done()`; fails with what was seen last where that takes too long."""
        end = time.monotonic() + seconds
        self.flush()
        while not done():
            assert time.monotonic() < end, [f"{s}: {sight.note}" for s, sight in self.sights[-12:]]
            at = self.driver.next_timeout
            self.take(wait=min(0.05, max(0.0, at - self.now())) if at is not None else 0.05)
            at = self.driver.next_timeout
            if at is not None and at <= self.now():
                self.driver.tick(self.now())
            self.flush()

    def flush(self) -> None:
        """Sends what the driver has to send."""
        while segments := self.driver.segments():
            for segment in segments:
                self.send(segment)

    def send(self, segment: Segment) -> None:
        """One segment of ours, and what is there at once."""
        self.take()
        self.sent.append(segment)
        if self.lose_out(segment):
            return
        frame = encode(
            segment,
            source=self.peer,
            destination=self.server,
            sport=self.port,
            dport=self.server_port,
            source_mac=self.box.peer_mac,
            destination_mac=self.box.server_mac,
        )
        before = time.time()
        self.box.link.send(frame)
        after = time.time()
        seen = [(one.timestamp, one.frame) for one in self.box.link.drain()]
        for stamp, raw in seen:
            if stamp < before:
                self._judge(stamp, raw)
        self.talk.peer_sends(segment, after - self.began)
        for stamp, raw in seen:
            if stamp >= before:
                self._judge(stamp, raw)

    def take(self, wait: float = 0.0) -> None:
        for one in self.box.link.wait(wait) if wait else self.box.link.drain():
            self._judge(one.timestamp, one.frame)

    def _judge(self, stamp: float, raw: bytes) -> None:
        frame = decode(raw)
        if reply := answer(frame, [self.peer], self.box.peer_mac):
            self.box.link.send(reply)
        if not isinstance(frame, TcpFrame) or frame.source != self.server or frame.dport != self.port:
            return
        sight = self.talk.server_sends(frame.segment, stamp - self.began)
        self.sights.append((frame.segment, sight))
        if not self.lose_in(frame.segment):
            self.driver.arrives(frame.segment, self.now())

    # What is asked of it

    def open(self) -> None:
        self.driver.open(self.now())
        self.until(lambda: self.driver.state is not State.SYN_SENT)  # its data and FIN may come at once

    def write(self, data: bytes) -> None:
        self.driver.send(data, self.now())
        self.flush()

    def read(self, size: int) -> bytes:
        got = bytearray()

        def enough() -> bool:
            got.extend(self.driver.receive())
            return len(got) >= size

        self.until(enough)
        return bytes(got)

    def until_it_ends(self) -> None:
        """Until the server's FIN or RST has come."""
        self.until(lambda: self.driver.endpoint.fin_received or self.driver.state is State.CLOSED)

    def kernel(self) -> State:
        assert self.box.agent is not None
        return self.box.agent.state("ipv4", (self.server, self.server_port), (self.peer, self.port))

    def check(self) -> None:
        """Nothing that the server sent is unexplained, nothing that it owed is missing, and its kernel agrees."""
        now = self.now()
        bad = [f"{segment}: {sight.finding}" for segment, sight in self.sights if sight.finding]
        assert not bad, bad
        assert self.talk.server.settle(now) is None
        state = self.kernel()
        finding = self.talk.server.compare_state(state, self.now())
        assert finding is None, finding

    @property
    def notes(self) -> set[str]:
        return {sight.note for _, sight in self.sights}
