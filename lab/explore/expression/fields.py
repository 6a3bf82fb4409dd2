"""The fields of Scapy's layers, and what each one takes. Imports Scapy: import it where it is needed.

Scapy takes nearly everything and does something with it: it looks host names up, opens nets into sets of packets, cuts
numbers down to the bits there are, and calls unknown options a warning. So each value is judged before Scapy sees it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from importlib import import_module
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import Any, Final, NamedTuple

from scapy.fields import (
    BitField,
    ConditionalField,
    Field,
    FieldListField,
    FlagsField,
    IP6Field,
    IPField,
    MACField,
    PacketListField,
    StrField,
)
from scapy.layers.inet import TCPOptionsField
from scapy.layers.inet6 import IP6ListField
from scapy.packet import Packet

from lab.explore.expression.grammar import ExpressionError
from lab.explore.expression.layers import IP_OPTIONS, IPV6_OPTIONS, LAYERS
from lab.explore.expression.tryout import MOST_OCTETS
from lab.wire.scapy_side import ScapyPacket, in_scapy

OPTION_ROOM: Final = 40
"""Octets that a header of 15 words leaves for options, IP's as TCP's (RFC 791 §3.1, RFC 9293 §3.1)."""

_HIDDEN: Final = frozenset(["unused", "ext", "extpad"])
"""ICMP's fields whose shape depends on others (RFC 4884)."""
_MAC: Final = re.compile(r"[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}")

_OPTION_BITS: Final[Mapping[str, tuple[int, ...] | None]] = {
    "EOL": (),
    "NOP": (),
    "MSS": (16,),
    "WScale": (8,),
    "SAckOK": (),
    "SAck": None,
    "Timestamp": (32, 32),
    "UTO": (16,),
    "TFO": None,
    "MD5": None,
    "AO": None,
}
"""TCP's options by Scapy's names: the bits of each of its numbers; None for those with a shape of their own."""


def names_of(layer: str) -> tuple[str, ...]:
    """The fields of a layer that an expression may set, in their order in the header."""
    return tuple(field.name for field in _class(layer).fields_desc if field.name not in _HIDDEN)


class Given(NamedTuple):
    """What an expression sets a field to, and the columns of the value and of the field's name."""

    value: Any
    at: int
    name_at: int


def make(layer: str, values: Mapping[str, Given], at: int) -> ScapyPacket:
    """The layer with these fields; None leaves a field to the lab.

    Raises ExpressionError, in a sentence that names the field and what it takes.
    """
    kind = _class(layer)
    known = {field.name: field for field in kind.fields_desc if field.name not in _HIDDEN}
    fields: dict[str, Any] = {}
    try:
        for name, given in values.items():
            if name not in known:
                raise ExpressionError(_unknown(layer, name, list(known)), given.name_at)
            if given.value is not None:
                fields[name] = _judged(f"{layer}.{name}", layer, known[name], given.value, given.at)
        if layer in ("IPerror", "IPerror6") and not {"src", "dst"} <= fields.keys():
            raise ExpressionError(f"{layer} quotes a packet, so say whose: write {layer}(src=…, dst=…)", at)
        packet = kind(**fields)
        for name in fields:
            field = known[name]
            if isinstance(field, ConditionalField) and not field._evalcond(packet):
                raise ExpressionError(
                    f"{layer} has no {name} when its type is {packet.type}: leave it out, or set another type",
                    values[name].name_at,
                )
    except ExpressionError:
        raise
    except Exception as error:  # Scapy raises whatever it comes across
        raise ExpressionError(said(error), at) from error
    return packet


def said(error: Exception) -> str:
    """A sentence for what Scapy raised, however many lines that had."""
    if "format requires" in str(error):  # each field that was given was found to fit: this is a length that was counted
        return "Something in it is longer than its length field can tell: make it shorter"
    sentence = in_scapy(error) or f"Scapy cannot make this packet ({type(error).__name__}: {error}): change its fields"
    return sentence.partition("\n")[0]


def _class(layer: str) -> Any:
    return getattr(import_module(LAYERS[layer]), layer)


def _unknown(layer: str, name: str, known: list[str]) -> str:
    if not known:
        return f"{layer} has no fields: write {layer}()"
    near = get_close_matches(name, known, 1)
    hint = f"did you mean {near[0]}? It has" if near else "it has"
    return f"{layer} has no field {_short(name)}: {hint} {', '.join(known)}"


def _judged(where: str, layer: str, field: Any, value: Any, at: int) -> Any:
    """The value as Scapy may have it."""
    while not isinstance(field, Field) and hasattr(field, "fld"):  # ConditionalField, Emph and others wrap one
        field = field.fld
    if layer == "ARP" and field.name in ("hwsrc", "hwdst", "psrc", "pdst"):
        return (_mac if field.name.startswith("hw") else _ipv4)(where, value, at)
    for kinds, judge in _JUDGES:
        if isinstance(field, kinds):
            return judge(where, value, at)
    if isinstance(field, FlagsField):
        return _flags(where, field, value, at)
    if isinstance(field, PacketListField):
        return _header_options(where, layer, value, at)
    if isinstance(field, StrField):
        return octets(where, value, at)
    return _number(where, field, value, at)


