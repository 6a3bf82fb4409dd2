"""One end of a WebSocket connection: octets in, octets out, after RFC 6455 to the letter.

The `websockets` library does the work. What it leaves to others, or does otherwise, is done here: the opening handshake
is held against all of §4.2.1, nothing is answered before the 101, what a frame's header tells to be wrong fails the
connection at once, so does text that is no UTF-8, and a Close may come between fragments and waits for the answers to
what came before it.
"""

from __future__ import annotations

import codecs
import logging
from collections.abc import Generator
from http import HTTPStatus
from typing import Final

from websockets.datastructures import Headers
from websockets.exceptions import PayloadTooBig, ProtocolError
from websockets.frames import Close, CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import CLOSING, CONNECTING, OPEN
from websockets.server import ServerProtocol

from lab.server.sites.opening import Agreed, Refused, consider

MAX_SIZE: Final = 1 << 20
"""Octets of a message; a longer one fails the connection with 1009."""

QUIET: Final = logging.getLogger("lab.server.sites")
"""Where the library may say what clients do to it: nowhere."""
QUIET.propagate = False
QUIET.addHandler(logging.NullHandler())
QUIET.setLevel(logging.CRITICAL + 1)

_TOO_LARGE: Final = {"RequestLineTooLong": 414, "HeaderLineTooLong": 431, "TooManyHeaders": 431, "SecurityError": 431}
"""By the name of the library's exception, of which older versions have only the last: the status (RFC 6585 §5)."""
_OPCODES: Final = frozenset(int(opcode) for opcode in Opcode)
_LENGTHS: Final = {126: (2, 126), 127: (8, 65536)}
"""By the 7-bit length: how many octets more hold the length, and the least that needs them (RFC 6455 §5.2)."""


