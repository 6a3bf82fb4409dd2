"""Headers up to TCP's: which octets are whose, also where lengths lie and octets are missing."""

from __future__ import annotations

import struct

import pytest
from handmade import ACK, LAB4, PSH, SYN, ether, ip4, ip6, ours, tcp

from lab.layers import Field, Layer, dissect, dissect_run

Shape = list[tuple[str, int]]


def shape(frame: bytes) -> Shape:
    """Names and octets of a frame's layers, which must cover it."""
    layers = dissect_run([frame])[0]
    at = 0
    for layer in layers:
        assert layer.start == at < layer.end
        at = layer.end
    assert at == len(frame)
    return [(layer.name, layer.octets) for layer in layers]


def layer(frame: bytes, name: str) -> Layer:
    """The first layer of that name."""
    return next(layer for layer in dissect_run([frame])[0] if layer.name == name)


def field(frame: bytes, name: str, of: str) -> Field:
    """The first field of that name."""
    return next(field for field in layer(frame, of).fields if field.name == name)


SYN_OPTIONS = bytes.fromhex("020405b4 0402 080a0000000700000000 01 030307".replace(" ", ""))
"""MSS 1460, SACK permitted, timestamps 7 and 0, no operation, window scale 7: 20 octets."""


def test_a_syn_by_its_layers() -> None:
    frame = ours(SYN, 0, 0, options=SYN_OPTIONS)
    assert shape(frame) == [("Ethernet", 14), ("IPv4", 20), ("TCP", 40)]
    assert [(one.osi, one.tcpip) for one in dissect_run([frame])[0]] == [
        ((2,), "Link"),
        ((3,), "Internet"),
        ((4,), "Transport"),
    ]
    told = [(one.name, one.value, one.start, one.end) for one in layer(frame, "TCP").fields if one.start >= 54]
    assert told == [
        ("maximum segment size", "1460", 54, 58),
        ("SACK permitted", "yes", 58, 60),
        ("timestamps", "7, echo 0", 60, 70),
        ("no operation", "1", 70, 71),
        ("window scale", "7", 71, 74),
    ]


@pytest.mark.parametrize(
    ("name", "of", "value", "start", "end", "bits"),
    [
        ("destination", "Ethernet", "02:00:00:00:00:01", 0, 6, None),
        ("source", "Ethernet", "02:00:00:00:00:02", 6, 12, None),
        ("type", "Ethernet", "0x0800", 12, 14, None),
        ("version", "IPv4", "4", 14, 15, (0, 4)),
        ("header length", "IPv4", "5", 14, 15, (4, 8)),
        ("total length", "IPv4", "45", 16, 18, None),
        ("don't fragment", "IPv4", "1", 20, 21, (1, 2)),
        ("fragment offset", "IPv4", "0", 20, 22, (3, 16)),
        ("time to live", "IPv4", "64", 22, 23, None),
        ("protocol", "IPv4", "6", 23, 24, None),
        ("source address", "IPv4", "198.51.100.2", 26, 30, None),
        ("destination address", "IPv4", "198.51.100.1", 30, 34, None),
        ("source port", "TCP", "40000", 34, 36, None),
        ("destination port", "TCP", "7080", 36, 38, None),
        ("sequence number", "TCP", "0", 38, 42, None),
        ("acknowledgment number", "TCP", "1001", 42, 46, None),
        ("data offset", "TCP", "5", 46, 47, (0, 4)),
        ("reserved", "TCP", "0", 46, 47, (4, 8)),
        ("CWR", "TCP", "0", 47, 48, (0, 1)),
        ("ACK", "TCP", "1", 47, 48, (3, 4)),
        ("PSH", "TCP", "1", 47, 48, (4, 5)),
        ("FIN", "TCP", "0", 47, 48, (7, 8)),
        ("window", "TCP", "65535", 48, 50, None),
        ("urgent pointer", "TCP", "0", 52, 54, None),
    ],
)
def test_each_field_is_where_its_document_has_it(
    name: str, of: str, value: str, start: int, end: int, bits: tuple[int, int] | None
) -> None:
    found = field(ours(PSH | ACK, 1, 1, b"hello"), name, of)
    assert (found.value, found.start, found.end, found.bits) == (value, start, end, bits)


