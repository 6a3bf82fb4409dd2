"""Who has this address? ARP (RFC 826, 5227) and neighbour discovery (RFC 4861, 4862) for addresses of no kernel."""

from __future__ import annotations

import socket
import struct
import time
from collections.abc import Callable, Collection, Iterator
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network
from itertools import islice

from lab.wire.codec import (
    ETHERTYPE_ARP,
    ETHERTYPE_IPV6,
    PROTOCOL_ICMPV6,
    ArpReply,
    ArpRequest,
    Decoded,
    NeighbourAdvertisement,
    NeighbourSolicitation,
    TcpFrame,
    checksum_of,
    decode,
    ethernet,
    ip_packet,
    packed,
    pseudo_header,
    text,
)
from lab.wire.errors import LinkError
from lab.wire.link import Link

_BROADCAST = b"\xff" * 6
_NOBODY = b"\0" * 6
_UNSPECIFIED = b"\0" * 16
_ALL_NODES = packed("ff02::1")
_SOLICITED_NODE = packed("ff02::1:ff00:0")[:13]
_SOLICITED, _OVERRIDE = 0x40000000, 0x20000000
_RESERVED_IPV6 = 128
"""Interface identifiers at the top of a subnet that belong to anycast addresses (RFC 2526 §2)."""

LOOKED_AT = 1024
"""Addresses of a network that are considered at most, those included that our own kernel has."""


def answer(decoded: Decoded, addresses: Collection[str], mac: bytes) -> bytes | None:
    """The frame that answers a request for one of our `addresses` with `mac`; None for anything else.

    A probe (ARP from 0.0.0.0, solicitation from ::) is answered too: the address is taken (RFC 5227 §2.4,
    RFC 4862 §5.4.3). Somebody's announcement of our own address gets no answer.
    """
    if isinstance(decoded, ArpRequest):
        if decoded.target not in addresses or decoded.source == decoded.target:
            return None
        return _arp(2, mac, packed(decoded.target), decoded.source_mac, packed(decoded.source), to=decoded.source_mac)
    if isinstance(decoded, NeighbourSolicitation) and decoded.target in addresses:
        target = packed(decoded.target)
        if decoded.source == "::":  # RFC 4861 §7.2.4: to all nodes, and not called solicited
            return _advertisement(target, mac, _ALL_NODES, _multicast_mac(_ALL_NODES), _OVERRIDE)
        return _advertisement(target, mac, packed(decoded.source), decoded.source_mac, _SOLICITED | _OVERRIDE)
    return None


def request(target: str, *, source: str, mac: bytes) -> bytes:
    """An ARP request or neighbour solicitation for `target`. Raises ValueError where the families differ."""
    to_octets, from_octets = packed(target), packed(source)
    if len(to_octets) != len(from_octets):
        raise ValueError(f"{target} and {source} are addresses of two families")
    if len(to_octets) == 4:
        return _arp(1, mac, from_octets, _NOBODY, to_octets, to=_BROADCAST)
    return _solicitation(to_octets, from_octets, mac)


def probe(target: str, *, mac: bytes) -> bytes:
    """An ARP probe (RFC 5227 §2.1.1) or a solicitation for duplicate address detection (RFC 4862 §5.4.2)."""
    return request(target, source="::" if ":" in target else "0.0.0.0", mac=mac)


def resolve(link: Link, target: str, *, source: str, mac: bytes, timeout: float = 1.0, tries: int = 3) -> bytes:
    """`target`'s MAC. Asks `tries` times within `timeout` seconds, and answers meanwhile who asks for `source`.

    Frames of other kinds that come meanwhile are not kept. Raises LinkError where nobody answers.
    """
    target, source = text(packed(target)), text(packed(source))
    question = request(target, source=source, mac=mac)
    for _ in range(tries):
        link.send(question)
        for decoded in _listen(link, timeout / tries):
            match decoded:
                case ArpReply(source_mac=found, source=who) if who == target:
                    return found
                case NeighbourAdvertisement(source_mac=found, target=who) if who == target:
                    return found
                case ArpRequest() | NeighbourSolicitation():
                    reply = answer(decoded, (source,), mac)
                    if reply is not None:
                        link.send(reply)
    raise LinkError(
        f"Nobody on {link.interface} answers for {target}: check that the machine is up and on this network, "
        f"or name the gateway that leads to it."
    )


def candidates(network: str | IPv4Network | IPv6Network) -> Iterator[str]:
    """The network's host addresses, highest first, without the reserved ones (broadcast, RFC 2526 anycast).

    Raises ValueError where `network` is none.
    """
    net = ip_network(network, strict=False)
    first, last = int(net.network_address), int(net.broadcast_address)
    if isinstance(net, IPv6Network):
        if net.prefixlen <= 120:
            last -= _RESERVED_IPV6
        if net.prefixlen < 127:
            first += 1  # the subnet router anycast address (RFC 4291 §2.6.1)
    elif net.prefixlen < 31:
        first, last = first + 1, last - 1
    make = ip_address if isinstance(net, IPv4Network) else _ipv6
    return (str(make(number)) for number in range(last, first - 1, -1))


