"""The client over a link that loses, repeats, delays and reorders: the WebSocket story stays the same.

At the other end stands `websockets`' protocol without its sockets, over a second hand-made TCP.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.exceptions import InvalidHandshake
from websockets.frames import Frame as TheirFrame
from websockets.frames import Opcode as TheirOpcode
from websockets.protocol import State as TheirState
from websockets.server import ServerProtocol

from lab.tcp.driver import Driver
from lab.tcp.endpoint import Endpoint, Offer
from lab.tcp.outcome import CallError
from lab.tcp.segment import RST, Flags, Segment
from lab.tcp.sequence import Seq
from lab.tcp.state import State as TcpState
from lab.websocket import frames
from lab.websocket.client import (
    Client,
    ClientError,
    CloseReceived,
    Ended,
    Event,
    Failed,
    Message,
    Opened,
    Pinged,
    Ponged,
    Refused,
)
from lab.websocket.dialogue import Dialogue, State
from lab.websocket.handshake import accept_for, parse_request

Fate = tuple[float, ...]
"""What becomes of one segment: the delays of its copies; none at all when it is lost."""


def endpoint(iss: int, mss: int = 1460) -> Endpoint:
    return Endpoint(iss=Seq(iss), offer=Offer(mss=mss))


class EchoServer:
    """Echoes messages; closes TCP first, as RFC 6455 §7.1.1 has it."""

    def __init__(self, end: Endpoint, subprotocols: Any = None) -> None:
        self.driver = Driver(end)
        self.driver.listen()
        self.protocol = ServerProtocol(subprotocols=subprotocols, max_size=2**20)
        self.parts: list[bytes] = []
        self.opcode = TheirOpcode.TEXT
        self.closed = False
        self.fin_told = False

    def run(self, now: float) -> None:
        data = self.driver.receive()
        if data:
            self.protocol.receive_data(data)
        if self.driver.endpoint.fin_received and not self.fin_told:
            self.fin_told = True
            self.protocol.receive_eof()
        for event in self.protocol.events_received():
            if not isinstance(event, TheirFrame):
                self.protocol.send_response(self.protocol.accept(event))
            elif event.opcode in (TheirOpcode.TEXT, TheirOpcode.BINARY, TheirOpcode.CONT):
                if event.opcode is not TheirOpcode.CONT:
                    self.opcode, self.parts = event.opcode, []
                self.parts.append(bytes(event.data))
                if event.fin:
                    send = self.protocol.send_text if self.opcode is TheirOpcode.TEXT else self.protocol.send_binary
                    send(b"".join(self.parts))
        for out in self.protocol.data_to_send():
            if out:
                self.driver.send(out, now)
        if (self.protocol.close_expected() or self.protocol.state is TheirState.CLOSED) and not self.closed:
            self.closed = True
            self.driver.close(now)


class ScriptedServer:
    """Sends what it is told to, whatever comes; `{accept}` in it stands for the right answer to the key."""

    def __init__(self, end: Endpoint, *said: bytes, closes: bool = False) -> None:
        self.driver = Driver(end)
        self.driver.listen()
        self.said, self.closes = said, closes
        self.heard = b""
        self.spoke = False

    def run(self, now: float) -> None:
        self.heard += self.driver.receive()
        if self.spoke or b"\r\n\r\n" not in self.heard:
            return
        self.spoke = True
        request = parse_request(self.heard[: self.heard.index(b"\r\n\r\n") + 4])
        assert request is not None
        for data in self.said:
            self.driver.send(data.replace(b"{accept}", accept_for(request.key or "").encode()), now)
        if self.closes:
            self.driver.close(now)


class Link:
    """Carries segments between a client and a server on a clock of its own. After `fates` it is a good link."""

    def __init__(self, client: Client, server: EchoServer | ScriptedServer, fates: list[Fate] | None = None) -> None:
        self.client, self.server = client, server
        self.fates = list(fates or [])
        self.now = 0.0
        self.events: list[Event] = []
        self._flights: list[tuple[float, int, int, Segment]] = []
        self._count = 0
        self.sent: list[tuple[int, Segment]] = []

    def run(self, until: Callable[[], bool], limit: float = 1e6) -> None:
        while True:
            self.server.run(self.now)
            self.events += self.client.events()
            for to, segments in ((1, self.client.segments()), (0, self.server.driver.segments())):
                for segment in segments:
                    self.sent.append((to, segment))
                    for delay in self.fates.pop(0) if self.fates else (0.01,):
                        self._count += 1
                        heapq.heappush(self._flights, (self.now + delay, self._count, to, segment))
            if until():
                return
            ends = [self.client.next_timeout, self.server.driver.next_timeout]
            times = [t for t in (*ends, self._flights[0][0] if self._flights else None) if t is not None]
            if not times:
                pytest.fail(f"nothing can happen any more: {self.events}")
            self.now = max(self.now, min(times))
            assert self.now < limit, self.events
            if self._flights and self._flights[0][0] <= self.now:
                _, _, to, segment = heapq.heappop(self._flights)
                end: Any = self.server.driver if to else self.client
                end.arrives(segment, self.now)
            else:
                self.client.tick(self.now)
                self.server.driver.tick(self.now)

    def until(self, kind: type[Event], count: int = 1) -> None:
        self.run(lambda: sum(isinstance(event, kind) for event in self.events) >= count)

    def story(self) -> list[Event]:
        """The events without the answer's headers, which hold the date."""
        return [Opened(e.subprotocol, ()) if isinstance(e, Opened) else e for e in self.events]


