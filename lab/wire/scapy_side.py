"""Scapy at the wire's side: packets as scripts write them and as people read them. The only part that imports Scapy.

Import it where it is needed, not at the top: Scapy takes a good part of a second.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.layers.l2 import ARP, Ether
from scapy.packet import NoPayload, Packet, Raw

from lab.tcp.segment import ACK, Flags, Segment
from lab.tcp.sequence import Seq
from lab.wire.codec import (
    ETHERTYPE_IPV4,
    ETHERTYPE_IPV6,
    PROTOCOL_TCP,
    TcpFrame,
    ethernet,
    ip_packet,
    packed,
    tcp_octets,
    tcp_part,
    text,
)

ScapyPacket: TypeAlias = Any
"""A Scapy packet, whose fields are attributes that no type checker knows."""

_WANTED: Final = {
    "sport": "sport",
    "dport": "dport",
    "seq": "seq",
    "ack": "ack",
    "dataofs": "data_offset",
    "reserved": "reserved",
    "flags": "flags",
    "window": "window",
    "chksum": "checksum",
    "urgptr": "urgent",
    "options": "options",
}
"""Scapy's names of TCP's fields, and those of Segment and TcpFrame."""
_WANTED_BELOW: Final = {"src": "source", "dst": "destination", "ttl": "ttl", "hlim": "ttl"}


def to_scapy(frame: bytes) -> ScapyPacket:
    """The frame as Scapy dissects it, from Ether on."""
    return Ether(frame)


def segment_of(packet: ScapyPacket) -> Segment:
    """The segment in a Scapy packet, dissected or made by hand; a field not set has Scapy's default.

    Padding behind the IP packet is left out. Raises ValueError where there is no TCP layer or it cannot be built.
    """
    tcp = _only_tcp(packet)
    if tcp is None:
        raise ValueError(f"there is no TCP layer in {packet.summary()}")
    return Segment(
        flags=Flags(int(tcp.flags)),
        seq=Seq(int(tcp.seq)),
        ack=Seq(int(tcp.ack)),
        window=int(tcp.window),
        payload=_payload(tcp)[0],
        options=_options(tcp),
        urgent=int(tcp.urgptr),
    )


def complete(
    packet: ScapyPacket,
    *,
    segment_defaults: Segment,
    source: str,
    destination: str,
    sport: int,
    dport: int,
    source_mac: bytes,
    destination_mac: bytes,
) -> bytes:
    """The frame for what a script wrote: `TCP(...)`, `TCP(...)/b"data"`, `IP(ttl=1)/TCP(...)`, `Ether()/...`.

    Fields that the script set go out as set, right or wrong; `seq` and `ack` wrap at 2**32; `options` may be raw octets
    too. Those not set come from the defaults, ack only where the ACK bit is set; lengths and checksums are computed.
    A packet without IP layer gets that of the addresses' family, as `lab.wire.codec.encode` makes it, and a packet of
    another protocol (UDP, ICMP, ARP, Raw) gets addresses all the same.

    Raises ValueError, in a sentence for the script's author, where no frame can be made of it.
    """
    if not isinstance(packet, Packet):
        raise ValueError(f"send takes a Scapy packet such as TCP(flags='S'), not {type(packet).__name__}")
    from_octets, to_octets = packed(source), packed(destination)
    tcp = _only_tcp(packet)
    if tcp is packet:
        octets, padding = _tcp(tcp, segment_defaults, sport, dport, from_octets, to_octets)
        ip = ip_packet(from_octets, to_octets, PROTOCOL_TCP, octets)
        ethertype = ETHERTYPE_IPV6 if len(from_octets) == 16 else ETHERTYPE_IPV4
        return ethernet(source_mac, destination_mac, ethertype, ip) + padding

    whole = _without(packet, tcp)
    if not isinstance(whole, Ether):
        if not isinstance(whole, IP | IPv6 | ARP):
            whole = _ip_for(whole, len(from_octets)) / whole
        whole = Ether() / whole
    _fill_below(whole, source, destination, source_mac, destination_mac)
    padding = b""
    if tcp is not None:
        below = whole.lastlayer()  # its copy still says that TCP follows
        addresses = _pseudo_addresses(whole, from_octets, to_octets)
        octets, padding = _tcp(tcp, segment_defaults, sport, dport, *addresses)
        below.add_payload(Raw(octets))
    try:
        return bytes(whole) + padding
    except Exception as error:  # Scapy raises whatever it comes across: struct.error, TypeError, socket errors
        raise ValueError(f"Scapy cannot build {packet.summary()}: {error}") from error


def in_scapy(error: BaseException) -> str | None:
    """A sentence for what Scapy raised at a script's own words; None for what was not raised in Scapy.

    Scapy lets out whatever it comes across: "substring not found" for a flag that TCP has not.
    """
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None or not str(trace.tb_frame.f_globals.get("__name__", "")).startswith("scapy."):
        return None
    if trace.tb_frame.f_code.co_name == "_fixvalue" and isinstance(error, ValueError):
        value = trace.tb_frame.f_locals.get("value")
        return f"Scapy knows no such flags as {_joined(value)!r}: TCP's are F, S, R, P, A, U, E, C and N"
    return f"Scapy does not take this: {type(error).__name__}: {error}"


def _joined(value: Any) -> str:
    return "".join(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else str(value)


def flags_set(packet: ScapyPacket) -> Flags | None:
    """The flags that a script set on the packet's TCP layer; None where it set none, or there is no TCP layer."""
    tcp = _only_tcp(packet)
    return None if tcp is None or "flags" not in tcp.fields else Flags(int(tcp.fields["flags"]))


