"""The internet layer's headers: IPv4 (RFC 791), IPv6 and its extension headers (RFC 8200). ICMP is in `icmp`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lab.layers.parts import Header, Layer, hexadecimal, make, number, octets_of
from lab.wire.codec import checksum_of, ones_sum, text

PROTOCOL_NAMES: Final = {
    0: "IPv6 hop-by-hop options", 1: "ICMP", 2: "IGMP", 4: "IPv4", 6: "TCP", 17: "UDP", 41: "IPv6",
    43: "IPv6 routing header", 44: "IPv6 fragment header", 47: "GRE", 50: "ESP", 51: "IPv6 authentication header",
    58: "ICMPv6", 59: "nothing", 60: "IPv6 destination options", 132: "SCTP",
}  # fmt: skip
HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, NOTHING, DESTINATION = 0, 43, 44, 51, 59, 60
_EXTENSIONS: Final = {
    HOP_BY_HOP: "IPv6 hop-by-hop options",
    ROUTING: "IPv6 routing header",
    FRAGMENT: "IPv6 fragment header",
    AUTHENTICATION: "IPv6 authentication header",
    DESTINATION: "IPv6 destination options",
    135: "IPv6 extension header",
    139: "IPv6 extension header",
    140: "IPv6 extension header",
}
_ECN: Final = ("the transport does not use ECN", "ECN: ECT(1)", "ECN: ECT(0)", "congestion experienced")
_IPV4_OPTIONS: Final = {
    0: "end of options", 1: "no operation", 7: "record route", 68: "timestamp", 131: "loose source route",
    137: "strict source route", 148: "router alert",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Piece:
    """Which part of a packet a fragment is."""

    identification: int
    offset: int
    """Octets of the packet before it."""
    more: bool
    """Whether it is not the last."""


@dataclass(frozen=True, slots=True)
class Packet:
    """What an IP packet's headers say."""

    layers: list[Layer]
    source: bytes
    destination: bytes
    protocol: int | None
    """The protocol of what is inside; None where nothing can be told of it."""
    at: int
    """Where the inside begins,"""
    end: int
    """and where the packet ends in the data."""
    fragment: Piece | None = None
    missing: int = 0
    """Octets that its length announces and that the capture has not."""
    on_the_way: bool = False
    """A routing header leads on: the destination is not yet the last, and checksums cannot be checked."""


def ipv4(data: bytes, at: int, end: int) -> Packet:
    """The IPv4 header in `data` from octet `at`; the data end at `end`, behind `at`."""
    size = (data[at] & 15) * 4
    wrong = ""
    if data[at] >> 4 != 4:
        wrong = f"its version is {data[at] >> 4}, not 4"
    elif size < 20:
        wrong = f"its header length is {size} octets, below 20"
    behind = min(at + max(size, 20), end)
    header = Header(data, at, behind)
    header.bits("version", 0, 0, 4)
    header.bits("header length", 0, 4, 4, f"{size} octets")
    header.bits("DSCP", 1, 0, 6, "which treatment it asks for")
    header.bits("ECN", 1, 6, 2, _ECN[data[at + 1] & 3] if at + 1 < end else "")
    header.take("total length", 2, 2, number, "header and what is inside, in octets")
    header.take("identification", 4, 2, hexadecimal, "the same in all fragments of a packet")
    header.bits("reserved flag", 6, 0, 1)
    header.bits("don't fragment", 6, 1, 1)
    header.bits("more fragments", 6, 2, 1)
    offset = (int.from_bytes(data[at + 6 : at + 8]) & 0x1FFF) * 8
    header.bits("fragment offset", 6, 3, 13, f"{offset} octets stand before this piece" if offset else "in eights")
    header.take("time to live", 8, 1, number, "one less at each router")
    header.take("protocol", 9, 1, number, PROTOCOL_NAMES.get(data[at + 9], "") if at + 10 <= end else "")
    header.take("header checksum", 10, 2, hexadecimal, _judged(data[at:behind], size))
    header.take("source address", 12, 4, text)
    header.take("destination address", 16, 4, text)
    if size > 20:
        _ipv4_options(header, size)
    source, destination = data[at + 12 : at + 16], data[at + 16 : at + 20]
    if behind - at < 20 or wrong or at + size > end:
        note = wrong or f"cut short: {behind - at} of {max(size, 20)} octets"
        layer = header.made("IPv4", behind, note=note)
        return Packet([layer], source, destination, None, behind, end)
    total = int.from_bytes(data[at + 2 : at + 4])
    note, missing, stop = "", 0, at + total
    if total < size:
        # A capture taken before the network card has cut a large packet has 0 here.
        note, stop = f"its total length is {total} octets, less than its header", end
    elif stop > end:
        missing = stop - end
        note, stop = f"its total length is {total} octets, and the capture has {missing} fewer", end
    way = f"{text(source)} → {text(destination)}"
    layer = header.made("IPv4", behind, note=note, about=way)
    flags = int.from_bytes(data[at + 6 : at + 8])
    fragment = None
    if flags & 0x3FFF:
        fragment = Piece(int.from_bytes(data[at + 4 : at + 6]), offset, bool(flags & 0x2000))
    return Packet([layer], source, destination, data[at + 9], behind, stop, fragment, missing)


