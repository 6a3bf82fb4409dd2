"""A well-behaved WebSocket client over a hand-made TCP: its octets by wsproto, its segments by `lab.tcp`.

    client = Client(Endpoint(iss=Seq(1)), "server.example")
    client.open(now)
    for segment in client.segments():
        wire.send(segment)
    client.arrives(segment, now)
    for event in client.events():
        ...

Time is passed in; `next_timeout` says when `tick` wants to be called. `raw` sends what a good client would not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import h11
import wsproto
from wsproto import events as ws
from wsproto.connection import ConnectionState
from wsproto.utilities import ProtocolError

from lab.tcp.driver import Driver
from lab.tcp.endpoint import Endpoint
from lab.tcp.outcome import CallError
from lab.tcp.segment import Segment
from lab.tcp.state import State as TcpState
from lab.websocket.dialogue import State
from lab.websocket.http import MOST_BODY, Headers, ResponseReader
from lab.websocket.rules import MOST_MESSAGE

CLOSE_TIMEOUT = 10.0
"""Seconds that it waits for the server to close TCP, before it does so itself (RFC 6455 §7.1.1)."""
MOST_WAITING = 2**16
"""Octets that may wait to be sent before it stops answering Pings but the latest."""
NO_CODE, ABNORMAL = 1005, 1006
"""What the program is told where a Close had no code, and where none came (RFC 6455 §7.1.5)."""


class ClientError(ValueError):
    """A call that the state of the connection, or the protocol, does not allow."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The opening handshake is done."""

    subprotocol: str | None
    headers: Headers


@dataclass(frozen=True, slots=True)
class Refused:
    """The server answered with another status than 101."""

    status: int
    headers: Headers
    body: bytes
    """At most `lab.websocket.http.MOST_BODY` octets of it."""


@dataclass(frozen=True, slots=True)
class Message:
    """A whole message: str for text, bytes for binary."""

    data: str | bytes


@dataclass(frozen=True, slots=True)
class Pinged:
    """A Ping came."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class Ponged:
    """A Pong came."""

    payload: bytes


@dataclass(frozen=True, slots=True)
class CloseReceived:
    """A Close came; `code` is None where it had none."""

    code: int | None
    reason: str


@dataclass(frozen=True, slots=True)
class Failed:
    """The server broke the protocol, and the client fails the connection (RFC 6455 §7.1.7)."""

    code: int
    """What it says in its Close, where there was a connection to close."""
    why: str


@dataclass(frozen=True, slots=True)
class Ended:
    """The TCP connection: the server's FIN was taken, or it is gone."""

    how: str
    """"fin", "reset", "refused" (before it stood), "timeout"."""
    code: int
    """What the client's program is told: the code of the Close that came, 1005 without one, 1006 without a Close."""


Event = Opened | Refused | Message | Pinged | Ponged | CloseReceived | Failed | Ended