@pytest.mark.parametrize(
    ("bits", "meaning"),
    [
        (0x0, ""),
        (0x1, "bit 7: AE, once NS (RFC 8311, AccECN)"),
        (0x8, ""),
        (0xF, "bit 7: AE, once NS (RFC 8311, AccECN)"),
    ],
)
def test_four_reserved_bits_stand_behind_the_data_offset(bits: int, meaning: str) -> None:
    """RFC 9293 §3.1 names none of them, the one that was NS neither."""
    frame = bytearray(ours(ACK, 1, 1))
    frame[46] |= bits
    found = field(bytes(frame), "reserved", "TCP")
    assert (found.value, found.meaning) == (str(bits), meaning)
    names = [one.name for one in layer(bytes(frame), "TCP").fields if one.start in (46, 47)]
    assert names == ["data offset", "reserved", "CWR", "ECE", "URG", "ACK", "PSH", "RST", "SYN", "FIN"]


@pytest.mark.parametrize(
    "frame",
    [
        ours(SYN, 0, 0, options=SYN_OPTIONS),
        ours(ACK, 1, 1, options=bytes.fromhex("0101050a0000000100000002")),
        ours(ACK, 1, 1, options=bytes.fromhex("0303070000000000")),
        ether(ip6(tcp(SYN, 0, v6=True)), 0x86DD),
        ether(ip4(b"\x08\0\0\0\0\1\0\1data", 1, options=bytes.fromhex("9404000001010100")), 0x0800),
        ether(bytes.fromhex("0001080006040001020000000002c6336402000000000000c6336401"), 0x0806),
        ether(struct.pack("!HH", 0x6005, 0x0800) + ip4(tcp(SYN, 0)), 0x8100),
        ether(ip6(bytes.fromhex("0600000000000000") + tcp(SYN, 0, v6=True), 60), 0x86DD),
    ],
    ids=["syn", "sack", "padding", "ipv6", "ipv4 options and icmp", "arp", "vlan", "extension header"],
)
def test_the_fields_of_a_sound_header_leave_no_bit_out(frame: bytes) -> None:
    for one in dissect_run([frame])[0]:
        if one.name == "Payload":
            continue
        at = one.start * 8
        for found in one.fields:
            first, behind = found.bits or (0, 8 * (found.end - found.start))
            assert found.start * 8 + first == at, found.name
            at = found.start * 8 + behind
        assert at == one.end * 8, one.name


def test_numbers_are_counted_from_the_syn_also_where_they_wrap() -> None:
    found = layer(ours(SYN, 0, 0), "TCP").fields[2]
    assert (found.value, found.meaning) == ("4294967295", "0 counted from the SYN")
    both = dissect([ours(SYN, 0, 0), ours(ACK, 1, 1)])
    assert both[1].layers[2].fields[2].meaning == "1 counted from the SYN"
    assert [one.about for one in both] == ["SYN seq 0", "ACK seq 1 ack 1001*"]
    assert dissect([ours(ACK, 1, 1)])[0].about == "ACK seq 0* ack 1001*"


def test_what_fills_a_frame_up_is_padding() -> None:
    frame = ours(ACK, 1, 1)
    assert len(frame) == 54
    assert shape(frame + bytes(6)) == [("Ethernet", 14), ("IPv4", 20), ("TCP", 20), ("Padding", 6)]
    assert layer(frame + bytes(6), "Padding").about == "zeros"
    assert shape(frame + b"\1\2") == [("Ethernet", 14), ("IPv4", 20), ("TCP", 20), ("Padding", 2)]
    assert layer(frame + b"\1\2", "Padding").about.startswith("not zeros")
    data = ours(ACK, 1, 1, b"data")
    assert shape(data + bytes(2)) == [("Ethernet", 14), ("IPv4", 20), ("TCP", 20), ("Payload", 4), ("Padding", 2)]
    six = ether(ip6(tcp(SYN, 0, v6=True)), 0x86DD)
    assert shape(six + bytes(3)) == [("Ethernet", 14), ("IPv6", 40), ("TCP", 20), ("Padding", 3)]


