"""What the testbeds on a real network share: an interface, spare addresses on it, and the way to the server."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass, field

from lab.testbed.errors import CannotRun
from lab.testbed.interfaces import default_gateway, forwards, is_loopback, mac_beside, networks
from lab.wire.errors import LinkError
from lab.wire.link import Link
from lab.wire.neighbours import find_free_address, resolve

Addresses = Mapping[str, str | None]
"""An address by family ("ipv4", "ipv6"), None or missing where there is none."""


def open_link(interface: str) -> Link:
    """The link on an interface. Raises CannotRun."""
    if is_loopback(interface):
        raise CannotRun(
            f"Every address on {interface} belongs to this machine's own kernel, and none is left for the lab to play.",
            "Leave --testbed out, for a server in a sandbox, or run the server in a network namespace or container "
            "and name the interface that leads to it.",
        )
    try:
        return Link.open(interface)
    except LinkError as error:
        raise CannotRun(str(error), "") from error


def choose_mac(link: Link) -> bytes:
    """The peer's MAC address: the interface's own, unless this host forwards.

    A host that forwards takes the server's segments to the peer's address for traffic to pass on: it would look for
    the peer by ARP, and tell the server by ICMP that it is not there. It leaves frames for another MAC alone. Docker's
    containers forward when their host does.
    """
    return mac_beside(link.mac) if forwards(link.interface) else link.mac


@dataclass(slots=True)
class Way:
    """How the peer reaches a server."""

    peer: dict[str, str] = field(default_factory=dict)
    """The peer's address by family."""
    server: dict[str, str] = field(default_factory=dict)
    """The server's address by family."""
    server_mac: bytes = b""
    """The MAC address of the server or of the gateway to it."""
    missing: dict[str, str] = field(default_factory=dict)
    """For each family that cannot be used, why."""


def find_way(link: Link, mac: bytes, servers: Addresses, spare: Addresses, gateways: Addresses) -> Way:
    """Find a spare address and the server's MAC for each family that the server has.

    `spare` are addresses that the user names as nobody's; without one, the highest that is found free is taken.
    `gateways` lead to a server that is not on the link; without one, that of the default route is taken. Raises
    CannotRun where no family is left.
    """
    way = Way()
    local = networks(link.interface)
    for family in ("ipv4", "ipv6"):
        server = servers.get(family)
        if server is None:
            way.missing[family] = f"the server has no {family} address"
            continue
        network = local.get(family)
        try:
            peer = spare.get(family)
            if peer is None:
                if network is None:
                    raise LinkError(f"Interface {link.interface} has no {family} network: name a spare address on it.")
                peer = find_free_address(link, network, mac=mac, taken=(server,))
            hop = _next_hop(link.interface, family, server, network is None or _within(server, network), gateways)
            found = resolve(link, hop, source=peer, mac=mac)
        except LinkError as error:
            way.missing[family] = str(error)
            continue
        if way.server_mac and found != way.server_mac:
            way.missing[family] = f"IPv6 leads to another machine ({found.hex(':')}) than IPv4 does"
            continue
        way.peer[family], way.server[family], way.server_mac = peer, server, found
    if not way.peer:
        raise CannotRun("The server cannot be reached: " + "; ".join(way.missing.values()), "")
    return way


def _within(address: str, network: ipaddress.IPv4Network | ipaddress.IPv6Network) -> bool:
    return ipaddress.ip_address(address) in network


def _next_hop(interface: str, family: str, server: str, on_link: bool, gateways: Addresses) -> str:
    chosen = gateways.get(family)
    if chosen is not None or on_link:
        return chosen or server
    found = default_gateway(interface, family)
    if found is None:
        raise LinkError(f"{server} is not on the network of {interface}: name the gateway that leads to it.")
    return found