def wanted_fields(packet: ScapyPacket) -> dict[str, object]:
    """What a script expects: the fields it set itself, by the names that Segment and TcpFrame give them.

    Of Segment: seq and ack (Seq), flags (Flags), window, urgent, options (octets, filled up to a multiple of four),
    payload (bytes; `TCP()/b""` expects none). Of TcpFrame: sport, dport, data_offset, reserved, checksum; from an IP or
    IPv6 layer in front: source, destination, ttl. A field that the script left out is not in it.

    Raises ValueError for what cannot be expected: a packet without TCP, or another field of the layers below.
    """
    if not isinstance(packet, Packet) or (tcp := _only_tcp(packet)) is None:
        raise ValueError("expect takes a Scapy packet with a TCP layer, such as TCP(flags='SA')")
    wanted: dict[str, object] = {}
    layer = packet
    while layer is not tcp:
        if not isinstance(layer, Ether | IP | IPv6):
            raise ValueError(f"expect compares TCP, IP and IPv6 fields, not those of {layer.name}")
        for name, value in layer.fields.items():
            if name == "options" and not value:  # Scapy puts IP's there itself
                continue
            if isinstance(layer, Ether) or name not in _WANTED_BELOW:
                raise ValueError(f"expect cannot compare {layer.name}.{name}")
            wanted[_WANTED_BELOW[name]] = int(value) if name in ("ttl", "hlim") else _address(value)
        layer = layer.payload
    for name, value in tcp.fields.items():
        wanted[_WANTED[name]] = _wanted(tcp, name, value)
    if not isinstance(tcp.payload, NoPayload):
        wanted["payload"] = _payload(tcp)[0]
    return wanted


def as_tcp(frame: TcpFrame, raw: bytes) -> ScapyPacket:
    """The TCP layer of `raw`, which `decode` read as `frame`, as Scapy dissects it, its payload as Raw.

    Its seq and ack are Seq, so that `syn_ack.seq + 1` wraps.
    """
    octets = tcp_part(raw)
    assert octets is not None, "decode found TCP in it"
    payload = frame.segment.payload
    tcp = TCP(octets[: len(octets) - len(payload)])
    tcp.fields["seq"], tcp.fields["ack"] = frame.segment.seq, frame.segment.ack
    # A Raw payload, whatever the port: Scapy would guess DNS or HTTP from it, and not find its way back.
    return tcp / Raw(payload) if payload else tcp


def _wanted(tcp: ScapyPacket, name: str, value: Any) -> object:
    if name in ("seq", "ack"):
        return Seq(_number(tcp.fields, name, 0))
    if name == "flags":
        return Flags(int(value))
    if name == "options":
        octets = _options(tcp)
        return octets + b"\0" * (-len(octets) % 4)
    return _number(tcp.fields, name, 0)


def _only_tcp(packet: ScapyPacket) -> ScapyPacket | None:
    """The first TCP layer; not TCPerror, which is what an ICMP message quotes."""
    layer = packet
    while not isinstance(layer, NoPayload):
        if type(layer) is TCP:
            return layer
        layer = layer.payload
    return None


def _options(tcp: ScapyPacket) -> bytes:
    """The options as octets. Those of a dissected packet are as they were, malformed ones included."""
    set_options = tcp.fields.get("options", b"")
    if isinstance(set_options, bytes):
        return set_options
    cache = tcp.raw_packet_cache
    if (
        cache is not None
        and tcp.raw_packet_cache_fields is not None
        and tcp.raw_packet_cache_fields.get("options") == set_options
    ):
        return bytes(cache[20:])
    try:
        return bytes(TCP.options.i2m(tcp, list(set_options)) if set_options else b"")
    except Exception as error:  # Scapy raises whatever it comes across
        raise ValueError(f"these TCP options cannot be built: {set_options!r} ({error})") from error


def _payload(tcp: ScapyPacket) -> tuple[bytes, bytes]:
    """What TCP carries, and the padding behind the IP packet."""
    inner = tcp.payload
    if isinstance(inner, NoPayload):
        return b"", b""
    if type(inner) is Raw and isinstance(inner.payload, NoPayload):
        return bytes(inner.load), b""
    try:
        return bytes(inner.do_build()), bytes(inner.build_padding())
    except Exception as error:  # Scapy raises whatever it comes across
        raise ValueError(f"Scapy cannot build {inner.summary()}: {error}") from error