def test_vlan_tags_shift_what_follows() -> None:
    inside = ip4(tcp(SYN, 0))
    one = ether(struct.pack("!HH", 0x6005, 0x0800) + inside, 0x8100)
    assert shape(one) == [("Ethernet", 14), ("802.1Q", 4), ("IPv4", 20), ("TCP", 20)]
    assert (field(one, "VLAN", "802.1Q").value, field(one, "priority", "802.1Q").value) == ("5", "3")
    two = ether(struct.pack("!HHHH", 9, 0x8100, 5, 0x0800) + inside, 0x88A8)
    assert shape(two) == [("Ethernet", 14), ("802.1Q", 4), ("802.1Q", 4), ("IPv4", 20), ("TCP", 20)]
    assert shape(one[:16]) == [("Ethernet", 14), ("802.1Q", 2)]
    assert shape(one[:14]) == [("Ethernet", 14)]


EXTENSION = bytes.fromhex("0600010400000000")
"""Eight octets with padding inside; TCP follows."""


@pytest.mark.parametrize(
    ("following", "octets", "name"),
    [
        (0, EXTENSION, "IPv6 hop-by-hop options"),
        (60, EXTENSION, "IPv6 destination options"),
        (43, bytes.fromhex("0602000000000000") + bytes(16), "IPv6 routing header"),
        (44, bytes.fromhex("0600000000000007"), "IPv6 fragment header"),
        (51, bytes.fromhex("06010000000000010000000a"), "IPv6 authentication header"),
        (135, EXTENSION, "IPv6 extension header"),
    ],
)
def test_ipv6_extension_headers_are_layers_of_their_own(following: int, octets: bytes, name: str) -> None:
    frame = ether(ip6(octets + tcp(SYN, 0, v6=True), following), 0x86DD)
    assert shape(frame) == [("Ethernet", 14), ("IPv6", 40), (name, len(octets)), ("TCP", 20)]
    assert layer(frame, name).osi == (3,)
    assert field(frame, "checksum", "TCP").meaning.startswith("right")
    cut = frame[: 54 + len(octets) - 1]
    assert shape(cut) == [("Ethernet", 14), ("IPv6", 40), (name, len(octets) - 1)]
    assert layer(cut, name).note == f"cut short: {len(octets) - 1} of {len(octets)} octets"


def test_ipv6_extension_headers_in_a_row() -> None:
    chain = bytes([60]) + EXTENSION[1:] + EXTENSION
    assert shape(ether(ip6(chain + tcp(SYN, 0, v6=True), 0), 0x86DD)) == [
        ("Ethernet", 14), ("IPv6", 40), ("IPv6 hop-by-hop options", 8), ("IPv6 destination options", 8), ("TCP", 20),
    ]  # fmt: skip


def test_a_routing_header_that_leads_on_leaves_the_checksum_alone() -> None:
    octets = bytes.fromhex("0602000100000000") + bytes(16)
    frame = ether(ip6(octets + tcp(SYN, 0, v6=True, wrong=1), 43), 0x86DD)
    assert "not checked" in field(frame, "checksum", "TCP").meaning


@pytest.mark.parametrize("size", range(54))
def test_a_frame_that_was_cut(size: int) -> None:
    whole = ours(SYN, 0, 0)
    wanted: Shape = [("Ethernet", min(size, 14))] if size else []
    if size > 14:
        wanted.append(("IPv4", min(size - 14, 20)))
    if size > 34:
        wanted.append(("TCP", size - 34))
    assert shape(whole[:size]) == wanted
    if size > 14:
        last = dissect_run([whole[:size]])[0][-1]
        assert last.note.startswith("cut short: ") or "the capture has" in last.note
        assert all(one.end <= size for one in last.fields)


def ip_with(at: int, octets: bytes, inside: bytes = b"") -> bytes:
    """A frame in whose IPv4 header some octets are others."""
    packet = bytearray(ip4(inside or tcp(SYN, 0)))
    packet[at : at + len(octets)] = octets
    return ether(bytes(packet), 0x0800)


