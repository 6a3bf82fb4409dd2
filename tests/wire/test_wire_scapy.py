"""The codec and Scapy say the same of the same frame, both ways; and what a script wrote goes out as written."""

from __future__ import annotations

import subprocess
import sys
from ipaddress import ip_address
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, IPOption_NOP, IPOption_Router_Alert, TCPerror
from scapy.layers.inet6 import HBHOptUnknown, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrHopByHop
from scapy.layers.l2 import ARP, Ether
from scapy.packet import Padding, Raw
from scapy.volatile import RandInt, RandShort

from lab.tcp.options import mss, pack
from lab.tcp.segment import ACK, PSH, RST, SYN, Flags, Segment
from lab.tcp.sequence import Seq
from lab.wire.codec import OtherFrame, TcpFrame, decode, encode
from lab.wire.scapy_side import as_tcp, complete, flags_set, in_scapy, segment_of, to_scapy, wanted_fields

calmly = settings(deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow])
"""A busy machine is no failure, nor is a checkout that this user may not write to."""

US, SERVER = bytes.fromhex("020000000002"), bytes.fromhex("020000000001")
V4 = {"source": "198.51.100.2", "destination": "198.51.100.1"}
V6 = {"source": "2001:db8::2", "destination": "2001:db8::1"}
WAY: dict[str, Any] = {"sport": 40000, "dport": 80, "source_mac": US, "destination_mac": SERVER}
BOTH = pytest.mark.parametrize("addresses", [V4, V6], ids=["ipv4", "ipv6"])

sixteen = st.integers(0, 0xFFFF)
thirty_two = st.one_of(st.integers(0, 0xFFFFFFFF), st.sampled_from([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF]))
macs = st.binary(min_size=6, max_size=6)
four, sixteen_octets = st.binary(min_size=4, max_size=4), st.binary(min_size=16, max_size=16)
pairs = st.one_of(st.tuples(four, four), st.tuples(sixteen_octets, sixteen_octets))
segments = st.builds(
    Segment,
    flags=st.integers(0, 511).map(Flags),
    seq=thirty_two.map(Seq),
    ack=thirty_two.map(Seq),
    window=sixteen,
    payload=st.binary(max_size=64),
    options=st.binary(max_size=40),
    urgent=sixteen,
)
well_formed_options = st.lists(
    st.one_of(
        st.tuples(st.just("MSS"), sixteen),
        st.tuples(st.just("WScale"), st.integers(0, 255)),
        st.just(("NOP", None)),
        st.just(("SAckOK", b"")),
        st.tuples(st.just("Timestamp"), st.tuples(thirty_two, thirty_two)),
        st.tuples(st.just("SAck"), st.tuples(thirty_two, thirty_two)),
        st.tuples(st.just(253), st.binary(min_size=1, max_size=4)),
    ),
    max_size=4,
).filter(lambda options: len(_octets(options)) <= 40)


def _octets(options: list[tuple[Any, Any]]) -> bytes:
    """The octets of Scapy's names, written by hand."""
    kinds = {"MSS": 2, "WScale": 3, "SAckOK": 4, "SAck": 5, "Timestamp": 8}
    sizes = {"MSS": 2, "WScale": 1, "SAck": 4, "Timestamp": 4}
    raw = b""
    for name, value in options:
        if name == "NOP":
            raw += b"\1"
            continue
        numbers = value if isinstance(value, tuple) else (value,)
        data = value if isinstance(value, bytes) else b"".join(n.to_bytes(sizes[name], "big") for n in numbers)
        raw += bytes([kinds.get(name, name), len(data) + 2]) + data
    return raw + b"\0" * (-len(raw) % 4)


