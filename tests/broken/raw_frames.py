"""Ethernet frames by hand: ARP, neighbour discovery, IPv4, IPv6 and TCP, packed and unpacked with `struct` alone.

This is the other side of the lab's trial, so it shares nothing with the lab: own header layouts, own checksums. A
mistake in `lab.wire` can then not be cancelled out by the same mistake here.
"""

from __future__ import annotations

import ipaddress
import struct
from dataclasses import dataclass, field
from itertools import count

FIN, SYN, RST, PSH, ACK, URG = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20

END, NOP, MSS, WINDOW_SCALE, SACK_PERMITTED, SACK, TIMESTAMPS = 0, 1, 2, 3, 4, 5, 8

BROADCAST = b"\xff" * 6
_identification = count(1)


@dataclass
class Seg:
    """One TCP segment and the addresses it travels between. Mutable: the breakages edit what goes out."""

    source: str
    destination: str
    sport: int
    dport: int
    seq: int = 0
    ack: int = 0
    flags: int = 0
    window: int = 0
    options: list[tuple[int, bytes]] = field(default_factory=list)
    payload: bytes = b""
    urgent: int = 0

    @property
    def length(self) -> int:
        """Sequence numbers used: octets of data, and one each for SYN and FIN (RFC 9293 §3.4)."""
        return len(self.payload) + bool(self.flags & SYN) + bool(self.flags & FIN)

    def has(self, flags: int) -> bool:
        """Whether all of `flags` are set."""
        return self.flags & flags == flags

    def option(self, kind: int) -> bytes | None:
        """The data of the first option of that kind, None where there is none."""
        return next((data for k, data in self.options if k == kind), None)


@dataclass
class Question:
    """Somebody asks for the link address of `target`: an ARP request or a neighbour solicitation."""

    source: str
    source_mac: bytes
    target: str


@dataclass
class Introduction:
    """Somebody tells the link address of `source`: an ARP reply or a neighbour advertisement."""

    source: str
    source_mac: bytes


def internet_sum(octets: bytes) -> int:
    """The Internet checksum of `octets` (RFC 1071): 0 where the checksum is already in there and is right."""
    if len(octets) % 2:
        octets += b"\0"
    total: int = sum(struct.unpack(f"!{len(octets) // 2}H", octets))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def pseudo_header(source: str, destination: str, length: int, protocol: int) -> bytes:
    """What the checksum covers beside the segment: RFC 9293 §3.1 for IPv4, RFC 8200 §8.1 for IPv6."""
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    if len(ends) == 8:
        return ends + struct.pack("!BBH", 0, protocol, length)
    return ends + struct.pack("!IxxxB", length, protocol)


