"""Frames by `struct`: what must be fast. Ethernet II, ARP, IPv4, IPv6, neighbour discovery and TCP.

`decode` takes any octets whatever and never raises; `encode` builds one TCP segment's frame. Scapy's view of the same
frames is in `lab.wire.scapy_side`, and a test holds the two to the same answer.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import ip_address
from typing import Final, Literal, TypeAlias

from lab.tcp.segment import Flags, Hurdle, Segment
from lab.tcp.sequence import Seq
from lab.wire import hurdles
from lab.wire.hurdles import DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ROUTING

ETHERNET_HEADER: Final = 14
ETHERTYPE_IPV4: Final = 0x0800
ETHERTYPE_ARP: Final = 0x0806
ETHERTYPE_IPV6: Final = 0x86DD
PROTOCOL_TCP: Final = 6
PROTOCOL_ICMPV6: Final = 58

_ETHERTYPES = {0x8100: "VLAN tag", 0x88A8: "VLAN tag", 0x88CC: "LLDP", 0x888E: "EAPOL"}
_PROTOCOLS = {1: "ICMP", 2: "IGMP", 6: "TCP", 17: "UDP", 47: "GRE", 50: "ESP", 51: "AH", 58: "ICMPv6", 132: "SCTP"}
_ICMP = {0: "echo reply", 3: "destination unreachable", 5: "redirect", 8: "echo request", 11: "time exceeded"}
_ICMPV6 = {
    1: "destination unreachable",
    2: "packet too big",
    3: "time exceeded",
    128: "echo request",
    129: "echo reply",
    133: "router solicitation",
    134: "router advertisement",
    135: "neighbour solicitation",
    136: "neighbour advertisement",
    143: "multicast listener report",
}

_FLAGS = tuple(Flags(value) for value in range(512))  # IntFlag's own look-up costs more than all else in decode
_IPV4 = struct.Struct("!BBHHHBBH4s4s")
_IPV6 = struct.Struct("!IHBB16s16s")
_TCP = struct.Struct("!HHIIHHHH")
_ARP = struct.Struct("!HHBBH6s4s6s4s")
_ARP_ETHERNET_IPV4 = (1, ETHERTYPE_IPV4, 6, 4)


@dataclass(frozen=True, slots=True)
class TcpFrame:
    """One frame with a TCP segment in it, as it stood on the wire. Whether it makes sense is somebody else's work."""

    source: str
    """IP addresses in the canonical text form of `ipaddress`."""
    destination: str
    sport: int
    dport: int
    segment: Segment
    source_mac: bytes
    destination_mac: bytes
    ttl: int
    """IPv4's time to live or IPv6's hop limit, 0 to 255."""
    checksum: int
    """The TCP checksum field, 0 to 65535."""
    checksum_correct: bool
    """Whether the TCP checksum holds, pseudo-header included (RFC 9293 §3.1; RFC 8200 §8.1 for IPv6)."""
    ip_checksum_correct: bool
    """Whether the IPv4 header's checksum holds (RFC 791 §3.1); True for IPv6, which has none."""
    truncated: bool
    """The frame ends before its headers say, or the data offset is below 5 or points behind the segment's end."""
    reserved: int
    """The three reserved bits between data offset and NS, 0 to 7 (RFC 9293 §3.1: Rsrvd, less AccECN's AE/NS)."""
    data_offset: int = 5
    """The data offset field, 0 to 15 words of four octets."""
    hurdle: Hurdle | None = None
    """What its IP options or extension headers put in its way to TCP."""

    @property
    def sound(self) -> bool:
        """Whether it is whole and its checksums hold, so that a receiver must not drop it for them."""
        return self.checksum_correct and self.ip_checksum_correct and not self.truncated

    @property
    def family(self) -> Literal["ipv4", "ipv6"]:
        """Which internet protocol carried it."""
        return "ipv6" if ":" in self.source else "ipv4"


