"""ICMP (RFC 792) and ICMPv6 (RFC 4443; neighbour discovery: RFC 4861). A quoted packet is part of the message."""

from __future__ import annotations

from typing import Final

from lab.layers.parts import Header, Layer, hexadecimal, mac, number, octets_of
from lab.wire.codec import ones_sum, pseudo_header, text

ICMP_TYPES: Final = {
    0: "echo reply", 3: "destination unreachable", 4: "source quench", 5: "redirect", 8: "echo request",
    11: "time exceeded", 12: "parameter problem", 13: "timestamp request", 14: "timestamp reply",
}  # fmt: skip
ICMPV6_TYPES: Final = {
    1: "destination unreachable", 2: "packet too big", 3: "time exceeded", 4: "parameter problem",
    128: "echo request", 129: "echo reply", 130: "multicast listener query", 131: "multicast listener report",
    132: "multicast listener done", 133: "router solicitation", 134: "router advertisement",
    135: "neighbour solicitation", 136: "neighbour advertisement", 137: "redirect", 143: "multicast listener report",
}  # fmt: skip
_ICMP_ERRORS, _ICMPV6_ERRORS = (3, 4, 5, 11, 12), (1, 2, 3, 4)
_NEIGHBOUR_OPTIONS: Final = {1: "source link-layer address", 2: "target link-layer address", 3: "prefix", 5: "MTU"}


def icmp(data: bytes, at: int, end: int) -> Layer:
    """An ICMP message: all octets from `at` to `end`, of which there is at least one."""
    header = Header(data, at, end)
    kind = data[at]
    name = ICMP_TYPES.get(kind, "")
    header.take("type", 0, 1, number, name)
    header.take("code", 1, 1)
    right = end - at >= 8 and ones_sum(data[at:end]) == 0
    header.take("checksum", 2, 2, hexadecimal, "right" if right else "wrong")
    if kind in (0, 8):
        _echo(header, end)
    elif kind in _ICMP_ERRORS:
        header.take("rest of header", 4, 4, octets_of)
        _quote(header, at + 8, end, 4)
    else:
        header.take("body", 4, end - at - 4, octets_of)
    return header.made("ICMP", end, note=_short(end - at), about=name or f"type {kind}")


def icmpv6(data: bytes, at: int, end: int, source: bytes, destination: bytes) -> Layer:
    """An ICMPv6 message: all octets from `at` to `end`, of which there is at least one."""
    header = Header(data, at, end)
    kind = data[at]
    about = ICMPV6_TYPES.get(kind, f"type {kind}")
    header.take("type", 0, 1, number, ICMPV6_TYPES.get(kind, ""))
    header.take("code", 1, 1)
    right = not ones_sum(pseudo_header(source, destination, end - at, 58) + data[at:end])
    header.take("checksum", 2, 2, hexadecimal, "right" if right else "wrong")
    if kind in (128, 129):
        _echo(header, end)
    elif kind in _ICMPV6_ERRORS:
        header.take("MTU" if kind == 2 else "rest of header", 4, 4, number if kind == 2 else octets_of)
        _quote(header, at + 8, end, 6)
    elif kind in (135, 136):
        if kind == 136:
            header.bits("router", 4, 0, 1)
            header.bits("solicited", 4, 1, 1)
            header.bits("override", 4, 2, 1)
            header.bits("reserved", 4, 3, 29)
        else:
            header.take("reserved", 4, 4)
        header.take("target address", 8, 16, text)
        _options(header, 24, end)
        if end - at >= 24:
            about = (
                f"who has {text(data[at + 8 : at + 24])}?" if kind == 135 else f"{text(data[at + 8 : at + 24])} is here"
            )
    else:
        header.take("body", 4, end - at - 4, octets_of)
    return header.made("ICMPv6", end, note=_short(end - at), about=about)


def _short(size: int) -> str:
    return f"cut short: {size} of 8 octets" if size < 8 else ""


def _echo(header: Header, end: int) -> None:
    header.take("identifier", 4, 2)
    header.take("sequence number", 6, 2)
    header.take("data", 8, end - header.start - 8, octets_of)


def _quote(header: Header, at: int, end: int, version: int) -> None:
    """The beginning of the packet that the message is about: IP header, and at least the ports."""
    data, start = header.data, header.start
    if at >= end or data[at] >> 4 != version:
        header.take("quoted packet", at - start, end - at, octets_of)
        return
    size, address = (40, 16) if version == 6 else ((data[at] & 15) * 4, 4)
    first = 8 if version == 6 else 12
    if size < 20 or at + size > end:
        header.take("quoted packet", at - start, end - at, octets_of)
        return
    behind = at + size - start
    header.take("quoted IP header", at - start, first, octets_of)
    header.take("quoted source address", at - start + first, address, text)
    header.take("quoted destination address", at - start + first + address, address, text)
    header.take("quoted options", at - start + first + 2 * address, size - first - 2 * address, octets_of)
    if (data[at + 6] if version == 6 else data[at + 9]) == 6 and start + behind + 8 <= end:
        header.take("quoted source port", behind, 2)
        header.take("quoted destination port", behind + 2, 2)
        header.take("quoted sequence number", behind + 4, 4)
        behind += 8
    header.take("quoted packet's rest", behind, end - start - behind, octets_of)


def _options(header: Header, at: int, end: int) -> None:
    """Neighbour discovery's options (RFC 4861 §4.6), their length counted in eights."""
    data, start = header.data, header.start
    while start + at < end:
        left = end - start - at
        size = data[start + at + 1] * 8 if left > 1 else 0
        if not 0 < size <= left:
            header.take("option", at, left, octets_of, "malformed: its length is impossible")
            return
        kind = data[start + at]
        name = _NEIGHBOUR_OPTIONS.get(kind, f"option {kind}")
        header.take("option type and length", at, 2, octets_of, name)
        say = mac if kind in (1, 2) and size == 8 else octets_of
        header.take(name, at + 2, size - 2, say)
        at += size
