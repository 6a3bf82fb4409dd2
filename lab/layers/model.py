"""OSI's seven layers beside TCP/IP's four, as data: which there are, what each is for, and which headers are theirs.

RFC 1122 §1.1.3 names four layers and puts OSI's upper ones into one, "application". Two of OSI's names, session and
presentation, have no header of their own in TCP/IP: their work is done inside HTTP, TLS and WebSocket, and the lab says
by what, without giving any octet to them. Which octets belong to which header is told by `lab.layers.dissect`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class OsiLayer:
    """One of the seven of ISO/IEC 7498-1."""

    number: int
    """1 to 7, from below."""
    name: str
    unit: str
    """What its unit of data is called."""
    work: str
    """What it is there for."""
    nowhere: str = ""
    """Why no octet of a capture is its own; "" where some are."""


@dataclass(frozen=True, slots=True)
class TcpIpLayer:
    """One of the four of RFC 1122 §1.1.3."""

    name: str
    osi: tuple[int, ...]
    """The layers of OSI that it covers, from below."""


@dataclass(frozen=True, slots=True)
class Protocol:
    """A header, or what stands for one: the name that a `Layer` has, and where it belongs."""

    name: str
    letter: str
    """One sign for hexdumps without colour."""
    osi: tuple[int, ...]
    tcpip: str
    adds: str
    """What it adds to what it carries."""


OSI: Final = (
    OsiLayer(
        1,
        "Physical",
        "bit",
        "bits on the medium: preamble, line coding, gaps",
        "the network hardware keeps its bits to itself: none is in a capture",
    ),
    OsiLayer(2, "Data link", "frame", "from one station to the next on the same link"),
    OsiLayer(3, "Network", "packet", "from one host to another, over any number of links"),
    OsiLayer(4, "Transport", "segment", "from one program to another: in order, once, no faster than can be taken"),
    OsiLayer(
        5,
        "Session",
        "message",
        "who may speak when; opening and ending a dialogue",
        "TCP/IP has no header for it: the application does it",
    ),
    OsiLayer(
        6,
        "Presentation",
        "message",
        "how what is meant is written down: characters, coding, encryption",
        "TCP/IP has no header for it: the application does it, or TLS",
    ),
    OsiLayer(7, "Application", "message", "what the programs say to each other"),
)
"""The seven, from below."""

LINK, INTERNET, TRANSPORT, APPLICATION = "Link", "Internet", "Transport", "Application"
TCPIP: Final = (
    TcpIpLayer(LINK, (1, 2)),
    TcpIpLayer(INTERNET, (3,)),
    TcpIpLayer(TRANSPORT, (4,)),
    TcpIpLayer(APPLICATION, (5, 6, 7)),
)
"""The four, from below (RFC 1122 §1.1.3)."""

NO_TLS: Final = (
    "no TLS here: with wss or https its records, header and encrypted octets, would stand between TCP and HTTP or "
    "WebSocket (OSI 5 and 6 by custom)"
)
"""Where TLS would sit (RFC 8446 §5; RFC 6455 §10.6)."""

DATA: Final = "Data"
"""The name for octets that are not taken apart; which layers they hold is not known."""
PADDING: Final = "Padding"
PAYLOAD: Final = "Payload"

PROTOCOLS: Final = {
    protocol.name: protocol
    for protocol in (
        Protocol("Ethernet", "E", (2,), LINK, "two stations on a link, what is inside"),
        Protocol("802.1Q", "Q", (2,), LINK, "a virtual network, what is inside"),
        Protocol("ARP", "A", (2, 3), LINK, "whose hardware address belongs to an IPv4 address"),
        Protocol(PADDING, "_", (2,), LINK, "nothing: fills up to Ethernet's least length"),
        Protocol("IPv4", "I", (3,), INTERNET, "two hosts, length, life, what is inside"),
        Protocol("IPv6", "I", (3,), INTERNET, "two hosts, length, life, what is inside"),
        Protocol("IPv6 hop-by-hop options", "X", (3,), INTERNET, "options for every router on the way"),
        Protocol("IPv6 routing header", "X", (3,), INTERNET, "the nodes to visit on the way"),
        Protocol("IPv6 fragment header", "X", (3,), INTERNET, "which piece of a packet this is"),
        Protocol("IPv6 authentication header", "X", (3,), INTERNET, "proof of who sent the packet"),
        Protocol("IPv6 destination options", "X", (3,), INTERNET, "options for the receiver"),
        Protocol("IPv6 extension header", "X", (3,), INTERNET, "something between the IPv6 header and the rest"),
        Protocol("IPv4 fragment", "F", (4, 5, 6, 7), "Transport and above", "a piece of a packet that is not whole"),
        Protocol("IPv6 fragment", "F", (4, 5, 6, 7), "Transport and above", "a piece of a packet that is not whole"),
        Protocol("ICMP", "C", (3,), INTERNET, "what IP has to say of its own: errors, echoes"),
        Protocol("ICMPv6", "C", (3,), INTERNET, "what IP has to say of its own: errors, echoes, neighbours"),
        Protocol("TCP", "T", (4,), TRANSPORT, "two programs, numbers, bits, window"),
        Protocol("UDP", "U", (4,), TRANSPORT, "two programs, length, checksum"),
        Protocol("HTTP", "H", (7,), APPLICATION, "a request or an answer, and its fields"),
        Protocol("WebSocket", "W", (7,), APPLICATION, "end and kind of a message, length, mask"),
        Protocol(PAYLOAD, "P", (7,), APPLICATION, "what the programs have to say"),
        Protocol(DATA, "D", (), "not known", "octets that the lab does not take apart"),
    )
}
"""Every name that a `Layer` can have."""


def tcpip_of(number: int) -> TcpIpLayer:
    """The one of the four that covers OSI's layer `number`, 1 to 7. Raises StopIteration for any other."""
    return next(layer for layer in TCPIP if number in layer.osi)
