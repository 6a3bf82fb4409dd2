"""A hundred and more questions to a WebSocket server that echoes, with the answers of an honest one, by literal octets.

A breakage must show in those that ask for it, and in no others: so these tell what a server is broken in, and that it
is in nothing else. They are no judge: the lab is, and knows nothing of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from websocket_desk import REQUEST, SWITCHING, Desk, Serve


@dataclass(frozen=True)
class Probe:
    """One question."""

    pieces: tuple[bytes, ...]
    """What is sent: each a segment."""
    status: int = 0
    """The request is refused with this status."""
    head: bytes = b""
    """The head of the answer, or a part of it that must be there if the request is refused."""
    frames: bytes = b""
    """What comes behind the head; of a frame that fails the connection not yet its Close."""
    code: int = 0
    """Behind that comes a Close with this code, and the end of TCP; 0: none comes."""
    end: str = ""
    """How TCP ends: "fin", or "" for not at all."""
    kind: str = ""
    """"opening", "refused", "echoed", "failed" or "closed"."""

    def differs(self, serve: Serve, desk: Desk) -> bool:
        """Whether that server answers otherwise than an honest one."""
        with desk.call(serve) as client:
            client.send(*self.pieces)
            client.hear()
            if client.end != self.end:
                return True
            head, found, rest = client.heard.partition(b"\r\n\r\n")
            if not found:
                return True
            if self.status:
                return not self._refused(head, rest)
            if head + found != self.head or not rest.startswith(self.frames):
                return True
            return not self._closed(rest.removeprefix(self.frames))

    def _refused(self, head: bytes, rest: bytes) -> bool:
        lines = head.split(b"\r\n")
        sizes = [int(line.split(b":")[1]) for line in lines if line.startswith(b"Content-Length:")]
        said = all(part in lines for part in self.head.splitlines())
        return lines[0].startswith(b"HTTP/1.1 %d " % self.status) and said and sizes == [len(rest)]

    def _closed(self, rest: bytes) -> bool:
        if not self.code:
            return rest == b""
        return rest[:1] == b"\x88" and len(rest) == 2 + rest[1] and rest[2:4] == self.code.to_bytes(2, "big")


PROBES: dict[str, Probe] = {}


def changed(*changes: tuple[str, str]) -> bytes:
    """The request of the RFC with lines replaced; what begins with + is added behind its fields."""
    request = REQUEST.decode()
    for old, new in changes:
        if old == "+":
            request = request.removesuffix("\r\n") + new + "\r\n\r\n"
        else:
            assert old in request
            request = request.replace(old, new)
    return request.encode("latin-1")


def without(name: str) -> bytes:
    """The request of the RFC without a field."""
    lines = REQUEST.split(b"\r\n")
    return b"\r\n".join(line for line in lines if not line.startswith(name.encode() + b":"))


def accepted(name: str, *pieces: bytes, more: bytes = b"") -> None:
    """Such a request is accepted, and a Ping behind it is answered."""
    head = SWITCHING.removesuffix(b"\r\n") + more + b"\r\n"
    PROBES[name] = Probe((*pieces, frame("89", b"")), head=head, frames=bytes.fromhex("8a 00"), kind="opening")


def refused(name: str, status: int, request: bytes, head: bytes = b"") -> None:
    """Such a request is refused, and a Ping behind it is not answered."""
    PROBES[name] = Probe((request, frame("89", b"")), status, head, end="fin", kind="refused")


def frame(first: str, payload: bytes, key: str = "01020304", head: str = "") -> bytes:
    """A masked frame. `first`: its first octet; `head`: its second and the length, where it is not the right one."""
    if head:
        length = bytes.fromhex(head)
    elif len(payload) < 126:
        length = bytes([0x80 | len(payload)])
    elif len(payload) < 65536:
        length = b"\xfe" + len(payload).to_bytes(2, "big")
    else:
        length = b"\xff" + len(payload).to_bytes(8, "big")
    octets = bytes.fromhex(key)
    masked = bytes(octet ^ octets[at % 4] for at, octet in enumerate(payload))
    return bytes.fromhex(first) + length + octets + masked


def echoed(name: str, answer: bytes | str, *pieces: bytes) -> None:
    """In an open connection these pieces have that answer, and it stays open."""
    frames = answer if isinstance(answer, bytes) else bytes.fromhex(answer)
    PROBES[name] = Probe((REQUEST, *pieces), head=SWITCHING, frames=frames, kind="echoed")


def closed(name: str, answer: str, *pieces: bytes) -> None:
    """In an open connection these pieces have that answer, and the server closes TCP."""
    frames = bytes.fromhex(answer)
    PROBES[name] = Probe((REQUEST, *pieces), head=SWITCHING, frames=frames, end="fin", kind="closed")


def failed(name: str, code: int, *pieces: bytes, answer: str = "") -> None:
    """In an open connection these pieces are an error: a Close with that code, and the end of TCP."""
    frames = bytes.fromhex(answer)
    PROBES[name] = Probe((REQUEST, *pieces), head=SWITCHING, frames=frames, code=code, end="fin", kind="failed")


# ---- opening ------------------------------------------------------------------------------------------------

_KEY = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="
_V13 = b"Sec-WebSocket-Version: 13"
_CHAT = b"Sec-WebSocket-Protocol: chat.lab\r\n"

accepted("opening", REQUEST)
accepted("opening in pieces", REQUEST[:3], REQUEST[3:70], REQUEST[70:-1], REQUEST[-1:])
accepted("key between blanks", changed((_KEY, _KEY.replace(": ", ":\t  ") + " \t")))
accepted(
    "names in other cases", changed(("Upgrade:", "UPGRADE:"), ("Sec-WebSocket-K", "SEC-WEBSOCKET-K"), ("Host", "host"))
)
accepted("upgrade in capitals", changed(("Upgrade: websocket", "Upgrade: WebSocket")))
accepted("connection in lower case", changed(("Connection: Upgrade", "Connection: upgrade")))
accepted("connection is a list", changed(("Connection: Upgrade", "Connection: keep-alive, Upgrade")))
accepted(
    "fields in another order", b"\r\n".join([*REQUEST.split(b"\r\n")[:1], *REQUEST.split(b"\r\n")[5:0:-1], b"", b""])
)
accepted("more fields", changed(("+", "Cookie: a=b\r\nX-Unknown: and so on")))
accepted("whole uri", changed(("/echo", "http://server.example.com/echo")))
accepted("with a query", changed(("/echo", "/echo?a=b")))
accepted("offer", changed(("+", "Sec-WebSocket-Protocol: no.lab, chat.lab")), more=_CHAT)
_TWO_LINES = changed(("+", "Sec-WebSocket-Protocol: no.lab"), ("+", "Sec-WebSocket-Protocol: chat.lab, json.lab"))
accepted("offer in two fields", _TWO_LINES, more=_CHAT)
accepted("offer unknown", changed(("+", "Sec-WebSocket-Protocol: no.lab")))
accepted("offer compression", changed(("+", 'Sec-WebSocket-Extensions: permessage-deflate; a="b", x-other')))

refused("post", 405, changed(("GET", "POST")))
refused("http/1.0", 400, changed(("HTTP/1.1", "HTTP/1.0")))
refused("no host", 400, without("Host"))
refused("two hosts", 400, changed(("+", "Host: other.example.com")))
refused("no upgrade", 426, without("Upgrade"), b"Upgrade: websocket")
refused("upgrade to h2c", 426, changed(("Upgrade: websocket", "Upgrade: h2c")))
refused("no connection", 400, without("Connection"))
refused("connection close", 400, changed(("Connection: Upgrade", "Connection: close")))
refused("version 25", 426, changed(("Version: 13", "Version: 25")), _V13)
refused("version 013", 426, changed(("Version: 13", "Version: 013")), _V13)
refused("no version", 426, without("Sec-WebSocket-Version"), _V13)
refused("two versions", 400, changed(("+", "Sec-WebSocket-Version: 8")), _V13)
refused("no key", 400, without("Sec-WebSocket-Key"))
refused("key of 15", 400, changed(("dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAA")))
refused("key of 17", 400, changed(("dGhlIHNhbXBsZSBub25jZQ==", "AAAAAAAAAAAAAAAAAAAAAAA=")))
refused("key in other letters", 400, changed(("dGhl", "dG*l")))
refused("two keys", 400, changed(("+", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==")))
refused("path", 404, changed(("/echo", "/nowhere")))
refused("fragment", 400, changed(("/echo", "/echo#here")))
refused("extensions: ;", 400, changed(("+", "Sec-WebSocket-Extensions: ;")))
refused("extensions: quoted", 400, changed(("+", 'Sec-WebSocket-Extensions: a; b="c d"')))
refused("subprotocols: blank", 400, changed(("+", "Sec-WebSocket-Protocol: a b")))
refused("no http", 400, b"\x16\x03\x01\x02\x00\x01\r\n\r\n")

# ---- frames -------------------------------------------------------------------------------------------------

echoed("text", "8105 48656c6c6f", bytes.fromhex("8185 37fa213d 7f9f4d5158"))  # RFC 6455 §5.7
echoed("text of one octet", "8101 41", frame("81", b"A"))
echoed("empty text", "8100", frame("81", b""))
echoed("empty binary", "8200", frame("82", b""))
echoed("binary", "8204 00ff80fe", frame("82", b"\x00\xff\x80\xfe"))
echoed("key of zeros", "8102 6869", frame("81", b"hi", "00000000"))
for _size, _head in ((125, "827d"), (126, "827e007e"), (127, "827e007f"), (65535, "827effff")):
    echoed(f"binary of {_size}", bytes.fromhex(_head) + bytes(_size), frame("82", bytes(_size)))
echoed("binary of 65536", bytes.fromhex("827f 0000000000010000") + bytes(65536), frame("82", bytes(65536)))
echoed("text of 126", bytes.fromhex("817e007e") + b"x" * 126, frame("81", b"x" * 126))
echoed("three fragments", "8103 616263", frame("01", b"a"), frame("00", b"b"), frame("80", b"c"))
echoed("fragments of binary", "8202 fffe", frame("02", b"\xff") + frame("80", b"\xfe"))
echoed("empty fragments", "8101 78", frame("01", b"") + frame("00", b"") + frame("00", b"x") + frame("80", b""))
echoed("split character", "8102 c3bc", frame("01", b"\xc3"), frame("80", b"\xbc"))
echoed("four octets a character", "8104 f09d849e", frame("81", b"\xf0\x9d\x84\x9e"))
echoed("last of unicode", "8104 f48fbfbf", frame("81", b"\xf4\x8f\xbf\xbf"))
echoed("two messages together", "810161 820162", frame("81", b"a") + frame("82", b"b"))
echoed("five hundred messages", "810161" * 500, *[frame("81", b"a") * 100] * 5)
echoed("octet by octet", "8105 48656c6c6f", *(bytes([each]) for each in bytes.fromhex("8185 37fa213d 7f9f4d5158")))
echoed("cut in the payload", "8206 010203040506", frame("82", b"\1\2\3\4\5\6")[:-5], frame("82", b"\1\2\3\4\5\6")[-5:])
echoed("ping", "8a05 48656c6c6f", frame("89", b"Hello"))
echoed("empty ping", "8a00", frame("89", b""))
echoed("ping of 125", bytes.fromhex("8a7d") + b"p" * 125, frame("89", b"p" * 125))
echoed("ping between", "8a0170 81026162", frame("01", b"a") + frame("89", b"p"), frame("80", b"b"))
echoed("pong unasked", "810161", frame("8a", b"unasked"), frame("81", b"a"))

# ---- what is to be refused ----------------------------------------------------------------------------------

failed("unmasked text", 1002, bytes.fromhex("8101 61"))
failed("unmasked ping", 1002, bytes.fromhex("8900"))
failed("unmasked close", 1002, bytes.fromhex("8802 03e8"))
failed("rsv1 text", 1002, frame("c1", b"a"))
failed("rsv2 text", 1002, frame("a1", b"a"))
failed("rsv3 text", 1002, frame("91", b"a"))
failed("rsv2 ping", 1002, frame("a9", b"a"))
failed("rsv12 continuation", 1002, frame("01", b"a"), frame("e0", b"b"))
for _opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15):
    failed(f"opcode {_opcode}", 1002, frame(f"8{_opcode:x}", b"a"))
failed("ping with fin 0", 1002, frame("09", b"a"))
failed("pong with fin 0", 1002, frame("0a", b"a"))
failed("close with fin 0", 1002, frame("08", b"\x03\xe8"))
failed("ping of 126", 1002, frame("89", b"p" * 126))
failed("pong of 126", 1002, frame("8a", b"p" * 126))
failed("close of 126", 1002, frame("88", b"\x03\xe8" + b"r" * 124))
failed("length 2^63", 1002, frame("82", b"", head="ff 8000000000000000"))
failed("length 2^62", 1009, frame("82", b"", head="ff 4000000000000000"))
failed("length in 16 bits", 1002, frame("81", b"Hello", head="fe 0005"))
failed("length in 64 bits", 1002, frame("81", b"Hello", head="ff 0000000000000005"))
failed("too big", 1009, frame("82", bytes((1 << 20) + 1)))
failed("too big in fragments", 1009, frame("02", bytes(1 << 20)), frame("80", b"a"))
failed("text in a message", 1002, frame("01", b"a"), frame("81", b"b"))
failed("binary fragment in a message", 1002, frame("01", b"a"), frame("02", b"b"))
failed("orphan", 1002, frame("80", b"a"))
failed("orphan with fin 0", 1002, frame("00", b"a"))
failed("orphan behind a message", 1002, frame("01", b"a"), frame("80", b"b"), frame("80", b"c"), answer="81026162")
failed("utf-8: ff", 1007, frame("81", b"a\xff"))
failed("utf-8: in fragments", 1007, frame("01", b"\xc3"), frame("80", b"\x28"))
failed("utf-8: cut", 1007, frame("81", b"a\xe2\x82"))
failed("utf-8: surrogate", 1007, frame("81", b"\xed\xa0\x80"))
failed("utf-8: overlong", 1007, frame("81", b"\xc0\xaf"))
failed("utf-8: beyond", 1007, frame("81", b"\xf4\x90\x80\x80"))
failed("ping behind a bad frame", 1002, frame("91", b"a") + frame("89", b"") + frame("81", b"b"))

# ---- closing ------------------------------------------------------------------------------------------------

closed("close 1000", "8802 03e8", frame("88", b"\x03\xe8"))
closed("close 3000", "8802 0bb8", frame("88", b"\x0b\xb8"))
closed("close 4999", "8802 1387", frame("88", b"\x13\x87"))
closed("close with a reason", "8805 03e9 627965", frame("88", b"\x03\xe9bye"))
closed("close without a code", "8800", frame("88", b""))
closed("close between fragments", "8802 03e8", frame("01", b"a"), frame("88", b"\x03\xe8"))
closed("behind a close", "8802 03e8", frame("88", b"\x03\xe8") + frame("81", b"a") + frame("89", b""))
failed("close of one octet", 1002, frame("88", b"\x03"))
for _code in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535):
    failed(f"close {_code}", 1002, frame("88", _code.to_bytes(2, "big")))
failed("close with a bad reason", 1007, frame("88", b"\x03\xe8\xff"))
