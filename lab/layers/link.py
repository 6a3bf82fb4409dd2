"""The link layer's headers: Ethernet II and IEEE 802.3, 802.1Q tags, ARP."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from lab.layers.parts import Header, Layer, hexadecimal, mac, make, number, octets_of
from lab.wire.codec import ETHERNET_HEADER, ETHERTYPE_ARP, ETHERTYPE_IPV4, ETHERTYPE_IPV6, text

TYPES: Final = {
    ETHERTYPE_IPV4: "IPv4",
    ETHERTYPE_ARP: "ARP",
    ETHERTYPE_IPV6: "IPv6",
    0x8100: "an 802.1Q tag",
    0x88A8: "an 802.1ad tag",
    0x8847: "MPLS",
    0x8863: "PPPoE discovery",
    0x8864: "PPPoE session",
    0x88CC: "LLDP",
    0x888E: "EAPOL",
}
_TAGS: Final = (0x8100, 0x88A8, 0x9100)
_LEAST_TYPE: Final = 0x600
"""Below it the field is IEEE 802.3's length (IEEE 802.3 §3.2.6)."""
_OPERATIONS: Final = {1: "request: who has the target address?", 2: "reply: the sender has its address"}


@dataclass(frozen=True, slots=True)
class Linked:
    """What a frame's link headers say of its inside."""

    layers: list[Layer]
    ethertype: int | None
    """The type of what is inside; None where nothing can be told of it."""
    at: int
    """Where the inside begins."""
    end: int
    """Where it ends, as far as the link layer knows."""
    why: str = ""
    """Why nothing can be told of it."""


def ethernet(frame: bytes) -> Linked:
    """The link headers of a frame, from its first octet."""
    size = len(frame)
    header = Header(frame, 0, min(size, ETHERNET_HEADER))
    header.take("destination", 0, 6, mac, _sort_of(frame[:1]))
    header.take("source", 6, 6, mac)
    if size < ETHERNET_HEADER:
        layer = header.made("Ethernet", size, note=f"cut short: {size} of {ETHERNET_HEADER} octets")
        return Linked([layer] if size else [], None, size, size)
    kind = int.from_bytes(frame[12:14])
    if kind < _LEAST_TYPE:
        header.take("length", 12, 2, number, "below 1536 it is a length, not a type (IEEE 802.3)")
        end = min(ETHERNET_HEADER + kind, size)
        return Linked([header.made("Ethernet", ETHERNET_HEADER)], None, ETHERNET_HEADER, end, "an IEEE 802.2 LLC frame")
    header.take("type", 12, 2, hexadecimal, TYPES.get(kind, ""))
    layers = [header.made("Ethernet", ETHERNET_HEADER, about=f"{mac(frame[6:12])} → {mac(frame[:6])}")]
    at = ETHERNET_HEADER
    while kind in _TAGS:
        if at == size:
            return Linked(layers, None, at, size)
        tag = Header(frame, at, min(size, at + 4))
        tag.bits("priority", 0, 0, 3)
        tag.bits("drop eligible", 0, 3, 1)
        tag.bits("VLAN", 0, 4, 12, "which virtual network")
        if at + 4 > size:
            layers.append(tag.made("802.1Q", size, note=f"cut short: {size - at} of 4 octets"))
            return Linked(layers, None, size, size)
        kind = int.from_bytes(frame[at + 2 : at + 4])
        tag.take("type", 2, 2, hexadecimal, TYPES.get(kind, ""))
        vlan = int.from_bytes(frame[at : at + 2]) & 0xFFF
        layers.append(tag.made("802.1Q", at + 4, about=f"VLAN {vlan}"))
        at += 4
    return Linked(layers, kind, at, size, f"type 0x{kind:04x}" + (f", {TYPES[kind]}" if kind in TYPES else ""))


def _sort_of(first: bytes) -> str:
    """What kind of address begins with this octet."""
    return "a group of stations" if first and first[0] & 1 else ""


def arp(frame: bytes, at: int, end: int) -> Layer:
    """An ARP packet (RFC 826), from octet `at` and no further than `end`; at least one octet must be there."""
    hardware, protocol = (frame[at + 4], frame[at + 5]) if at + 6 <= end else (6, 4)
    size = 8 + 2 * (hardware + protocol)
    behind = min(at + size, end)
    ordinary = (hardware, protocol) == (6, 4)
    ether = mac if ordinary else octets_of
    address = text if ordinary else octets_of
    operation = int.from_bytes(frame[at + 6 : at + 8]) if at + 8 <= end else 0
    header = Header(frame, at, behind)
    header.take("hardware type", 0, 2, number, "Ethernet" if frame[at : at + 2] == b"\0\1" else "")
    header.take("protocol type", 2, 2, hexadecimal, TYPES.get(int.from_bytes(frame[at + 2 : at + 4]), ""))
    header.take("hardware address length", 4, 1)
    header.take("protocol address length", 5, 1)
    header.take("operation", 6, 2, number, _OPERATIONS.get(operation, ""))
    header.take("sender hardware address", 8, hardware, ether)
    header.take("sender protocol address", 8 + hardware, protocol, address)
    header.take("target hardware address", 8 + hardware + protocol, hardware, ether)
    header.take("target protocol address", 8 + 2 * hardware + protocol, protocol, address)
    if behind < at + size:
        return header.made("ARP", behind, note=f"cut short: {behind - at} of {size} octets")
    if ordinary and operation in (1, 2):
        sender, target = text(frame[at + 14 : at + 18]), text(frame[at + 24 : at + 28])
        told = (
            f"who has {target}? tell {sender}" if operation == 1 else f"{sender} is at {mac(frame[at + 8 : at + 14])}"
        )
        return header.made("ARP", behind, about=told)
    return header.made("ARP", behind, about=f"operation {operation}")


def padding(frame: bytes, at: int, end: int) -> Layer:
    """What stands behind the end of the packet, up to the end of the frame."""
    zeros = not any(frame[at:end])
    about = "zeros" if zeros else "not zeros: a trailer that somebody added, or what was left in a buffer"
    return make("Padding", at, end, about=about)