@calmly
@given(segments, pairs, sixteen, sixteen, macs, macs, st.integers(0, 255), st.none() | sixteen)
def test_what_encode_makes_scapy_reads_the_same(
    segment: Segment,
    pair: tuple[bytes, bytes],
    sport: int,
    dport: int,
    source_mac: bytes,
    destination_mac: bytes,
    ttl: int,
    checksum: int | None,
) -> None:
    frame = encode(
        segment,
        source=str(ip_address(pair[0])),
        destination=str(ip_address(pair[1])),
        sport=sport,
        dport=dport,
        source_mac=source_mac,
        destination_mac=destination_mac,
        ttl=ttl,
        checksum=checksum,
    )
    packet = Ether(frame)
    ip, tcp = packet.payload, packet[TCP]
    assert (packet.src, packet.dst) == (source_mac.hex(":"), destination_mac.hex(":"))
    assert (ip_address(ip.src).packed, ip_address(ip.dst).packed) == pair
    if isinstance(ip, IP):
        assert (ip.version, ip.ihl, ip.tos, ip.len, ip.id, ip.flags, ip.frag) == (4, 5, 0, len(frame) - 14, 0, "DF", 0)
        assert (ip.ttl, ip.proto, packet.type) == (ttl, 6, 0x0800)
    else:
        assert (ip.version, ip.tc, ip.fl, ip.plen, ip.nh, ip.hlim) == (6, 0, 0, len(frame) - 54, 6, ttl)
        assert packet.type == 0x86DD
    assert (tcp.sport, tcp.dport, tcp.seq, tcp.ack) == (sport, dport, int(segment.seq), int(segment.ack))
    assert (int(tcp.flags), tcp.window, tcp.urgptr, tcp.reserved) == (
        int(segment.flags),
        segment.window,
        segment.urgent,
        0,
    )
    octets = segment.options + b"\0" * (-len(segment.options) % 4)
    assert tcp.dataofs == 5 + len(octets) // 4
    assert bytes(tcp)[20 : tcp.dataofs * 4] == octets
    assert bytes(tcp.payload) == segment.payload
    # Scapy's own checksums, computed afresh over the same octets; as raw octets, so that Scapy rewrites no option.
    built = IP(bytes(ip)) if isinstance(ip, IP) else IPv6(bytes(ip))
    if isinstance(built, IP):
        del built.chksum
        assert IP(bytes(built)).chksum == ip.chksum
    if checksum is None:
        plain = TCP(bytes(tcp)[:20])
        plain.dataofs, plain.chksum = 5, None
        plain.remove_payload()
        anew = (
            _like(ip) / TCP(**{**plain.fields, "dataofs": tcp.dataofs, "chksum": None}) / Raw(octets + segment.payload)
        )
        assert type(ip)(bytes(anew))[TCP].chksum == tcp.chksum
    else:
        assert tcp.chksum == checksum
    found = decode(frame)
    assert isinstance(found, TcpFrame)
    assert found.checksum_correct or checksum is not None
    assert found.ip_checksum_correct
    assert not found.truncated
    assert found.segment == Segment(
        segment.flags, segment.seq, segment.ack, segment.window, segment.payload, octets, segment.urgent
    )


def _like(ip: Any) -> Any:
    return IP(src=ip.src, dst=ip.dst) if isinstance(ip, IP) else IPv6(src=ip.src, dst=ip.dst)


@calmly
@given(
    pair=pairs,
    ttl=st.integers(0, 255),
    fields=st.fixed_dictionaries(
        {"sport": sixteen, "dport": sixteen, "seq": thirty_two, "ack": thirty_two, "flags": st.integers(0, 511)},
        optional={"window": sixteen, "urgptr": sixteen, "reserved": st.integers(0, 7), "chksum": sixteen},
    ),
    options=well_formed_options,
    payload=st.binary(max_size=64),
    extra=st.booleans(),
    padding=st.binary(max_size=8),
)
def test_what_scapy_builds_decode_reads_the_same(
    pair: tuple[bytes, bytes],
    ttl: int,
    fields: dict[str, int],
    options: list[tuple[Any, Any]],
    payload: bytes,
    extra: bool,
    padding: bytes,
) -> None:
    source, destination = (str(ip_address(octets)) for octets in pair)
    below: Any
    if len(pair[0]) == 4:
        more = [IPOption_NOP(), IPOption_Router_Alert()] if extra else []
        below = IP(src=source, dst=destination, ttl=ttl, tos=0xB8, id=7, options=more)
    else:
        below = IPv6(src=source, dst=destination, hlim=ttl, tc=5, fl=77)
        if extra:
            known_to_none = HBHOptUnknown(otype=30, optdata=b"\0" * 9)
            below = below / IPv6ExtHdrHopByHop(options=[known_to_none]) / IPv6ExtHdrDestOpt()
    ether = Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01")
    packet = ether / below / TCP(**fields, options=options) / Raw(payload)
    frame = bytes(packet) + padding
    found = decode(frame)
    right = Ether(frame)[TCP].chksum if "chksum" not in fields else None
    assert found == TcpFrame(
        source=source,
        destination=destination,
        sport=fields["sport"],
        dport=fields["dport"],
        segment=Segment(
            Flags(fields["flags"]),
            Seq(fields["seq"]),
            Seq(fields["ack"]),
            window=fields.get("window", 8192),
            payload=payload,
            options=_octets(options),
            urgent=fields.get("urgptr", 0),
        ),
        source_mac=US,
        destination_mac=SERVER,
        ttl=ttl,
        checksum=fields.get("chksum", right),  # type: ignore[arg-type]
        checksum_correct=found.checksum_correct if "chksum" in fields else True,  # type: ignore[union-attr]
        ip_checksum_correct=True,
        truncated=False,
        reserved=fields.get("reserved", 0),
        data_offset=5 + len(_octets(options)) // 4,
    )
    assert isinstance(found, TcpFrame)
    if "chksum" in fields:  # judged against Scapy's own
        del packet[TCP].chksum
        own = Ether(bytes(packet))[TCP].chksum
        assert found.checksum_correct == (fields["chksum"] % 0xFFFF == own % 0xFFFF)
    assert segment_of(Ether(frame)) == found.segment


