"""Any TCP server, which nobody modified: no agent, so the second witness is absent."""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import socket
import time
from types import TracebackType
from typing import Final, Self

from lab.server.client import Agent
from lab.tcp.segment import RST, SYN, Segment
from lab.tcp.sequence import Seq
from lab.testbed.base import Settle
from lab.testbed.errors import CannotRun, TargetRefused
from lab.testbed.interfaces import is_loopback
from lab.testbed.remote import Addresses, Way, choose_mac, find_way, open_link
from lab.wire.codec import TcpFrame, decode, encode
from lab.wire.link import Link
from lab.wire.neighbours import answer

KNOCK_WITHIN: Final = 3.0
"""Seconds to wait for a first answer: a SYN is repeated by nobody here."""

_OWN: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        # private: RFC 1918, RFC 4193, and shared by carriers and their customers: RFC 6598
        "10.0.0.0/8",
        "172.16.0.0/12",
        "192.168.0.0/16",
        "fc00::/7",
        "100.64.0.0/10",
        # link-local: RFC 3927, RFC 4291
        "169.254.0.0/16",
        "fe80::/10",
        # loopback: RFC 1122, RFC 4291
        "127.0.0.0/8",
        "::1/128",
        # documentation: RFC 5737, RFC 3849, RFC 9637; benchmarking: RFC 2544, RFC 5180
        "192.0.2.0/24",
        "198.51.100.0/24",
        "203.0.113.0/24",
        "2001:db8::/32",
        "3fff::/20",
        "198.18.0.0/15",
        "2001:2::/48",
    )
)


def is_public(address: str) -> bool:
    """Whether an address lies outside the private, link-local, loopback and documentation ranges.

    Raises ValueError for what is no address.
    """
    parsed = ipaddress.ip_address(address)
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        parsed = parsed.ipv4_mapped
    return not any(parsed.version == network.version and parsed in network for network in _OWN)


def is_own(address: str) -> bool:
    """Whether an address belongs to this machine: a socket can be bound to it."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.bind((address, 0))
        return True
    return False


class Target:
    """A server that is reached by its address alone. A `lab.testbed.base.Testbed`."""

    name: Final = "target"
    settle: Final[Settle] = "wait"
    agent: Agent | None = None
    kernel: Final = ""

    def __init__(
        self, link: Link, peer_mac: bytes, way: Way, port: int, host: str, resource: str | None, echoes: bool
    ) -> None:
        """Use `open`."""
        self.link = link
        self.peer_mac = peer_mac
        self.way = way
        self.port = port
        """The target's port."""
        self.host = host
        """Its name or address, as the user wrote it."""
        self.resource = resource
        """Path and query where it speaks WebSocket, else None."""
        self.echoes = echoes
        """Whether that resource sends each message back, by the user's word."""

    @classmethod
    def open(
        cls,
        interface: str,
        host: str,
        port: int,
        *,
        spare: Addresses | None = None,
        gateways: Addresses | None = None,
        allow_public: bool = False,
        resource: str | None = None,
        echoes: bool = False,
    ) -> Target:
        """Find the way to `host` over `interface`. `resource`: it speaks WebSocket there, and `echoes` or not.

        Raises CannotRun; TargetRefused, before anything is sent, for a public address where `allow_public` does not
        say that it may be tested.
        """
        servers = addresses_of(host, port)
        public = [address for address in servers.values() if is_public(address)]
        if public and not allow_public:
            raise TargetRefused(
                f"{host} has a public address ({public[0]}), which the lab tests only with its owner's leave.",
                "If you have it, say so with --i-may-test-this-target.",
            )
        if not is_loopback(interface) and (mine := [address for address in servers.values() if is_own(address)]):
            raise CannotRun(
                f"{host} is this very machine ({mine[0]}), and what it says to itself is on no wire.",
                "Leave --testbed out, for a server in a sandbox, or run the server in a network namespace or a "
                "container, and name the interface that leads to it.",
            )
        link = open_link(interface)
        try:
            mac = choose_mac(link)
            way = find_way(link, mac, servers, spare or {}, gateways or {})
        except BaseException:
            link.close()
            raise
        return cls(link, mac, way, port, host, resource, echoes)

    @property
    def server_mac(self) -> bytes:
        """The MAC address of the target, or of the gateway to it."""
        return self.way.server_mac

    @property
    def settings(self) -> dict[str, str]:
        """Nothing is known of them."""
        return {}

    def peer_address(self, family: str) -> str | None:
        """The spare address that the peer uses; None where that family cannot be used (`way.missing` says why)."""
        return self.way.peer.get(family)

    def server_address(self, family: str) -> str | None:
        """The target's address."""
        return self.way.server.get(family)

    def knock(self) -> None:
        """See whether anybody listens: one SYN for each family, taken back with a RST when it is answered.

        Raises CannotRun where a family's port is closed or says nothing, KNOCK_WITHIN seconds having passed.
        """
        for family, server in self.way.server.items():
            self._knock(self.way.peer[family], server)

    def _knock(self, peer: str, server: str) -> None:
        sport, iss = 65000 + secrets.randbelow(500), Seq(secrets.randbelow(2**32))

        def say(segment: Segment) -> None:
            self.link.send(
                encode(
                    segment,
                    source=peer,
                    destination=server,
                    sport=sport,
                    dport=self.port,
                    source_mac=self.peer_mac,
                    destination_mac=self.server_mac,
                )
            )

        say(Segment(SYN, iss))
        end = time.monotonic() + KNOCK_WITHIN
        while (left := end - time.monotonic()) > 0:
            for captured in self.link.wait(left):
                decoded = decode(captured.frame)
                if (reply := answer(decoded, (peer,), self.peer_mac)) is not None and not captured.outgoing:
                    self.link.send(reply)
                if not isinstance(decoded, TcpFrame) or (decoded.destination, decoded.dport) != (peer, sport):
                    continue
                if RST in decoded.segment.flags:
                    raise CannotRun(
                        f"Nothing listens on {server} port {self.port}.", "Start the server, then run again."
                    )
                say(Segment(RST, iss + 1))
                return
        raise CannotRun(
            f"Nothing came from {server} port {self.port} within {KNOCK_WITHIN:g} seconds.",
            "See whether the server runs, and whether a firewall stands between.",
        )

    def close(self) -> None:
        """Close the link."""
        self.link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()


def addresses_of(host: str, port: int) -> dict[str, str]:
    """A host's addresses by family, the first of each. Raises CannotRun where the name has none."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise CannotRun(f"The target {host!r} has no address ({error}).", "Is its name spelled right?") from error
    addresses: dict[str, str] = {}
    for family, _, _, _, where in found:
        if family in (socket.AF_INET, socket.AF_INET6):
            addresses.setdefault("ipv4" if family == socket.AF_INET else "ipv6", str(where[0]).partition("%")[0])
    return addresses