def _number(where: str, field: Any, value: Any, at: int) -> int:
    bits = field.size if isinstance(field, BitField) else round(field.sz * 8)
    names = getattr(field, "s2i", None)
    if isinstance(value, str) and names:
        if isinstance(known := names.get(value), int):
            return known
        near = get_close_matches(value, [one for one in names if isinstance(one, str)], 1)
        hint = f', or a name such as "{near[0]}"' if near else ""
        raise ExpressionError(f'{where} takes a number from 0 to {2**bits - 1}{hint}, not "{_short(value)}"', at)
    if where in ("TCP.seq", "TCP.ack", "TCPerror.seq", "TCPerror.ack") and isinstance(value, int):
        return int(value) % 2**32
    return number_in(where, bits, value, at)


def number_in(where: str, bits: int, value: Any, at: int) -> int:
    """A number that fits into so many bits."""
    most = 2**bits - 1
    if isinstance(value, list | tuple):
        raise ExpressionError(
            f"{where} takes one number: a list would make a set of packets, so send one at a time", at
        )
    if not isinstance(value, int):
        raise ExpressionError(f"{where} takes a number from 0 to {most}, not {_kind(value)}", at)
    if not 0 <= int(value) <= most:  # a Seq refuses < and >
        raise ExpressionError(f"{where} takes a number from 0 to {most}, and {int(value)} does not fit", at)
    return int(value)


def _flags(where: str, field: Any, value: Any, at: int) -> int:
    """Flags by their letters (TCP) or names joined with + (IP), or as bits."""
    if isinstance(value, int):
        return number_in(where, field.size, value, at)
    names = list(field.names)
    by_letter = all(len(name) == 1 for name in names)
    how = f"the letters {''.join(names)}" if by_letter else f"{', '.join(names)}, joined with +"
    if not isinstance(value, str):
        raise ExpressionError(f"{where} takes {how} in quotes, or a number, not {_kind(value)}", at)
    bits = 0
    for one in value if by_letter else filter(None, value.split("+")):
        if one not in names:
            raise ExpressionError(f"{where} knows no flag {_short(one)}: it takes {how}, or a number", at)
        bits |= 1 << names.index(one)
    return bits


def _mac(where: str, value: Any, at: int) -> str:
    if not isinstance(value, str) or not _MAC.fullmatch(value):
        raise ExpressionError(f'{where} takes one MAC address such as "02:00:00:00:00:01", not {_kind(value)}', at)
    return value.lower()


def _ipv4(where: str, value: Any, at: int) -> str:
    try:
        if isinstance(value, str):
            return str(IPv4Address(value))
    except AddressValueError:
        pass
    raise ExpressionError(
        f'{where} takes one IPv4 address such as "198.51.100.1", not {_kind(value)}: no names, no nets', at
    )


def _ipv6(where: str, value: Any, at: int) -> str:
    try:
        if isinstance(value, str) and "%" not in value:
            return str(IPv6Address(value))
    except AddressValueError:
        pass
    raise ExpressionError(
        f'{where} takes one IPv6 address such as "2001:db8::1", not {_kind(value)}: no names, no nets', at
    )


def _list_of(judge: Callable[[str, Any, int], str]) -> Callable[[str, Any, int], list[str]]:
    def judged(where: str, value: Any, at: int) -> list[str]:
        if not isinstance(value, list | tuple):
            raise ExpressionError(f"{where} takes a list of addresses in [ ], not {_kind(value)}", at)
        return [judge(where, one, at) for one in value]

    return judged


def octets(where: str, value: Any, at: int) -> bytes:
    """Octets or, encoded as UTF-8, text; never more than a packet holds."""
    if isinstance(value, str):
        try:
            value = value.encode()
        except UnicodeEncodeError:
            raise ExpressionError(f'{where} has half a character in it: write octets as b"\\xff"', at) from None
    if not isinstance(value, bytes):
        raise ExpressionError(f'{where} takes text in "…" or octets in b"…", not {_kind(value)}', at)
    if len(value) > MOST_OCTETS:
        raise ExpressionError(f"{where} of {len(value):,} octets is too long: a packet holds {MOST_OCTETS:,}", at)
    return value


def _header_options(where: str, layer: str, value: Any, at: int) -> list[Any]:
    """IP's options and those of IPv6's headers: layers of their own."""
    allowed = IP_OPTIONS if layer in ("IP", "IPerror") else IPV6_OPTIONS
    ordered = [name for name in LAYERS if name in allowed]
    if not isinstance(value, list | tuple):
        raise ExpressionError(f"{where} takes a list such as [{ordered[0]}()], not {_kind(value)}", at)
    for one in value:
        if not isinstance(one, Packet) or type(one).__name__ not in allowed:
            raise ExpressionError(f"{where} takes {', '.join(ordered)}, not {_kind(one)}", at)
    room = OPTION_ROOM if allowed is IP_OPTIONS else 8 * 256 - 2  # RFC 8200 §4.3: its length counts eights of octets
    size = sum(len(bytes(one)) for one in value)
    if size > room:
        raise ExpressionError(f"{where} has {size} octets, and there is room for {room}: leave some out", at)
    return list(value)