class Client:
    """One connection. Calls raise ClientError or CallError; what arrives raises nothing, and fills no memory."""

    def __init__(
        self,
        endpoint: Endpoint,
        host: str,
        target: str = "/",
        *,
        subprotocols: Sequence[str] = (),
        extra_headers: Sequence[tuple[str, str]] = (),
        answers: bool = True,
        close_timeout: float = CLOSE_TIMEOUT,
        most: int = MOST_MESSAGE,
    ) -> None:
        """`host` as the Host field has it, with the port unless that is 80; `target` the path and query.

        `answers`: whether it answers a Ping with a Pong, a Close with a Close and the server's FIN with its own, and
        ends what failed, by itself; otherwise whoever drives it does. `most`: octets of one message.
        """
        self.driver = Driver(endpoint)
        self.host = host
        self.target = target
        self.answers = answers
        self.cut: int | None = None
        """At most so many octets go into a segment; None: as many as fit."""
        self.tap: Callable[[bool, bytes, float], None] | None = None
        """Told all octets in the order of their stream: whether they are the server's, what they are, when."""
        self.close_timeout = close_timeout
        self._most = most
        self._extra = [(name.encode(), value.encode()) for name, value in extra_headers]
        self._subprotocols = list(subprotocols)
        self._ws = wsproto.WSConnection(wsproto.ConnectionType.CLIENT)
        self._reader = ResponseReader()
        self._upgrades = False
        """Whether the request is to go out as soon as TCP stands."""
        self._asked = False
        self._opened = False
        self._refused: Refused | None = None
        self._body = bytearray()
        self._failed = False
        self._close_sent = False
        self._close: CloseReceived | None = None
        self._close_at: float | None = None
        self._ended = False
        self._stood = False
        """Whether the TCP connection ever was ESTABLISHED."""
        self._message = bytearray()
        """What has come of a message that has not ended; of a text in UTF-8."""
        self._pong_due: ws.Pong | None = None
        self._events: list[Event] = []

    # Calls

    def connect(self, now: float) -> None:
        """Open the TCP connection, and send nothing yet. Raises CallError where it is open."""
        self.driver.open(now)

    def open(self, now: float) -> None:
        """Open the TCP connection; the request goes out as soon as it stands (RFC 6455 §4.1)."""
        self._upgrades = True
        self.connect(now)

    def upgrade(self, now: float) -> None:
        """Send the request on a connection that stands. Raises ClientError where it was sent, or cannot be made."""
        if self._asked:
            raise ClientError("the opening handshake was sent already: a connection has one (RFC 6455 §4.1)")
        request = ws.Request(
            host=self.host, target=self.target, subprotocols=self._subprotocols, extra_headers=self._extra
        )
        data = self._make(request)
        self._asked, self._upgrades = True, False
        self.raw(data, now)

    def text(self, data: str, now: float, fin: bool = True) -> None:
        """A text message, or a fragment of one; `fin`: whether the message ends with it (RFC 6455 §5.4, §5.6)."""
        self.raw(self._make(ws.TextMessage(data=data, message_finished=fin)), now)

    def binary(self, data: bytes, now: float, fin: bool = True) -> None:
        """A binary message, or a fragment of one (RFC 6455 §5.6)."""
        self.raw(self._make(ws.BytesMessage(data=data, message_finished=fin)), now)

    def ping(self, data: bytes, now: float) -> None:
        """A Ping, of 125 octets at most (RFC 6455 §5.5.2)."""
        self.raw(self._make(ws.Ping(payload=_control(data))), now)

    def pong(self, data: bytes, now: float) -> None:
        """A Pong, of 125 octets at most (RFC 6455 §5.5.3)."""
        self.raw(self._make(ws.Pong(payload=_control(data))), now)

    def close(self, code: int | None, reason: str, now: float) -> None:
        """A Close, without a body where `code` is None: begins the closing handshake, or answers (RFC 6455 §7.1.2)."""
        if len(reason.encode()) > 123:
            raise ClientError("a Close has room for a reason of 123 octets (RFC 6455 §5.5)")
        self.raw(self._make(ws.CloseConnection(code=NO_CODE if code is None else code, reason=reason)), now)
        self._close_sent = True
        self._wait_for_end(now)

    def raw(self, data: bytes, now: float) -> None:
        """Octets straight into TCP; wsproto hears nothing of them. Raises CallError where TCP cannot take them."""
        size = self.cut or max(1, len(data))
        for at in range(0, len(data), size):
            piece = data[at : at + size]
            self.driver.send(piece, now)
            if self.tap:
                self.tap(False, piece, now)

    def _make(self, event: ws.Event) -> bytes:
        try:
            return self._ws.send(event)
        except (ProtocolError, h11.ProtocolError, UnicodeError, ValueError) as error:
            raise ClientError(f"{type(event).__name__} cannot be sent: {error}") from error

    # What happens to it

    def arrives(self, segment: Segment, now: float) -> None:
        """A segment from the server. Never raises."""
        self.driver.arrives(segment, now)
        self._look(now)

    def tick(self, now: float) -> None:
        """Lets the timers run that are due: TCP's, and the one that waits for the server to close. Never raises."""
        self.driver.tick(now)
        if self._close_at is not None and self._close_at <= now:
            self._finish(now)
        self._look(now)

    def segments(self) -> list[Segment]:
        """What is to be sent now, in order; it is forgotten here."""
        return self.driver.segments()

    def events(self) -> list[Event]:
        """What has happened since the last call."""
        events, self._events = self._events, []
        return events

    @property
    def next_timeout(self) -> float | None:
        """When `tick` wants to be called next, None where no timer runs."""
        times = [at for at in (self.driver.next_timeout, self._close_at) if at is not None]
        return min(times, default=None)

    @property
    def state(self) -> State:
        """Where the WebSocket stands, as this end sees it; what `raw` sent counts for nothing."""
        if self._ended or self._refused or (self._failed and not self._opened):
            return State.CLOSED
        if not self._opened:
            return State.CONNECTING
        return State.CLOSING if self._close_sent or self._close or self._failed else State.OPEN

    @property
    def code(self) -> int:
        """What the client's program is told at the end: see Ended (RFC 6455 §7.1.5)."""
        if self._close is None:
            return ABNORMAL
        return NO_CODE if self._close.code is None else self._close.code

    def _look(self, now: float) -> None:
        """Sees what TCP has brought."""
        self._stood = self._stood or self.driver.endpoint.syn_acked
        if self._upgrades and self.driver.state is TcpState.ESTABLISHED:
            try:
                self.upgrade(now)
            except ClientError as error:
                self._upgrades = False
                self._fail(1002, str(error), now)
        self._pong(now)
        data = self.driver.receive()
        if data:
            if self.tap:
                self.tap(True, data, now)
            self._received(data, now)
        self._look_for_end(now)

    def _look_for_end(self, now: float) -> None:
        if self._ended:
            return
        end = self.driver.endpoint
        if end.fin_received and not end.receive_buffer:
            how = "fin"
        elif self.driver.state is TcpState.CLOSED and self.driver.notices:
            reset = {"connection reset", "connection refused"} & set(self.driver.notices)
            how = ("reset" if self._stood else "refused") if reset else "timeout"
        else:
            return
        self._ended = True
        self._close_at = None
        if self._reader.response is not None and self._refused is None and not self._opened and not self._failed:
            # A body without a length lasts until here (RFC 9112 §6.3).
            self._tell_refused(now)
        self._events.append(Ended(how, self.code))
        if self.answers and self.driver.state is TcpState.CLOSE_WAIT:
            self._finish(now)

    def _received(self, data: bytes, now: float) -> None:
        """The server's octets, in order. Before wsproto only interim answers are taken out (RFC 9110 §15.2)."""
        if self._failed or self._refused or not self._asked:
            return
        if self._reader.response is None:
            response = self._reader.feed(data)
            if self._reader.fault:
                self._fail(1002, self._reader.fault, now)
            if response is None:
                return
            data = response.raw + self._reader.rest
        try:
            self._ws.receive_data(data)
            for event in self._ws.events():
                self._happens(event, now)
                if self._failed or self._close:
                    break
        except Exception as error:  # whatever a server can make wsproto and h11 raise is the server's fault
            if not self._close:
                self._fail(1002, str(error) or type(error).__name__, now)

    def _happens(self, event: ws.Event, now: float) -> None:
        match event:
            case ws.AcceptConnection():
                self._opened = True
                self._events.append(Opened(event.subprotocol, _headers(event.extra_headers)))
            case ws.RejectConnection():
                if not event.has_body:
                    self._tell_refused(now)
            case ws.RejectData():
                self._body += event.data[: MOST_BODY - len(self._body)]
                if event.body_finished:
                    self._tell_refused(now)
            case ws.TextMessage() | ws.BytesMessage():
                data = event.data if isinstance(event.data, str) else bytes(event.data)
                self._collect(data, event.message_finished, now)
            case ws.Ping():
                self._events.append(Pinged(bytes(event.payload)))
                if self.answers:
                    self._pong_due = event.response()
                    self._pong(now)
            case ws.Pong():
                self._events.append(Ponged(bytes(event.payload)))
            case ws.CloseConnection():
                self._closes(event, now)

    def _pong(self, now: float) -> None:
        """Answers the latest Ping, as soon as the server takes what is waiting for it: so a flood of Pings from one
        that does not read fills no memory (RFC 6455 §5.5.3).
        """
        if self._pong_due is None or self.driver.endpoint.unsent > MOST_WAITING:
            return
        due, self._pong_due = self._pong_due, None
        if not self._close_sent:
            self._answer(due, now)

    def _collect(self, data: str | bytes, final: bool, now: float) -> None:
        self._message += data.encode() if isinstance(data, str) else data
        if len(self._message) > self._most:
            self._fail(1009, f"a message of more than {self._most} octets", now)
        elif final:
            whole = bytes(self._message)
            self._message.clear()
            self._events.append(Message(whole.decode() if isinstance(data, str) else whole))

    def _closes(self, event: ws.CloseConnection, now: float) -> None:
        if self._ws.state not in (ConnectionState.REMOTE_CLOSING, ConnectionState.CLOSED):
            # wsproto tells of what it cannot parse as if it were a Close, and stays as it was.
            self._fail(int(event.code), event.reason or "the server broke the protocol", now)
            return
        code = None if event.code == NO_CODE else int(event.code)
        self._close = CloseReceived(code, event.reason or "")
        self._events.append(self._close)
        if self.answers and not self._close_sent:
            self._close_sent = True
            self._answer(event.response(), now)
        self._wait_for_end(now)

    def _tell_refused(self, now: float) -> None:
        response = self._reader.response
        assert response is not None
        self._refused = Refused(response.status, response.headers, bytes(self._body))
        self._events.append(self._refused)
        if self.answers:
            self._finish(now)

    def _fail(self, code: int, why: str, now: float) -> None:
        """Fail the WebSocket connection (RFC 6455 §7.1.7)."""
        self._failed = True
        self._message.clear()
        self._events.append(Failed(code, why))
        if not self.answers:
            return
        if self._opened and not self._close_sent:
            self._close_sent = True
            self._answer(ws.CloseConnection(code=code), now)
            self._wait_for_end(now)
        else:
            self._finish(now)

    def _answer(self, event: ws.Event, now: float) -> None:
        """Sends something unasked: where TCP or wsproto cannot take it any more, it is not needed either."""
        try:
            self.raw(self._make(event), now)
        except (ClientError, CallError):
            return

    def _wait_for_end(self, now: float) -> None:
        """The server closes TCP first, so that TIME-WAIT stays there (RFC 6455 §7.1.1): it gets some time for it."""
        if self.answers and self._close_at is None and not self._ended:
            self._close_at = now + self.close_timeout

    def _finish(self, now: float) -> None:
        self._close_at = None
        try:
            self.driver.close(now)
        except CallError:
            return


def _control(data: bytes) -> bytes:
    if len(data) > 125:
        raise ClientError(f"a control frame has a payload of at most 125 octets (RFC 6455 §5.5), not {len(data)}")
    return data


def _headers(headers: Sequence[tuple[bytes, bytes]]) -> Headers:
    return tuple((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
