"""The line under a WebSocket: its segments made by one model, and what comes judged by another.

`lab.tcp` makes the lab's segments and follows the server's, as in every scenario; `lab.websocket` judges what the
server's octets say. A script can break either on purpose: `send` takes any frame, right or wrong; `held`, `put` and
`lose` do to the segments what a network can.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import NoReturn

from lab.scenario.bench import BEFORE_BLAME, PATIENCE, Bench
from lab.scenario.errors import ScenarioError
from lab.scenario.peer import Peer
from lab.scenario.record import LOST, Packet, Problem, Verdict
from lab.scenario.server import Site
from lab.tcp.endpoint import Endpoint, Offer
from lab.tcp.outcome import CallError
from lab.tcp.profile import RFC9293
from lab.tcp.segment import FIN, RST, Segment
from lab.tcp.state import State
from lab.tcp.world import Finding
from lab.websocket.client import Client, Message
from lab.websocket.dialogue import Dialogue, Seen
from lab.websocket.frames import Frame, Opcode, ReadFrame, close_body
from lab.websocket.frames import close as close_frame
from lab.websocket.frames import pong as pong_frame

_PROFILE = replace(RFC9293, parameters=replace(RFC9293.parameters, delayed_ack=0.0005))
"""The lab's end: it acknowledges what came together with one ACK, and that without delay."""
MSS = {"ipv4": 1460, "ipv6": 1440}
"""Octets that fit into an Ethernet frame behind the headers (RFC 9293 §3.7.1)."""
DEFAULT_MSS = {"ipv4": 536, "ipv6": 1220}


