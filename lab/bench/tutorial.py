"""Opening and closing a connection as tutorials for Scapy do it: `sr1()` for what is answered, `send()` for the rest.

Import it in the namespace where it shall run: Scapy reads interfaces and routes at once.
"""

from __future__ import annotations

import itertools
import logging
import secrets
from typing import Any, Final

from scapy.config import conf
from scapy.layers.inet import IP, TCP
from scapy.layers.inet6 import IPv6
from scapy.sendrecv import send, sniff, sr1

from lab.testbed import addresses

TIMEOUT: Final = 2
"""Seconds that `sr1()` waits."""


class Tutorial:
    """Opens and closes connections from the sandbox's peer address. Raises ValueError for an answer that is wrong."""

    def __init__(self, family: str, port: int) -> None:
        """`port` is the server's."""
        conf.verb = 0
        logging.getLogger("scapy").setLevel(logging.ERROR)  # that the interface has no address is meant
        self._port = port
        self._own = itertools.cycle(range(20000, 60000))
        known: Any = conf.netcache
        source, server = addresses.PEER[family], addresses.SERVER[family]
        # What a machine with an address of its own would know without being told: the route, and the neighbour.
        if family == "ipv6":
            conf.route6.routes.append((server, 128, "::", addresses.PEER_INTERFACE, [source], 1))
            conf.route6.invalidate_cache()
            known.in6_neighbor[server] = addresses.SERVER_MAC.hex(":")
            self._ip: Any = IPv6(src=source, dst=server)
        else:
            conf.route.add(host=server, dev=addresses.PEER_INTERFACE)
            known.arp_cache[server] = addresses.SERVER_MAC.hex(":")
            self._ip = IP(src=source, dst=server)
        known.arp_cache.timeout = known.in6_neighbor.timeout = None

    def open_and_close(self) -> None:
        """One connection: three segments, then four, or three where the server's FIN carries its ACK."""
        ip, port = self._ip, next(self._own)
        x = secrets.randbelow(2**32 - 2)  # not at the circle's end: Scapy does not count past it
        syn_ack = self._answer(sr1(ip / TCP(sport=port, dport=self._port, flags="S", seq=x), timeout=TIMEOUT), "SA")
        self._check(syn_ack.ack == x + 1, "the SYN+ACK acknowledges another number")
        y = syn_ack.seq + 1 & 0xFFFFFFFF
        ours: Any = {"sport": port, "dport": self._port}
        send(ip / TCP(**ours, flags="A", seq=x + 1, ack=y))
        fin = self._answer(sr1(ip / TCP(**ours, flags="FA", seq=x + 1, ack=y), timeout=TIMEOUT), "A", "FA")
        if "F" not in fin.flags:
            # A tutorial stops looking here. Should the FIN have passed meanwhile, the server will repeat it.
            heard = sniff(count=1, timeout=TIMEOUT, lfilter=lambda p: TCP in p and p[TCP].dport == port)
            fin = self._answer(heard[0] if heard else None, "FA")
        self._check(fin.seq == y and fin.ack == x + 2, "the FIN has other numbers")
        send(ip / TCP(**ours, flags="A", seq=x + 2, ack=y + 1 & 0xFFFFFFFF))

    @classmethod
    def _answer(cls, packet: Any, *flags: str) -> Any:
        cls._check(packet is not None and TCP in packet, f"no {' or '.join(flags)} came within {TIMEOUT} s")
        cls._check(str(packet[TCP].flags) in flags, "another answer came")
        return packet[TCP]

    @staticmethod
    def _check(holds: bool, otherwise: str) -> None:
        if not holds:
            raise ValueError(otherwise)
