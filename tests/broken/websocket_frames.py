"""Frames of RFC 6455 §5.2 by hand, for servers that know nothing of the lab or of any WebSocket library."""

from __future__ import annotations

from dataclasses import dataclass

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
RSV1, RSV2, RSV3 = 4, 2, 1


@dataclass(frozen=True)
class Frame:
    """One frame as it is to be written, nonsense included."""

    opcode: int
    payload: bytes = b""
    fin: bool = True
    rsv: int = 0
    key: bytes | None = None
    """Masked with these four octets; None: not masked."""
    form: int | None = None
    """Bits of the length: 7, 16 or 64. None: the shortest that will do."""
    announced: int | None = None
    """The length that the header tells, when it is not the payload's."""


@dataclass(frozen=True)
class Header:
    """What the octets in front of a payload say."""

    fin: bool
    rsv: int
    opcode: int
    length: int
    form: int
    key: bytes | None
    size: int
    """Octets of the header itself, the key among them."""

    @property
    def control(self) -> bool:
        """Whether it is a control frame: its opcode has the top bit set."""
        return self.opcode >= 8


def encode(frame: Frame) -> bytes:
    """The octets of a frame."""
    length = len(frame.payload) if frame.announced is None else frame.announced
    form = frame.form or shortest(length)
    marked = 0x80 if frame.key is not None else 0
    first = (0x80 if frame.fin else 0) | frame.rsv << 4 | frame.opcode
    if form == 7:
        head = bytes([first, marked | length])
    elif form == 16:
        head = bytes([first, marked | 126]) + length.to_bytes(2, "big")
    else:
        head = bytes([first, marked | 127]) + length.to_bytes(8, "big")
    if frame.key is None:
        return head + frame.payload
    return head + frame.key + masked(frame.key, frame.payload)


def shortest(length: int) -> int:
    """The bits that a length needs: "the minimal number of bytes MUST be used" (§5.2)."""
    return 7 if length < 126 else 16 if length < 65536 else 64


def masked(key: bytes, payload: bytes) -> bytes:
    """Octet i XOR the key's octet i mod 4 (§5.3), which masks and unmasks."""
    whole = (key * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload, "big") ^ int.from_bytes(whole, "big")).to_bytes(len(payload), "big")


def read_header(data: bytes | bytearray) -> Header | None:
    """The header at the beginning of `data`, or None while it is not all there."""
    if len(data) < 2:
        return None
    length = data[1] & 0x7F
    form, more = (7, 0) if length < 126 else (16, 2) if length == 126 else (64, 8)
    has_key = bool(data[1] & 0x80)
    size = 2 + more + (4 if has_key else 0)
    if len(data) < size:
        return None
    if more:
        length = int.from_bytes(data[2 : 2 + more], "big")
    key = bytes(data[size - 4 : size]) if has_key else None
    return Header(bool(data[0] & 0x80), data[0] >> 4 & 7, data[0] & 15, length, form, key, size)