def _judged(header: bytes, size: int) -> str:
    """Whether an IPv4 header's checksum holds (RFC 791 §3.1)."""
    if len(header) < max(size, 20):
        return "of the header alone"
    if ones_sum(header) == 0:
        return "right; of the header alone"
    return f"wrong: should be 0x{checksum_of(header[:10] + bytes(2) + header[12:]):04x}"


def _ipv4_options(header: Header, size: int) -> None:
    at = 20
    data, start = header.data, header.start
    while at < min(size, header.end - start):
        kind = data[start + at]
        left = min(size, header.end - start) - at
        if kind == 0:
            header.take("option", at, left, octets_of, "end of options, and what fills the header up")
            return
        length = 1 if kind == 1 else data[start + at + 1] if left > 1 else 0
        if not (kind == 1 or 2 <= length <= left):
            header.take("option", at, left, octets_of, f"malformed: its length is {length}")
            return
        header.take("option", at, length, octets_of, _IPV4_OPTIONS.get(kind, f"kind {kind}"))
        at += length


def ipv6(data: bytes, at: int, end: int) -> Packet:
    """The IPv6 header and its extension headers in `data` from octet `at`; the data end at `end`, behind `at`."""
    behind = min(at + 40, end)
    header = Header(data, at, behind)
    header.bits("version", 0, 0, 4)
    header.bits("DSCP", 0, 4, 6, "which treatment it asks for")
    header.bits("ECN", 1, 2, 2, _ECN[data[at + 1] >> 4 & 3] if at + 1 < end else "")
    header.bits("flow label", 1, 4, 20)
    header.take("payload length", 4, 2, number, "what is behind this header, in octets")
    header.take("next header", 6, 1, number, PROTOCOL_NAMES.get(data[at + 6], "") if at + 7 <= end else "")
    header.take("hop limit", 7, 1, number, "one less at each router")
    header.take("source address", 8, 16, text)
    header.take("destination address", 24, 16, text)
    source, destination = data[at + 8 : at + 24], data[at + 24 : at + 40]
    wrong = f"its version is {data[at] >> 4}, not 6" if data[at] >> 4 != 6 else ""
    if behind - at < 40 or wrong:
        note = wrong or f"cut short: {behind - at} of 40 octets"
        return Packet([header.made("IPv6", behind, note=note)], source, destination, None, behind, end)
    length = int.from_bytes(data[at + 4 : at + 6])
    note, missing, stop = "", 0, behind + length
    if length == 0 and data[at + 6] not in (NOTHING,):
        note, stop = "its payload length is 0: the capture's end counts", end  # a jumbogram (RFC 2675), or none yet
    elif stop > end:
        missing = stop - end
        note, stop = f"its payload length is {length} octets, and the capture has {missing} fewer", end
    way = f"{text(source)} → {text(destination)}"
    layers = [header.made("IPv6", behind, note=note, about=way)]
    protocol: int | None = data[at + 6]
    here, fragment, on_the_way = behind, None, False
    while protocol in _EXTENSIONS and protocol is not None and here < stop:
        layer, following = _extension(protocol, data, here, stop)
        layers.append(layer)
        if following is not None and protocol == ROUTING:
            on_the_way = on_the_way or data[here + 3] != 0
        if following is not None and protocol == FRAGMENT:
            bits = int.from_bytes(data[here + 2 : here + 4])
            if bits & 0xFFF9:
                fragment = Piece(int.from_bytes(data[here + 4 : here + 8]), bits & 0xFFF8, bool(bits & 1))
        protocol, here = following, layer.end
        if fragment:
            break
    return Packet(layers, source, destination, protocol, here, stop, fragment, missing, on_the_way)


def _extension(protocol: int, data: bytes, at: int, end: int) -> tuple[Layer, int | None]:
    """An extension header (RFC 8200 §4) and what follows it; None for that where it is cut short."""
    name = _EXTENSIONS[protocol]
    if protocol == FRAGMENT:
        size = 8
    else:
        units = data[at + 1] if at + 1 < end else 0
        size = (units + 2) * 4 if protocol == AUTHENTICATION else (units + 1) * 8  # RFC 4302 §2.2
    behind = min(at + size, end)
    header = Header(data, at, behind)
    header.take("next header", 0, 1, number, PROTOCOL_NAMES.get(data[at], ""))
    if protocol == FRAGMENT:
        header.take("reserved", 1, 1)
        header.bits("fragment offset", 2, 0, 13, "in eights")
        header.bits("reserved", 2, 13, 2)
        header.bits("more fragments", 2, 15, 1)
        header.take("identification", 4, 4, hexadecimal, "the same in all fragments of a packet")
    else:
        header.take("header extension length", 1, 1, number, f"{size} octets")
        if protocol == ROUTING:
            header.take("routing type", 2, 1)
            header.take("segments left", 3, 1)
            header.take("type-specific data", 4, behind - at - 4, octets_of)
        else:
            header.take("contents", 2, behind - at - 2, octets_of)
    if behind < at + size:
        return header.made(name, behind, note=f"cut short: {behind - at} of {size} octets"), None
    return header.made(name, behind), data[at]


def fragment_piece(version: int, at: int, end: int, piece: Piece) -> Layer:
    """The inside of a fragment of a packet that is not whole."""
    way = f"from octet {piece.offset} of a packet that the capture does not have whole"
    return make(f"IPv{version} fragment", at, end, note=way)