@dataclass(frozen=True, slots=True)
class ArpRequest:
    """Who has `target`? (RFC 826). `source` is "0.0.0.0" in a probe (RFC 5227 §2.1.1)."""

    source_mac: bytes
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class ArpReply:
    """`source` is at `source_mac` (RFC 826)."""

    source_mac: bytes
    source: str
    target_mac: bytes
    target: str


@dataclass(frozen=True, slots=True)
class NeighbourSolicitation:
    """Who has `target`? (RFC 4861 §4.3). `source` is "::" while its sender looks for duplicates (RFC 4862 §5.4)."""

    source_mac: bytes
    """The source link-layer address option where there is one, else the frame's source."""
    source: str
    target: str


@dataclass(frozen=True, slots=True)
class NeighbourAdvertisement:
    """`target` is at `source_mac` (RFC 4861 §4.4)."""

    source_mac: bytes
    """The target link-layer address option where there is one, else the frame's source."""
    source: str
    target: str
    solicited: bool = True
    override: bool = True


@dataclass(frozen=True, slots=True)
class OtherFrame:
    """Anything else, told in one line."""

    summary: str


Decoded: TypeAlias = TcpFrame | ArpRequest | ArpReply | NeighbourSolicitation | NeighbourAdvertisement | OtherFrame
"""What `decode` can say about a frame."""


@lru_cache(maxsize=4096)
def packed(address: str) -> bytes:
    """An address's 4 or 16 octets. Raises ValueError where `address` is no IP address."""
    return ip_address(address).packed


@lru_cache(maxsize=4096)
def text(address: bytes) -> str:
    """The canonical text of 4 or 16 octets. Raises ValueError for any other length."""
    return str(ip_address(address))


def ones_sum(data: bytes) -> int:
    """The ones' complement sum of `data` modulo 0xFFFF, 0 to 0xFFFE (RFC 1071 §1); an odd last octet is padded.

    One big number modulo 0xFFFF is that sum, since 2**16 = 1 modulo 2**16 - 1: far faster in Python than a loop.
    """
    number = int.from_bytes(data)
    return (number << 8 if len(data) % 2 else number) % 0xFFFF


def checksum_of(data: bytes) -> int:
    """The internet checksum of `data`, 0 to 0xFFFF (RFC 1071). `data` must not be all zeros."""
    return 0xFFFF - (ones_sum(data) or 0xFFFF)


def pseudo_header(source: bytes, destination: bytes, length: int, protocol: int = PROTOCOL_TCP) -> bytes:
    """The octets in front of the segment that its checksum covers (RFC 9293 §3.1; RFC 8200 §8.1)."""
    if len(source) == 4:
        return source + destination + struct.pack("!HH", protocol, length & 0xFFFF)
    return source + destination + struct.pack("!II", length, protocol)


def ethernet(source_mac: bytes, destination_mac: bytes, ethertype: int, payload: bytes) -> bytes:
    """An Ethernet II frame, without padding and frame check sequence."""
    return destination_mac + source_mac + ethertype.to_bytes(2) + payload


def ip_packet(source: bytes, destination: bytes, protocol: int, payload: bytes, *, ttl: int = 64) -> bytes:
    """An IPv4 packet (don't fragment, id 0: RFC 6864 §4.1) or an IPv6 packet, by the addresses' length.

    Raises ValueError where the payload does not fit into one packet, or where the families differ.
    """
    if len(source) != len(destination):
        raise ValueError("source and destination are addresses of two families")
    try:
        if len(source) == 16:
            return _IPV6.pack(6 << 28, len(payload), protocol, ttl, source, destination) + payload
        header = _IPV4.pack(0x45, 0, 20 + len(payload), 0, 0x4000, ttl, protocol, 0, source, destination)
    except struct.error as error:
        raise ValueError(f"does not fit into one IP packet: {error}") from error
    return header[:10] + checksum_of(header).to_bytes(2) + header[12:] + payload