def judged(client: Client) -> tuple[Dialogue, list[object]]:
    """A dialogue that follows the client, and what it objects to."""
    dialogue, objections = Dialogue(), []

    def tap(from_server: bool, data: bytes, now: float) -> None:
        if from_server:
            objections.extend(seen.finding for seen in dialogue.server_sends(data, now) if seen.finding)
        else:
            dialogue.client_sends(data, now)

    client.tap = tap
    return dialogue, objections


fates = st.lists(
    st.one_of(
        st.just((0.01,)),
        st.just(()),
        st.tuples(st.floats(0.0, 5.0)),
        st.tuples(st.floats(0.0, 0.1), st.floats(0.0, 5.0)),
    ),
    max_size=60,
)
messages = st.lists(st.one_of(st.text(max_size=300), st.binary(max_size=3000)), max_size=5)


@settings(max_examples=60, deadline=None)
@given(
    fates=fates,
    sent=messages,
    cut=st.one_of(st.none(), st.integers(1, 200)),
    mss=st.integers(40, 1460),
    isns=st.tuples(*[st.sampled_from([1, 2**32 - 2, 2**32 - 300])] * 2),
)
def test_the_story_is_the_same_on_a_bad_link(
    fates: list[Fate], sent: list[str | bytes], cut: int | None, mss: int, isns: tuple[int, int]
) -> None:
    client = Client(endpoint(isns[0], mss), "server.example", "/echo", subprotocols=["chat"])
    dialogue, objections = judged(client)
    link = Link(client, EchoServer(endpoint(isns[1], mss), ["chat"]), fates)
    client.open(0.0)
    link.until(Opened)
    client.cut = cut
    for data in sent:
        if isinstance(data, str):
            client.text(data, link.now)
        else:
            client.binary(data, link.now)
    client.ping(b"still there", link.now)
    link.run(lambda: sum(isinstance(event, Ponged | Message) for event in link.events) == len(sent) + 1)
    client.close(1000, "bye", link.now)
    link.run(lambda: client.driver.state is TcpState.CLOSED and link.server.driver.state is TcpState.CLOSED)
    story = [*(Message(data) for data in sent), CloseReceived(1000, "bye"), Ended("fin", 1000)]
    # A Pong may overtake the messages before it: control frames come at any time (RFC 6455 §5.4).
    assert [event for event in link.story() if not isinstance(event, Ponged)] == [Opened("chat", ()), *story]
    assert link.events.count(Ponged(b"still there")) == 1
    assert objections == []
    assert dialogue.state is State.CLOSING  # Nobody has told the dialogue of the FIN.
    assert dialogue.owed(link.now)[0].kind == "tcp close"
    assert dialogue.server_ends(link.now) is None
    assert client.state is State.CLOSED


def test_the_client_leaves_the_first_fin_to_the_server() -> None:
    client = Client(endpoint(1), "h")
    link = Link(client, EchoServer(endpoint(1)))
    client.open(0.0)
    link.until(Opened)
    client.close(1000, "", link.now)
    link.run(lambda: client.driver.state is TcpState.CLOSED)
    fins = [to for to, segment in link.sent if Flags.FIN in segment.flags]
    assert fins[0] == 0
    assert set(fins) == {0, 1}


def test_a_server_that_never_closes_is_left_after_10_seconds() -> None:
    client = Client(endpoint(1), "h")
    server = ScriptedServer(endpoint(1), ANSWER, frames.close(1000).encode())
    link = Link(client, server)
    client.open(0.0)
    link.until(CloseReceived)
    at = link.now
    assert client.state is State.CLOSING
    link.run(lambda: server.driver.endpoint.fin_received)
    assert at + 10 <= link.now < at + 10.1
    (close,) = frames.FrameReader().feed(server.heard.partition(b"\r\n\r\n")[2])
    assert close.frame.payload == b"\x03\xe8"


ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: {accept}\r\n\r\n"
)


def play(*said: bytes, closes: bool = True, **options: Any) -> tuple[Client, Link]:
    """What a client makes of a server that says this in answer to the request."""
    client = Client(endpoint(1), "h", **options)
    link = Link(client, ScriptedServer(endpoint(1), *said, closes=closes))
    client.open(0.0)
    link.until(Ended)
    if closes:
        # What the client said at last must reach the server, too.
        link.run(lambda: TcpState.CLOSED in (link.server.driver.state, client.driver.state))
    return client, link


@pytest.mark.parametrize(
    ("said", "events"),
    [
        ([b"\x81\x05Hello"], [Message("Hello"), Ended("fin", 1006)]),
        ([b"\x01\x03Hel", b"\x89\x01x", b"\x80\x02lo"], [Pinged(b"x"), Message("Hello"), Ended("fin", 1006)]),
        ([b"\x82\x00\x81\x00"], [Message(b""), Message(""), Ended("fin", 1006)]),
        ([b"\x8a\x03abc"], [Ponged(b"abc"), Ended("fin", 1006)]),
        ([b"\x88\x00"], [CloseReceived(None, ""), Ended("fin", 1005)]),
        ([b"\x88\x04\x0f\xa0no\x81\x05Hello"], [CloseReceived(4000, "no"), Ended("fin", 4000)]),
        ([b"\x81\x05Hel"], [Ended("fin", 1006)]),
    ],
)
def test_what_a_server_says_is_told(said: list[bytes], events: list[Event]) -> None:
    _, link = play(ANSWER, *said)
    assert link.story() == [Opened(None, ()), *events]