settable = {
    "sport": sixteen,
    "dport": sixteen,
    "seq": thirty_two,
    "ack": thirty_two,
    "dataofs": st.integers(0, 15),
    "reserved": st.integers(0, 7),
    "flags": st.integers(0, 511),
    "window": sixteen,
    "chksum": sixteen,
    "urgptr": sixteen,
    "options": well_formed_options,
}


@calmly
@given(
    st.sampled_from([V4, V6]),
    st.fixed_dictionaries({}, optional=settable),
    st.binary(max_size=32),
    st.integers(0, 511).map(Flags),
    st.sampled_from(["TCP", "IP/TCP", "Ether/IP/TCP"]),
)
def test_complete_makes_what_scapy_would_with_all_fields_set(
    addresses: dict[str, str], fields: dict[str, Any], payload: bytes, flags: Flags, shape: str
) -> None:
    defaults = Segment(flags, Seq(0xFFFFFFF0), Seq(77), window=1234)
    tcp = TCP(**fields)
    if payload:
        tcp = tcp / payload
    v6 = addresses is V6
    written = tcp
    if shape != "TCP":
        written = (IPv6(hlim=3) if v6 else IP(ttl=3)) / tcp
    if shape == "Ether/IP/TCP":
        written = Ether(dst="02:00:00:00:00:09") / written
    before = bytes(written.copy()) if shape != "TCP" else None
    made = complete(written, segment_defaults=defaults, **addresses, **WAY)

    said = Flags(fields.get("flags", flags))
    filled = {
        "sport": 40000,
        "dport": 80,
        "seq": 0xFFFFFFF0,
        "ack": 77 if ACK in said else 0,
        "flags": int(said),
        "window": 1234,
    } | fields
    ttl = 64 if shape == "TCP" else 3
    below = (
        IPv6(src="2001:db8::2", dst="2001:db8::1", hlim=ttl)
        if v6
        else IP(src="198.51.100.2", dst="198.51.100.1", ttl=ttl, id=0, flags="DF")
    )
    to = "02:00:00:00:00:09" if shape == "Ether/IP/TCP" else "02:00:00:00:00:01"
    assert made == bytes(Ether(src="02:00:00:00:00:02", dst=to) / below / TCP(**filled) / Raw(payload))
    if before is not None:
        assert bytes(written) == before, "complete() changed the script's packet"


def _complete(packet: Any, flags: Flags = ACK, addresses: dict[str, str] = V4) -> bytes:
    defaults = Segment(flags, Seq(1000), Seq(2000), window=500, options=pack([mss(1460)]))
    return complete(packet, segment_defaults=defaults, **addresses, **WAY)


@BOTH
def test_an_empty_tcp_is_the_defaults(addresses: dict[str, str]) -> None:
    defaults = Segment(SYN | ACK, Seq(1000), Seq(2000), window=500, options=pack([mss(1460)]))
    assert _complete(TCP(), SYN | ACK, addresses) == encode(defaults, **addresses, **WAY)
    below = IPv6() if addresses is V6 else IP()
    assert _complete(below / TCP(), SYN | ACK, addresses) == encode(defaults, **addresses, **WAY)