def tcp_octets(
    segment: Segment,
    *,
    source: bytes,
    destination: bytes,
    sport: int,
    dport: int,
    checksum: int | None = None,
    data_offset: int | None = None,
    reserved: int = 0,
) -> bytes:
    """Header and payload; `checksum` and `data_offset` are computed where None. Addresses are octets.

    Options are filled up with END to a multiple of four (RFC 9293 §3.1), unless the data offset is given. Raises
    ValueError where a field does not fit.
    """
    options = segment.options
    if data_offset is None and len(options) % 4:
        options += b"\0" * (-len(options) % 4)
    offset = 5 + len(options) // 4 if data_offset is None else data_offset
    if not 0 <= offset <= 15:
        raise ValueError(f"{len(options)} octets of options: a TCP header has room for 40")
    try:
        header = _TCP.pack(
            sport,
            dport,
            segment.seq,
            segment.ack,
            offset << 12 | (reserved & 7) << 9 | segment.flags,
            segment.window,
            checksum or 0,
            segment.urgent,
        )
    except struct.error as error:
        raise ValueError(f"a TCP header field is out of range: {error}") from error
    whole = header + options + segment.payload
    if checksum is not None:
        return whole
    right = checksum_of(pseudo_header(source, destination, len(whole)) + whole)
    return whole[:16] + right.to_bytes(2) + whole[18:]


def encode(
    segment: Segment,
    *,
    source: str,
    destination: str,
    sport: int,
    dport: int,
    source_mac: bytes,
    destination_mac: bytes,
    ttl: int = 64,
    checksum: int | None = None,
) -> bytes:
    """The whole frame for one segment; the family is that of the addresses.

    `checksum` goes out as it is, right or wrong; None: the right one. Raises ValueError where something does not fit
    (more than 40 octets of options, a port above 65535, a packet above 64 KiB) or the addresses are of two families.
    """
    from_octets, to_octets = packed(source), packed(destination)
    octets = tcp_octets(segment, source=from_octets, destination=to_octets, sport=sport, dport=dport, checksum=checksum)
    packet = ip_packet(from_octets, to_octets, PROTOCOL_TCP, octets, ttl=ttl)
    return ethernet(source_mac, destination_mac, ETHERTYPE_IPV6 if len(from_octets) == 16 else ETHERTYPE_IPV4, packet)


def decode(frame: bytes) -> Decoded:
    """What a frame says. Never raises: what cannot be read is an OtherFrame.

    Octets behind the IP packet's end (Ethernet padding) are left out. Fragments are not put together.
    """
    if len(frame) < ETHERNET_HEADER:
        return OtherFrame(f"frame of {len(frame)} octets, shorter than an Ethernet header")
    ethertype = frame[12] << 8 | frame[13]
    if ethertype == ETHERTYPE_IPV4:
        return _ipv4(frame)
    if ethertype == ETHERTYPE_IPV6:
        return _ipv6(frame)
    if ethertype == ETHERTYPE_ARP:
        return _arp(frame)
    if ethertype < 0x600:
        return OtherFrame("IEEE 802.3 frame")
    return OtherFrame(_ETHERTYPES.get(ethertype, f"frame of type 0x{ethertype:04x}"))


def tcp_part(frame: bytes) -> bytes | None:
    """Header and payload of the TCP segment in a frame that `decode` reads as a TcpFrame; None for any other frame."""
    place = _locate(frame)
    return frame[place[0] : place[1]] if place is not None and place[1] - place[0] >= 20 else None


