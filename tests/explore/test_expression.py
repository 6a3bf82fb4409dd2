"""Good expressions: what they come to, what is sent, and how a script has them."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, Literal

import pytest
from expressions import NAMES, Y, layers, made, on_the_wire
from expressions import nothing_reached as nothing_reached
from scapy.layers.inet import ICMP, IP, TCP, UDP, IPerror, IPOption_NOP, IPOption_RR, TCPerror
from scapy.layers.inet6 import (
    ICMPv6PacketTooBig,
    IPerror6,
    IPv6,
    IPv6ExtHdrDestOpt,
    IPv6ExtHdrFragment,
    IPv6ExtHdrHopByHop,
    IPv6ExtHdrRouting,
    PadN,
)
from scapy.layers.l2 import ARP, Dot1Q, Ether
from scapy.packet import Packet, Padding, Raw

from lab.explore.expression.evaluate import LAYERS, as_script, evaluate, fields, names_in
from lab.tcp.segment import ACK, FIN, SYN, Segment
from lab.tcp.sequence import Seq
from lab.wire.codec import TcpFrame, decode


def test_the_expression_of_the_manual() -> None:
    sent = made('TCP(flags="SF", seq=x+7)/b"!"')
    assert layers(sent) == [TCP, Raw]
    assert sent.fields == {"flags": 3, "seq": 1007}  # SYN is 2, FIN is 1
    assert sent.load == b"!"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("x", 1000),
        ("x + 7", 1007),
        ("7 + x", 1007),
        ("x - 1001", 4294967295),
        ("snd_nxt + 1", 0),
        ("y + 10", 4),
        ("x - y", 1006),  # 6 up to the top of the circle, and 1000 on
        ("y - x", -1006),
        ("-x", -1000),
        ("~0", -1),
        ("+5", 5),
        ("window // 2 % 1000", 120),
        ("1 << 64", 2**64),
        ("-(1 << 64)", -(2**64)),
        ("256 >> 4 | 1 ^ 3 & 2", 16 | (1 ^ 2)),
        ("0x0bad", 2989),
        ("0b101 * 0o17", 75),
        ("65_535", 65535),
        ('"a" * 3 + "b"', "aaab"),
        ('3 * b"ab"', b"ababab"),
        ('"a" * -1', ""),
        ("key + b'\\x01'", b"\x00\xff\x01"),
        (r'"\u00e9\t\N{BULLET}"', "é\t•"),
        (r'rb"\d"', b"\\d"),
        ('"höchst — 好"', "höchst — 好"),
        ("  \t x \t", 1000),
    ],
)
def test_what_an_expression_comes_to(text: str, value: int | str | bytes) -> None:
    assert evaluate(text, NAMES) == value


def test_a_sequence_number_plus_octets_stays_on_the_circle() -> None:
    assert isinstance(evaluate("x + 7", NAMES), Seq)
    assert not isinstance(evaluate("x - y", NAMES), Seq)


@pytest.mark.parametrize(
    ("text", "family", "kinds", "values"),
    [
        ("TCP()", "ipv4", [TCP], {}),
        ("TCP(chksum=None, options=None)", "ipv4", [TCP], {}),  # None leaves a field to the lab
        ("TCP(flags='')", "ipv4", [TCP], {"flags": 0}),
        ("TCP(flags='SAS')", "ipv4", [TCP], {"flags": 18}),  # a bit said twice is set once
        ("TCP(flags=511, reserved=7, dataofs=15)", "ipv4", [TCP], {"flags": 511, "reserved": 7, "dataofs": 15}),
        ("TCP(seq=-1, ack=1 << 33)", "ipv4", [TCP], {"seq": 4294967295, "ack": 0}),
        ("TCP(seq=x - y)", "ipv4", [TCP], {"seq": 1006}),
        ("TCP(seq=y - x)", "ipv4", [TCP], {"seq": 4294966290}),
        ("TCP(window=window // 10)/''", "ipv4", [TCP, Raw], {"window": 6424}),
        ("TCP(options=b'')", "ipv4", [TCP], {"options": b""}),
        (
            'TCP(options=[("MSS", 1460), ("WScale", 7), ("NOP", None), ("SAckOK", b""), ("Timestamp", (x, 2))])',
            "ipv4",
            [TCP],
            {"options": [("MSS", 1460), ("WScale", 7), ("NOP", None), ("SAckOK", b""), ("Timestamp", (1000, 2))]},
        ),
        ("TCP(options=[(253, b'a'), (254, None)])", "ipv4", [TCP], {"options": [(253, b"a"), (254, b"")]}),
        ("TCP(options=(('SAck', (1, 2)), ('EOL', '')))", "ipv4", [TCP], {"options": [("SAck", (1, 2)), ("EOL", None)]}),
        ("TCP(options=[('MSS', b'\\5')])", "ipv4", [TCP], {"options": [("MSS", b"\5")]}),
        ("IP(ttl=1, dst=server)/TCP()", "ipv4", [IP, TCP], {"ttl": 1, "dst": "198.51.100.1"}),
        ("IP(flags='MF+DF', frag=8191)/TCP()", "ipv4", [IP, TCP], {"flags": 3, "frag": 8191}),  # MF is 1, DF is 2
        ("IP(src='::1' * 0 + '192.0.2.1')/UDP()/'x'", "ipv4", [IP, UDP, Raw], {"src": "192.0.2.1"}),
        ("IP(version=7, ihl=15, len=5)/TCP()", "ipv4", [IP, TCP], {"version": 7, "ihl": 15, "len": 5}),
        (
            "Ether(dst='FF:ff:ff:ff:ff:ff')/Dot1Q(vlan=7)/IP()/TCP()",
            "ipv4",
            [Ether, Dot1Q, IP, TCP],
            {"dst": "ff:ff:ff:ff:ff:ff"},
        ),
        ("ARP(op='who-has', pdst='198.51.100.9')", "ipv4", [ARP], {"op": 1, "pdst": "198.51.100.9"}),
        ("ICMP(type=8, id=1, seq=2)/b'ping'", "ipv4", [ICMP, Raw], {"type": 8, "id": 1, "seq": 2}),
        (
            "ICMP(type=3, code=4, nexthopmtu=1000)/IPerror(src=server, dst='198.51.100.2')/TCPerror(sport=80, seq=x)",
            "ipv4",
            [ICMP, IPerror, TCPerror],
            {"type": 3, "code": 4, "nexthopmtu": 1000},
        ),
        ("TCP()/IP(src='192.0.2.1', dst='192.0.2.2')/TCP()", "ipv4", [TCP, IP, TCP], {}),
        ("IPv6(src='::1', dst='2001:DB8::0')/TCP()", "ipv4", [IPv6, TCP], {"src": "::1", "dst": "2001:db8::"}),
        ("TCP()/Padding(load='zz')", "ipv4", [TCP, Padding], {}),
        ("Raw(load='é')", "ipv4", [Raw], {"load": b"\xc3\xa9"}),
        ("TCP()/('a' + 'b')/b'c'", "ipv4", [TCP, Raw, Raw], {}),
        ("IPv6(hlim=1, fl=1048575)/TCP()", "ipv6", [IPv6, TCP], {"hlim": 1, "fl": 1048575}),
        ("IPv6ExtHdrFragment(m=1, id=9)/TCP()", "ipv6", [IPv6ExtHdrFragment, TCP], {"m": 1, "id": 9}),
        ("IPv6ExtHdrHopByHop()/IPv6ExtHdrDestOpt()/TCP()", "ipv6", [IPv6ExtHdrHopByHop, IPv6ExtHdrDestOpt, TCP], {}),
        (
            "IPv6ExtHdrRouting(addresses=['2001:db8::7'], segleft=1)/TCP()",
            "ipv6",
            [IPv6ExtHdrRouting, TCP],
            {"addresses": ["2001:db8::7"], "segleft": 1},
        ),
        (
            "ICMPv6PacketTooBig(mtu=1280)/IPerror6(src='2001:db8::1', dst='2001:db8::2')/TCPerror(seq=1)",
            "ipv6",
            [ICMPv6PacketTooBig, IPerror6, TCPerror],
            {"mtu": 1280},
        ),
    ],
)  # fmt: skip
def test_a_good_expression_sets_these_fields_and_no_others(
    text: str, family: Literal["ipv4", "ipv6"], kinds: list[type[Packet]], values: dict[str, Any]
) -> None:
    sent = made(text, family)
    assert layers(sent) == kinds
    there_anyhow = {"frag", "options"} if kinds[0] is not TCP else set()  # Scapy puts IP's there itself
    assert {name: value for name, value in sent.fields.items() if name in values or name not in there_anyhow} == values


def test_options_of_ip_and_ipv6_are_layers() -> None:
    sent = made('IP(options=[IPOption_NOP(), IPOption_RR(routers=["192.0.2.7"])])/TCP()')
    assert [type(one) for one in sent.options] == [IPOption_NOP, IPOption_RR]
    assert sent.options[1].routers == ["192.0.2.7"]
    sent = made('IPv6ExtHdrHopByHop(options=[PadN(optdata=b"abc")])/TCP()', "ipv6")
    assert [type(one) for one in sent.options] == [PadN]
    assert sent.options[0].optdata == b"abc"


def test_what_is_sent_is_what_was_written() -> None:
    sent = made('IP(ttl=9)/TCP(flags="FA", seq=snd_nxt + 2, ack=y, window=7, chksum=1)/(b"ab" * 2)')
    read = decode(on_the_wire(sent, Segment(flags=SYN, seq=Seq(5))))
    assert isinstance(read, TcpFrame)
    assert read.segment == Segment(flags=FIN | ACK, seq=Seq(1), ack=Y, window=7, payload=b"abab")
    assert (read.ttl, read.checksum, read.sport, read.dport) == (9, 1, 40000, 80)


def test_scapy_is_imported_only_when_a_layer_is_made() -> None:
    script = (
        "import sys\n"
        "from lab.explore.expression.evaluate import as_script, evaluate, names_in\n"
        "assert evaluate('x + 7', {'x': 1}) == 8\n"
        "names_in('TCP(seq=x)'), as_script('TCP(seq=x)', {})\n"
        "assert not any(name.startswith('scapy') for name in sys.modules)\n"
        "evaluate('TCP()', {})\n"
        "assert 'scapy.layers.inet' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


def test_the_names_in_a_text_finished_or_not() -> None:
    assert names_in('TCP(flags="SF", seq=x+7)/b"ab cd"') == {"TCP", "x"}
    assert names_in("IP(ttl=None)/TCP(seq=snd_nxt, ack=rcv_") == {"IP", "TCP", "snd_nxt", "rcv_"}
    assert names_in('TCP(seq=x)/"y never ends') == {"TCP", "x"}
    assert names_in("") == set()


@pytest.mark.parametrize(
    ("text", "script"),
    [
        ("TCP(flags='SF',seq=x+7)/b'!'", 'TCP(flags="SF", seq=x + 7) / b"!"'),
        ("TCP( seq = snd_nxt , ack=rcv_nxt-1 )", "TCP(seq=peer.snd_nxt, ack=peer.rcv_nxt - 1)"),
        ("TCP(seq=-(1+2)*3, ack=1-(2-3), chksum=0X0bad)", "TCP(seq=-(1 + 2) * 3, ack=1 - (2 - 3), chksum=0x0BAD)"),
        ("TCP(seq=((1+2)))", "TCP(seq=1 + 2)"),
        ("TCP(seq=~x&1<<2|3)", "TCP(seq=~x & 1 << 2 | 3)"),
        ("TCP(seq=(1|2)&3)", "TCP(seq=(1 | 2) & 3)"),
        ("TCP(options=[('MSS',1460),('NOP',None)])", 'TCP(options=[("MSS", 1460), ("NOP", None)])'),
        ("TCP(options=(('NOP',None),))", 'TCP(options=(("NOP", None),))'),
        ("TCP()/'it\\'s'", 'TCP() / "it\'s"'),
        ("TCP()/'say \"hi\"'", "TCP() / 'say \"hi\"'"),
        ("TCP()/'\"\\''", 'TCP() / "\\"\'"'),
        ("TCP()/b'\\x00\\xff\\\\'", 'TCP() / b"\\x00\\xff\\\\"'),
        ("TCP()/('é'+'—')", 'TCP() / ("é" + "—")'),
        ("TCP(seq=there-1)", "TCP(seq=(x + 1) - 1)"),
        ("TCP(seq=there)", "TCP(seq=x + 1)"),
    ],
)
def test_an_expression_in_a_script(text: str, script: str) -> None:
    assert as_script(text, {"snd_nxt": "peer.snd_nxt", "rcv_nxt": "peer.rcv_nxt", "there": "x + 1"}) == script


def test_the_fields_of_a_layer() -> None:
    assert fields("UDP") == ("sport", "dport", "len", "chksum")
    assert not {"ext", "extpad", "unused"} & set(fields("ICMP"))


@pytest.mark.parametrize("layer", LAYERS)
def test_every_layer_can_be_made(layer: str) -> None:
    ends = "src='192.0.2.1', dst='192.0.2.2'" if layer == "IPerror" else "src='::1', dst='::2'"
    text = f"{layer}({ends if layer.startswith('IPerror') else ''})"
    assert type(evaluate(text, {})).__name__ == layer
