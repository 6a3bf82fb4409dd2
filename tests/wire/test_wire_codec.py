"""The codec against frames written down by hand, frames of a real kernel, and any octets whatever."""

from __future__ import annotations

import struct
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lab.tcp.options import mss, pack
from lab.tcp.segment import ACK, FIN, PSH, RST, SYN, Flags, Segment
from lab.tcp.sequence import Seq
from lab.wire.codec import (
    ArpReply,
    ArpRequest,
    NeighbourAdvertisement,
    NeighbourSolicitation,
    OtherFrame,
    TcpFrame,
    checksum_of,
    decode,
    encode,
    ones_sum,
    tcp_part,
)

calmly = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure, nor is a checkout that this user may not write to."""

US, SERVER = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
V4 = {"source": "198.51.100.2", "destination": "198.51.100.1"}
V6 = {"source": "2001:db8::2", "destination": "2001:db8::1"}
WAY: dict[str, Any] = {"sport": 40000, "dport": 80, "source_mac": US, "destination_mac": SERVER}

# What a Linux 6 kernel sent, octet for octet, for a SYN with seq 5 to a closed port.
RESET_OF_A_KERNEL = bytes.fromhex(
    "020000000002 7e5a5e29cc37 0800"
    "4500 0028 0000 4000 40 06 e665 c6336401 c6336402"
    "0063 0005 00000000 00000006 5014 0000 5af8 0000"
)
# A SYN with MSS 1460 from 2001:db8::2 port 40000, added up by hand (ffff counts for nothing in a ones' complement sum):
#   addresses 2001+0db8+0002 + 2001+0db8+0001 = 5b75, length 0018 and protocol 0006     -> 5b93
#   ports 9c40+0050 = 9c90  -> f823, offset and flags 6002 -> 15825, that is 5826, options 0204+05b4 -> 5fde
#   and the complement of 5fde is a021.
SYN_BY_HAND = bytes.fromhex(
    "020000000001 020000000002 86dd"
    "60000000 0018 06 40 20010db8000000000000000000000002 20010db8000000000000000000000001"
    "9c40 0050 ffffffff 00000000 6002 ffff a021 0000 020405b4"
)


def test_ipv4_header_checksum_of_a_textbook() -> None:
    header = bytes.fromhex("4500 0073 0000 4000 4011 0000 c0a80001 c0a800c7")
    assert checksum_of(header) == 0xB861


@pytest.mark.parametrize(
    "data", [b"\0", b"\xff\xff", b"\x12\x34\xff\xff", b"\xff" * 1501, bytes(range(256)) * 9 + b"\1"]
)
def test_ones_sum_is_that_of_the_loop(data: bytes) -> None:
    total = 0
    for at in range(0, len(data), 2):
        total += data[at] << 8 | (data[at + 1] if at + 1 < len(data) else 0)
        total = (total & 0xFFFF) + (total >> 16)
    assert ones_sum(data) == total % 0xFFFF


def test_reset_of_a_kernel() -> None:
    assert decode(RESET_OF_A_KERNEL) == TcpFrame(
        source="198.51.100.1",
        destination="198.51.100.2",
        sport=99,
        dport=5,
        segment=Segment(RST | ACK, seq=Seq(0), ack=Seq(6), window=0),
        source_mac=bytes.fromhex("7e5a5e29cc37"),
        destination_mac=US,
        ttl=64,
        checksum=0x5AF8,
        checksum_correct=True,
        ip_checksum_correct=True,
        truncated=False,
        reserved=0,
        data_offset=5,
    )


def test_encode_makes_the_kernels_frame() -> None:
    frame = encode(
        Segment(RST | ACK, seq=Seq(0), ack=Seq(6), window=0),
        source="198.51.100.1",
        destination="198.51.100.2",
        sport=99,
        dport=5,
        source_mac=bytes.fromhex("7e5a5e29cc37"),
        destination_mac=US,
    )
    assert frame == RESET_OF_A_KERNEL


def test_ipv6_syn_by_hand() -> None:
    segment = Segment(SYN, Seq(0xFFFFFFFF), options=pack([mss(1460)]))
    assert encode(segment, **V6, **WAY) == SYN_BY_HAND
    assert decode(SYN_BY_HAND) == TcpFrame(
        **V6,
        **WAY,
        segment=segment,
        ttl=64,
        checksum=0xA021,
        checksum_correct=True,
        ip_checksum_correct=True,
        truncated=False,
        reserved=0,
        data_offset=6,
    )


@pytest.mark.parametrize("addresses", [V4, V6])
def test_one_wrong_bit_spoils_the_checksum(addresses: dict[str, str]) -> None:
    frame = encode(Segment(PSH | ACK, Seq(7), Seq(9), payload=b"odd"), **addresses, **WAY)
    begin = len(frame) - 23
    for at in range(begin, len(frame)):
        bad = frame[:at] + bytes([frame[at] ^ 0x10]) + frame[at + 1 :]
        found = decode(bad)
        assert not (isinstance(found, TcpFrame) and found.checksum_correct), at


def test_ipv4_header_checksum_is_checked() -> None:
    bad = RESET_OF_A_KERNEL[:22] + b"\x3f" + RESET_OF_A_KERNEL[23:]
    found = decode(bad)
    assert isinstance(found, TcpFrame)
    assert (found.ttl, found.ip_checksum_correct, found.checksum_correct) == (63, False, True)


def test_checksum_of_the_other_zero_holds() -> None:
    # Window 0x5af8 more than the kernel's makes the checksum 0: 0xFFFF in its place is the same number to a receiver.
    segment = Segment(RST | ACK, seq=Seq(0), ack=Seq(6), window=0x5AF8)
    way = {"sport": 99, "dport": 5, "source_mac": US, "destination_mac": SERVER}
    right = decode(encode(segment, source="198.51.100.1", destination="198.51.100.2", **way))
    other = decode(encode(segment, source="198.51.100.1", destination="198.51.100.2", checksum=0xFFFF, **way))
    assert isinstance(right, TcpFrame)
    assert isinstance(other, TcpFrame)
    assert (right.checksum, right.checksum_correct) == (0, True)
    assert (other.checksum, other.checksum_correct) == (0xFFFF, True)


def test_checksum_goes_out_as_told() -> None:
    found = decode(encode(Segment(SYN, Seq(1)), checksum=0x1234, **V4, **WAY))
    assert isinstance(found, TcpFrame)
    assert (found.checksum, found.checksum_correct) == (0x1234, False)


def test_ethernet_padding_is_no_payload() -> None:
    found = decode(RESET_OF_A_KERNEL + b"\xaa" * 6)
    assert isinstance(found, TcpFrame)
    assert (found.segment.payload, found.checksum_correct, found.truncated) == (b"", True, False)
    assert tcp_part(RESET_OF_A_KERNEL + b"\xaa" * 6) == RESET_OF_A_KERNEL[34:]


def test_cut_frame_is_told() -> None:
    whole = encode(Segment(ACK, Seq(1), payload=b"0123456789"), **V4, **WAY)
    found = decode(whole[:-4])
    assert isinstance(found, TcpFrame)
    assert (found.truncated, found.checksum_correct, found.segment.payload) == (True, False, b"012345")


@pytest.mark.parametrize(("offset", "options", "payload"), [(0, b"", b"abcd"), (4, b"", b"abcd"), (15, b"abcd", b"")])
def test_impossible_data_offset_is_told(offset: int, options: bytes, payload: bytes) -> None:
    frame = bytearray(encode(Segment(ACK, Seq(1), payload=b"abcd"), **V4, **WAY))
    frame[46] = offset << 4
    found = decode(bytes(frame))
    assert isinstance(found, TcpFrame)
    assert (found.truncated, found.data_offset) == (True, offset)
    assert (found.segment.options, found.segment.payload) == (options, payload)


def test_nine_flags_and_three_reserved_bits() -> None:
    frame = bytearray(RESET_OF_A_KERNEL)
    frame[46:48] = b"\x5b\xff"  # offset 5, reserved 101, NS 1, all eight others
    found = decode(bytes(frame))
    assert isinstance(found, TcpFrame)
    assert (found.segment.flags, found.reserved, found.data_offset) == (Flags(0x1FF), 0b101, 5)


def test_malformed_options_survive() -> None:
    raw = b"\x02\x00\xff\xff\x01\x08\x0a"
    found = decode(encode(Segment(SYN, Seq(1), options=raw), **V4, **WAY))
    assert isinstance(found, TcpFrame)
    assert found.segment.options == raw + b"\0"


@pytest.mark.parametrize(
    ("segment", "change"),
    [
        (Segment(SYN, Seq(1), options=b"\1" * 41), {}),
        (Segment(SYN, Seq(1), window=65536), {}),
        (Segment(SYN, Seq(1), urgent=-1), {}),
        (Segment(SYN, Seq(1)), {"sport": 65536}),
        (Segment(SYN, Seq(1)), {"ttl": 256}),
        (Segment(SYN, Seq(1)), {"checksum": 65536}),
        (Segment(SYN, Seq(1)), {"destination": "2001:db8::1"}),
        (Segment(SYN, Seq(1)), {"source": "nowhere"}),
        (Segment(ACK, Seq(1), payload=bytes(65496)), {}),
    ],
)
def test_what_does_not_fit_is_refused(segment: Segment, change: dict[str, object]) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  struct's words differ from one field to another
        encode(segment, **{**V4, **WAY, **change})  # type: ignore[arg-type]


def test_the_longest_packet_fits() -> None:
    found = decode(encode(Segment(ACK, Seq(1), payload=bytes(65495)), **V4, **WAY))
    assert isinstance(found, TcpFrame)
    assert len(found.segment.payload) == 65495
    assert found.checksum_correct


@pytest.mark.parametrize("address", ["::ffff:1.2.3.4", "2001:DB8:0:0:1:0:0:1", "fe80::1", "::"])
def test_addresses_are_canonical(address: str) -> None:
    import ipaddress

    way = {**WAY, "source": address, "destination": "2001:db8::1"}
    found = decode(encode(Segment(FIN, Seq(1)), **way))  # type: ignore[arg-type]
    assert isinstance(found, TcpFrame)
    assert found.source == str(ipaddress.ip_address(address))


def test_arp() -> None:
    ask = bytes.fromhex(
        "ffffffffffff 020000000001 0806 0001 0800 06 04 0001 020000000001 c6336401 000000000000 c6336402"
    )
    assert decode(ask) == ArpRequest(SERVER, "198.51.100.1", "198.51.100.2")
    tell = bytes.fromhex(
        "020000000002 020000000001 0806 0001 0800 06 04 0002 020000000001 c6336401 020000000002 c6336402"
    )
    assert decode(tell + bytes(18)) == ArpReply(SERVER, "198.51.100.1", US, "198.51.100.2")
    assert decode(tell[:41]) == OtherFrame("ARP packet cut short")
    assert decode(tell[:21] + b"\x09" + tell[22:]) == OtherFrame("ARP operation 9")


# Who has 2001:db8::2? Tell 2001:db8::1. Its checksum is filled in below.
SOLICITATION = bytes.fromhex(
    "3333ff000002 020000000001 86dd 60000000 0020 3a ff"
    "20010db8000000000000000000000001 ff0200000000000000000001ff000002"
    "87 00 0000 00000000 20010db8000000000000000000000002 0101 020000000001"
)


def _with_icmpv6_checksum(frame: bytes) -> bytes:
    """The right checksum by the plain loop of RFC 1071."""
    body = frame[54:56] + b"\0\0" + frame[58:]
    covered = frame[22:54] + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack(f"!{len(covered) // 2}H", covered))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return frame[:56] + (0xFFFF - total).to_bytes(2, "big") + frame[58:]


def test_neighbour_discovery() -> None:
    ask = _with_icmpv6_checksum(SOLICITATION)
    assert decode(ask) == NeighbourSolicitation(SERVER, "2001:db8::1", "2001:db8::2")
    tell = _with_icmpv6_checksum(
        bytes.fromhex(
            "020000000001 020000000099 86dd 60000000 0020 3a ff"
            "20010db8000000000000000000000002 20010db8000000000000000000000001"
            "88 00 0000 60000000 20010db8000000000000000000000002 0201 020000000002"
        )
    )
    assert decode(tell) == NeighbourAdvertisement(US, "2001:db8::2", "2001:db8::2", solicited=True, override=True)


@pytest.mark.parametrize("spoil", ["hop limit", "checksum", "code", "option length", "multicast target"])
def test_neighbour_discovery_that_must_be_ignored(spoil: str) -> None:
    """RFC 4861 §7.1.1."""
    frame = bytearray(SOLICITATION)
    match spoil:
        case "hop limit":
            frame[21] = 254
        case "code":
            frame[55] = 1
        case "option length":
            frame[79] = 0
        case "multicast target":
            frame[62] = 0xFF
    ready = _with_icmpv6_checksum(bytes(frame))
    if spoil == "checksum":
        ready = ready[:57] + bytes([ready[57] ^ 1]) + ready[58:]
    found = decode(ready)
    assert found == OtherFrame("IPv6 ICMPv6 neighbour solicitation 2001:db8::1 → ff02::1:ff00:2")


@pytest.mark.parametrize(
    ("text", "summary"),
    [
        ("", "frame of 0 octets, shorter than an Ethernet header"),
        ("020000000001 020000000002 8100 0001 0800", "VLAN tag"),
        ("020000000001 020000000002 0027 424203", "IEEE 802.3 frame"),
        ("020000000001 020000000002 9000 00", "frame of type 0x9000"),
        ("020000000001 020000000002 0800 4500", "IPv4 packet with a broken header"),
        ("020000000001 020000000002 86dd 6000", "IPv6 packet with a broken header"),
        (
            "020000000001 020000000002 0800 4500001c00000000 40110000 c6336402 c6336401 00010002 00080000",
            "IPv4 UDP 198.51.100.2 → 198.51.100.1",
        ),
        (
            "020000000001 020000000002 0800 4500001c00000000 40010000 c6336402 c6336401 03010000 00000000",
            "IPv4 ICMP destination unreachable 198.51.100.2 → 198.51.100.1",
        ),
        (
            "020000000001 020000000002 0800 4500001c00002000 40060000 c6336402 c6336401 03010000 00000000",
            "IPv4 fragment 198.51.100.2 → 198.51.100.1",
        ),
        (
            "020000000001 020000000002 0800 4500001c00000000 40060000 c6336402 c6336401 03010000 00000000",
            "IPv4 TCP header cut short 198.51.100.2 → 198.51.100.1",
        ),
    ],
)
def test_other_frames_are_told_in_a_line(text: str, summary: str) -> None:
    assert decode(bytes.fromhex(text)) == OtherFrame(summary)


TCP_BEHIND = "9c40 0050 00000001 00000000 5002 ffff 0000 0000"
BOTH_V6 = "20010db8000000000000000000000002 20010db8000000000000000000000001"


@pytest.mark.parametrize(
    ("next_header", "extension", "is_tcp"),
    [
        ("2c", "06 00 0000 00000007", True),  # an atomic fragment (RFC 6946 §2)
        ("2c", "06 00 0006 00000007", True),  # reserved bits, to be ignored (RFC 8200 §4.5)
        ("2c", "06 00 0001 00000007", False),
        ("2c", "06 00 0008 00000007", False),
        ("2b", "06 00 04 00 00000000", True),  # no segments left
        ("2b", "06 00 04 01 00000000", False),
        ("00", "06 00 01 04 00000000", True),
        ("3c", "06 05 01 04 00000000", False),  # longer than the packet
    ],
)
def test_ipv6_extension_headers(next_header: str, extension: str, is_tcp: bool) -> None:
    head = f"020000000001 020000000002 86dd 60000000 001c {next_header} 40 {BOTH_V6}"
    assert isinstance(decode(bytes.fromhex(head + extension + TCP_BEHIND)), TcpFrame) == is_tcp


_STEMS = [
    b"",
    RESET_OF_A_KERNEL[:14],
    RESET_OF_A_KERNEL[:34],
    SYN_BY_HAND[:14],
    SYN_BY_HAND[:54],
    SYN_BY_HAND[:20] + b"\x00" + SYN_BY_HAND[21:54],
    SOLICITATION[:54],
    b"\xff" * 12 + b"\x08\x06",
]


@calmly
@given(st.sampled_from(_STEMS), st.binary(max_size=120))
def test_decode_never_raises(stem: bytes, rest: bytes) -> None:
    found = decode(stem + rest)
    assert isinstance(found, TcpFrame) == (tcp_part(stem + rest) is not None)


@calmly
@given(
    st.sampled_from([RESET_OF_A_KERNEL, SYN_BY_HAND, SOLICITATION]),
    st.lists(st.tuples(st.integers(0, 85), st.integers(0, 255)), max_size=5),
    st.integers(0, 86),
)
def test_decode_never_raises_on_spoilt_frames(frame: bytes, changes: list[tuple[int, int]], size: int) -> None:
    spoilt = bytearray(frame)
    for at, value in changes:
        spoilt[at % len(spoilt)] = value
    cut = bytes(spoilt[:size])
    assert isinstance(decode(cut), TcpFrame) == (tcp_part(cut) is not None)
