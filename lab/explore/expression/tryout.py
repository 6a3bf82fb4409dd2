"""Whether a packet may go out: it can be completed and built and, outside the sandbox, concerns nobody else."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any, Final, Literal, TypeAlias

from lab.explore.expression.grammar import ExpressionError
from lab.explore.expression.layers import DIVERTING
from lab.tcp.segment import SYN, Segment
from lab.tcp.sequence import Seq
from lab.testbed.addresses import PEER, PEER_MAC, SERVER_MAC

Family: TypeAlias = Literal["ipv4", "ipv6"]
ScapyPacket: TypeAlias = Any
"""A Scapy packet, whose fields are attributes that no type checker knows."""

MOST_OCTETS: Final = 0xFFFF
"""An IP packet's length field has 16 bits (RFC 791 §3.1)."""
_ETHERNET_HEADER: Final = 14
_TOO_LONG: Final = f"This packet is longer than the {MOST_OCTETS:,} octets that IP carries: send less at once"
_TUNNELS: Final = frozenset([4, 41, 43, 47])
"""IP, IPv6, a routing header and GRE, as numbers of protocols: they would carry a packet on."""


def check_addresses(first: ScapyPacket, family: Family) -> None:
    """The lab fills in the addresses of IP layers of its own family, up to TCP; the others have to be given."""
    own = "IPv6" if family == "ipv6" else "IP"
    behind_tcp = False
    for layer in _layers(first):
        name = type(layer).__name__
        if name in ("IP", "IPv6") and (behind_tcp or name != own) and not {"src", "dst"} <= layer.fields.keys():
            why = "is carried as data" if behind_tcp else f"is not of this connection's family, {own}"
            raise ExpressionError(f"This {name} {why}, so the lab has no addresses for it: write {name}(src=…, dst=…)")
        if name == "ARP" and family == "ipv6" and not {"psrc", "pdst"} <= layer.fields.keys():
            raise ExpressionError(
                "ARP asks for IPv4 addresses, and this connection has none: write ARP(psrc=…, pdst=…)"
            )
        behind_tcp |= name == "TCP"


def check_confined(first: ScapyPacket, server: str, peer: str | None) -> None:
    """Outside the sandbox other people's hosts are near: only the server hears of the lab, and by its own address."""
    seen_ip = False
    for layer in _layers(first):
        name = type(layer).__name__
        if name in ("Ether", "Dot1Q", "ARP"):
            raise ExpressionError(f"{name} is for the sandbox, here other hosts would hear it: begin with IP or TCP")
        options = {type(one).__name__ for one in layer.fields.get("options", ())}
        if diverts := DIVERTING & ({name} | options):
            raise ExpressionError(f"{min(diverts)} would send the packet on to other hosts: it is for the sandbox")
        following = layer.fields.get("nh", layer.fields.get("proto"))
        if following in _TUNNELS and name not in ("IPerror", "IPerror6"):
            raise ExpressionError(
                f"Protocol {following} would send the packet on to other hosts: it is for the sandbox"
            )
        if name in ("IP", "IPv6"):
            if seen_ip:
                raise ExpressionError("A packet in a packet is for the sandbox: write one IP layer")
            seen_ip = True
            if layer.fields.get("dst", server) != _plain(server):
                raise ExpressionError(
                    f"Only the server at {server} may be sent to here, not {layer.fields['dst']}: leave dst out"
                )
            if "src" in layer.fields and (peer is None or layer.fields["src"] != _plain(peer)):
                own = "" if peer is None else f", {peer}"
                raise ExpressionError(f"The source has to be the lab's own address{own}: leave src out")
        if name in ("TCP", "UDP"):
            return  # what they carry is data


def _plain(address: str) -> str:
    return str(ip_address(address))


def _layers(first: ScapyPacket) -> list[ScapyPacket]:
    found = [first]
    while found[-1].payload:
        found.append(found[-1].payload)
    return found


def try_out(first: ScapyPacket, family: Family, server: str) -> None:
    """Builds a copy, with addresses in every place that Scapy would otherwise ask the network or the system for."""
    from lab.explore.expression.fields import said
    from lab.wire.scapy_side import complete

    try:
        copy = first.copy()
        for layer in _layers(copy):
            name = type(layer).__name__
            if name == "Ether":
                layer.fields.setdefault("src", PEER_MAC.hex(":"))
                layer.fields.setdefault("dst", SERVER_MAC.hex(":"))
            elif name in ("IP", "IPv6"):
                layer.fields.setdefault("src", PEER[family])
                layer.fields.setdefault("dst", server)
            elif name == "ARP":
                layer.fields.setdefault("hwsrc", PEER_MAC.hex(":"))
                layer.fields.setdefault("psrc", PEER[family])
                layer.fields.setdefault("pdst", server)
        frame = complete(
            copy,
            segment_defaults=Segment(flags=SYN, seq=Seq(0)),
            source=PEER[family],
            destination=server,
            sport=40000,
            dport=80,
            source_mac=PEER_MAC,
            destination_mac=SERVER_MAC,
        )
    except ValueError as error:
        sentence = str(error).partition("\n")[0]
        if "format requires" in str(error):  # each field that was given was found to fit: this is a length, counted
            raise ExpressionError(_TOO_LONG) from error
        raise ExpressionError(f"{sentence[:1].upper()}{sentence[1:]}") from error
    except Exception as error:  # Scapy raises whatever it comes across
        raise ExpressionError(said(error)) from error
    if len(frame) - _ETHERNET_HEADER > MOST_OCTETS:
        raise ExpressionError(_TOO_LONG)