def _locate(frame: bytes) -> tuple[int, int] | None:
    """Where the TCP segment begins and ends in the frame."""
    if len(frame) < ETHERNET_HEADER:
        return None
    ethertype = frame[12] << 8 | frame[13]
    if ethertype == ETHERTYPE_IPV4 and len(frame) >= 34 and frame[14] >> 4 == 4 and frame[23] == PROTOCOL_TCP:
        begin = 14 + (frame[14] & 15) * 4
        return None if begin < 34 or frame[20] & 0x3F or frame[21] else (begin, _ipv4_end(frame, begin)[0])
    if ethertype == ETHERTYPE_IPV6 and len(frame) >= 54 and frame[14] >> 4 == 6:
        end = _ipv6_end(frame)[0]
        found = _ipv6_upper(frame, end)
        return (found[1], end) if not isinstance(found, str) and found[0] == PROTOCOL_TCP else None
    return None


def _ipv4_end(frame: bytes, begin: int) -> tuple[int, bool]:
    """Where the IPv4 packet ends in the frame, and whether it should have gone on."""
    total = frame[16] << 8 | frame[17]
    end = ETHERNET_HEADER + total
    if end < begin or end > len(frame):
        return len(frame), True
    return end, False


def _ipv6_end(frame: bytes) -> tuple[int, bool]:
    end = 54 + (frame[18] << 8 | frame[19])
    return (len(frame), True) if end > len(frame) else (end, False)


def _ipv4(frame: bytes) -> Decoded:
    if len(frame) < 34 or frame[14] >> 4 != 4:
        return OtherFrame("IPv4 packet with a broken header")
    _, _, _, _, fragment, ttl, protocol, _, source, destination = _IPV4.unpack_from(frame, ETHERNET_HEADER)
    begin = ETHERNET_HEADER + (frame[14] & 15) * 4
    if begin < 34 or begin > len(frame):
        return OtherFrame("IPv4 packet with a broken header")
    if fragment & 0x3FFF:
        return OtherFrame(f"IPv4 fragment {_way(source, destination)}")
    end, cut = _ipv4_end(frame, begin)
    if protocol == PROTOCOL_TCP and end - begin >= 20:
        header_holds = ones_sum(frame[ETHERNET_HEADER:begin]) == 0
        hurdle = hurdles.in_ipv4(frame[34:begin]) if begin > 34 else None
        return _tcp(frame, begin, end, cut, source, destination, ttl, header_holds, hurdle)
    kind = _ICMP.get(frame[begin], "") if protocol == 1 and begin < end else ""
    return OtherFrame(_upper_summary("IPv4", protocol, kind, source, destination))


def _ipv6(frame: bytes) -> Decoded:
    if len(frame) < 54 or frame[14] >> 4 != 6:
        return OtherFrame("IPv6 packet with a broken header")
    _, _, _, hops, source, destination = _IPV6.unpack_from(frame, ETHERNET_HEADER)
    end, cut = _ipv6_end(frame)
    found = _ipv6_upper(frame, end)
    if isinstance(found, str):
        return OtherFrame(f"{found} {_way(source, destination)}")
    protocol, begin = found
    if protocol == PROTOCOL_TCP and end - begin >= 20:
        hurdle = hurdles.in_ipv6(frame[54:begin], frame[20]) if begin > 54 else None
        return _tcp(frame, begin, end, cut, source, destination, hops, True, hurdle)
    kind = ""
    if protocol == PROTOCOL_ICMPV6 and begin < end:
        if frame[begin] in (135, 136) and hops == 255:  # RFC 4861 §7.1: from off the link it would be less
            neighbour = _neighbour(frame, begin, end, source, destination)
            if neighbour is not None:
                return neighbour
        kind = _ICMPV6.get(frame[begin], "")
    return OtherFrame(_upper_summary("IPv6", protocol, kind, source, destination))


def _ipv6_upper(frame: bytes, end: int) -> tuple[int, int] | str:
    """The upper protocol and where it begins, behind the extension headers (RFC 8200 §4); or why that is not known."""
    protocol, at = frame[20], 54
    while protocol in (HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS):
        if at + 8 > end:
            return "IPv6 packet with a broken extension header"
        if protocol == FRAGMENT:
            if (frame[at + 2] << 8 | frame[at + 3]) & 0xFFF9:
                return "IPv6 fragment"
            size = 8
        else:
            if protocol == ROUTING and frame[at + 3]:
                return "IPv6 packet with a routing header"  # the address on it is not yet the destination
            size = 8 * (frame[at + 1] + 1)
        protocol, at = frame[at], at + size
    return (protocol, at) if at <= end else "IPv6 packet with a broken extension header"