class Line:
    """One end of a connection, which answers by itself whatever the script waits for."""

    def __init__(
        self, peer: Peer, site: Site, subprotocols: tuple[str, ...] = (), window_scale: int | None = None
    ) -> None:
        self.peer = peer
        self.site = site
        self.bench: Bench = peer.bench
        self.connection = peer.connection
        family = self.bench.family
        offer = Offer(mss=MSS[family], shift=window_scale)
        end = Endpoint(profile=_PROFILE, iss=peer.iss, default_mss=DEFAULT_MSS[family], offer=offer)
        self.client = Client(end, site.authority, site.resource, subprotocols=subprotocols, answers=False)
        self.client.tap = self._tap
        self.dialogue = Dialogue()
        self.answers = True
        """Whether it answers a Ping with a Pong, a Close with a Close, and the server's FIN with its own, by itself."""
        self.ended = ""
        """How the server ended the TCP connection: "fin" or "reset"; "" as long as it did not."""
        self._seen: deque[tuple[Seen, Packet | None]] = deque()
        self._read: deque[str | bytes] = deque()
        """Messages as wsproto reads them."""
        self._held: list[Segment] | None = None
        self._lose = 0
        self._at: Packet | None = None
        self._highest = peer.iss
        self._closing = False
        self._finished = False
        self._raw = False
        self.sent_octets = 0
        """Octets of the stream that this end has said."""
        self._lost = False
        """Whether the script had a segment of the server's lost."""
        self.bench.driven.append(self)

    # Sending whatever one likes

    def send(self, *frames: Frame, masked: bool = True, cut: int | None = None) -> None:
        """Send frames as they are, right or wrong, together as far as a segment holds them (at most `cut` octets).

        Those without a key are masked with a fresh one, unless `masked` is False.
        """
        ready = [frame.masked() if masked and frame.mask is None else frame for frame in frames]
        self._closing = self._closing or any(frame.opcode == Opcode.CLOSE for frame in ready)
        self.send_bytes(b"".join(frame.encode() for frame in ready), cut=cut)

    def send_bytes(self, data: bytes, *, cut: int | None = None) -> None:
        """Send octets as they are."""
        self._do(lambda now: self.client.raw(data, now), cut)

    def finish(self) -> None:
        """Close TCP from this end: a FIN, with or without a Close frame before it (RFC 6455 §7.1.1)."""
        self._finished = True
        self._do(lambda now: self.client.driver.close(now))
        self.dialogue.client_ends(self.bench.now())

    def reset(self) -> None:
        """Give the connection up: a RST (RFC 9293 §3.10.5)."""
        self._closing = True
        self._do(lambda now: self.client.driver.abort())
        self.dialogue.client_ends(self.bench.now(), reset=True)

    def _do(self, act: Callable[[float], None], cut: int | None = None) -> None:
        self.attend()
        self.client.cut = cut
        try:
            act(self.bench.now())
        except (CallError, ValueError) as error:
            if self.ended and isinstance(error, CallError):
                self._object("end", "a connection that stands", ENDED[self.ended],
                             "the server ended the connection while the script still speaks", "RFC 6455 §7.1.1",
                             self._at)  # fmt: skip
            raise ScenarioError(f"the WebSocket cannot do that now: {error}") from error
        finally:
            self.client.cut = None
        self._flush()
        self.bench.stop_if_wrong()

    # What a network can do

    @contextmanager
    def held(self) -> Iterator[list[Segment]]:
        """Hold back what this end sends inside the `with`: the list has it, for `put` in any order, twice or never."""
        self._held = []
        try:
            yield self._held
        finally:
            self._held = None

    def put(self, *segments: Segment) -> None:
        """Put segments on the wire as they are, now."""
        for segment in segments:
            self._transmit(segment)
        self.bench.stop_if_wrong()

    def lose(self, count: int = 1) -> None:
        """The network loses the server's next `count` segments that carry data: this end never hears of them."""
        self._lose += count

    @contextmanager
    def not_reading(self) -> Iterator[None]:
        """The program at this end does not read inside the `with`: what arrives fills the window, until it is shut."""
        self.client.driver.reading = False
        try:
            yield
        finally:
            self.client.driver.reading = True
            self._do(self.client.tick)  # which takes what was read

    # What has come

    def _frames_left(self) -> bool:
        """Whether there is a frame that counts: a Ping, and a Pong that nobody asked for, may come at any time."""
        return any(seen.frame is not None and not incidental(seen) for seen, _ in self._seen)

    def _frame_ahead(self) -> int | None:
        """The opcode of the server's next frame that counts, None where its connection ends or nothing comes."""
        while self._something_ahead() and incidental(self._seen[0][0]):
            self._seen.popleft()
        self.bench.stop_if_wrong()
        frame = self._seen[0][0].frame if self._seen else None
        return None if frame is None else frame.frame.opcode

    def _something_ahead(self) -> bool:
        """Whether the server says something more; a long frame gets the time it takes while its segments come."""
        last = self.connection.last_seen
        while not self.bench.wait_until(lambda: bool(self._seen or self.ended), PATIENCE):
            if self.connection.last_seen is last:
                break
            last = self.connection.last_seen
        return bool(self._seen)

    def _next_frame(self, expected: str, within: float, passing: int | None = None) -> tuple[ReadFrame, Packet | None]:
        """The server's next frame; Pings, and Pongs that nobody asked for, only where `passing` is theirs."""
        end = self.bench.now() + within
        while True:
            seen, packet = self._next(expected, within)
            if seen.frame is None:
                what, section = "the server speaks HTTP where a frame was expected", "RFC 6455 §4.2.2"
                if seen.kind == "frame":
                    what, section = "the server's frame announces more than can be meant", "RFC 6455 §10.4"
                self._object(seen.kind, expected, seen.text, what, section, packet)
            opcode = seen.frame.frame.opcode
            if opcode == passing or not incidental(seen):
                self.bench.checks += 1
                return seen.frame, packet
            if self.bench.now() > end + 9 * within:
                self._object("silence", expected, seen.text, "the server speaks without end, and says nothing of it",
                             "RFC 6455 §5.5", packet)  # fmt: skip

    def _next(self, expected: str, within: float) -> tuple[Seen, Packet | None]:
        self._until(lambda: bool(self._seen), within, expected)
        seen, packet = self._seen.popleft()
        self._at = packet
        return seen, packet

    def _until(self, holds: Callable[[], bool], within: float, expected: str, section: str = "") -> None:
        """Wait for it. Where it does not come, say so: the server's silence or its end is what was observed.

        `within` is how long the server may be silent: as long as its octets come, it is given ten times that.
        """
        bench, connection = self.bench, self.connection
        began, had = bench.now(), None
        end, first = began + 10 * within, self.client.driver.endpoint.rcv_nxt
        while had != self.client.driver.endpoint.rcv_nxt and bench.now() <= end:
            had = self.client.driver.endpoint.rcv_nxt
            bench.wait_until(lambda: holds() or bool(self.ended), within)
            bench.stop_if_wrong()
            if holds():
                return
        if self._comes_late(holds):
            return
        bench.checks += 1
        if bench.testbed.settle == "wait" and not connection.server_spoke:
            bench.cannot_tell(
                connection,
                f"nothing came from {bench.server_address} port {self.site.port} in {within:g} s",
                "see whether the server runs and no firewall stands between: silence alone proves little",
                field="silence",
            )
        if self.ended == "reset" and self._lost:
            bench.cannot_tell(
                connection,
                f"the server reset the connection before it had repeated what was lost, {expected} maybe among it",
                "it may do so (RFC 6455 §7.1.1); run it again against a server that closes with a FIN",
                field="end",
            )
        now = self.client.driver.endpoint.rcv_nxt
        speaks = had != now and not self.ended
        if speaks and now.ahead_of(first) < A_LOT:
            bench.cannot_tell(
                connection,
                f"{expected} did not come in {bench.now() - began:.3g} s, in which the server went on speaking",
                "give the server more time: within=… in the script",
                field="silence",
            )
        said = ENDED.get(self.ended, f"nothing within {within:.3g} s")
        if speaks:
            said = f"the server spoke for {bench.now() - began:.3g} s, and of something else"
        waits = self.dialogue.unfinished
        owed = [] if self.ended else self.dialogue.owed(bench.now())
        if owed:  # the model knows the rule
            section = owed[0].section
        problem = Problem(
            Verdict.VIOLATES,
            f"{expected} did not come: {said}" + (f", in the middle of {waits}" if waits else "") + self._pong_owed(),
            field="silence" if not self.ended else "end",
            expected=expected,
            observed=said,
            section=section or "RFC 6455 §6.1",
            witness="websocket" if owed else "script",
        )
        bench.add(bench.with_standing(problem, connection))
        bench.stop_if_wrong()

    def _comes_late(self, holds: Callable[[], bool]) -> bool:
        """Whether it comes once the server's machine has had time for its programs.

        The agent that answers has waited for a processor as long as the program beside it: a machine that had none to
        give says nothing about the server.
        """
        agent = self.bench.testbed.agent
        if agent is None or self.ended:
            return False
        agent.ping()
        self.bench.wait_until(lambda: holds() or bool(self.ended), BEFORE_BLAME)
        self.bench.stop_if_wrong()
        return holds()

    def _pong_owed(self) -> str:
        owed = [one.what for one in self.dialogue.owed(self.bench.now()) if one.kind == "pong"]
        return f"; the server owes {owed[0]}" if owed else ""

    def _object(
        self, field: str, expected: str, observed: str, message: str, section: str, packet: Packet | None
    ) -> NoReturn:
        finding = Finding(field, expected, observed, message, section)
        self.bench.complain(self.connection, finding, packet=packet or self.connection.last_seen)

    # Driven by the bench

    @property
    def next_timeout(self) -> float | None:
        """When this end wants to be looked at: by its timers, or at once where something came while others answered."""
        return self.bench.now() if self.connection.inbox else self.client.next_timeout

    def attend(self) -> None:
        """Take what has come, judge it, and answer."""
        inbox, driver = self.connection.inbox, self.client.driver
        while inbox:
            received = inbox.popleft()
            segment, packet = received.frame.segment, received.packet
            if received.sight.finding is not None:
                continue
            if self._lose and segment.payload:
                self._lose -= 1
                self._lost = True
                packet.note = LOST
                continue
            self._at = packet
            self.client.arrives(segment, packet.time)
            self._note_end(segment, packet)
        self._take_events()
        now = self.bench.now()
        due = driver.endpoint.ack_due_at
        if due is not None and not inbox:
            now = max(now, due)  # nothing more is there: what came together is acknowledged together
        if (at := self.client.next_timeout) is not None and at <= now:
            self.client.tick(now)
        self._flush()

    def _note_end(self, segment: Segment, packet: Packet) -> None:
        driver = self.client.driver
        if self.ended:
            return
        if RST in segment.flags and driver.state is State.CLOSED:
            self.ended = "reset"
        elif driver.endpoint.fin_received or (FIN in segment.flags and driver.state is State.CLOSED):
            self.ended = "fin"
        if not self.ended:
            return
        finding = self.dialogue.server_ends(packet.time, reset=self.ended == "reset")
        lost = self.ended == "reset" and self._lost  # what did not reach us is not what it did not say
        if finding is not None and not lost:
            self.bench.complain(self.connection, finding, packet=packet, witness="websocket")
        if self.answers and self.ended == "fin" and driver.state is State.CLOSE_WAIT:
            driver.close(packet.time)

    def _tap(self, from_server: bool, data: bytes, now: float) -> None:
        """Octets in order, as they are handed to TCP or come from it."""
        if not from_server:
            self.sent_octets += len(data)
            self.dialogue.client_sends(data, now)
            return
        for seen in self.dialogue.server_sends(data, now):
            self._seen.append((seen, self._at))
            if seen.finding is not None:
                self.bench.complain(self.connection, seen.finding, packet=self._at, witness="websocket")
            if self.answers and seen.frame is not None:
                self._answer(seen.frame.frame, now)
            if incidental(seen) and len(self._seen) > MOST_WAITING:
                self._seen.pop()  # of a flood of Pings and Pongs, that nobody asked for, the first will do

    def _answer(self, frame: Frame, now: float) -> None:
        """What a client owes at once (RFC 6455 §5.5.1, §5.5.2)."""
        if self.client.driver.state not in (State.ESTABLISHED, State.CLOSE_WAIT) or self._closing:
            return
        if frame.opcode == Opcode.PING:
            if self.client.driver.endpoint.unsent > MOST_UNSENT:
                return  # a server that floods us and does not read: the latest Pong is enough (§5.5.3)
            self.client.raw(pong_frame(frame.payload).masked().encode(), now)
        elif frame.opcode == Opcode.CLOSE:
            self._closing = True
            code, _ = close_body(frame.payload)
            self.client.raw(close_frame(code).masked().encode(), now)

    def _take_events(self) -> None:
        self._read.extend(event.data for event in self.client.events() if isinstance(event, Message))

    def _flush(self) -> None:
        for segment in self.client.segments():
            if self._held is not None:
                self._held.append(segment)
            else:
                self._transmit(segment)

    def _transmit(self, segment: Segment) -> None:
        connection = self.connection
        again = bool(segment.length) and segment.end.ahead_of(self._highest) <= 0
        if segment.end.ahead_of(self._highest) > 0:
            self._highest = segment.end
        frame = self.bench.frame_for(segment, connection.peer_port, self.site.port)
        self.bench.transmit(connection, frame, note="repeated" if again else "")

    def at_end(self) -> None:
        """The script is over: what the server still owes by RFC 6455 is missing."""
        self.attend()
        if self.bench.problems or self.ended or not self.answers:
            return
        owed = self.dialogue.owed(self.bench.now())
        if owed and not self.bench.wait_until(lambda: not self.dialogue.owed(self.bench.now()), PATIENCE):
            first = self.dialogue.owed(self.bench.now())[0]
            self._object("silence", first.what, "nothing", f"the server owes {first.what} and has not sent it",
                         first.section, self.connection.last_seen)  # fmt: skip


MOST_UNSENT = 2**16
"""Octets that may wait for the server's window before no more Pongs are added to them."""
A_LOT = 2**18
"""Octets. A server that said as much and does not come to the point is no slow one."""
MOST_WAITING = 10_000
"""Frames that wait for the script to look at them: of Pings and Pongs beyond that none is kept."""
ENDED = {"fin": "the server closed the TCP connection", "reset": "the server reset the TCP connection"}


def incidental(seen: Seen) -> bool:
    """Whether it is a frame that may come at any time: a Ping, or a Pong that nobody asked for (RFC 6455 §5.5.3)."""
    opcode = seen.frame.frame.opcode if seen.frame is not None else None
    return opcode == Opcode.PING or (opcode == Opcode.PONG and seen.unsolicited)


def brief(value: object) -> str:
    """A value for a line of a report."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else f"{value[:48]!r}… {len(value)} characters"
    if isinstance(value, bytes):
        shown = repr(value) if len(value) <= 40 else f"{value[:32]!r}… {len(value)} octets"
        return shown if value else "no data"
    return "nothing" if value is None else str(value)
