"""One WebSocket frame as a value, and the bytes it makes (RFC 6455 §5.2). It can say any nonsense: others judge.

The reader takes everything that has the shape of a frame: masked or not, reserved bits and opcodes, lengths that are
not in their shortest form. It never raises, and keeps no more than it was allowed to, whatever the header announces.
"""

from __future__ import annotations

import json
import secrets
import struct
from dataclasses import dataclass, replace
from enum import IntEnum
from typing import Any


class Opcode(IntEnum):
    """The opcodes that have a meaning (RFC 6455 §5.2); 3 to 7 and 11 to 15 are reserved."""

    CONTINUATION = 0
    TEXT = 1
    BINARY = 2
    CLOSE = 8
    PING = 9
    PONG = 10


MOST = 2**20
"""Octets of payload that a reader keeps of one frame, unless it is told otherwise."""
SHOWN = 60
"""Of a text, so many characters are shown in a sentence."""
SHOWN_OCTETS = 16
"""Of bytes that are no text, so many octets are shown in a sentence."""

_NAMES = {int(code): code.name for code in Opcode}


def opcode_name(opcode: int) -> str:
    """The opcode's name, such as "TEXT"; "opcode 3" for a reserved one."""
    return _NAMES.get(opcode, f"opcode {opcode}")


def is_control(opcode: int) -> bool:
    """Whether it is a control frame's, reserved ones included: its highest bit is set (RFC 6455 §5.5)."""
    return bool(opcode & 8)


def shortest(length: int) -> int:
    """The bits that a length takes in the shortest form: 7, 16 or 64 (RFC 6455 §5.2)."""
    return 7 if length <= 125 else 16 if length <= 65535 else 64