def test_an_ipv4_header_that_lies() -> None:
    start = ("Ethernet", 14)
    assert shape(ip_with(0, b"\x44")) == [start, ("IPv4", 20), ("Data", 20)]
    assert "below 20" in layer(ip_with(0, b"\x44"), "IPv4").note
    assert shape(ip_with(0, b"\x55")) == [start, ("IPv4", 20), ("Data", 20)]
    assert "version is 5" in layer(ip_with(0, b"\x55"), "IPv4").note
    assert shape(ip_with(0, b"\x4f")) == [start, ("IPv4", 40)]
    assert layer(ip_with(0, b"\x4f"), "IPv4").note == "cut short: 40 of 60 octets"
    # A total length below the header's own: what is there counts, as with segmentation offload.
    assert shape(ip_with(2, b"\0\0")) == [start, ("IPv4", 20), ("TCP", 20)]
    assert "less than its header" in layer(ip_with(2, b"\0\0"), "IPv4").note
    assert shape(ip_with(2, b"\0\x14")) == [start, ("IPv4", 20), ("Padding", 20)]
    assert shape(ip_with(2, b"\0\x1e")) == [start, ("IPv4", 20), ("TCP", 10), ("Padding", 10)]
    assert shape(ip_with(2, b"\1\0")) == [start, ("IPv4", 20), ("TCP", 20)]
    assert layer(ip_with(2, b"\1\0"), "IPv4").note == "its total length is 256 octets, and the capture has 216 fewer"
    assert field(ip_with(10, b"\0\0"), "header checksum", "IPv4").meaning.startswith("wrong: should be 0x")


def test_an_ipv6_header_that_lies() -> None:
    packet = bytearray(ip6(tcp(SYN, 0, v6=True)))
    start = ("Ethernet", 14)
    assert shape(ether(bytes(packet[:4]) + b"\0\x08" + bytes(packet[6:]), 0x86DD)) == [
        start, ("IPv6", 40), ("TCP", 8), ("Padding", 12),
    ]  # fmt: skip
    assert shape(ether(bytes(packet[:4]) + b"\1\0" + bytes(packet[6:]), 0x86DD)) == [start, ("IPv6", 40), ("TCP", 20)]
    assert shape(ether(b"\x40" + bytes(packet[1:]), 0x86DD)) == [start, ("IPv6", 40), ("Data", 20)]
    assert shape(ether(bytes(packet[:6]) + b"\x3b" + bytes(packet[7:]), 0x86DD)) == [start, ("IPv6", 40), ("Data", 20)]


def test_a_data_offset_that_lies() -> None:
    start: Shape = [("Ethernet", 14), ("IPv4", 20)]
    low = ours(ACK, 1, 1, b"data", offset=4)
    assert shape(low) == [*start, ("TCP", 20), ("Payload", 4)]
    assert "below 20" in layer(low, "TCP").note
    high = ours(ACK, 1, 1, b"data", offset=15)
    assert shape(high) == [*start, ("TCP", 24)]
    assert layer(high, "TCP").note == "its data offset says 60 octets, and only 24 are there"
    exact = ours(ACK, 1, 1, b"data", offset=6)
    assert shape(exact) == [*start, ("TCP", 24)]
    assert not layer(exact, "TCP").note


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ("02000000", [("maximum segment size", 54, 58)]),
        ("02010303", [("maximum segment size", 54, 58)]),
        ("02ff0000", [("maximum segment size", 54, 58)]),
        ("01010102", [("no operation", 54, 55), ("no operation", 55, 56), ("no operation", 56, 57)]),
        ("02030000", [("maximum segment size", 54, 57), ("end of options", 57, 58)]),
        ("00010203", [("end of options", 54, 55), ("padding", 55, 58)]),
        ("63040000", [("option 99", 54, 58)]),
        ("05030000", [("SACK", 54, 57), ("end of options", 57, 58)]),
    ],
)
def test_malformed_tcp_options(options: str, told: list[tuple[str, int, int]]) -> None:
    frame = ours(SYN, 0, 0, options=bytes.fromhex(options))
    found = [(one.name, one.start, one.end) for one in layer(frame, "TCP").fields if one.start >= 54]
    assert found[: len(told)] == told
    assert found[-1][2] == 58
    assert shape(frame) == [("Ethernet", 14), ("IPv4", 20), ("TCP", 24)]


