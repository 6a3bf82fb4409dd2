"""The HTTP around the opening handshake: a request that may say anything, and a bounded reader of the answer.

RFC 9112 in the narrow part that RFC 6455 §4 needs. Nothing here raises because of what a server sends.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MOST_HEAD = 2**16
"""Octets that the heads of an answer may have, interim ones (RFC 9110 §15.2) included."""
MOST_BODY = 2**20
"""Octets of a body that are kept."""
TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
"""A token (RFC 9110 §5.6.2)."""

Headers = tuple[tuple[str, str], ...]

_STATUS_LINE = re.compile(r"(HTTP/[0-9]\.[0-9]) ([0-9]{3})(?: ([\t\x20-\x7e\x80-\xff]*))?")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class Fields:
    """What request and response have in common: header fields by name, in any case (RFC 9110 §5.1)."""

    __slots__ = ()
    headers: Headers

    def all(self, name: str) -> tuple[str, ...]:
        """The values of every field of that name, in order."""
        return tuple(value for key, value in self.headers if key.lower() == name.lower())

    def header(self, name: str) -> str | None:
        """The value of the first field of that name."""
        return next(iter(self.all(name)), None)

    def tokens(self, name: str) -> tuple[str, ...]:
        """The elements of the comma-separated lists in all fields of that name, as written, empty ones left out."""
        elements = (element.strip(" \t") for value in self.all(name) for element in split_list(value))
        return tuple(element for element in elements if element)

    def has_token(self, name: str, token: str) -> bool:
        """Whether the list holds `token`, in any case."""
        return token.lower() in (element.lower() for element in self.tokens(name))


def split_list(value: str) -> list[str]:
    """Splits at the commas that stand outside quoted strings (RFC 9110 §5.6.1)."""
    parts, start, quoted, at = [], 0, False, 0
    while at < len(value):
        char = value[at]
        if quoted and char == "\\":
            at += 1
        elif char == '"':
            quoted = not quoted
        elif char == "," and not quoted:
            parts.append(value[start:at])
            start = at + 1
        at += 1
    return [*parts, value[start:]]


@dataclass(frozen=True)
class Response(Fields):
    """The head of an answer, and its body where it was asked for."""

    status: int
    reason: str
    version: str
    """Such as "HTTP/1.1"."""
    headers: Headers
    raw: bytes
    """The head's octets, the empty line included."""
    body: bytes = b""
    """At most MOST_BODY octets of it, chunks put together."""

    @property
    def line(self) -> str:
        """The status line without the version, such as "101 Switching Protocols"."""
        return f"{self.status} {self.reason}".rstrip()


def parse_response(head: bytes) -> Response | str:
    """The answer whose head, the empty line included, is `head`; a sentence where it is none."""
    lines = head.decode("latin-1").split("\r\n")
    match = _STATUS_LINE.fullmatch(lines[0])
    if match is None:
        return f"the answer begins with {shorten(lines[0])}, not with an HTTP status line (RFC 9112 §4)"
    headers = parse_headers(lines[1:-2])
    if isinstance(headers, str):
        return headers
    return Response(int(match[2]), match[3] or "", match[1], headers, head)


def parse_headers(lines: list[str]) -> Headers | str:
    """The header fields on `lines`; a sentence where one is none."""
    headers = []
    for line in lines:
        name, colon, value = line.partition(":")
        if line[:1] in (" ", "\t"):
            return f"the header line {shorten(line)} begins with a blank, which no server may send (RFC 9112 §5.2)"
        if not colon or not TOKEN.fullmatch(name):
            return f"the line {shorten(line)} is no header field (RFC 9112 §5)"
        if not _VALUE.fullmatch(value):
            return f"the header field {shorten(line)} holds a control character (RFC 9110 §5.5)"
        headers.append((name, value.strip(" \t")))
    return tuple(headers)


def shorten(line: str) -> str:
    """The beginning of a line, quoted, for a sentence."""
    return '"' + printable(line if len(line) <= 60 else line[:60] + "…") + '"'


