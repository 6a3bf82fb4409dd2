"""Cutting an IPv4 packet into fragments (RFC 791 §2.3, §3.2)."""

from __future__ import annotations

import struct

from lab.wire.codec import checksum_of

_ETHERNET = 14
_DONT_FRAGMENT = 0x4000
_MORE_FRAGMENTS = 0x2000


def fragments(frame: bytes, octets: int, *, identification: int) -> list[bytes]:
    """The frame's IPv4 packet in fragments of at most `octets` octets of payload each, in order.

    `octets` is a multiple of 8, 8 to 65528; `identification`, 0 to 65535, is what ties the fragments together.
    Raises ValueError for another number, and for a frame that holds no IPv4 packet.
    """
    if octets % 8 or not 8 <= octets <= 65528:
        raise ValueError(f"a fragment's length is a multiple of 8 octets, 8 to 65528 (RFC 791 §3.2), not {octets}")
    if len(frame) < _ETHERNET + 20 or frame[12:14] != b"\x08\x00" or frame[_ETHERNET] >> 4 != 4:
        raise ValueError("only an IPv4 packet can be cut into fragments by its sender's network (RFC 8200 §4.5)")
    length = (frame[_ETHERNET] & 15) * 4
    header = bytearray(frame[_ETHERNET : _ETHERNET + length])
    total = struct.unpack_from("!H", header, 2)[0]
    payload = frame[_ETHERNET + length : _ETHERNET + total]
    made = []
    for at in range(0, max(len(payload), 1), octets):
        piece = payload[at : at + octets]
        flags = struct.unpack_from("!H", header, 6)[0] & ~_DONT_FRAGMENT & 0xE000
        more = _MORE_FRAGMENTS if at + octets < len(payload) else 0
        head = bytearray(header)
        struct.pack_into("!HHH", head, 2, length + len(piece), identification, flags | more | at // 8)
        head[10:12] = b"\0\0"
        struct.pack_into("!H", head, 10, checksum_of(bytes(head)))
        made.append(frame[:_ETHERNET] + bytes(head) + piece)
    return made