@pytest.mark.parametrize(
    ("said", "code", "says"),
    [
        (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", 1002, "masked"),
        (b"\xc1\x01x", 1002, "[Rr]eserved"),
        (b"\x83\x00", 1002, "opcode"),
        (b"\x09\x00", 1002, "fragment"),
        (b"\x80\x00", 1002, "CONTINUATION"),
        (b"\x01\x01a\x81\x01b", 1002, "CONTINUATION"),
        (b"\x81\x02\xc3\x28", 1007, "utf-8"),
        (b"\x82\x7f\x80" + bytes(7), 1002, ""),
        (b"\x88\x01\x03", 1002, ""),
        (b"\x88\x02\x03\xed", 1002, ""),
        (b"\x82\x7e\x00\x7d" + bytes(125), 1002, ""),
        (b"\x82\x7f" + (2**40).to_bytes(8) + bytes(200), 1009, "more than 100"),
    ],
)
def test_a_broken_server_fails_the_connection(said: bytes, code: int, says: str) -> None:
    client, link = play(ANSWER, said, b"\x81\x05Hello", most=100)
    failed = [event for event in link.events if isinstance(event, Failed)]
    assert [f.code for f in failed] == [code]
    assert re.search(says, failed[0].why)
    assert not any(isinstance(event, Message) for event in link.events)
    server = link.server
    assert isinstance(server, ScriptedServer)
    behind = server.heard.partition(b"\r\n\r\n")[2]
    (close,) = frames.FrameReader().feed(behind)
    assert frames.close_body(close.frame.payload)[0] == code
    assert close.frame.mask is not None
    assert client.state is State.CLOSED


@pytest.mark.parametrize(
    ("said", "event"),
    [
        (b"SSH-2.0-OpenSSH\r\n", Failed),
        (b"HTTP/1.1 101 x\r\n" + b"A: b\r\n" * 20000, Failed),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 5000, Failed),
        (ANSWER.replace(b"{accept}", b"wrong"), Failed),
        (ANSWER.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"), Failed),
        (ANSWER.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: ch\xe4t\r\n\r\n"), Failed),
        (ANSWER.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n"), None),
        (ANSWER[:40], None),
        (b"", None),
    ],
)
def test_a_bad_answer_opens_nothing(said: bytes, event: type | None) -> None:
    client, link = play(said)
    kinds = [type(e) for e in link.events]
    assert Refused not in kinds
    if event:
        assert event in kinds
        assert Opened not in kinds
    assert kinds[-1] is Ended
    assert client.code == 1006


@pytest.mark.parametrize(
    ("said", "refused"),
    [
        (b"HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\nnope", Refused(404, (("Content-Length", "4"),), b"nope")),
        (b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 500 Oops\r\n\r\nuntil the end", Refused(500, (), b"until the end")),
    ],
)
def test_a_refusal_is_told_with_its_body(said: bytes, refused: Refused) -> None:
    client, link = play(said)
    assert link.events == [refused, Ended("fin", 1006)]
    assert client.state is State.CLOSED


def test_interim_answers_are_passed_over() -> None:
    _, link = play(b"HTTP/1.1 100 Continue\r\n\r\n" + ANSWER + b"\x81\x02hi")
    assert link.story() == [Opened(None, ()), Message("hi"), Ended("fin", 1006)]


def test_a_reset_is_told_as_1006() -> None:
    client = Client(endpoint(1), "h")
    server = ScriptedServer(endpoint(1), ANSWER)
    link = Link(client, server)
    client.open(0.0)
    link.until(Opened)
    server.driver.abort()
    link.until(Ended)
    assert link.events[-1] == Ended("reset", 1006)


def test_a_refused_connection_is_told() -> None:
    client = Client(endpoint(1), "h")
    client.open(0.0)
    (syn,) = client.segments()
    client.arrives(Segment(RST | Flags.ACK, Seq(0), syn.end), 0.1)
    assert client.events() == [Ended("refused", 1006)]


def test_a_silent_network_is_told() -> None:
    client = Client(endpoint(1), "h")
    client.open(0.0)
    for _ in range(100):
        if client.next_timeout is None:
            break
        client.tick(client.next_timeout)
    assert client.events() == [Ended("timeout", 1006)]


def test_without_answers_the_script_does_it_all() -> None:
    client = Client(endpoint(1), "h", answers=False)
    server = ScriptedServer(endpoint(1), ANSWER, b"\x89\x01x\x88\x02\x03\xe8", closes=True)
    link = Link(client, server)
    client.open(0.0)
    link.until(Ended)
    assert link.story() == [Opened(None, ()), Pinged(b"x"), CloseReceived(1000, ""), Ended("fin", 1000)]
    assert server.heard.endswith(b"\r\n\r\n")
    assert client.driver.state is TcpState.CLOSE_WAIT


def test_connecting_and_asking_can_be_two_steps() -> None:
    client = Client(endpoint(1), "[2001:db8::1]:7080", "/echo", extra_headers=[("Origin", "http://lab")])
    server = ScriptedServer(endpoint(1), ANSWER)
    link = Link(client, server)
    client.connect(0.0)
    link.run(lambda: client.driver.state is TcpState.ESTABLISHED)
    assert server.heard == b""
    client.upgrade(link.now)
    link.until(Opened)
    request = parse_request(server.heard)
    assert request is not None
    assert request.departures == []
    assert request.line == "GET /echo HTTP/1.1"
    assert request.header("Host") == "[2001:db8::1]:7080"
    assert request.header("Origin") == "http://lab"
    with pytest.raises(ClientError, match="already"):
        client.upgrade(link.now)


def test_calls_that_cannot_be_are_refused() -> None:
    client = Client(endpoint(1), "h")
    with pytest.raises(ClientError, match="cannot be sent"):
        client.text("early", 0.0)
    with pytest.raises(CallError):
        client.raw(b"x", 0.0)
    link = Link(client, ScriptedServer(endpoint(1), ANSWER))
    client.open(0.0)
    link.until(Opened)
    with pytest.raises(ClientError, match="125 octets"):
        client.ping(bytes(126), link.now)
    with pytest.raises(ClientError, match="123 octets"):
        client.close(1000, "x" * 124, link.now)
    client.close(None, "", link.now)
    with pytest.raises(ClientError, match="cannot be sent"):
        client.text("late", link.now)


def test_every_piece_travels_by_itself() -> None:
    client = Client(endpoint(1), "h")
    server = ScriptedServer(endpoint(1), ANSWER)
    link = Link(client, server)
    client.open(0.0)
    link.until(Opened)
    client.cut = 1
    client.text("Hello", link.now)
    assert [len(segment.payload) for segment in client.segments()] == [1] * 11
    client.cut = 4
    client.text("Hello", link.now, fin=False)
    assert [len(segment.payload) for segment in client.segments()] == [4, 4, 3]
    client.cut = None
    client.raw(b"\x81\x05Hello", link.now)
    assert [segment.payload for segment in client.segments()] == [b"\x81\x05Hello"]


def test_a_host_that_no_request_can_name_fails_and_does_not_raise() -> None:
    client = Client(endpoint(1), "h", "/ä")
    link = Link(client, ScriptedServer(endpoint(1)))
    client.open(0.0)
    link.until(Failed)
    assert "cannot be sent" in link.events[0].why  # type: ignore[union-attr]


anything = st.one_of(
    st.binary(max_size=100),
    st.sampled_from(
        [ANSWER, b"\x81\x05Hello", b"\x88\x00", b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", b"\x89\x00"]
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(anything, max_size=6), st.booleans(), st.booleans())
def test_garbage_never_raises(said: list[bytes], first: bool, answers: bool) -> None:
    client = Client(endpoint(1), "h", answers=answers)
    dialogue, _ = judged(client)
    link = Link(client, ScriptedServer(endpoint(1), *([ANSWER] if first else []), *said, closes=True))
    client.open(0.0)
    link.until(Ended)
    dialogue.server_ends(link.now)
    dialogue.owed(link.now)


def test_a_flood_is_not_kept() -> None:
    client = Client(endpoint(1), "h", most=1000)
    fragments = b"\x01\x00" + (b"\x00\x64" + b"x" * 100) * 200
    link = Link(client, ScriptedServer(endpoint(1), ANSWER, fragments, closes=True))
    client.open(0.0)
    link.until(Ended)
    assert [e.code for e in link.events if isinstance(e, Failed)] == [1009]
    assert client._message == b""


def test_fragments_without_an_end_are_not_kept() -> None:
    client = Client(endpoint(1), "h")
    link = Link(client, ScriptedServer(endpoint(1), ANSWER, b"\x01\x00" + b"\x00\x00" * 20000, closes=True))
    client.open(0.0)
    link.until(Ended)
    assert client._message == b""
    assert link.story() == [Opened(None, ()), Ended("fin", 1006)]


def test_a_flood_of_pings_from_one_that_does_not_read_fills_no_memory() -> None:
    client = Client(endpoint(1), "h")
    server = ScriptedServer(endpoint(1), ANSWER)
    link = Link(client, server)
    client.open(0.0)
    link.until(Opened)
    server.driver.reading = False
    flood = b"".join(frames.ping(f"{n:0125}".encode()).encode() for n in range(4000))
    server.driver.send(flood, link.now)
    link.until(Pinged, 4000)
    assert client.driver.endpoint.unsent <= 2**16 + 131
    server.driver.reading = True
    link.run(
        lambda: server.heard.count(b"\x8a\xfd") > 0 and not client.driver.endpoint.unsent and client._pong_due is None
    )
    link.run(lambda: client.driver.endpoint.snd_una == client.driver.endpoint.snd_nxt)
    pongs = frames.FrameReader().feed(server.heard.partition(b"\r\n\r\n")[2])
    numbers = [int(pong.frame.payload) for pong in pongs]
    assert numbers == sorted(set(numbers))
    assert numbers[-1] == 3999
    assert len(numbers) < 4000


def test_the_handshake_of_websockets_is_taken_as_it_is() -> None:
    """The server of these tests knows nothing of the lab: it must accept the request by itself."""
    server = EchoServer(endpoint(1))
    client = Client(endpoint(1), "h", "/")
    link = Link(client, server)
    client.open(0.0)
    link.until(Opened)
    assert not isinstance(server.protocol.handshake_exc, InvalidHandshake)
    assert server.protocol.state is TheirState.OPEN