@pytest.mark.parametrize(
    ("seq", "on_the_wire"), [(Seq(0xFFFFFFFF) + 1, 0), (0xFFFFFFFF + 2, 1), (-1, 0xFFFFFFFF), (Seq(5) - 6, 0xFFFFFFFF)]
)
def test_numbers_wrap(seq: int, on_the_wire: int) -> None:
    found = decode(_complete(TCP(flags="A", seq=seq, ack=seq)))
    assert isinstance(found, TcpFrame)
    assert (found.segment.seq, found.segment.ack) == (Seq(on_the_wire), Seq(on_the_wire))


def test_ack_is_filled_in_only_with_its_flag() -> None:
    for written, ack in ((TCP(flags="S"), 0), (TCP(flags="SA"), 2000), (TCP(flags="R", ack=9), 9), (TCP(), 2000)):
        found = decode(_complete(written))
        assert isinstance(found, TcpFrame)
        assert found.segment.ack == Seq(ack)


@pytest.mark.parametrize("below", [None, IP(ttl=9)])
def test_malformed_options_may_be_octets(below: Any) -> None:
    tcp = TCP(flags="S", options=b"\x02\x00\x05\xb4\x01")
    found = decode(_complete(tcp if below is None else below / tcp))
    assert isinstance(found, TcpFrame)
    assert found.segment.options == b"\x02\x00\x05\xb4\x01\0\0\0"
    assert found.checksum_correct


def test_no_options_can_be_asked_for() -> None:
    found = decode(_complete(TCP(flags="S", options=[])))
    assert isinstance(found, TcpFrame)
    assert found.segment.options == b""


def test_wrong_ip_fields_go_out_as_set() -> None:
    frame = _complete(IP(chksum=0x1234, src="203.0.113.9", id=5, frag=0) / TCP(flags="S") / b"abc")
    found = decode(frame)
    assert isinstance(found, TcpFrame)
    assert (found.source, found.ip_checksum_correct, found.checksum_correct) == ("203.0.113.9", False, True)
    assert Ether(frame)[IP].id == 5
    assert Ether(frame)[IP].chksum == 0x1234
    assert to_scapy(frame)[IP].flags == 0


def test_replayed_frame_goes_out_unchanged() -> None:
    whole = encode(Segment(PSH | ACK, Seq(4), Seq(5), payload=b"xyz", options=b"\x02\x00\x01"), **V4, **WAY, checksum=7)
    assert _complete(Ether(whole)) == whole
    assert _complete(Ether(whole + b"\0\0\0")) == whole + b"\0\0\0"


def test_padding_behind_the_packet() -> None:
    for written in (TCP(flags="S") / Padding(b"pad"), IP() / TCP(flags="S") / Padding(b"pad")):
        frame = _complete(written)
        assert frame.endswith(b"pad")
        found = decode(frame)
        assert isinstance(found, TcpFrame)
        assert found.segment.payload == b""


def test_bare_octets_pass_for_a_segment() -> None:
    frame = _complete(Raw(b"\0" * 19))
    assert decode(frame) == OtherFrame("IPv4 TCP header cut short 198.51.100.2 → 198.51.100.1")


@BOTH
def test_other_protocols_get_addresses(addresses: dict[str, str]) -> None:
    found = decode(_complete(UDP(sport=1, dport=2) / b"x", addresses=addresses))
    ip = "IPv6" if addresses is V6 else "IPv4"
    assert found == OtherFrame(f"{ip} UDP {addresses['source']} → {addresses['destination']}")


def test_arp_and_quoted_headers_are_left_alone() -> None:
    packet = Ether(_complete(ARP(op=1)))
    assert (packet[ARP].psrc, packet[ARP].pdst, packet[ARP].hwsrc) == (V4["source"], V4["destination"], US.hex(":"))
    quoted = IP(src="192.0.2.1", dst="192.0.2.2") / TCP(sport=1, dport=2, seq=3)
    frame = _complete(IP() / ICMP(type=3, code=1) / bytes(quoted))
    assert frame.endswith(bytes(quoted))
    assert decode(frame) == OtherFrame("IPv4 ICMP destination unreachable 198.51.100.2 → 198.51.100.1")