def _tcp(
    frame: bytes,
    begin: int,
    end: int,
    cut: bool,
    source: bytes,
    destination: bytes,
    ttl: int,
    header_holds: bool,
    hurdle: Hurdle | None,
) -> TcpFrame:
    sport, dport, seq, ack, bits, window, checksum, urgent = _TCP.unpack_from(frame, begin)
    octets = frame[begin:end]
    size = (bits >> 12) * 4
    if size > len(octets) or size < 20:
        cut = True
    return TcpFrame(
        source=text(source),
        destination=text(destination),
        sport=sport,
        dport=dport,
        segment=Segment(
            flags=_FLAGS[bits & 0x1FF],
            seq=Seq(seq),
            ack=Seq(ack),
            window=window,
            payload=octets[max(size, 20) :],
            options=octets[20:size],
            urgent=urgent,
        ),
        source_mac=frame[6:12],
        destination_mac=frame[:6],
        ttl=ttl,
        checksum=checksum,
        # The receiver's way: with the field in it the sum is all ones, be the field 0 or 0xFFFF (RFC 1071 §1).
        checksum_correct=ones_sum(pseudo_header(source, destination, len(octets)) + octets) == 0,
        ip_checksum_correct=header_holds,
        truncated=cut,
        reserved=bits >> 9 & 7,
        data_offset=bits >> 12,
        hurdle=hurdle,
    )


def _arp(frame: bytes) -> Decoded:
    if len(frame) < ETHERNET_HEADER + _ARP.size:
        return OtherFrame("ARP packet cut short")
    *kind, operation, source_mac, source, target_mac, target = _ARP.unpack_from(frame, ETHERNET_HEADER)
    if tuple(kind) == _ARP_ETHERNET_IPV4:
        if operation == 1:
            return ArpRequest(source_mac, text(source), text(target))
        if operation == 2:
            return ArpReply(source_mac, text(source), target_mac, text(target))
    return OtherFrame(f"ARP operation {operation}")


def _neighbour(frame: bytes, begin: int, end: int, source: bytes, destination: bytes) -> Decoded | None:
    """A solicitation or advertisement that passes RFC 4861 §7.1.1 and §7.1.2, or None."""
    octets = frame[begin:end]
    if len(octets) < 24 or octets[1]:
        return None
    if ones_sum(pseudo_header(source, destination, len(octets), PROTOCOL_ICMPV6) + octets):
        return None
    target = octets[8:24]
    if target[0] == 0xFF:
        return None
    wanted = 1 if octets[0] == 135 else 2  # source or target link-layer address (RFC 4861 §4.6.1)
    mac, at = frame[6:12], 24
    while at < len(octets):
        size = octets[at + 1] * 8 if at + 1 < len(octets) else 0
        if size == 0 or at + size > len(octets):
            return None
        if octets[at] == wanted and size == 8:
            mac = octets[at + 2 : at + 8]
        at += size
    if octets[0] == 135:
        return NeighbourSolicitation(mac, text(source), text(target))
    return NeighbourAdvertisement(
        mac, text(source), text(target), solicited=bool(octets[4] & 0x40), override=bool(octets[4] & 0x20)
    )


def _way(source: bytes, destination: bytes) -> str:
    return f"{text(source)} → {text(destination)}"


def _upper_summary(ip: str, protocol: int, kind: str, source: bytes, destination: bytes) -> str:
    name = _PROTOCOLS.get(protocol, f"protocol {protocol}")
    if protocol == PROTOCOL_TCP:
        kind = "header cut short"
    return f"{ip} {name} {kind + ' ' if kind else ''}{_way(source, destination)}"