def printable(text: str) -> str:
    """`text` with everything escaped that a terminal would obey."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@dataclass
class ResponseReader:
    """Reads the answer to a request in whatever pieces. Interim answers (1xx other than 101) are passed over."""

    body: bool = False
    """Whether an answer other than 101 is waited for until its body is there."""
    fault: str = ""
    """One sentence, once it is no HTTP or has no end. What is fed afterwards is dropped."""
    response: Response | None = None
    interim: int = 0
    """Interim answers that were passed over (RFC 9110 §15.2)."""
    rest: bytes = b""
    """What was fed with the end of the answer and lies behind it; what is fed later is the caller's to keep."""
    received: int = 0
    """Octets of answers, the interim ones included, that were taken."""
    _buffer: bytearray = field(default_factory=bytearray, repr=False)
    _head: Response | None = field(default=None, repr=False)
    _content: Body | None = field(default=None, repr=False)
    _line: int = 0
    """Where in the buffer the next line begins."""
    _looked: int = 0
    """Up to where that line was searched for its end."""

    @property
    def started(self) -> bool:
        """Whether anything of an answer has come that is not whole."""
        return self.response is None and bool(self._buffer or self._head)

    def feed(self, data: bytes) -> Response | None:
        """The answer, when `data` completes it; None before and after. Never raises."""
        if self.fault or self.response is not None:
            return None
        if self._content is not None:
            return self._more(data)
        self._buffer += data
        while (end := self._next_line()) is not None:
            if end != b"\r\n":
                continue
            head = bytes(self._buffer[: self._line])
            del self._buffer[: self._line]
            self._line = self._looked = 0
            self.received += len(head)
            found = parse_response(head)
            if isinstance(found, str):
                self._fail(found)
                return None
            if 100 <= found.status < 200 and found.status != 101:
                self.interim += 1
                continue
            return self._headed(found)
        if not self.fault and self.received + len(self._buffer) > MOST_HEAD:
            self._fail(f"the head of the answer has no end within {MOST_HEAD} octets")
        return None

    def ends(self) -> Response | None:
        """The stream has ended: the answer, where its body lasts until then (RFC 9112 §6.3)."""
        if self._head is None or self._content is None or not self._content.until_end:
            return None
        return self._finish(self._head, self._content.kept, b"")

    def _next_line(self) -> bytes | None:
        """The next line, which `_line` then lies behind; None where there is none, or it is at fault."""
        at = self._buffer.find(b"\n", self._looked)
        self._looked = len(self._buffer) if at < 0 else at + 1
        # A line is looked at from its first octets on, so that what is no HTTP is told at once.
        if self._line == 0 and not self._buffer.startswith(b"HTTP/"[: len(self._buffer)]):
            begin = bytes(self._buffer[: at if at >= 0 else 60]).decode("latin-1")
            self._fail(f"the answer begins with {shorten(begin)}, not with an HTTP status line (RFC 9112 §4)")
            return None
        if at < 0 or self.received + at >= MOST_HEAD:
            return None
        line = bytes(self._buffer[self._line : at + 1])
        self._line = at + 1
        if not line.endswith(b"\r\n"):
            self._fail(f"the line {shorten(line[:-1].decode('latin-1'))} ends without CR (RFC 9112 §2.2)")
            return None
        return line

    def _headed(self, head: Response) -> Response | None:
        rest = bytes(self._buffer)
        self._buffer.clear()
        if not self.body or head.status in (101, 204, 304):
            return self._finish(head, b"", rest)
        self._head, self._content = head, Body(head)
        return self._more(rest)

    def _more(self, data: bytes) -> Response | None:
        assert self._content is not None
        assert self._head is not None
        rest = self._content.feed(data)
        if self._content.fault:
            self._fail(self._content.fault)
            return None
        return None if rest is None else self._finish(self._head, self._content.kept, rest)

    def _finish(self, head: Response, body: bytes | bytearray, rest: bytes) -> Response:
        self.response = Response(head.status, head.reason, head.version, head.headers, head.raw, bytes(body))
        self.rest = rest
        self._content = None
        return self.response

    def _fail(self, fault: str) -> None:
        self.fault = fault
        self._buffer.clear()
        self._content = None


class Body:
    """The body of an answer: by length, in chunks, or until the stream ends (RFC 9112 §6.3)."""

    def __init__(self, head: Response) -> None:
        self.kept = bytearray()
        self.fault = ""
        self.chunked = head.has_token("Transfer-Encoding", "chunked")
        length = head.header("Content-Length")
        self.until_end = not self.chunked and length is None
        self.left = 0
        self._line = bytearray()
        self._stage = "size"
        if length is not None and not self.chunked:
            if not re.fullmatch("[0-9]{1,19}", length):
                self.fault = f"Content-Length is {shorten(length)}, which is no number (RFC 9110 §8.6)"
            else:
                self.left = int(length)

    def feed(self, data: bytes) -> bytes | None:
        """What follows the body, once it is whole; None before."""
        if self.fault:
            return None
        if self.chunked:
            return self._chunks(data)
        if self.until_end:
            self._keep(data)
            return None
        self._keep(data[: self.left])
        rest = data[self.left :]
        self.left -= min(self.left, len(data))
        return rest if not self.left else None

    def _keep(self, data: bytes) -> None:
        self.kept += data[: MOST_BODY - len(self.kept)]

    def _chunks(self, data: bytes) -> bytes | None:
        at = 0
        while at < len(data):
            if self._stage == "data":
                piece = data[at : at + self.left]
                self._keep(piece)
                at += len(piece)
                self.left -= len(piece)
                if not self.left:
                    self._stage = "end"
                continue
            end = data.find(b"\n", at)
            stop = len(data) if end < 0 else end + 1
            self._line += data[at:stop]
            at = stop
            if len(self._line) > MOST_HEAD:
                self.fault = f"a line between the chunks has no end within {MOST_HEAD} octets"
                return None
            if end < 0:
                return None
            line = bytes(self._line).strip(b"\r\n")
            self._line.clear()
            if self._stage == "trailer" and not line:
                return data[at:]
            if self._stage == "end":
                if line:
                    self.fault = "a chunk is longer than its size says (RFC 9112 §7.1)"
                    return None
                self._stage = "size"
            elif self._stage == "size":
                size = line.partition(b";")[0].strip()
                if not re.fullmatch(rb"[0-9a-fA-F]{1,16}", size):
                    self.fault = f"{shorten(size.decode('latin-1'))} is no size of a chunk (RFC 9112 §7.1)"
                    return None
                self.left = int(size, 16)
                self._stage = "data" if self.left else "trailer"
        return None
