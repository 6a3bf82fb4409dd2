"""Frames that a kernel left to its network card to cut into segments: cut here as the card would.

A packet socket sees what a local kernel sends before the card has it. Between containers there is no card, and such a
frame arrives whole: longer than the MSS that was agreed on, though no server ever sent a segment of that length. The
kernel says with the frame how it would have been cut (linux/virtio_net.h, PACKET_VNET_HDR of packet(7)).
"""

from __future__ import annotations

import struct
from typing import Final

HEADER: Final = struct.Struct("=BBHHHH")
"""struct virtio_net_hdr: flags, kind, length of the headers, octets of data in each segment, two of the checksum's."""
PLAIN: Final = bytes(HEADER.size)
"""Goes before a frame that is sent as it is."""

_KINDS: Final = (1, 4)  # VIRTIO_NET_HDR_GSO_TCPV4, VIRTIO_NET_HDR_GSO_TCPV6
_ECN: Final = 0x80
_FIN, _PSH, _CWR = 0x01, 0x08, 0x80


def segments(frame: bytes, header: bytes) -> list[bytes]:
    """The frames that go on the wire for `frame`, which came with `header`: itself, unless it was left to be cut.

    Of the segments, only the last has the FIN and PSH flags, only the first CWR (RFC 3168 §6.1.2). Their TCP checksums
    are left as they are: they are the card's as well.
    """
    _, kind, _, size, _, _ = HEADER.unpack(header)
    if kind & ~_ECN not in _KINDS or not size or len(frame) < 54:
        return [frame]
    at = 14
    while frame[at - 2 : at] in (b"\x81\x00", b"\x88\xa8"):
        at += 4
    ipv4 = kind & ~_ECN == _KINDS[0]
    tcp = at + ((frame[at] & 0x0F) * 4 if ipv4 else 40)
    if len(frame) < tcp + 20:
        return [frame]
    start = tcp + (frame[tcp + 12] >> 4) * 4
    (seq,) = struct.unpack_from("!I", frame, tcp + 4)
    found: list[bytes] = []
    for offset in range(0, len(frame) - start, size):
        data = frame[start + offset : start + offset + size]
        head = bytearray(frame[:start])
        struct.pack_into("!I", head, tcp + 4, (seq + offset) & 0xFFFFFFFF)
        if start + offset + size < len(frame):
            head[tcp + 13] &= ~(_FIN | _PSH)
        if offset:
            head[tcp + 13] &= ~_CWR
        if ipv4:
            (number,) = struct.unpack_from("!H", head, at + 4)
            struct.pack_into("!HH", head, at + 2, start - at + len(data), (number + len(found)) & 0xFFFF)
            struct.pack_into("!H", head, at + 10, 0)
            struct.pack_into("!H", head, at + 10, _checksum(bytes(head[at:tcp])))
        else:
            struct.pack_into("!H", head, at + 4, start - tcp + len(data))
        found.append(bytes(head) + data)
    return found or [frame]


def _checksum(header: bytes) -> int:
    """Of an IPv4 header (RFC 791 §3.1)."""
    total: int = sum(struct.unpack(f"!{len(header) // 2}H", header))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF
