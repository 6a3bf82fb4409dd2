"""A WebSocket as a script speaks of it: open, send, expect, close; its segments are the lab's (RFC 6455)."""

from __future__ import annotations

import json
from collections.abc import Callable

from lab.scenario.bench import PATIENCE
from lab.scenario.hearing import Hearing
from lab.tcp.state import State
from lab.websocket.frames import Frame, Opcode, ping
from lab.websocket.frames import binary as binary_frame
from lab.websocket.frames import close as close_frame
from lab.websocket.frames import text as text_frame
from lab.websocket.handshake import Request, Response
from lab.websocket.leeway import LEEWAY


class WebSocket(Hearing):
    """The client's end of one WebSocket connection, over one hand-made TCP connection."""

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

    def leave(self, code: int = 1000, *, pushed: bool = False) -> None:
        """Close cleanly: Close, its answer, and the server closes TCP first (RFC 6455 §7.1.1).

        `pushed`: the server speaks unasked, and what it had sent before our Close reached it may come first (§5.5.1).
        """
        self.close(code)
        while pushed and self._frame_ahead() not in (None, Opcode.CLOSE):
            self._next("a Close", PATIENCE)
        self.expect_close_echoed(code)
        self.expect_end()
