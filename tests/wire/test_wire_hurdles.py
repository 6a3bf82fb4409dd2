"""What IP options and extension headers put in a segment's way, octet by octet (RFC 791 §3.1, RFC 8200 §4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lab.wire.hurdles import DESTINATION_OPTIONS, FRAGMENT, HOP_BY_HOP, ROUTING, in_ipv4, in_ipv6

NONE, MAYBE, SURELY = "", "maybe", "surely"


def said(hurdle: object) -> str:
    return NONE if hurdle is None else SURELY if getattr(hurdle, "sure") else MAYBE  # noqa: B009


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", NONE),
        ("01010100", NONE),
        ("0001ff", NONE),  # behind END nothing counts
        ("1e04abcd", NONE),  # nobody knows option 30: it is passed over (RFC 1122 §3.2.1.8)
        ("1e08abcd", MAYBE),  # longer than the header
        ("1e01", MAYBE),
        ("1e00", MAYBE),
        ("1e", MAYBE),
        # Loose and strict source route: the pointer, from 4, says whether all its addresses are used up.
        ("830704c6336401", SURELY),
        ("890704c6336401", SURELY),
        ("830708c6336401", MAYBE),
        ("890708c6336401", MAYBE),
        ("830303", MAYBE),
        ("8302", MAYBE),
        ("1e0000" + "830704c6336401", MAYBE),  # what comes behind nonsense cannot be read
        ("830708c6336401" + "890704c6336401", SURELY),
        # Record route: room for an address, none at all, and too little.
        ("07070400000000", NONE),
        ("07070800000000", NONE),
        ("07060400000000", MAYBE),
        ("07070600000000", MAYBE),
        ("07070300000000", MAYBE),
        ("07070400000000" + "07070400000000", MAYBE),  # "appears at most once"
        # Timestamps: alone, or each with an address; the overflow is the upper half of the fourth octet.
        ("440805 00 00000000", NONE),
        ("440809 e0 00000000", NONE),
        ("440809 f0 00000000", MAYBE),
        ("440805 01 00000000", MAYBE),
        ("440c05 01 0000000000000000", NONE),
        ("440804 00 00000000", MAYBE),
        ("4403 05", MAYBE),
        ("94040000", NONE),  # router alert (RFC 2113)
        ("94030000", MAYBE),
        ("860600000001", MAYBE),  # a commercial security label
    ],
)
def test_ipv4(options: str, expected: str) -> None:
    assert said(in_ipv4(bytes.fromhex(options))) == expected


def header(following: int, options: str) -> bytes:
    """A header of options, filled up with PadN to whole eights."""
    octets = bytes.fromhex(options)
    lack = -(len(octets) + 2) % 8
    octets += b"\0" if lack == 1 else bytes([1, lack - 2]) + bytes(lack - 2) if lack else b""
    return bytes([following, len(octets) // 8]) + octets


@pytest.mark.parametrize("kind", [HOP_BY_HOP, DESTINATION_OPTIONS])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ("", NONE),
        ("000000000000", NONE),
        ("1e02abcd", NONE),  # 00: skip
        ("5e02abcd", SURELY),  # 01: discard
        ("9e02abcd", SURELY),  # 10, 11: discard, and say so
        ("c204000186a0", SURELY),
        ("1e0aabcd", MAYBE),  # longer than its header
        ("0104010000ff", MAYBE),  # padding that says something
        ("010600000000000000", MAYBE),  # eight octets of padding
        ("0103000000" + "1e00" + "01050000000000", NONE),  # not in a row
        ("05020000", NONE),
        ("05010000", MAYBE),
        ("3102abcd", MAYBE),
        ("1e00" * 8, NONE),
        ("1e00" * 9, MAYBE),
        ("1e00" * 9 + "5e00", SURELY),
    ],
)
def test_ipv6_options(kind: int, options: str, expected: str) -> None:
    assert said(in_ipv6(header(6, options), kind)) == expected


@pytest.mark.parametrize(
    ("headers", "first", "expected"),
    [
        (bytes([6, 0, 44, 0, 0, 0, 0, 0]), ROUTING, NONE),
        (bytes([6, 0, 0, 0, 0, 0, 0, 0]), ROUTING, NONE),  # type 0, no segments left: ignored (RFC 8200 §4.4)
        (bytes([6, 0, 2, 0, 0, 0, 0, 0]), ROUTING, MAYBE),
        (bytes([6, 0, 3, 0, 0, 0, 0, 0]), ROUTING, MAYBE),
        (bytes([6, 0, 4, 0, 0, 0, 0, 0]), ROUTING, MAYBE),
        (bytes([6, 9, 0, 0, 0, 0, 0, 1]), FRAGMENT, NONE),
        (header(DESTINATION_OPTIONS, "") + header(6, ""), HOP_BY_HOP, NONE),
        (header(HOP_BY_HOP, "") + header(6, ""), DESTINATION_OPTIONS, SURELY),
        (header(HOP_BY_HOP, "") + header(6, ""), HOP_BY_HOP, SURELY),
        (bytes([60, 0, 4, 0, 0, 0, 0, 0]) + header(6, "5e00"), ROUTING, SURELY),
        (bytes([60, 9, 0, 0, 0, 0, 0, 1]) + header(6, "0104010000ff"), FRAGMENT, MAYBE),
    ],
)
def test_ipv6_headers(headers: bytes, first: int, expected: str) -> None:
    assert said(in_ipv6(headers, first)) == expected


@given(st.binary(max_size=40))
def test_nothing_raises(octets: bytes) -> None:
    in_ipv4(octets)
    in_ipv6(bytes([6, len(octets) // 8]) + octets + bytes(-(len(octets) + 2) % 8), HOP_BY_HOP)
