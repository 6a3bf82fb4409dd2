"""A WebSocket as a script speaks of it: open, send, expect, close; every segment under it made by the lab (RFC 6455).

Two models drive and judge it. `lab.tcp` makes the lab's segments and follows the server's, as in every scenario;
`lab.websocket` makes the octets in them and judges what the server's octets say. A script can break either on purpose:
`send` takes any frame, right or wrong, `held`, `put`, `cut` and `lose` do to the segments what a network can.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Container, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, NoReturn

from lab.scenario.bench import PATIENCE, Bench
from lab.scenario.errors import ScenarioError
from lab.scenario.peer import Peer
from lab.scenario.record import Packet, Problem, Verdict
from lab.scenario.server import Site
from lab.tcp.endpoint import Endpoint, Offer
from lab.tcp.outcome import CallError
from lab.tcp.profile import RFC9293
from lab.tcp.segment import FIN, RST, Segment
from lab.tcp.state import State
from lab.tcp.world import Finding
from lab.websocket.client import Client, Message
from lab.websocket.dialogue import Dialogue, Seen
from lab.websocket.frames import Frame, Opcode, ReadFrame, close_body, opcode_name, ping
from lab.websocket.frames import binary as binary_frame
from lab.websocket.frames import close as close_frame
from lab.websocket.frames import pong as pong_frame
from lab.websocket.frames import text as text_frame
from lab.websocket.handshake import Request, Response
from lab.websocket.leeway import FITTING, LEEWAY
from lab.websocket.rules import MOST_MESSAGE

_PROFILE = replace(RFC9293, parameters=replace(RFC9293.parameters, delayed_ack=0.0005))
"""The lab's end: it acknowledges what came together with one ACK, and that without delay."""
MSS = {"ipv4": 1460, "ipv6": 1440}
"""Octets that fit into an Ethernet frame behind the headers (RFC 9293 §3.7.1)."""
DEFAULT_MSS = {"ipv4": 536, "ipv6": 1220}