def _tcp_options(where: str, value: Any, at: int) -> list[tuple[str | int, Any]] | bytes:
    """TCP's options: pairs of a name, or a kind, and a value; or all of them in raw octets."""
    if isinstance(value, bytes):
        return octets(where, value, at)
    if not isinstance(value, list | tuple):
        raise ExpressionError(
            f'{where} takes a list such as [("MSS", 1460), ("NOP", None)] or octets, not {_kind(value)}', at
        )
    for one in value:
        if not isinstance(one, list | tuple) or len(one) != 2:
            raise ExpressionError(f'{where} takes pairs such as ("MSS", 1460) or ("NOP", None), not {_kind(one)}', at)
    return [_tcp_option(where, kind, data, at) for kind, data in value]


def _tcp_option(where: str, kind: Any, data: Any, at: int) -> tuple[str | int, Any]:
    if isinstance(kind, int):
        number = number_in(f"The kind of an option in {where}", 8, kind, at)
        return number, b"" if data is None else _option_octets(f"Option {number}", data, at)
    if kind not in _OPTION_BITS if isinstance(kind, str) else True:
        names = ", ".join(_OPTION_BITS)
        by_lower = {one.lower(): one for one in _OPTION_BITS}
        near = get_close_matches(kind.lower(), by_lower, 1) if isinstance(kind, str) else []
        hint = f'did you mean "{by_lower[near[0]]}"? ' if near else ""
        raise ExpressionError(f"{where} knows no option {_kind(kind)}: {hint}There are {names}, or a number", at)
    name = f"Option {kind}"
    if kind in ("EOL", "NOP"):
        if data not in (None, b"", "", ()):
            raise ExpressionError(f'{name} is one octet and takes no value: write ("{kind}", None)', at)
        return kind, None
    if data in (None, b"", "", ()):
        # An option whose data is missing: two octets, which is all of SAckOK, and for others a fault to try out.
        if kind == "MD5":  # Scapy would fill it up
            return 19, b""
        return kind, b""
    bits = _OPTION_BITS[kind]
    if isinstance(data, str) and bits and 8 * len(data.encode(errors="replace")) != sum(bits):
        # Whoever means a length that is wrong, a fault to try out, says so in octets.
        one = "a number" if len(bits) == 1 else f"{len(bits)} numbers"
        raise ExpressionError(f'{name} takes {one}, or octets in b"…", not {_kind(data)}', at)
    if isinstance(data, bytes | str):
        given = _option_octets(name, data, at)
        return (19, given) if kind == "MD5" else (kind, given)
    if kind in ("MD5", "AO") or bits == ():
        takes = "no value: write None" if bits == () else 'octets: write b"…"'
        raise ExpressionError(f"{name} takes {takes}", at)
    numbers = data if isinstance(data, list | tuple) else (data,)
    if bits is None:
        bits = (32,) * (2 if kind == "TFO" else len(numbers))
    if len(numbers) != len(bits):
        raise ExpressionError(f"{name} takes {len(bits)} number{'s' * (len(bits) > 1)}, not {len(numbers)}", at)
    judged = tuple(number_in(name, size, one, at) for size, one in zip(bits, numbers, strict=True))
    return kind, judged if len(judged) > 1 or kind == "SAck" else judged[0]


def _option_octets(where: str, data: Any, at: int) -> bytes:
    given = octets(where, data, at)
    if len(given) > 253:  # its length is one octet, and counts the two in front (RFC 9293 §3.1)
        raise ExpressionError(f"{where} of {len(given)} octets is too long: an option holds 253", at)
    return given


_JUDGES: Final[tuple[tuple[Any, Callable[[str, Any, int], Any]], ...]] = (
    (TCPOptionsField, _tcp_options),
    (IP6ListField, _list_of(_ipv6)),
    (FieldListField, _list_of(_ipv4)),
    (IPField, _ipv4),
    (IP6Field, _ipv6),
    (MACField, _mac),
)


def _kind(value: Any) -> str:
    """A value in a sentence."""
    if value is None:
        return "None"
    if isinstance(value, str):
        return f'"{_short(value)}"'
    if isinstance(value, bytes):
        return "octets"
    if isinstance(value, int):
        return f"the number {int(value)}"
    if isinstance(value, list | tuple):
        return "a list"
    return f"a layer, {type(value).__name__}"


def _short(text: str) -> str:
    safe = "".join(character if character.isprintable() else "?" for character in text)
    return safe if len(safe) <= 30 else f"{safe[:29]}…"