def unmask(key: bytes, data: bytes, offset: int = 0) -> bytes:
    """`data` masked, or unmasked: octet i is XORed with octet (offset + i) mod 4 of the key (RFC 6455 §5.3).

    `offset` is the place of the first octet within the frame's payload. Raises ValueError unless the key has 4 octets.
    """
    if len(key) != 4:
        raise ValueError(f"a masking key has 4 octets (RFC 6455 §5.3), not {len(key)}")
    size = len(data)
    turn = offset % 4
    pattern = ((key[turn:] + key[:turn]) * (size // 4 + 1))[:size]
    return (int.from_bytes(data) ^ int.from_bytes(pattern)).to_bytes(size)


@dataclass(frozen=True, slots=True)
class Header:
    """The header of one frame, as it was read."""

    fin: bool
    rsv: int
    """The three reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1."""
    opcode: int
    masked: bool
    length: int
    """Octets of payload that it announces, up to 2**64 - 1: the top bit, which must be 0, is part of it."""
    length_bits: int
    """7, 16 or 64: how the length was written."""
    key: bytes | None
    """The masking key, None where the mask bit is 0."""
    size: int
    """Octets of the header itself: 2 to 14, the key included."""

    @property
    def whole(self) -> int:
        """Octets of the whole frame."""
        return self.size + self.length


def first_look(data: bytes) -> Header | None:
    """What the first two octets of a header say, where not all of it is there: a receiver may act on them at once.

    The length behind them counts as the least that needs so many octets. None where not even those two have come.
    """
    if len(data) < 2:
        return None
    longer = {126: (126).to_bytes(2, "big"), 127: (2**16).to_bytes(8, "big")}.get(data[1] & 0x7F, b"")
    known = data if len(data) >= 2 + len(longer) else data[:2] + longer
    return parse_header(known + bytes(4))


def parse_header(data: bytes | bytearray | memoryview, at: int = 0) -> Header | None:
    """The header that begins at octet `at`; None where not all of it is there. Never raises: every pattern is one."""
    there = len(data) - at
    if there < 2:
        return None
    first, second = data[at], data[at + 1]
    length, bits, size = second & 0x7F, 7, 2
    if length >= 126:
        bits, size = (16, 4) if length == 126 else (64, 10)
        if there < size:
            return None
        length = int.from_bytes(data[at + 2 : at + size])
    key = None
    if second & 0x80:
        if there < size + 4:
            return None
        key = bytes(data[at + size : at + size + 4])
        size += 4
    return Header(bool(first & 0x80), first >> 4 & 7, first & 15, bool(second & 0x80), length, bits, key, size)


@dataclass(frozen=True, slots=True)
class Frame:
    """One frame, right or wrong. Raises ValueError for what no header can say at all."""

    opcode: int
    """0 to 15."""
    payload: bytes = b""
    """Unmasked; `encode` masks it where there is a key."""
    fin: bool = True
    rsv: int = 0
    """The three reserved bits: RSV1 is 4, RSV2 is 2, RSV3 is 1."""
    mask: bytes | None = None
    """The masking key, 4 octets; None: not masked."""
    length_bits: int | None = None
    """7, 16 or 64: how the length is written; None: the shortest."""
    announced: int | None = None
    """The length that the header says, where it lies; None: that of the payload."""

    def __post_init__(self) -> None:
        """Refuses what the fields of a header cannot hold (RFC 6455 §5.2)."""
        if not 0 <= self.opcode <= 15:
            raise ValueError(f"an opcode has 4 bits, so it is 0 to 15 (RFC 6455 §5.2), not {self.opcode}")
        if not 0 <= self.rsv <= 7:
            raise ValueError(f"rsv is three bits, so it is 0 to 7 (RSV1 is 4), not {self.rsv}")
        if self.mask is not None and len(self.mask) != 4:
            raise ValueError(f"a masking key has 4 octets (RFC 6455 §5.3), not {len(self.mask)}")
        if self.length_bits not in (None, 7, 16, 64):
            raise ValueError(f"a length is written in 7, 16 or 64 bits (RFC 6455 §5.2), not {self.length_bits}")
        most = {7: 125, 16: 65535}.get(self.length_bits or 64, 2**64 - 1)
        if not 0 <= self.length <= most:
            raise ValueError(f"a length of {self.length} cannot be written in {self.length_bits or 64} bits")

    @property
    def length(self) -> int:
        """The length that the header says."""
        return len(self.payload) if self.announced is None else self.announced

    @property
    def header(self) -> bytes:
        """The header's octets, the key included."""
        bits = self.length_bits or shortest(self.length)
        masked = 0x80 if self.mask is not None else 0
        first = (0x80 if self.fin else 0) | self.rsv << 4 | self.opcode
        if bits == 7:
            head = bytes((first, masked | self.length))
        elif bits == 16:
            head = struct.pack("!BBH", first, masked | 126, self.length)
        else:
            head = struct.pack("!BBQ", first, masked | 127, self.length)
        return head + (self.mask or b"")

    def encode(self) -> bytes:
        """The frame's octets."""
        return self.header + (self.payload if self.mask is None else unmask(self.mask, self.payload))

    def masked(self, key: bytes | None = None) -> Frame:
        """The same frame, masked with `key`; None takes a fresh one from a strong source (RFC 6455 §5.3)."""
        return replace(self, mask=secrets.token_bytes(4) if key is None else key)

    def describe(self) -> str:
        """One line, such as `TEXT fin masked len 5 "hello"`."""
        bits = self.length_bits or shortest(self.length)
        return describe(
            self.opcode, self.fin, self.rsv, self.mask is not None, self.length, bits, self.payload, len(self.payload)
        )


def describe(
    opcode: int, fin: bool, rsv: int, masked: bool, length: int, bits: int, payload: bytes, there: int | None = None
) -> str:
    """One line for a frame, such as `TEXT fin masked len 5 "hello"`, `PING no-fin rsv1 len 1 in 16 bits "x"`.

    `payload` may be only its beginning; `there`: octets of it that came, where the frame is not whole.
    """
    words = [opcode_name(opcode), "fin" if fin else "no-fin"]
    words += [f"rsv{place}" for place, bit in ((1, 4), (2, 2), (3, 1)) if rsv & bit]
    words += ["masked"] * masked
    words.append(f"len {length}")
    if bits != shortest(length):
        words.append(f"in {bits} bits")
    if there is not None and there < length:
        words.append(f"({there} there)")
    said = show(opcode, payload, length)
    return " ".join([*words, said] if said else words)


def show(opcode: int, payload: bytes, length: int | None = None) -> str:
    """The beginning of a payload for a sentence: quoted where it is text, the code of a Close, otherwise hex."""
    if not payload:
        return ""
    length = len(payload) if length is None else length
    if opcode == Opcode.CLOSE:
        if len(payload) < 2:
            return f"0x{payload.hex()}"
        reason = show(Opcode.TEXT, payload[2:], length - 2)
        return f"{int.from_bytes(payload[:2])} {reason}".rstrip()
    head = payload[: SHOWN * 4]
    if opcode != Opcode.BINARY:
        # The cut may have split the last character; what stands before it is text none the less.
        for missing in range(4 if len(head) < length else 1):
            try:
                text = head[: len(head) - missing].decode()
            except UnicodeDecodeError:
                continue
            if opcode == Opcode.TEXT or text.isprintable():
                more = "…" if len(text) > SHOWN or len(head) < length else ""
                return _quoted(text[:SHOWN]) + more
            break
    return f"0x{payload[:SHOWN_OCTETS].hex()}" + ("…" if length > SHOWN_OCTETS else "")


def _quoted(text: str) -> str:
    """`text` in double quotes, in single ones where it has double ones itself, as JSON does.

    Everything is escaped that a terminal would obey.
    """
    plain = json.dumps(text, ensure_ascii=False)
    if '"' in text:
        inside = '"'.join(json.dumps(piece, ensure_ascii=False)[1:-1] for piece in text.split('"'))
        plain = "'" + inside.replace("'", "\\'") + "'"
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in plain)


def text(data: str | bytes, **fields: Any) -> Frame:
    """A text frame; bytes go out as they are, valid UTF-8 or not (RFC 6455 §5.6). `fields` as Frame has them."""
    return Frame(Opcode.TEXT, data.encode() if isinstance(data, str) else data, **fields)


def binary(data: bytes = b"", **fields: Any) -> Frame:
    """A binary frame (RFC 6455 §5.6)."""
    return Frame(Opcode.BINARY, data, **fields)


def continuation(data: str | bytes = b"", **fields: Any) -> Frame:
    """A further fragment of the message that was begun (RFC 6455 §5.4)."""
    return Frame(Opcode.CONTINUATION, data.encode() if isinstance(data, str) else data, **fields)


def ping(data: bytes = b"", **fields: Any) -> Frame:
    """A Ping (RFC 6455 §5.5.2)."""
    return Frame(Opcode.PING, data, **fields)


def pong(data: bytes = b"", **fields: Any) -> Frame:
    """A Pong (RFC 6455 §5.5.3)."""
    return Frame(Opcode.PONG, data, **fields)


def close(code: int | None = None, reason: str | bytes = "", **fields: Any) -> Frame:
    """A Close (RFC 6455 §5.5.1): with no body where `code` is None, and then without a reason. Any code goes.

    Raises ValueError where a reason comes without a code, or the code does not fit into 16 bits.
    """
    tail = reason.encode() if isinstance(reason, str) else reason
    if code is None:
        if tail:
            raise ValueError("a reason follows a code (RFC 6455 §5.5.1): give one")
        return Frame(Opcode.CLOSE, b"", **fields)
    if not 0 <= code <= 65535:
        raise ValueError(f"a close code has 16 bits, so it is 0 to 65535, not {code}")
    return Frame(Opcode.CLOSE, code.to_bytes(2) + tail, **fields)


def close_body(payload: bytes) -> tuple[int | None, bytes]:
    """Code and reason of a Close's payload; no code where it has fewer than 2 octets (RFC 6455 §5.5.1)."""
    return (int.from_bytes(payload[:2]), payload[2:]) if len(payload) >= 2 else (None, b"")


@dataclass(frozen=True, slots=True)
class ReadFrame:
    """One frame as it was read."""

    frame: Frame
    """Unmasked; `length_bits` is None where the length was in its shortest form."""
    start: int
    """Its first octet, counted from the first that was fed."""
    end: int
    """The octet behind its last."""
    header_size: int
    """Octets of its header, the key included."""

    @property
    def length_bits(self) -> int:
        """7, 16 or 64: how its length was written."""
        return self.frame.length_bits or shortest(self.frame.length)


class FrameReader:
    """Cuts a stream into frames. Never raises; takes time in proportion to what is fed, in whatever pieces."""

    __slots__ = ("_at", "_buffer", "_done", "_most", "partial", "received", "too_large")

    def __init__(self, most: int = MOST) -> None:
        """`most`: octets of payload that it keeps of one frame; 0 or more."""
        self._most = most
        self._buffer = bytearray()
        self._at = 0
        """Where in the buffer the frame begins that is being read."""
        self._done = 0
        """Octets of the stream before the buffer."""
        self.received = 0
        """Octets that were fed."""
        self.partial: Header | None = None
        """The header of the frame that is not all there, once that much of it has come."""
        self.too_large: Header | None = None
        """The header that announced more than `most`. The reader has stopped there: what follows is dropped."""

    @property
    def waiting(self) -> int:
        """Octets kept of a frame that is not all there."""
        return len(self._buffer) - self._at

    @property
    def start(self) -> int:
        """Where the frame begins that is not all there, or that comes next, counted from the first octet fed."""
        return self._done + self._at

    @property
    def kept(self) -> bytes:
        """The octets that `waiting` counts."""
        return bytes(self._buffer[self._at :])

    def feed(self, data: bytes) -> list[ReadFrame]:
        """The frames that are complete with `data`."""
        self.received += len(data)
        if self.too_large:
            return []
        self._buffer += data
        frames: list[ReadFrame] = []
        while True:
            if self.partial is None:
                self.partial = parse_header(self._buffer, self._at)
                if self.partial is None:
                    break
                if self.partial.length > self._most:
                    self.too_large = self.partial
                    del self._buffer[self._at + self.partial.size :]
                    break
            header = self.partial
            if self.waiting < header.whole:
                break
            frames.append(self._take(header))
            self.partial = None
        if self._at:
            del self._buffer[: self._at]
            self._done += self._at
            self._at = 0
        return frames

    def _take(self, header: Header) -> ReadFrame:
        start = self._at
        self._at += header.whole
        payload = bytes(self._buffer[start + header.size : self._at])
        frame = Frame(
            header.opcode,
            payload if header.key is None else unmask(header.key, payload),
            header.fin,
            header.rsv,
            header.key,
            None if header.length_bits == shortest(header.length) else header.length_bits,
        )
        return ReadFrame(frame, self._done + start, self._done + self._at, header.size)
