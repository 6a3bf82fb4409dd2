"""Frames by hand: nothing of the lab makes or reads them."""

from __future__ import annotations

import struct

LAB, SERVER = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
LAB4, SERVER4 = bytes([198, 51, 100, 2]), bytes([198, 51, 100, 1])
LAB6, SERVER6 = (bytes.fromhex("20010db8" + "00" * 11 + last) for last in ("02", "01"))

REQUEST = (
    b"GET /echo HTTP/1.1\r\n"
    b"Host: 198.51.100.1:7080\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
    b"Sec-WebSocket-Version: 13\r\n\r\n"
)
"""160 octets: 20 + 25 + 20 + 21 + 45 + 27 + 2."""
ANSWER = (
    b"HTTP/1.1 101 Switching Protocols\r\n"
    b"Upgrade: websocket\r\n"
    b"Connection: Upgrade\r\n"
    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
)
"""129 octets: 34 + 20 + 21 + 52 + 2."""
HELLO = bytes.fromhex("810548656c6c6f")
"""A text frame, "Hello", not masked (RFC 6455 §5.7): header 2, payload 5."""
MASKED_HELLO = bytes.fromhex("818537fa213d7f9f4d5158")
"""The same, masked (RFC 6455 §5.7): header 2 + 4, payload 5."""


def checksum(data: bytes) -> int:
    """RFC 1071, the slow way."""
    total = 0
    for i in range(0, len(data), 2):
        total += int.from_bytes(data[i : i + 2].ljust(2, b"\0"))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def ether(inside: bytes, kind: int, *, to_server: bool = True) -> bytes:
    """An Ethernet II frame, 14 octets before its inside."""
    ends = SERVER + LAB if to_server else LAB + SERVER
    return ends + struct.pack("!H", kind) + inside


def ip4(
    inside: bytes,
    protocol: int = 6,
    *,
    to_server: bool = True,
    options: bytes = b"",
    bits: int = 0x4000,
    ident: int = 0,
) -> bytes:
    """An IPv4 packet, 20 octets and its options before its inside. `bits`: flags and fragment offset."""
    ends = LAB4 + SERVER4 if to_server else SERVER4 + LAB4
    words, total = 5 + len(options) // 4, 20 + len(options) + len(inside)
    header = struct.pack("!BBHHHBBH", 0x40 | words, 0, total, ident, bits, 64, protocol, 0) + ends + options
    return header[:10] + struct.pack("!H", checksum(header)) + header[12:] + inside


def ip6(inside: bytes, following: int = 6, *, to_server: bool = True) -> bytes:
    """An IPv6 packet, 40 octets before its inside."""
    ends = LAB6 + SERVER6 if to_server else SERVER6 + LAB6
    return struct.pack("!IHBB", 0x60000000, len(inside), following, 64) + ends + inside


def tcp(
    flags: int,
    seq: int,
    ack: int = 0,
    payload: bytes = b"",
    *,
    options: bytes = b"",
    to_server: bool = True,
    offset: int | None = None,
    wrong: int = 0,
    v6: bool = False,
) -> bytes:
    """A TCP segment with a right checksum, unless `wrong` is added to it: 20 octets, options, payload."""
    ports = (40000, 7080) if to_server else (7080, 40000)
    words = 5 + len(options) // 4 if offset is None else offset
    whole = struct.pack("!HHIIBBHHH", *ports, seq % 2**32, ack % 2**32, words << 4, flags, 65535, 0, 0)
    whole += options + payload
    if v6:
        pseudo = LAB6 + SERVER6 + struct.pack("!II", len(whole), 6)
    else:
        pseudo = LAB4 + SERVER4 + struct.pack("!HH", 6, len(whole))
    found = (checksum(pseudo + whole) + wrong) % 0x10000
    return whole[:16] + struct.pack("!H", found) + whole[18:]


FIN, SYN, RST, PSH, ACK = 1, 2, 4, 8, 16
X, Y = 0xFFFFFFFF, 1000
"""The lab's and the server's initial numbers; the lab's wrap."""


def ours(flags: int, seq: int, ack: int, payload: bytes = b"", **more: int | bytes) -> bytes:
    """A frame of the lab's, with numbers counted from the SYNs."""
    return ether(ip4(tcp(flags, X + seq, Y + ack, payload, **more)), 0x0800)  # type: ignore[arg-type]


def theirs(flags: int, seq: int, ack: int, payload: bytes = b"", **more: int | bytes) -> bytes:
    """A frame of the server's."""
    segment = tcp(flags, Y + seq, X + ack, payload, to_server=False, **more)  # type: ignore[arg-type]
    return ether(ip4(segment, to_server=False), 0x0800, to_server=False)


def opened() -> list[bytes]:
    """Three segments, the request, the 101: five frames. The lab's next octet is 161, the server's 130."""
    return [
        ours(SYN, 0, 0),
        theirs(SYN | ACK, 0, 1),
        ours(ACK, 1, 1),
        ours(PSH | ACK, 1, 1, REQUEST),
        theirs(PSH | ACK, 1, 161, ANSWER),
    ]