def pack_tcp(seg: Seg) -> bytes:
    """The segment's octets with a checksum field of zero."""
    options = b""
    for kind, data in seg.options:
        options += bytes([kind]) if kind in (END, NOP) else bytes([kind, 2 + len(data)]) + data
    while len(options) % 4:
        options += b"\x01"
    offset_and_flags = ((20 + len(options)) // 4) << 12 | seg.flags
    header = struct.pack(
        "!HHIIHHHH",
        seg.sport,
        seg.dport,
        seg.seq % 2**32,
        seg.ack % 2**32,
        offset_and_flags,
        min(max(seg.window, 0), 0xFFFF),
        0,
        seg.urgent,
    )
    return header + options + seg.payload


def right_checksum(seg: Seg) -> int:
    """The checksum that belongs into the segment's header."""
    octets = pack_tcp(seg)
    return internet_sum(pseudo_header(seg.source, seg.destination, len(octets), 6) + octets)


def tcp_frame(seg: Seg, source_mac: bytes, destination_mac: bytes, checksum: int) -> bytes:
    """The whole frame, with whatever checksum the caller wants in it."""
    octets = bytearray(pack_tcp(seg))
    struct.pack_into("!H", octets, 16, checksum)
    if ":" in seg.source:
        return ipv6_frame(source_mac, destination_mac, seg.source, seg.destination, 6, bytes(octets), 64)
    header = bytearray(
        struct.pack(
            "!BBHHHBBH4s4s",
            0x45,
            0,
            20 + len(octets),
            next(_identification) % 0x10000,
            0x4000,  # don't fragment
            64,
            6,
            0,
            ipaddress.ip_address(seg.source).packed,
            ipaddress.ip_address(seg.destination).packed,
        )
    )
    struct.pack_into("!H", header, 10, internet_sum(bytes(header)))
    return destination_mac + source_mac + b"\x08\x00" + bytes(header) + bytes(octets)


def ipv6_frame(
    source_mac: bytes, destination_mac: bytes, source: str, destination: str, protocol: int, body: bytes, hops: int
) -> bytes:
    """An IPv6 packet in its frame."""
    header = struct.pack("!IHBB", 6 << 28, len(body), protocol, hops)
    ends = ipaddress.ip_address(source).packed + ipaddress.ip_address(destination).packed
    return destination_mac + source_mac + b"\x86\xdd" + header + ends + body


def _arp(operation: int, mac: bytes, source: str, target_mac: bytes, target: str) -> bytes:
    return struct.pack(
        "!HHBBH6s4s6s4s",
        1,
        0x0800,
        6,
        4,
        operation,
        mac,
        ipaddress.ip_address(source).packed,
        target_mac,
        ipaddress.ip_address(target).packed,
    )


def _icmpv6(source: str, destination: str, body: bytes) -> bytes:
    total = internet_sum(pseudo_header(source, destination, len(body), 58) + body)
    return body[:2] + struct.pack("!H", total) + body[4:]


def question_frame(mac: bytes, source: str, target: str) -> bytes:
    """An ARP request or a neighbour solicitation (RFC 4861 §4.3) for `target`."""
    if ":" not in target:
        return BROADCAST + mac + b"\x08\x06" + _arp(1, mac, source, b"\0" * 6, target)
    wanted = ipaddress.ip_address(target).packed
    group = str(ipaddress.IPv6Address(b"\xff\x02" + b"\0" * 9 + b"\x01\xff" + wanted[13:]))
    body = _icmpv6(source, group, b"\x87\0\0\0" + b"\0" * 4 + wanted + b"\x01\x01" + mac)
    return ipv6_frame(mac, b"\x33\x33\xff" + wanted[13:], source, group, 58, body, 255)


def answer_frame(question: Question, mac: bytes) -> bytes:
    """The ARP reply or the neighbour advertisement (RFC 4861 §4.4) that says: `target` is at `mac`."""
    if ":" not in question.target:
        return (
            question.source_mac
            + mac
            + b"\x08\x06"
            + _arp(2, mac, question.target, question.source_mac, question.source)
        )
    duplicate_check = question.source == "::"
    to = "ff02::1" if duplicate_check else question.source
    to_mac = b"\x33\x33\0\0\0\x01" if duplicate_check else question.source_mac
    flags = b"\x20" if duplicate_check else b"\x60"  # override, and solicited where somebody asked by name
    wanted = ipaddress.ip_address(question.target).packed
    body = _icmpv6(question.target, to, b"\x88\0\0\0" + flags + b"\0\0\0" + wanted + b"\x02\x01" + mac)
    return ipv6_frame(mac, to_mac, question.target, to, 58, body, 255)


def read(frame: bytes, trusting: bool = False) -> Seg | Question | Introduction | None:
    """What a frame says; None where it is damaged or none of our business. `trusting` looks at no TCP checksum."""
    try:
        kind = frame[12:14]
        if kind == b"\x08\x06":
            return _read_arp(frame)
        if kind == b"\x08\x00":
            return _read_ipv4(frame[14:], trusting)
        if kind == b"\x86\xdd":
            return _read_ipv6(frame[6:12], frame[14:], trusting)
    except (struct.error, IndexError, ValueError):
        return None
    return None


class Fragments:
    """IPv4 fragments, kept until their packet is whole (RFC 791 §3.2; RFC 1122 §3.3.2: a host must put them together).

    It believes what it is sent, and keeps the first PACKETS only: a server on trial meets no more.
    """

    PACKETS = 64

    def __init__(self) -> None:
        self._pieces: dict[bytes, dict[int, bytes]] = {}
        self._ends: dict[bytes, int] = {}

    def whole(self, frame: bytes) -> bytes:
        """The frame itself; of a fragment the whole packet's frame, b"" as long as another is missing."""
        fragment = struct.unpack_from("!H", frame, 20)[0] & 0x3FFF if len(frame) >= 34 else 0
        if frame[12:14] != b"\x08\x00" or not fragment:
            return frame
        begin, end = 14 + (frame[14] & 15) * 4, 14 + struct.unpack_from("!H", frame, 16)[0]
        key = frame[18:20] + frame[23:24] + frame[26:34]
        if key not in self._pieces and len(self._pieces) == self.PACKETS:
            return b""
        at = (fragment & 0x1FFF) * 8
        self._pieces.setdefault(key, {})[at] = frame[begin:end]
        if not fragment & 0x2000:
            self._ends[key] = at + end - begin
        octets = b""
        while len(octets) < self._ends.get(key, 0x10000):
            piece = self._pieces[key].get(len(octets))
            if not piece:
                return b""
            octets += piece
        del self._pieces[key], self._ends[key]
        header = bytearray(frame[14:34])
        header[0] = 0x45
        for place, value in ((2, 20 + len(octets)), (6, 0), (10, 0)):
            struct.pack_into("!H", header, place, value)
        struct.pack_into("!H", header, 10, internet_sum(bytes(header)))
        return frame[:14] + bytes(header) + octets


def _read_arp(frame: bytes) -> Question | Introduction | None:
    fields = struct.unpack_from("!HHBBH6s4s6s4s", frame, 14)
    if fields[:4] != (1, 0x0800, 6, 4):
        return None
    source, target = str(ipaddress.IPv4Address(fields[6])), str(ipaddress.IPv4Address(fields[8]))
    if fields[4] == 1:
        return Question(source, fields[5], target)
    return Introduction(source, fields[5])


def _read_ipv4(packet: bytes, trusting: bool) -> Seg | None:
    header = (packet[0] & 15) * 4
    total, fragment = struct.unpack_from("!H", packet, 2)[0], struct.unpack_from("!H", packet, 6)[0] & 0x3FFF
    if packet[0] >> 4 != 4 or header < 20 or total < header or len(packet) < total or fragment or packet[9] != 6:
        return None
    if internet_sum(packet[:header]):
        return None
    source, destination = str(ipaddress.IPv4Address(packet[12:16])), str(ipaddress.IPv4Address(packet[16:20]))
    return _read_tcp(source, destination, packet[header:total], trusting)


def _read_ipv6(link_source: bytes, packet: bytes, trusting: bool) -> Seg | Question | Introduction | None:
    length, protocol = struct.unpack_from("!HB", packet, 4)
    source, destination = str(ipaddress.IPv6Address(packet[8:24])), str(ipaddress.IPv6Address(packet[24:40]))
    body = packet[40 : 40 + length]
    if packet[0] >> 4 != 6 or len(body) < length:
        return None
    if protocol == 6:
        return _read_tcp(source, destination, body, trusting)
    if protocol != 58 or internet_sum(pseudo_header(source, destination, length, 58) + body):
        return None
    if body[0] == 135:
        return Question(source, link_source, str(ipaddress.IPv6Address(body[8:24])))
    if body[0] == 136:
        return Introduction(str(ipaddress.IPv6Address(body[8:24])), link_source)
    return None


def _read_tcp(source: str, destination: str, octets: bytes, trusting: bool) -> Seg | None:
    if len(octets) < 20:
        return None
    if not trusting and internet_sum(pseudo_header(source, destination, len(octets), 6) + octets):
        return None  # RFC 9293 §3.1: a segment with a wrong checksum is as good as lost
    sport, dport, seq, ack, offset, window, _, urgent = struct.unpack_from("!HHIIHHHH", octets)
    header = (offset >> 12) * 4
    if header < 20 or header > len(octets):
        return None
    return Seg(
        source,
        destination,
        sport,
        dport,
        seq,
        ack,
        offset & 0x3F,
        window,
        _read_options(octets[20:header]),
        octets[header:],
        urgent,
    )


def _read_options(octets: bytes) -> list[tuple[int, bytes]]:
    """The options up to END or the first impossible length, which must be survived (RFC 9293 §3.1, MUST-7)."""
    found: list[tuple[int, bytes]] = []
    while octets and octets[0] != END:
        if octets[0] == NOP:
            octets = octets[1:]
            continue
        if len(octets) < 2 or not 2 <= octets[1] <= len(octets):
            break
        found.append((octets[0], octets[2 : octets[1]]))
        octets = octets[octets[1] :]
    return found