def _number(fields: Mapping[str, Any], name: str, default: int) -> int:
    value = fields.get(name)
    if value is None:
        return default
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ValueError(f"TCP.{name} must be one number, not {value!r}") from None


def _tcp(
    tcp: ScapyPacket, defaults: Segment, sport: int, dport: int, source: bytes, destination: bytes
) -> tuple[bytes, bytes]:
    """The TCP layer's octets, and the padding that the script put behind the packet."""
    fields = tcp.fields
    flags = Flags(_number(fields, "flags", defaults.flags))
    payload, padding = _payload(tcp) if tcp.payload else (defaults.payload, b"")
    segment = Segment(
        flags=flags,
        seq=Seq(_number(fields, "seq", defaults.seq)),
        ack=Seq(_number(fields, "ack", defaults.ack if ACK in flags else 0)),
        window=_number(fields, "window", defaults.window),
        payload=payload,
        options=_options(tcp) if "options" in fields else defaults.options,
        urgent=_number(fields, "urgptr", defaults.urgent),
    )
    octets = tcp_octets(
        segment,
        source=source,
        destination=destination,
        sport=_number(fields, "sport", sport),
        dport=_number(fields, "dport", dport),
        checksum=None if fields.get("chksum") is None else _number(fields, "chksum", 0),
        data_offset=None if fields.get("dataofs") is None else _number(fields, "dataofs", 5),
        reserved=_number(fields, "reserved", 0),
    )
    room = 0xFFFF if len(source) == 16 else 0xFFFF - 20  # IPv4 counts its own header (RFC 791 §3.1)
    if len(octets) > room:
        raise ValueError(
            f"a TCP segment of {len(octets)} octets does not fit into one IP packet, which has room for {room}: "
            "send less at once"
        )
    return octets, padding


def _without(packet: ScapyPacket, tcp: ScapyPacket | None) -> ScapyPacket:
    """A copy of the layers below TCP, or of all where there is no TCP."""
    if tcp is None:
        return packet.copy()
    copies: list[ScapyPacket] = []
    layer = packet
    while layer is not tcp:
        copy = layer.clone_with(**layer.fields)
        if copies:
            copies[-1].add_payload(copy)
        copies.append(copy)
        layer = layer.payload
    return copies[0]


def _ip_for(payload: ScapyPacket, size: int) -> ScapyPacket:
    """An IP layer for a packet that has none; a bare Raw passes for a TCP segment of any octets."""
    ip = IPv6() if size == 16 else IP()
    if isinstance(payload, Raw):
        ip.fields["nh" if size == 16 else "proto"] = PROTOCOL_TCP
    return ip


def _fill_below(packet: ScapyPacket, source: str, destination: str, source_mac: bytes, destination_mac: bytes) -> None:
    """Gives the layers below TCP the addresses they lack. Left to itself Scapy would ask the routing table."""
    layer = packet
    while not isinstance(layer, NoPayload | TCP):
        fields = layer.fields
        kind = type(layer)  # exactly: IPerror is an IP too, but one that is quoted
        if kind is Ether:
            fields.setdefault("src", source_mac.hex(":"))
            fields.setdefault("dst", destination_mac.hex(":"))
        elif kind is IP or kind is IPv6:
            if (kind is IPv6) != (":" in source) and not {"src", "dst"} <= fields.keys():
                run = "IPv6" if ":" in source else "IPv4"
                raise ValueError(f"the script wrote an {layer.name} layer, and this connection is over {run}")
            fields.setdefault("src", source)
            fields.setdefault("dst", destination)
            if kind is IP and not {"flags", "frag", "id"} & fields.keys():
                layer.flags, layer.id = "DF", 0  # as encode() makes it: an atomic datagram (RFC 6864 §4.1)
        elif kind is ARP:
            fields.setdefault("hwsrc", source_mac.hex(":"))
            fields.setdefault("psrc", source)
            fields.setdefault("pdst", destination)
        layer = layer.payload


def _pseudo_addresses(packet: ScapyPacket, source: bytes, destination: bytes) -> tuple[bytes, bytes]:
    """The addresses that TCP's checksum covers: those of the IP layer right below it."""
    below = packet
    layer = packet
    while not isinstance(layer, NoPayload | TCP):
        if isinstance(layer, IP | IPv6):
            below = layer
        layer = layer.payload
    if not isinstance(below, IP | IPv6):
        return source, destination
    return packed(_address(below.src)), packed(_address(below.dst))


def _address(value: Any) -> str:
    try:
        return text(packed(str(value)))
    except ValueError:
        raise ValueError(f"{value} is not one IP address") from None
