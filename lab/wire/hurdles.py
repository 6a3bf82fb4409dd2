"""What the Internet layer of a host finds in front of a segment and does, or may, discard it for.

IP options (RFC 791 §3.1, RFC 1122 §3.2.1.8) and IPv6 extension headers (RFC 8200 §4).
"""

from __future__ import annotations

from typing import Final

from lab.tcp.segment import Hurdle

HOP_BY_HOP, ROUTING, FRAGMENT, DESTINATION_OPTIONS = 0, 43, 44, 60

_END, _NOP, _RECORD_ROUTE, _TIMESTAMP, _LOOSE, _CIPSO, _STRICT, _ROUTER_ALERT = 0, 1, 7, 68, 131, 134, 137, 148
_PAD1, _PADN, _IPV6_ROUTER_ALERT, _CALIPSO, _IOAM = 0, 1, 5, 7, 49

_LEADS_ON: Final = Hurdle("its source route leads on to another host", "RFC 791 §3.1", sure=True)
_SOURCE_ROUTED: Final = Hurdle("it came by a source route, which a host may refuse", "RFC 7126 §4.3", sure=False)
_LABELLED: Final = Hurdle("its security label is one that a host may refuse", "RFC 7126 §4.13", sure=False)
_BROKEN: Final = Hurdle("its IP options make no sense", "RFC 791 §3.1", sure=False)

_TO_DISCARD: Final = Hurdle(
    "it has an option that says to discard the packet where it is not known", "RFC 8200 §4.2", sure=True
)
_OUT_OF_PLACE: Final = Hurdle("its hop-by-hop options do not follow the IPv6 header at once", "RFC 8200 §4", sure=True)
_BROKEN_IPV6: Final = Hurdle("its extension headers' options make no sense", "RFC 8200 §4.2", sure=False)
_PADDED: Final = Hurdle("its padding is longer than any needs to be, or not zero", "RFC 4942 §2.1.9.5", sure=False)
_TOO_MANY: Final = Hurdle("it has more options than a host need look at", "RFC 8504 §5.3", sure=False)
_ROUTED: Final = Hurdle("its routing header is of a kind that a host may refuse", "RFC 8754 §5.1", sure=False)

_ENOUGH: Final = 8
"""Options of one extension header that a host looks at anyway (RFC 8504 §5.3)."""
_ALIGNING: Final = 7
"""Octets of padding in a row that bring any option into its place (RFC 8200 §4.2)."""
_REFUSED_ROUTING: Final = frozenset({2, 3, 4})
"""Mobile IPv6, RPL and segment routing: those that a host must be set up for."""


def in_ipv4(options: bytes) -> Hurdle | None:
    """What the options of an IPv4 header put in the way."""
    found: Hurdle | None = None
    seen: set[int] = set()
    at = 0
    while at < len(options) and options[at] != _END:
        if options[at] == _NOP:
            at += 1
            continue
        kind, size = options[at], options[at + 1] if at + 1 < len(options) else 0
        if size < 2 or at + size > len(options):
            return found or _BROKEN
        hurdle = _ipv4_option(kind, options[at : at + size])
        if hurdle is not None and hurdle.sure:
            return hurdle
        found = found or hurdle or (_BROKEN if kind in seen else None)
        seen.add(kind)
        at += size
    return found


def _ipv4_option(kind: int, option: bytes) -> Hurdle | None:
    """`option` with its kind and length, 2 octets at least."""
    size, pointer = len(option), option[2] if len(option) > 2 else 0
    if kind in (_LOOSE, _STRICT):
        if pointer < 4:
            return _BROKEN
        return _LEADS_ON if pointer <= size else _SOURCE_ROUTED
    if kind == _RECORD_ROUTE:
        return _BROKEN if pointer < 4 or pointer <= size < pointer + 3 else None
    if kind == _TIMESTAMP:
        if size < 4 or pointer < 5:
            return _BROKEN
        entry = 8 if option[3] & 15 else 4
        # "Some room but not enough", or "the overflow count itself overflows".
        return _BROKEN if pointer <= size < pointer + entry - 1 or (pointer > size and option[3] >> 4 == 15) else None
    if kind == _ROUTER_ALERT:
        return None if size == 4 else _BROKEN
    return _LABELLED if kind == _CIPSO else None


def in_ipv6(headers: bytes, first: int) -> Hurdle | None:
    """What extension headers put in the way; `first` is the kind of the first of them. They are whole."""
    found: Hurdle | None = None
    kind, at = first, 0
    while at < len(headers):
        size = 8 if kind == FRAGMENT else 8 * (headers[at + 1] + 1)
        hurdle = None
        if kind == HOP_BY_HOP and at:
            hurdle = _OUT_OF_PLACE
        elif kind in (HOP_BY_HOP, DESTINATION_OPTIONS):
            hurdle = _ipv6_options(headers[at + 2 : at + size])
        elif kind == ROUTING and headers[at + 2] in _REFUSED_ROUTING:
            hurdle = _ROUTED
        if hurdle is not None and hurdle.sure:
            return hurdle
        found = found or hurdle
        kind, at = headers[at], at + size
    return found


def _ipv6_options(options: bytes) -> Hurdle | None:
    found: Hurdle | None = None
    at = padding = count = 0
    while at < len(options):
        kind = options[at]
        size = 1 if kind == _PAD1 else 2 + (options[at + 1] if at + 1 < len(options) else len(options))
        data = options[at + 2 : at + size]
        at += size
        if at > len(options):
            return found or _BROKEN_IPV6
        if kind in (_PAD1, _PADN):
            padding += size
            found = found or (_PADDED if padding > _ALIGNING or any(data) else None)
            continue
        padding, count = 0, count + 1
        if kind >> 6:
            return _TO_DISCARD
        if kind in (_CALIPSO, _IOAM) or (kind == _IPV6_ROUTER_ALERT and len(data) != 2):
            found = found or _BROKEN_IPV6
        elif count > _ENOUGH:
            found = found or _TOO_MANY
    return found