def find_free_address(
    link: Link,
    network: str | IPv4Network | IPv6Network,
    *,
    mac: bytes | None = None,
    taken: Collection[str] = (),
    probes: int = 3,
    interval: float = 0.2,
    together: int = 8,
    at_most: int = 64,
) -> str:
    """The highest address of `network` that nobody uses, as far as `probes` probes, `interval` seconds apart, can tell.

    `mac` is ours, by default the interface's; `taken` are addresses not to ask for. `together` addresses are probed at
    a time, `at_most` in all. RFC 5227 §1.1 waits 1 to 2 s between probes, for whole networks that switch on at once;
    a lab that borrows an address for some seconds asks faster, and takes the address's use by anybody for an answer:
    any ARP, neighbour discovery or TCP from it. When two labs probe for the same address, the lower MAC gives way.

    Raises LinkError where none is found free, ValueError where `network` is none.
    """
    ours = link.mac if mac is None else mac
    known = {text(packed(address)) for address in taken}
    # The kernel may have them all, as it has 127.0.0.0/8: that many are looked at, and no more.
    looked_at = islice(candidates(network), LOOKED_AT)
    rest = islice((a for a in looked_at if a not in known and not _is_local(a)), at_most)
    while batch := list(islice(rest, together)):
        used = _used(link, batch, ours, probes, interval)
        free = next((address for address in batch if address not in used), None)
        if free is not None:
            return free
    raise LinkError(
        f"No free address was found in {network} on {link.interface}: name one that is free "
        f"({at_most} at most were tried, the highest first)."
    )


def _used(link: Link, batch: Collection[str], ours: bytes, probes: int, interval: float) -> set[str]:
    """Those addresses, and perhaps others, that somebody else uses."""
    used: set[str] = set()
    for _ in range(probes):
        for address in batch:
            if address not in used:
                link.send(probe(address, mac=ours))
        for decoded in _listen(link, interval, until=lambda: used.issuperset(batch)):
            if (user := _user(decoded, ours)) is not None:
                used.add(user)
    return used


def _is_local(address: str) -> bool:
    """Whether our own kernel has it: it would not answer a probe that we send out."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as sock:
        try:
            sock.bind((address, 0))
        except OSError:
            return False
        return True


def _user(decoded: Decoded, ours: bytes) -> str | None:
    """The address that this frame shows to be in use by somebody else."""
    match decoded:
        case (
            ArpRequest(source_mac=mac, source="0.0.0.0", target=wanted)
            | NeighbourSolicitation(source_mac=mac, source="::", target=wanted)
        ):
            return wanted if mac > ours else None
        case ArpRequest(source_mac=mac, source=used) | ArpReply(source_mac=mac, source=used):
            return used if mac != ours else None
        case NeighbourAdvertisement(target=used) | NeighbourSolicitation(source=used) | TcpFrame(source=used):
            return used
        case _:
            return None


def _listen(link: Link, seconds: float, until: Callable[[], bool] = lambda: False) -> Iterator[Decoded]:
    """What others send within so many seconds, decoded; it ends sooner once `until` holds."""
    end = time.monotonic() + seconds
    while not until() and (left := end - time.monotonic()) > 0:
        for captured in link.wait(left):
            if not captured.outgoing:
                yield decode(captured.frame)


def _arp(operation: int, mac: bytes, source: bytes, target_mac: bytes, target: bytes, *, to: bytes) -> bytes:
    body = struct.pack("!HHBBH", 1, 0x0800, 6, 4, operation) + mac + source + target_mac + target
    return ethernet(mac, to, ETHERTYPE_ARP, body)


def _solicitation(target: bytes, source: bytes, mac: bytes) -> bytes:
    group = _SOLICITED_NODE + target[13:]
    body = struct.pack("!BBHI", 135, 0, 0, 0) + target
    if source != _UNSPECIFIED:  # RFC 4861 §4.3: must not be there when the source is ::
        body += b"\x01\x01" + mac
    return _icmpv6(body, source, group, mac, _multicast_mac(group))


def _advertisement(target: bytes, mac: bytes, destination: bytes, destination_mac: bytes, flags: int) -> bytes:
    body = struct.pack("!BBHI", 136, 0, 0, flags) + target + b"\x02\x01" + mac
    return _icmpv6(body, target, destination, mac, destination_mac)


def _icmpv6(body: bytes, source: bytes, destination: bytes, mac: bytes, destination_mac: bytes) -> bytes:
    right = checksum_of(pseudo_header(source, destination, len(body), PROTOCOL_ICMPV6) + body)
    body = body[:2] + right.to_bytes(2) + body[4:]
    # Hop limit 255 proves to the receiver that it did not come through a router (RFC 4861 §7.1).
    return ethernet(
        mac, destination_mac, ETHERTYPE_IPV6, ip_packet(source, destination, PROTOCOL_ICMPV6, body, ttl=255)
    )


def _multicast_mac(group: bytes) -> bytes:
    """RFC 2464 §7."""
    return b"\x33\x33" + group[12:]


def _ipv6(number: int) -> object:
    return ip_address(number.to_bytes(16))