def test_a_wrong_checksum_is_told_with_the_right_one() -> None:
    right = field(ours(SYN, 0, 0), "checksum", "TCP")
    wrong = field(ours(SYN, 0, 0, wrong=1), "checksum", "TCP")
    assert right.meaning.startswith("right")
    assert f"should be {right.value}" in wrong.meaning


def test_arp() -> None:
    frame = ether(bytes.fromhex("0001080006040001020000000002c6336402000000000000c6336401"), 0x0806)
    assert shape(frame + bytes(18)) == [("Ethernet", 14), ("ARP", 28), ("Padding", 18)]
    found = layer(frame, "ARP")
    assert (found.osi, found.tcpip) == ((2, 3), "Link")
    assert found.about == "who has 198.51.100.1? tell 198.51.100.2"
    assert field(frame, "target protocol address", "ARP").value == "198.51.100.1"
    assert shape(frame[:30]) == [("Ethernet", 14), ("ARP", 16)]
    # Addresses of other lengths than Ethernet's and IPv4's.
    odd = ether(bytes.fromhex("0006080002010001aaaa01bbbb02"), 0x0806)
    assert shape(odd) == [("Ethernet", 14), ("ARP", 14)]


def test_an_icmp_error_holds_the_packet_it_is_about() -> None:
    quote = ip4(tcp(SYN, 7))[:28]
    frame = ether(ip4(bytes.fromhex("0301000000000000") + quote, 1), 0x0800)
    assert shape(frame) == [("Ethernet", 14), ("IPv4", 20), ("ICMP", 36)]
    told = {one.name: (one.value, one.start, one.end) for one in layer(frame, "ICMP").fields}
    assert told["quoted source address"] == ("198.51.100.2", 54, 58)
    assert told["quoted source port"] == ("40000", 62, 64)
    assert told["quoted sequence number"] == ("7", 66, 70)
    for size in range(34, len(frame)):
        assert sum(octets for _, octets in shape(frame[:size])) == size


def test_a_neighbour_solicitation() -> None:
    octets = (
        bytes.fromhex("8700000000000000")
        + bytes.fromhex("20010db8" + "00" * 11 + "01")
        + bytes.fromhex("0101020000000002")
    )
    frame = ether(ip6(octets, 58), 0x86DD)
    assert shape(frame) == [("Ethernet", 14), ("IPv6", 40), ("ICMPv6", 32)]
    assert layer(frame, "ICMPv6").about == "who has 2001:db8::1?"
    assert field(frame, "source link-layer address", "ICMPv6").value == "02:00:00:00:00:02"


def test_others() -> None:
    udp = struct.pack("!HHHH", 53, 40000, 12, 0) + b"data"
    assert shape(ether(ip4(udp, 17), 0x0800)) == [("Ethernet", 14), ("IPv4", 20), ("UDP", 8), ("Payload", 4)]
    assert shape(ether(ip4(udp[:5], 17), 0x0800)) == [("Ethernet", 14), ("IPv4", 20), ("UDP", 5)]
    gre = ether(ip4(b"\0\0\x08\0", 47), 0x0800)
    assert shape(gre) == [("Ethernet", 14), ("IPv4", 20), ("Data", 4)]
    assert layer(gre, "Data").osi == (4, 5, 6, 7)
    lldp = ether(b"\2\7\4", 0x88CC)
    assert shape(lldp) == [("Ethernet", 14), ("Data", 3)]
    assert layer(lldp, "Data").tcpip == "Internet and above"
    spanning_tree = ether(b"\x42\x42\3" + bytes(35) + bytes(8), 38)
    assert shape(spanning_tree) == [("Ethernet", 14), ("Data", 38), ("Padding", 8)]
    assert shape(ether(ip4(b""), 0x0800)) == [("Ethernet", 14), ("IPv4", 20)]
    assert shape(b"") == []


def test_a_data_layer_says_how_high_it_may_reach() -> None:
    tunnel = ether(ip4(ip4(tcp(SYN, 0)), 4), 0x0800)
    assert shape(tunnel) == [("Ethernet", 14), ("IPv4", 20), ("Data", 40)]
    assert layer(tunnel, "Data").note == "IPv4: not taken apart"
    assert LAB4 in tunnel