def test_a_quoted_tcp_header_is_not_filled_in() -> None:
    """An ICMP error quotes our own segment: ports and numbers stand there as the script put them."""
    quoted = IPerror(src="192.0.2.1", dst="192.0.2.2") / TCPerror(sport=1, dport=2, seq=3)
    frame = _complete(IP() / ICMP(type=3, code=1) / quoted)
    found = Ether(frame)[TCPerror]
    assert (found.sport, found.dport, found.seq) == (1, 2, 3)
    assert flags_set(IP() / ICMP() / quoted) is None
    with pytest.raises(ValueError, match="TCP layer"):
        wanted_fields(IP() / ICMP() / quoted)


def test_random_values_are_drawn() -> None:
    idents = {Ether(_complete(IP(id=RandShort()) / TCP(flags="S", seq=RandInt())))[IP].id for _ in range(8)}
    assert len(idents) > 1


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("TCP", "send takes a Scapy packet"),
        (IPv6() / TCP(), "IPv6"),
        (TCP(options=b"\1" * 41), "room for 40"),
        (TCP(options=[("WScale", 300)]), "options"),
        (TCP(window=70000), "out of range"),
        (TCP(dport=[1, 2]), "one number"),
        (IP(ttl=300) / TCP(), "cannot build"),
        (IP(src=["192.0.2.1", "192.0.2.2"]) / TCP(), "not one IP address"),
        (TCP(chksum="x"), "one number"),
        (TCP(flags="S") / UDP(sport=99999), "cannot build"),
    ],
)
def test_what_cannot_be_built_is_told(written: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        _complete(written)


def test_wanted_are_the_fields_written() -> None:
    assert wanted_fields(TCP()) == {}
    wanted = wanted_fields(
        TCP(flags="SA", seq=0xFFFFFFFF + 1, ack=Seq(5), options=[("MSS", 1460), ("NOP", None)]) / b"hi"
    )
    assert wanted == {
        "flags": SYN | ACK,
        "seq": Seq(0),
        "ack": Seq(5),
        "options": b"\x02\x04\x05\xb4\x01\0\0\0",
        "payload": b"hi",
    }
    assert isinstance(wanted["seq"], Seq)
    assert isinstance(wanted["flags"], Flags)
    assert wanted_fields(TCP(window=0, urgptr=3, chksum=7, dataofs=5, reserved=1, sport=8, dport=9)) == {
        "window": 0,
        "urgent": 3,
        "checksum": 7,
        "data_offset": 5,
        "reserved": 1,
        "sport": 8,
        "dport": 9,
    }
    assert wanted_fields(TCP(flags="R") / b"") == {"flags": RST, "payload": b""}
    assert wanted_fields(TCP(flags=0)) == {"flags": Flags(0)}
    assert wanted_fields(IP(ttl=64, src="198.51.100.1") / TCP()) == {"ttl": 64, "source": "198.51.100.1"}
    assert wanted_fields(IPv6(hlim=64) / TCP(options=[])) == {"ttl": 64, "options": b""}


def test_wanted_names_are_those_of_segment_and_frame() -> None:
    names = set(
        wanted_fields(IPv6(hlim=1, src="::", dst="::") / TCP(**dict.fromkeys(settable, 0) | {"options": []}) / b"")
    )
    segment = Segment(SYN, Seq(0))
    frame = decode(encode(segment, **V4, **WAY))
    assert {name for name in names if not hasattr(segment, name) and not hasattr(frame, name)} == set()


@pytest.mark.parametrize(
    ("written", "words"),
    [
        (UDP(), "TCP layer"),
        (b"x", "TCP layer"),
        (IP(id=3) / TCP(), r"IP\.id"),
        (Ether(src="02::") / TCP(), r"Ether|IP"),
    ],
)
def test_what_cannot_be_expected_is_told(written: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wanted_fields(written)


def test_flags_set() -> None:
    assert flags_set(Ether(src="02:00:00:00:00:03") / IP(id=3) / TCP(flags="SA")) == SYN | ACK
    assert flags_set(TCP(seq=3)) is None
    assert flags_set(UDP()) is None


@BOTH
def test_as_tcp_has_numbers_that_wrap(addresses: dict[str, str]) -> None:
    way = {**WAY, "sport": 53, "dport": 80}
    segment = Segment(SYN | ACK, Seq(0xFFFFFFFF), Seq(0xFFFFFFFE), payload=b"\x12\x34", options=pack([mss(1220)]))
    raw = encode(segment, **addresses, **way) + b"padding"
    found = decode(raw)
    assert isinstance(found, TcpFrame)
    tcp = as_tcp(found, raw)
    assert (type(tcp), tcp.flags, tcp.options, tcp.window) == (TCP, "SA", [("MSS", 1220)], 65535)
    y = tcp.seq
    assert (y + 1, tcp.ack + 2) == (Seq(0), Seq(0))
    assert isinstance(y + 1, Seq)
    assert bytes(tcp.payload) == b"\x12\x34"
    assert tcp[Raw].load == b"\x12\x34"
    assert tcp.chksum == found.checksum
    bare = encode(Segment(ACK, Seq(1)), **addresses, **way)
    found = decode(bare)
    assert isinstance(found, TcpFrame)
    assert bytes(as_tcp(found, bare).payload) == b""


def test_segment_of_a_hand_made_packet() -> None:
    segment = segment_of(IP() / TCP(flags="PA", seq=5, ack=6, options=[("NOP", None)]) / b"abc")
    assert segment == Segment(PSH | ACK, Seq(5), Seq(6), window=8192, payload=b"abc", options=b"\1\0\0\0")
    with pytest.raises(ValueError, match="no TCP layer"):
        segment_of(IP() / UDP())


def test_scapy_is_imported_by_its_side_alone() -> None:
    code = (
        "import sys, lab.wire.codec, lab.wire.errors, lab.wire.link, lab.wire.neighbours, lab.wire.pcapng\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('scapy', 'pyroute2', 'typer', 'rich')])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert told.stdout.strip() == "[]"


@calmly
@given(st.booleans(), st.binary(min_size=20, max_size=80))
def test_nonsense_headers_are_read_as_scapy_reads_them(v6: bool, octets: bytes) -> None:
    """Any octets as a TCP segment: impossible data offsets, malformed options and all."""
    below = IPv6(src="2001:db8::2", dst="2001:db8::1", nh=6) if v6 else IP(src="192.0.2.2", dst="192.0.2.1", proto=6)
    raw = bytes(Ether(src="02:00:00:00:00:02", dst="02:00:00:00:00:01") / below / Raw(octets))
    found = decode(raw)
    assert isinstance(found, TcpFrame)
    tcp = Ether(raw)[TCP]
    assert (found.sport, found.dport, found.checksum, found.reserved) == (
        tcp.sport,
        tcp.dport,
        tcp.chksum,
        tcp.reserved,
    )
    assert found.data_offset == tcp.dataofs
    segment = found.segment
    assert (int(segment.seq), int(segment.ack), int(segment.flags)) == (tcp.seq, tcp.ack, int(tcp.flags))
    assert (segment.window, segment.urgent, segment.payload) == (tcp.window, tcp.urgptr, bytes(tcp.payload))
    assert octets[:20] + segment.options + segment.payload == octets
    assert found.truncated == (tcp.dataofs < 5 or tcp.dataofs * 4 > len(octets))
    assert segment_of(tcp) == segment
    shown = as_tcp(found, raw)
    assert bytes(shown) == octets
    assert (shown.seq, shown.options) == (segment.seq, tcp.options)
    # A script that sends what it received sends it unchanged, wherever it stands.
    assert _complete(shown, addresses=V6 if v6 else V4)[-len(octets) :] == octets


@BOTH
def test_a_payload_too_long_for_one_packet_is_told(addresses: dict[str, str]) -> None:
    room = 65515 if addresses is V4 else 65535
    fits = b"x" * (room - 20)
    assert len(_complete(TCP(options=b"") / fits, ACK, addresses)) > room
    tcp = TCP(options=b"") / (fits + b"x")
    for packet in (tcp, (IP() if addresses is V4 else IPv6()) / tcp):
        words = f"a TCP segment of {room + 1} octets does not fit into one IP packet, which has room for {room}: send"
        with pytest.raises(ValueError, match=words):
            _complete(packet, ACK, addresses)


def test_what_scapy_raises_gets_words() -> None:
    with pytest.raises(ValueError, match="substring not found") as unknown:
        TCP(flags="SXQ")
    assert in_scapy(unknown.value) == "Scapy knows no such flags as 'SXQ': TCP's are F, S, R, P, A, U, E, C and N"
    with pytest.raises(AttributeError) as other:
        TCP(nonsense=1)
    assert str(in_scapy(other.value)).startswith("Scapy does not take this: AttributeError: ")
    with pytest.raises(ValueError, match="mine") as mine:
        raise ValueError("mine")
    assert in_scapy(mine.value) is None