class WebSocket:
    """The client's end of one WebSocket connection, over one hand-made TCP connection."""

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
        self.bench.driven.append(self)

    # Opening

    def connect(self) -> None:
        """Open the TCP connection, in three segments (RFC 9293 §3.5 figure 6), and say nothing yet."""
        self._raw = True
        self.client.connect(self.bench.now())
        self._flush()
        self._until(lambda: self.client.driver.state is State.ESTABLISHED, PATIENCE, "the server's SYN+ACK")

    def open(self) -> Response:
        """Open TCP and the WebSocket (RFC 6455 §4): the answer, a 101 in which every field is as it must be."""
        self.connect()
        self._raw = False
        self.client.upgrade(self.bench.now())
        self._flush()
        return self.expect_response(101)

    def request(self, request: Request | bytes, *, cut: int | None = None) -> None:
        """Send this request, right or wrong, in segments of at most `cut` octets; connects first where need be."""
        self.attend()
        if self._seen or self.ended:
            said = self._seen[0][0].text if self._seen else "the end of the connection"
            self._object("silence", "nothing yet", said, "the server answers before the request is at its end",
                         "RFC 6455 §4.2.1", self.connection.last_seen)  # fmt: skip
        if self.client.driver.state is State.CLOSED:
            self.connect()
        self._raw = True
        self.send_bytes(request if isinstance(request, bytes) else request.encode(), cut=cut)

    def upgrade(self, **fields: object) -> Request:
        """The request of RFC 6455 §4.1 for this resource, to be changed: `fields` as `Request.upgrade` takes them."""
        return Request.upgrade(self.site.authority, self.site.resource, **fields)  # type: ignore[arg-type]

    def expect_response(self, *statuses: int, within: float = PATIENCE) -> Response:
        """The server's answer to the request, with one of these statuses; any where none is given."""
        seen, packet = self._next("an HTTP response", within)
        self.bench.checks += 1
        response = seen.response
        if response is None:
            self._object("response", "an HTTP response", seen.text, "the server answers with no HTTP response",
                         "RFC 6455 §4.2.2", packet)  # fmt: skip
        if statuses and response.status not in statuses:
            wanted = " or ".join(str(status) for status in statuses)
            self._object("status", wanted, response.line, "the server's answer has another status", "RFC 6455 §4.2.2",
                         packet)  # fmt: skip
        self.bench.say("check", f"answer: {response.line}", self.connection.name)
        return response

    def expect_refused(
        self, *statuses: int, plain: bool = False, or_taken: str = "", within: float = PATIENCE
    ) -> Response | None:
        """The server refuses the handshake with an HTTP error, 4xx or 5xx, and no 101 (RFC 6455 §4.2.1).

        With `statuses` it must be one of these; with `plain`, for what is a request of HTTP but asks for no WebSocket,
        any answer but a 101 will do. A server that drops the connection instead is permitted to (§10.7), unless
        statuses are asked for: None then. With `or_taken`, the leeway that permits it (lab.websocket.leeway), a 101
        will do as well.
        """
        self._until(lambda: bool(self._seen) or bool(self.ended), within, "an HTTP error")
        if not self._seen and not statuses:
            self.bench.checks += 1
            self.bench.remark(LEEWAY["ws-refuses-silently"])
            self.bench.say("check", "the server drops the connection", self.connection.name)
            return None
        seen, packet = self._next("an HTTP error", within)
        self.bench.checks += 1
        response = seen.response
        status = response.status if response else None
        if response is not None and status == 101 and or_taken:
            self.bench.remark(LEEWAY[or_taken])
            self.bench.say("check", f"taken: {response.line}", self.connection.name)
            return response
        good = status in statuses if statuses else status is not None and (200 if plain else 400) <= status <= 599
        if not good:
            other = "any answer but a 101" if plain else "an HTTP error, 4xx or 5xx"
            wanted = " or ".join(str(status) for status in statuses) or other
            self._object("status", wanted, response.line if response else seen.text,
                         "the server does not refuse this handshake", "RFC 6455 §4.2.1", packet)  # fmt: skip
        assert response is not None
        self.bench.say("check", f"refused: {response.line}", self.connection.name)
        return response

    # Sending what a good client sends: wsproto makes the octets

    def text(self, data: str, *, cut: int | None = None) -> None:
        """A text message, in segments of at most `cut` octets (RFC 6455 §5.6)."""
        self._say(text_frame(data), lambda now: self.client.text(data, now), cut)

    def binary(self, data: bytes, *, cut: int | None = None) -> None:
        """A binary message (RFC 6455 §5.6)."""
        self._say(binary_frame(data), lambda now: self.client.binary(data, now), cut)

    def say(self, **fields: object) -> None:
        """A text message with a JSON object, as the lab's own services take it; `from_` stands for "from"."""
        self.text(json.dumps({name.rstrip("_"): value for name, value in fields.items()}))

    def ping(self, data: bytes = b"") -> None:
        """A Ping, of 125 octets at most (RFC 6455 §5.5.2)."""
        self._say(ping(data), lambda now: self.client.ping(data, now))

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin the closing handshake (RFC 6455 §7.1.2)."""
        self._closing = True
        self._say(close_frame(code, reason), lambda now: self.client.close(code, reason, now))

    def _say(self, frame: Frame, by_wsproto: Callable[[float], None], cut: int | None = None) -> None:
        """wsproto knows only of a connection that `open` opened; on any other the lab makes the same frame."""
        self._do((lambda now: self.client.raw(frame.masked().encode(), now)) if self._raw else by_wsproto, cut)

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
                self._object("end", "a connection that stands", _ENDED[self.ended],
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

    # Expecting

    def expect(self, frame: Frame, *, within: float = PATIENCE) -> ReadFrame:
        """The server's next frame is this one: opcode, FIN, reserved bits and payload.

        Its Pings are passed over unless they are asked for, and Pongs that answer no Ping: they may come at any time.
        """
        passing = None if frame.opcode == Opcode.PONG else frame.opcode
        read, packet = self._next_frame(frame.describe(), within, passing=passing)
        for name, wanted, got in (
            ("opcode", opcode_name(frame.opcode), opcode_name(read.frame.opcode)),
            ("fin", frame.fin, read.frame.fin),
            ("rsv", frame.rsv, read.frame.rsv),
            ("payload", frame.payload, read.frame.payload),
        ):
            if wanted != got:
                self._object(name, _brief(wanted), _brief(got),
                             f"the server's frame is not the one expected, {frame.describe()}: its {name}",
                             _SECTION.get(frame.opcode, "RFC 6455 §5.2"), packet)  # fmt: skip
        return read

    def next_frame(self, opcode: int, *, within: float = PATIENCE) -> ReadFrame:
        """The server's next frame, which must have this opcode, whatever else it says (RFC 6455 §5.2).

        A Ping, or a Pong that answers none, is one where that is asked for.
        """
        name = opcode_name(opcode)
        read, packet = self._next_frame(name, within, passing=opcode)
        if read.frame.opcode != opcode:
            self._object("opcode", name, read.frame.describe(), f"the server's frame should be a {name}",
                         _SECTION.get(opcode, "RFC 6455 §5.2"), packet)  # fmt: skip
        return read

    def expect_pongs(self, *payloads: bytes, within: float = PATIENCE) -> None:
        """A Pong for each of the Pings that were sent with these payloads, in their order (RFC 6455 §5.5.2).

        Permitted, and named in the report: not all of them, but that for the last (§5.5.3).
        """
        left = list(payloads)
        while left:
            frame = self._next_frame(f"a Pong {_brief(left[-1])}", within)[0].frame
            if frame.opcode != Opcode.PONG or frame.payload not in left:
                wanted = " or ".join(_brief(payload) for payload in (left[0], left[-1]))
                field = "payload" if frame.opcode == Opcode.PONG else "opcode"
                self._object(field, f"PONG {wanted}", frame.describe(), "the server should answer the Pings here, in "
                             "their order", "RFC 6455 §5.5.3", self._at)  # fmt: skip
            if passed := left.index(frame.payload):
                self.bench.remark(LEEWAY["ws-latest-pong"])
            del left[: passed + 1]
        self.bench.say("check", f"{len(payloads)} Pings are answered", self.connection.name)

    def expect_message(self, data: str | bytes, *, within: float = PATIENCE) -> None:
        """The server's next message is this one, text or binary, in as many frames as it likes (RFC 6455 §5.4)."""
        most = len(data.encode() if isinstance(data, str) else data)
        got = self.next_message(within=within, expected=_brief(data), most=most)
        self.bench.checks += 1
        if got != data:
            kinds = "text" if isinstance(data, str) else "binary", "text" if isinstance(got, str) else "binary"
            name = "opcode" if kinds[0] != kinds[1] else "payload"
            self._object(name, f"{kinds[0]} {_brief(data)}", f"{kinds[1]} {_brief(got)}",
                         "the server's message is not the one expected", "RFC 6455 §6.1", self._at)  # fmt: skip

    def next_message(
        self, *, within: float = PATIENCE, expected: str = "a message", most: int = MOST_MESSAGE
    ) -> str | bytes:
        """The server's next message, whatever it is, of `most` octets: str for text, bytes for binary."""
        parts: list[bytes] = []
        opcode, size = Opcode.CONTINUATION, 0
        end = self.bench.now() + 10 * within  # as `_until` has it
        while True:
            read, packet = self._next_frame(expected, within)
            frame = read.frame
            if frame.opcode == Opcode.PONG:
                continue
            if frame.opcode == Opcode.CLOSE:
                self._object("opcode", expected, frame.describe(), "the server closes where a message was expected",
                             "RFC 6455 §6.1", packet)  # fmt: skip
            if not parts:
                opcode = Opcode(frame.opcode)
            parts.append(frame.payload)
            size += len(frame.payload)
            if frame.fin:
                break
            if size > most or self.bench.now() > end:
                self._object("fin", f"{expected}, and its end", f"{len(parts)} fragments, {size} octets, and no end",
                             "the server's message does not end where it should", "RFC 6455 §5.4", packet)  # fmt: skip
        whole = b"".join(parts)
        data: str | bytes = whole.decode() if opcode == Opcode.TEXT else whole  # the dialogue has seen to UTF-8
        self._agree(data)
        return data

    def hear(self, *, passing: Container[object] = (), within: float = PATIENCE, **fields: object) -> dict[str, Any]:
        """The server's next message is a JSON object that has these fields, and maybe others: the whole object.

        `from_` stands for "from"; objects whose `type` is in `passing` are passed over.
        """
        wanted = {name.rstrip("_"): value for name, value in fields.items()}
        while True:
            text = self.next_message(within=within, expected=_brief(json.dumps(wanted)))
            try:
                said = json.loads(text)
            except ValueError:
                said = None
            if not isinstance(said, dict) or said.get("type") not in passing:
                break
        self.bench.checks += 1
        if not isinstance(said, dict) or any(said.get(name) != value for name, value in wanted.items()):
            self._object("payload", json.dumps(wanted), _brief(text), "the server's message is not the one expected",
                         "RFC 6455 §6.1", self._at)  # fmt: skip
        return said

    def _agree(self, data: str | bytes) -> None:
        """wsproto must have read the same: two readers that know nothing of each other."""
        if self._raw:
            return
        other = self._read.popleft() if self._read else None
        if other != data:
            self.bench.cannot_tell(
                self.connection,
                f"the lab reads {_brief(data)} where wsproto reads {_brief(other)}: one of the two readers is wrong",
                "please report this, with the capture",
            )

    def expect_close(self, *codes: int | None, within: float = PATIENCE) -> int | None:
        """The server's next frame is a Close, with one of these codes (None: without a code); any where none is given.

        Returns the code.
        """
        wanted = " or ".join("no code" if code is None else str(code) for code in dict.fromkeys(codes))
        read, packet = self._next_frame(f"a Close {wanted}".rstrip(), within)
        if read.frame.opcode != Opcode.CLOSE:
            self._object("opcode", f"CLOSE {wanted}".rstrip(), read.frame.describe(),
                         "the server should close here", "RFC 6455 §5.5.1", packet)  # fmt: skip
        code, _ = close_body(read.frame.payload)
        if codes and code not in codes:
            self._object("code", wanted, "no code" if code is None else str(code),
                         "the server's Close has another code", "RFC 6455 §7.4.1", packet)  # fmt: skip
        self.bench.say("check", f"Close {code if code is not None else 'without a code'}", self.connection.name)
        return code

    def expect_close_echoed(self, code: int | None) -> None:
        """The server answers our Close with its code, which is what it typically does (RFC 6455 §5.5.1).

        Permitted, and named in the report: an answer without a code, or with 1000. Any other would tell of something
        that has not happened (§7.4.1).
        """
        if self.expect_close(code, None, 1000) != code:
            self.bench.remark(LEEWAY["ws-close-code-not-echoed"])

    def expect_close_behind(self, data: bytes, code: int) -> None:
        """A Close, behind the message that was on its way or in place of its rest (RFC 6455 §5.5.1)."""
        got, whole = b"", False
        while self._frame_ahead() in (Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY):
            read, _ = self._next_frame("the message that was on its way", PATIENCE)
            got, whole = got + read.frame.payload, read.frame.fin
        self.bench.checks += 1
        if got != data if whole else not data.startswith(got):
            self._object("payload", _brief(data), _brief(got), "the server's message is not the one that was on its "
                         "way", "RFC 6455 §6.1", self._at)  # fmt: skip
        self.bench.say("check", f"{len(got)} of {len(data)} octets before the Close", self.connection.name)
        self.expect_close_echoed(code)

    def expect_failed(self, code: int, *also: int, or_taken: bool = False, within: float = PATIENCE) -> None:
        """The server fails the WebSocket connection: a Close with `code`, then the end of TCP (RFC 6455 §7.1.7).

        Permitted, and named in the report: another code that fits as well, as `also` do here, or no Close frame at all;
        with `or_taken`, where no rule makes it fail, also a Close without a code or with 1000, as if all were well.
        """
        self._until(lambda: bool(self._frames_left()) or bool(self.ended), within,
                    f"a Close {code} and the end of the connection")  # fmt: skip
        if not self._frames_left():
            self.bench.checks += 1
            self.bench.remark(LEEWAY["ws-fails-without-close"])
        else:
            fine = (None, 1000) if or_taken else ()
            got = self.expect_close(*FITTING.get(code, (code,)), *also, *fine, within=within)
            if got in fine:
                self.bench.remark(LEEWAY["ws-lenient"])
            elif got != code:
                self.bench.remark(LEEWAY["ws-another-code"])
        self.expect_end(within=within)

    def expect_end(self, *, quiet: bool = False, within: float = PATIENCE) -> None:
        """The server closes the TCP connection, before this end does, and sends no frame more (RFC 6455 §7.1.1).

        `quiet`: not even a Ping or a Pong, which could otherwise have been on its way; for where the server has had our
        Close and has answered it.
        """
        self._until(lambda: self._frames_left() or bool(self.ended), within, "the end of the TCP connection",
                    section="RFC 6455 §5.5.1")  # fmt: skip
        self.bench.checks += 1
        for seen, packet in self._seen:
            if seen.frame is not None and (quiet or not _incidental(seen)):
                self._object("opcode", "no frame more", seen.text, "the server sends a frame where it should only "
                             "close TCP", "RFC 6455 §5.5.1", packet)  # fmt: skip
        if self.ended == "reset":
            self.bench.remark(LEEWAY["ws-resets"])
        elif self.answers:
            done = State.CLOSED, State.TIME_WAIT
            self.bench.wait_until(lambda: self.client.driver.state in done, within)
        how = "FIN" if self.ended == "fin" else "RST"
        first = "the server closes TCP" + (" first" if not self._finished else "")
        self.bench.say("check", f"{first} ({how})", self.connection.name)

    def expect_taken_or_failed(self, frame: Frame, code: int, *, within: float = PATIENCE) -> bool:
        """No rule names the server's reaction to what it was sent: it takes it, which `frame` shows, or fails (§7.1.7).

        Whether it took it: that is permitted, and named in the report. Messages before `frame` are passed over.
        """
        while (opcode := self._frame_ahead()) in (Opcode.CONTINUATION, Opcode.TEXT, Opcode.BINARY):
            self._next("a message", within)
        if opcode is None or opcode == Opcode.CLOSE:
            self.expect_failed(code, within=within)
            return False
        self.expect(frame, within=within)
        self.bench.remark(LEEWAY["ws-lenient"])
        return True

    def expect_failed_or_waiting(self, code: int) -> bool:
        """By now the server has failed the connection, or it waits for more, which is permitted and named (§10.4).

        Whether it has failed it.
        """
        self.bench.settle()
        self.attend()
        if self._frames_left() or self.ended:
            self.expect_failed(code)
            return True
        self.bench.checks += 1
        self.bench.remark(LEEWAY["ws-lenient"])
        return False

    def expect_over(self, *codes: int | None, within: float = PATIENCE) -> None:
        """The server lets go: with a Close or without one, and then the end of TCP (RFC 6455 §7.1.4).

        `codes` are those that the Close may have (None: no code); any may that may be sent where none is given.
        """
        if self._frame_ahead() == Opcode.CLOSE:
            self.expect_close(*codes, within=within)
        self.expect_end(within=within)

    def expect_ping(self, *, within: float = PATIENCE) -> bytes:
        """The server asks whether this end is still there, with a Ping of any payload, which is returned (§5.5.2)."""
        read, packet = self._next_frame("a Ping", within, passing=Opcode.PING)
        if read.frame.opcode != Opcode.PING:
            self._object("opcode", "PING", read.frame.describe(), "the server should send a Ping here",
                         "RFC 6455 §5.5.2", packet)  # fmt: skip
        self.bench.say("check", read.frame.describe(), self.connection.name)
        return read.frame.payload

    def expect_silence(self, seconds: float) -> None:
        """Nothing is said for that long, in either direction: no frame, and no segment (RFC 9293 §3.8.4)."""
        self.bench.settle()
        before = len(self.peer.segments())
        self.bench.wait(seconds)
        self.bench.checks += 1
        if spoken := self.peer.segments()[before:]:
            first = spoken[0]
            assert first.segment is not None
            said = self.connection.notation(first.segment, from_peer=first.sender == "peer")
            self._object("silence", f"nothing for {seconds:g} s", said, "somebody speaks on a quiet connection",
                         "RFC 9293 §3.8.4", first)  # fmt: skip
        self.bench.say("check", f"silence for {seconds:g} s, in both directions", self.connection.name)

    def expect_nothing(self) -> None:
        """The server has nothing more to say: a Ping behind all else is the first to be answered (RFC 6455 §5.5.2)."""
        probe = f"fence {self.bench.chance.randrange(2**32):08x}".encode()
        self.send(ping(probe))
        while True:
            read, packet = self._next_frame("nothing but the Pong of the lab's Ping", PATIENCE, passing=Opcode.PONG)
            if read.frame.opcode == Opcode.PONG and read.frame.payload == probe:
                break
            if read.frame.opcode != Opcode.PONG:
                self._object("silence", "nothing", read.frame.describe(), "the server speaks where it should be silent",
                             "RFC 6455 §6.1", packet)  # fmt: skip
        self.bench.checks += 1
        self.bench.say("check", "nothing more: a Ping behind all else was answered first", self.connection.name)

    def leave(self, code: int = 1000, *, pushed: bool = False) -> None:
        """Close cleanly: Close, its answer, and the server closes TCP first (RFC 6455 §7.1.1).

        `pushed`: the server speaks unasked, and what it had sent before our Close reached it may come first (§5.5.1).
        """
        self.close(code)
        while pushed and self._frame_ahead() not in (None, Opcode.CLOSE):
            self._next("a Close", PATIENCE)
        self.expect_close_echoed(code)
        self.expect_end()

    def check(self, holds: bool, field: str, expected: str, observed: str, message: str, section: str) -> None:
        """Make a check of the script's own. `message` says what should hold, `section` where it is written."""
        self.bench.checks += 1
        if not holds:
            self._object(field, expected, observed, f"this does not hold: {message}", f"RFC 6455 {section}", self._at)

    # What has come

    def _frames_left(self) -> bool:
        """Whether there is a frame that counts: a Ping, and a Pong that nobody asked for, may come at any time."""
        return any(seen.frame is not None and not _incidental(seen) for seen, _ in self._seen)

    def _frame_ahead(self) -> int | None:
        """The opcode of the server's next frame that counts, None where its connection ends or nothing comes."""
        while self._something_ahead() and _incidental(self._seen[0][0]):
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
            seen, packet = self._next(expected, max(0.0, end - self.bench.now()))
            if seen.frame is None:
                what, section = "the server speaks HTTP where a frame was expected", "RFC 6455 §4.2.2"
                if seen.kind == "frame":
                    what, section = "the server's frame announces more than can be meant", "RFC 6455 §10.4"
                self._object(seen.kind, expected, seen.text, what, section, packet)
            opcode = seen.frame.frame.opcode
            if opcode == passing or not _incidental(seen):
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
        end, had = bench.now() + 10 * within, None
        while had != self.client.driver.endpoint.rcv_nxt and bench.now() <= end:
            had = self.client.driver.endpoint.rcv_nxt
            bench.wait_until(lambda: holds() or bool(self.ended), within)
            bench.stop_if_wrong()
            if holds():
                return
        bench.checks += 1
        if bench.testbed.settle == "wait" and not connection.server_spoke:
            bench.cannot_tell(
                connection,
                f"nothing came from {bench.server_address} port {self.site.port} in {within:g} s",
                "see whether the server runs and no firewall stands between: silence alone proves little",
                field="silence",
            )
        said = _ENDED.get(self.ended, f"nothing within {within:.3g} s")
        waits = self.dialogue.unfinished
        problem = Problem(
            Verdict.VIOLATES,
            f"{expected} did not come: {said}" + (f", in the middle of {waits}" if waits else "") + self._pong_owed(),
            field="silence" if not self.ended else "end",
            expected=expected,
            observed=said,
            section=section or "RFC 6455 §6.1",
            witness="script",
        )
        bench.add(bench.with_standing(problem, connection))
        bench.stop_if_wrong()

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
                packet.note = "lost on the way"
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
        if finding is not None:
            self.bench.complain(self.connection, finding, packet=packet, witness="websocket")
        if self.answers and self.ended == "fin" and driver.state is State.CLOSE_WAIT:
            driver.close(packet.time)

    def _tap(self, from_server: bool, data: bytes, now: float) -> None:
        """Octets in order, as they are handed to TCP or come from it."""
        if not from_server:
            self.dialogue.client_sends(data, now)
            return
        for seen in self.dialogue.server_sends(data, now):
            self._seen.append((seen, self._at))
            if seen.finding is not None:
                self.bench.complain(self.connection, seen.finding, packet=self._at, witness="websocket")
            if self.answers and seen.frame is not None:
                self._answer(seen.frame.frame, now)

    def _answer(self, frame: Frame, now: float) -> None:
        """What a client owes at once (RFC 6455 §5.5.1, §5.5.2)."""
        if self.client.driver.state not in (State.ESTABLISHED, State.CLOSE_WAIT) or self._closing:
            return
        if frame.opcode == Opcode.PING:
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


_ENDED = {"fin": "the server closed the TCP connection", "reset": "the server reset the TCP connection"}
_SECTION: dict[int, str] = {
    Opcode.PONG: "RFC 6455 §5.5.3",
    Opcode.PING: "RFC 6455 §5.5.2",
    Opcode.CLOSE: "RFC 6455 §5.5.1",
}


def _incidental(seen: Seen) -> bool:
    """Whether it is a frame that may come at any time: a Ping, or a Pong that nobody asked for (RFC 6455 §5.5.3)."""
    opcode = seen.frame.frame.opcode if seen.frame is not None else None
    return opcode == Opcode.PING or (opcode == Opcode.PONG and seen.unsolicited)


def _brief(value: object) -> str:
    """A value for a line of a report."""
    if isinstance(value, str):
        return repr(value) if len(value) <= 60 else f"{value[:48]!r}… {len(value)} characters"
    if isinstance(value, bytes):
        shown = repr(value) if len(value) <= 40 else f"{value[:32]!r}… {len(value)} octets"
        return shown if value else "no data"
    return "nothing" if value is None else str(value)