class Endpoint(ServerProtocol):
    """A `websockets` server protocol without extensions, stricter than its parent."""

    agreed: Agreed | None
    """What the client asked for and was granted, once it is open."""
    whole: int
    """Messages that have come, each whole."""

    def __init__(self) -> None:
        # The parent starts the parser, which reads these.
        self.agreed = None
        self._fragmented = False
        self._size = 0
        self._unanswered: tuple[Frame, Close] | None = None
        self.whole = 0
        self._text: codecs.IncrementalDecoder | None = None
        super().__init__(max_size=MAX_SIZE, logger=QUIET)

    # The opening handshake.

    def accept(self, request: Request) -> Response:
        """Answer a request: 101, or what `consider` refuses it with."""
        try:
            self.agreed = consider(request)
        except Refused as refused:
            return self.refuse(refused, bodiless=request.method == "HEAD")
        fields = Headers()
        fields["Upgrade"] = "websocket"
        fields["Connection"] = "Upgrade"
        fields["Sec-WebSocket-Accept"] = self.agreed.accept
        if self.agreed.subprotocol is not None:
            fields["Sec-WebSocket-Protocol"] = self.agreed.subprotocol
        status = HTTPStatus.SWITCHING_PROTOCOLS
        return Response(status.value, status.phrase, fields)

    def refuse(self, refused: Refused, *, bodiless: bool = False) -> Response:
        """An HTTP answer after which the connection is closed. `bodiless`: the request was HEAD (RFC 9110 §9.3.2)."""
        response = self.reject(HTTPStatus(refused.status), refused.sentence + ".\n")
        for name, value in refused.fields:
            response.headers[name] = value
            if name == "Upgrade":  # it must be named as a connection option (RFC 9110 §7.8)
                del response.headers["Connection"]
                response.headers["Connection"] = "Upgrade, close"
        if bodiless:
            response.body = b""
        return response

    # What the client sends.

    def parse(self) -> Generator[None, None, None]:
        """Read the request, wait until it is answered, then read frames. Never raises: what is wrong closes."""
        if self.state is CONNECTING:
            yield from self._read_request()
        try:
            while True:
                if (yield from self.reader.at_eof()):
                    raise EOFError("the stream ended without a Close")
                yield from self._look_at_header()
                frame = yield from Frame.parse(self.reader.read_exact, mask=True, max_size=MAX_SIZE - self._size)
                self.recv_frame(frame)
        except EOFError as error:
            self._fail(CloseCode.ABNORMAL_CLOSURE, error)
        except ProtocolError as error:
            self._fail(CloseCode.PROTOCOL_ERROR, error)
        except UnicodeDecodeError as error:
            self._fail(CloseCode.INVALID_DATA, error)
        except PayloadTooBig as error:
            self._fail(CloseCode.MESSAGE_TOO_BIG, error)
        yield  # `fail` has put another parser in this one's place

    def _read_request(self) -> Generator[None, None, None]:
        try:
            request = yield from Request.parse(self.reader.read_line)
        except Exception as error:
            self.handshake_exc = error
            if self.reader.eof:
                self._fail(CloseCode.ABNORMAL_CLOSURE, error)
            else:
                too_large = _TOO_LARGE.get(type(error).__name__)
                sentence = "the request is too large" if too_large else "this is no HTTP request"
                refused = Refused(too_large or 400, sentence)
                self.send_response(self.refuse(refused))
            yield
        self.events.append(request)
        # Frames may come right behind the request, and are read when it has been answered: none is owed anything before
        # the 101, and a Pong ahead of it would be no HTTP.
        while self.state is CONNECTING:
            if self.reader.eof:
                self._fail(CloseCode.ABNORMAL_CLOSURE, EOFError("the stream ended before the answer"))
            yield

    def _look_at_header(self) -> Generator[None, None, None]:
        """Wait for a frame's header and leave it where it is. Raises ProtocolError for what it tells to be wrong.

        The parent looks at most of it only when it has read the whole payload, which may never come.
        """
        waiting = self.reader.buffer
        yield from self._until(2)
        if len(waiting) < 2:
            return
        opcode, length = waiting[0] & 0x0F, waiting[1] & 0x7F
        final = bool(waiting[0] & 0x80)
        if waiting[0] & 0x70:
            raise ProtocolError("a reserved bit is set, and no extension was agreed on")
        if opcode not in _OPCODES:
            raise ProtocolError(f"opcode {opcode} is reserved")
        if not waiting[1] & 0x80:
            raise ProtocolError("a client's frame must be masked")
        if opcode >= Opcode.CLOSE:
            if not final:
                raise ProtocolError("a control frame is never fragmented")
            if length > 125:
                raise ProtocolError("a control frame has at most 125 octets")
        elif (opcode == Opcode.CONT) != self._fragmented:
            raise ProtocolError(
                "nothing is to be continued" if opcode == Opcode.CONT else "a message is to be continued"
            )
        more, least = _LENGTHS.get(length, (0, 0))
        yield from self._until(2 + more)
        if more and len(waiting) >= 2 + more:
            announced = int.from_bytes(waiting[2 : 2 + more], "big")
            if announced < least:
                raise ProtocolError("the length is not in its shortest form")
            if announced >> 63:
                raise ProtocolError("the highest bit of a 64-bit length must be 0")

    def _until(self, octets: int) -> Generator[None, None, None]:
        while len(self.reader.buffer) < octets and not self.reader.eof:
            yield

    def recv_frame(self, frame: Frame) -> None:
        """Take a whole frame. Raises ProtocolError or UnicodeDecodeError."""
        if frame.opcode is Opcode.CLOSE:
            self._take_close(frame)
            return
        if frame.opcode < Opcode.CLOSE:
            if frame.opcode is not Opcode.CONT:
                self._text = codecs.getincrementaldecoder("utf-8")() if frame.opcode is Opcode.TEXT else None
            if self._text is not None:
                # The parent leaves this to whoever reads the message, and has answered what came behind it by then.
                self._text.decode(bytes(frame.data), frame.fin)
            self._fragmented = not frame.fin
            self.whole += frame.fin
            self._size = 0 if frame.fin else self._size + len(frame.data)
        super().recv_frame(frame)

    def _take_close(self, frame: Frame) -> None:
        """Take a Close, between two fragments too (§5.4). Raises ProtocolError or UnicodeDecodeError."""
        close = Close.parse(bytes(frame.data))
        if self.state is CLOSING:
            self.close_rcvd, self.close_rcvd_then_sent = close, False
            self._end()
        else:
            self._unanswered = frame, close
            self.parser = self._hold()
            next(self.parser)

    @property
    def owes_close(self) -> bool:
        """Whether the client's Close waits for its answer: the program may answer messages first (§5.5.1)."""
        return self._unanswered is not None and self.state is OPEN

    def answer_close(self) -> None:
        """Answer the client's Close with the same (§5.5.1), and close TCP."""
        assert self._unanswered is not None
        frame, close = self._unanswered
        self._unanswered = None
        self.send_frame(Frame(Opcode.CLOSE, frame.data))
        self.close_rcvd = self.close_sent = close
        self.close_rcvd_then_sent = True
        self.state = CLOSING
        self._end()

    def send_close(self, code: int | None = None, reason: str = "") -> None:
        """Send a Close of the program's own, which answers the client's if that has come meanwhile."""
        super().send_close(code, reason)
        if self._unanswered is not None:
            self.close_rcvd, self.close_rcvd_then_sent = self._unanswered[1], True
            self._unanswered = None
            self._end()

    def _hold(self) -> Generator[None, None, None]:
        """In the parser's place between the client's Close and the answer: what comes behind it is discarded (§1.4)."""
        while not (yield from self.reader.at_eof()):
            self.reader.discard()
        if self.owes_close:
            self.answer_close()
        yield

    def _end(self) -> None:
        """The server closes TCP first, and at once (§5.5.1, §7.1.1); what else comes is discarded."""
        self.send_eof()
        self.parser = self.discard()
        next(self.parser)

    def _fail(self, code: int, error: Exception) -> None:
        self.fail(code, _short(error))
        self.parser_exc = error


def _short(error: Exception) -> str:
    """A reason that fits a Close frame's 123 octets (§5.5)."""
    text = error.reason if isinstance(error, UnicodeDecodeError) else str(error)
    return text.encode("ascii", "replace")[:123].decode()
