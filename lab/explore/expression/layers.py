"""The layers that an expression may name: where Scapy has them, and what may stand behind what.

Nothing here imports Scapy. A place in the stack is refused only where Scapy would have to guess, ask the network or
leave a part out; packets that are wrong in a way that a server can see are what an explorer is here for.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from lab.explore.expression.grammar import ExpressionError

_IPV4: Final = "scapy.layers.inet"
_IPV6: Final = "scapy.layers.inet6"

LAYERS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Ether": "scapy.layers.l2",
        "Dot1Q": "scapy.layers.l2",
        "ARP": "scapy.layers.l2",
        "IP": _IPV4,
        "IPv6": _IPV6,
        "TCP": _IPV4,
        "UDP": _IPV4,
        "ICMP": _IPV4,
        "IPerror": _IPV4,
        "TCPerror": _IPV4,
        "ICMPv6EchoRequest": _IPV6,
        "ICMPv6EchoReply": _IPV6,
        "ICMPv6DestUnreach": _IPV6,
        "ICMPv6PacketTooBig": _IPV6,
        "ICMPv6TimeExceeded": _IPV6,
        "IPerror6": _IPV6,
        "IPv6ExtHdrHopByHop": _IPV6,
        "IPv6ExtHdrDestOpt": _IPV6,
        "IPv6ExtHdrFragment": _IPV6,
        "IPv6ExtHdrRouting": _IPV6,
        "Raw": "scapy.packet",
        "Padding": "scapy.packet",
        "IPOption_EOL": _IPV4,
        "IPOption_NOP": _IPV4,
        "IPOption_RR": _IPV4,
        "IPOption_LSRR": _IPV4,
        "IPOption_SSRR": _IPV4,
        "IPOption_Timestamp": _IPV4,
        "IPOption_Router_Alert": _IPV4,
        "Pad1": _IPV6,
        "PadN": _IPV6,
        "RouterAlert": _IPV6,
        "HBHOptUnknown": _IPV6,
    }
)
"""Name → the module of Scapy that has it. In the order in which a packet is built; options come last."""

IP_OPTIONS: Final = frozenset(name for name in LAYERS if name.startswith("IPOption_"))
IPV6_OPTIONS: Final = frozenset(["Pad1", "PadN", "RouterAlert", "HBHOptUnknown"])

EXTENSIONS: Final = frozenset(name for name in LAYERS if name.startswith("IPv6ExtHdr"))
_ICMPV6: Final = frozenset(name for name in LAYERS if name.startswith("ICMPv6"))
_ERRORS: Final = _ICMPV6 - {"ICMPv6EchoRequest", "ICMPv6EchoReply"}
IPV6_ONLY: Final = EXTENSIONS | _ICMPV6
"""Layers that come in an IPv6 packet, with or without an IPv6(…) written in front."""

_BEHIND: Final[Mapping[str, frozenset[str]]] = {
    "Ether": frozenset(),
    "Dot1Q": frozenset(["Ether", "Dot1Q"]),
    "ARP": frozenset(["Ether", "Dot1Q"]),
    "IPerror": frozenset(["ICMP"]),
    "IPerror6": _ERRORS,
    "TCPerror": frozenset(["IPerror", "IPerror6"]),
    **dict.fromkeys(IPV6_ONLY, EXTENSIONS | {"IPv6"}),
}
"""What a layer may follow; one that is not here may follow anything."""
_FIRST: Final = frozenset(LAYERS) - frozenset(["Dot1Q", "IPerror", "IPerror6", "TCPerror", "Padding"])
"""What the lab can put the missing layers in front of."""

DIVERTING: Final = frozenset(["IPv6ExtHdrRouting", "IPOption_LSRR", "IPOption_SSRR"])
"""They send a packet on to further hosts."""


def check_behind(lower: str, upper: str, at: int) -> None:
    """Refuses a layer behind another where it has no place, by their names. Raises ExpressionError."""
    for name in (lower, upper):
        if name in IP_OPTIONS | IPV6_OPTIONS:
            carrier = "IP" if name in IP_OPTIONS else "IPv6ExtHdrHopByHop"
            raise ExpressionError(f"{name} is an option, not a layer: write {carrier}(options=[{name}()])", at)
    if lower == "Padding":
        raise ExpressionError("Nothing follows Padding, which fills the end of a frame: put it last", at)
    places = _BEHIND.get(upper)
    if places is None or lower in places:
        return
    if not places:
        raise ExpressionError(f"{upper} is the outermost layer, so it cannot follow {lower}: put it first", at)
    raise ExpressionError(f"{upper} cannot follow {lower}: it comes behind {_either(places)}", at)


def check_first(name: str, family: str) -> None:
    """Refuses what the lab cannot complete from below, by its name. Raises ExpressionError."""
    if name in IP_OPTIONS | IPV6_OPTIONS:
        carrier = "IP" if name in IP_OPTIONS else "IPv6ExtHdrHopByHop"
        raise ExpressionError(f"{name} is an option, not a packet: write {carrier}(options=[{name}()])/TCP()")
    if name == "Padding":
        raise ExpressionError('Padding fills the end of a frame: write for example TCP()/Padding(load=b"\\0\\0")')
    if name not in _FIRST:
        raise ExpressionError(f"{name} cannot come first: it comes behind {_either(_BEHIND[name])}")
    if name in IPV6_ONLY and family != "ipv6":
        raise ExpressionError(f"{name} goes into IPv6, and this connection is over IPv4: explore with --ipv6 for it")


def _either(names: frozenset[str]) -> str:
    ordered = [name for name in LAYERS if name in names]
    return ordered[0] if len(ordered) == 1 else f"{', '.join(ordered[:-1])} or {ordered[-1]}"
