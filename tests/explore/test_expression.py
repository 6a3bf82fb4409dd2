"""Expressions: what a good one comes to, and that hostile text is refused in a sentence and reaches nothing.

No test here may open a socket, look up a name or make Scapy warn: `nothing_reached` fails it if it does.
"""

from __future__ import annotations

import ast
import logging
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.arch import linux  # noqa: F401  (reads the routes when first imported, which takes a socket)
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

from lab.explore.expression import LAYERS, ExpressionError, as_script, evaluate, fields, names_in, packet
from lab.tcp.segment import ACK, FIN, SYN, Segment
from lab.tcp.sequence import Seq
from lab.wire.codec import TcpFrame, decode
from lab.wire.scapy_side import complete

calmly = settings(
    deadline=None,
    database=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)

X, Y = Seq(1000), Seq(4294967290)
NAMES: Mapping[str, int | str | bytes | None] = {
    "x": X,
    "y": Y,
    "snd_nxt": Seq(4294967295),
    "rcv_nxt": None,
    "window": 64240,
    "server": "198.51.100.1",
    "key": b"\x00\xff",
}
SERVER = {"ipv4": "198.51.100.1", "ipv6": "2001:db8::1"}
PEER = {"ipv4": "198.51.100.2", "ipv6": "2001:db8::2"}


@pytest.fixture(autouse=True)
def nothing_reached(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No look-up, no socket, no warning of Scapy's that would land in the middle of a prompt."""
    reached: list[object] = []

    def reach(*args: object, **more: object) -> None:
        reached.append((args, more))
        raise AssertionError(f"an expression reached out: {args}")

    class Heard(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            reached.append(record.getMessage())

    for name in ("getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr", "socket", "create_connection"):
        monkeypatch.setattr(socket, name, reach)
    heard = Heard(level=logging.WARNING)
    loggers = [logging.getLogger("scapy"), logging.getLogger("scapy.runtime")]
    for logger in loggers:
        logger.addHandler(heard)
    yield
    for logger in loggers:
        logger.removeHandler(heard)
    assert not reached


def made(text: str, family: Literal["ipv4", "ipv6"] = "ipv4", *, confined: bool = False) -> Any:
    return packet(
        text,
        NAMES,
        family=family,
        server_address=SERVER[family],
        confined=confined,
        peer_address=PEER[family] if confined else None,
    )


def layers(first: Packet) -> list[type[Packet]]:
    found = [type(first)]
    while first.payload:
        first = first.payload
        found.append(type(first))
    return found


def refusal(text: str, **more: Any) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        made(text, **more)
    error = caught.value
    sentence = str(error)
    assert sentence == sentence.strip()
    assert sentence[0] == sentence[0].upper() or sentence.split()[0] in {*NAMES, "a"}
    assert "\n" not in sentence
    assert error.at is None or 0 <= error.at <= len(text)
    return error


# Good ones


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
        ("IP(version=7, ihl=15, len=5, id=0, chksum=0)/TCP()", "ipv4", [IP, TCP], {"version": 7, "ihl": 15, "len": 5}),
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
    set_by_hand = {name: int(value) if name == "flags" else value for name, value in sent.fields.items()}
    if "len" in values:
        set_by_hand = {name: set_by_hand[name] for name in values}
    for filled_in in ("options", "unused"):  # Scapy puts IP's and ICMP's there itself
        if filled_in not in values:
            set_by_hand.pop(filled_in, None)
    assert {k: v for k, v in set_by_hand.items() if k in values or k not in ("frag", "ext", "extpad")} == values


def test_options_of_ip_and_ipv6_are_layers() -> None:
    sent = made('IP(options=[IPOption_NOP(), IPOption_RR(routers=["192.0.2.7"])])/TCP()')
    assert [type(one) for one in sent.options] == [IPOption_NOP, IPOption_RR]
    assert sent.options[1].routers == ["192.0.2.7"]
    sent = made('IPv6ExtHdrHopByHop(options=[PadN(optdata=b"abc")])/TCP()', "ipv6")
    assert [type(one) for one in sent.options] == [PadN]
    assert sent.options[0].optdata == b"abc"


def test_what_is_sent_is_what_was_written() -> None:
    frame = complete(
        made('IP(ttl=9)/TCP(flags="FA", seq=snd_nxt + 2, ack=y, window=7, chksum=1)/(b"ab" * 2)'),
        segment_defaults=Segment(flags=SYN, seq=Seq(5)),
        source=PEER["ipv4"],
        destination=SERVER["ipv4"],
        sport=40000,
        dport=80,
        source_mac=b"\2" * 6,
        destination_mac=b"\4" * 6,
    )
    read = decode(frame)
    assert isinstance(read, TcpFrame)
    assert read.segment == Segment(flags=FIN | ACK, seq=Seq(1), ack=Y, window=7, payload=b"abab")
    assert (read.ttl, read.checksum, read.sport, read.dport) == (9, 1, 40000, 80)


def test_scapy_is_imported_only_when_a_layer_is_made() -> None:
    script = (
        "import sys\n"
        "from lab.explore.expression import as_script, evaluate, names_in\n"
        "assert evaluate('x + 7', {'x': 1}) == 8\n"
        "names_in('TCP(seq=x)'), as_script('TCP(seq=x)', {})\n"
        "assert not any(name.startswith('scapy') for name in sys.modules)\n"
        "evaluate('TCP()', {})\n"
        "assert 'scapy.layers.inet' in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, capture_output=True)


# Refused, each in a sentence with these words, at this column

REFUSED: list[tuple[str, str, int | None]] = [
    # Nothing of Python's
    ("TCP.__class__", "No `.`", 3),
    ("TCP().payload", "No `.`", 5),
    ("TCP().__class__.__mro__[1].__subclasses__()", "No `.`", 5),
    ("().__class__", "No `.`", 2),
    ('"".join', "No `.`", 2),
    ('"{0.__class__}".format(x)', "No `.`", 15),
    ('"%s" % x', "makes no sense", 0),
    ("x.real", "No `.`", 1),
    ('__import__("os")', "There is no __import__ here", 0),
    ('__import__("os").system("id")', "No `.`", 16),
    ("__builtins__", "There is no __builtins__ here", 0),
    ('getattr(TCP(), "payload")', "There is no getattr here", 0),
    ('eval("1")', "There is no eval here", 0),
    ('open("/etc/passwd")', "There is no open here", 0),
    ("print()", "There is no print here", 0),
    ("globals()", "There is no globals here", 0),
    ("RandShort()", "There is no RandShort here", 0),
    ("Packet()", "There is no Packet here", 0),
    ('rdpcap("x")', "There is no rdpcap here", 0),
    ("conf", "There is no conf here", 0),
    ("lambda: 0", "No `lambda`", 0),
    ("lambda:" * 500 + "0", "No `lambda`", 0),
    ("not " * 900 + "1", "No `not`", 0),
    ("[TCP() for i in x]", "No `for`", 7),
    ("[a for a in b for a in b for a in b]", "No `for`", 3),
    ("(yield)", "No `yield`", 1),
    ("await x", "No `await`", 0),
    ("TCP() if x else IP()", "No `if`", 6),
    ("x and y", "No `and`", 2),
    ("x in y", "No `in`", 2),
    ("x == y", "No `==`", 2),
    ("x < y", "No `<`", 2),
    ("x := 5", "No `:=`", 2),
    ("TCP(seq=(x := 5))", "No `:=`", 11),
    ("{1: 2}", "No `{`", 0),
    ("{1}", "No `{`", 0),
    ("[1, 2][0]", "Nothing is picked out", 6),
    ('"abc"[0]', "Nothing is picked out", 5),
    ("x[0]", "Nothing is picked out", 1),
    ("TCP()[IP]", "Nothing is picked out", 5),
    ("TCP()[1:2]", "Nothing is picked out", 5),
    ("x @ y", "No `@`", 2),
    ("import os", "No `import`", 0),
    ("TCP();import os", "No `;`", 5),
    ("TCP() # type: ignore", "No `#`", 6),
    ("TCP()\nimport os", "a new line", 5),
    ("TCP()\rIP()", "a new line", 5),
    ("TCP()/\\\nIP()", "a new line", 7),
    ("TCP(\n)", "a new line", 4),
    ("TCP()\\", "No `\\`", 5),
    ("TCP()\0", "control character", 5),
    ("TCP()\x0c", "control character", 5),
    ("TCP()/'\x1b[2J'", "control character", 7),
    ("TCP()/'\x9b2J'", "control character", 7),
    ("TCP(\ud800)", "half a character", 4),
    ("pass", "No `pass`", 0),
    ("del x", "No `del`", 0),
    ("raise x", "No `raise`", 0),
    ("TCP(seq=True)", "write 1", 8),
    ("...", "No `.`", 0),
    ("$x", "'$' cannot stand here", 0),
    ("x ? y : z", "'?' cannot stand here", 2),
    ("!x", "'!' cannot stand here", 0),
    ("`id`", "'`' cannot stand here", 0),
    # Look-alikes: Python would take each of them for TCP or x
    ("ＴＣＰ()", "cannot stand here", 0),
    ("𝕋ℂℙ()", "cannot stand here", 0),
    ("TCP(ｓeq=1)", "cannot stand here", 4),
    ("ⅹ + 1", "cannot stand here", 0),
    ("х + 1", "cannot stand here", 0),  # Cyrillic
    ("TCP()／b'x'", "cannot stand here", 5),
    ("TCP(seq=١)", "cannot stand here", 8),  # an Arabic one
    ("TCP(\u00a0)", "cannot stand here", 4),
    ("TCP(\u200bseq=1)", "cannot stand here", 4),
    ("ªx", "cannot stand here", 0),
    # Calls
    ("TCP", "write TCP()", 0),
    ("TCP/IP", "write TCP()", 0),
    ('TCP("S")', "each one needs its name", 4),
    ("TCP(TCP())", "each one needs its name", 4),
    ("TCP(*x)", "unpacks nothing", 4),
    ("TCP(**x)", "No ** here", 4),
    ("TCP()()", "Only a layer takes brackets", 5),
    ("(TCP)()", "Only a layer takes brackets", 5),
    ('"TCP"()', "Only a layer takes brackets", 5),
    ("1()", "Only a layer takes brackets", 1),
    ("x()", "only a layer takes brackets", 0),
    ("TCP(flags='S', flags='A')", "twice", 21),
    ("TCP(flags='S', 1)", "positional argument", None),
    ("TCP(flags=)", "Something is missing before )", 10),
    ("TCP((flags)=1)", "A field is set inside", 11),
    ("TCP(1=2)", "A field is set inside", 5),
    ("TCP(seq=ack=1)", "A field is set inside", 11),
    ("flags='S'", "A field is set inside", 5),
    ("(flags='S')", "A field is set inside", 6),
    ("TCP(None=1)", "cannot assign to None", None),
    ("TCP(_pkt=b'x')", "no field _pkt", 9),
    ("TCP(post_transform=1)", "no field post_transform", 19),
    ("TCP(_internal=1)", "no field _internal", 14),
    ("TCP(_underlayer=TCP())", "no field _underlayer", 16),
    ("TCP(_parent=TCP())", "no field _parent", 12),
    ("TCP(stop_dissection_after=TCP())", "no field stop_dissection_after", 26),
    ("TCP(self=1)", "no field self", 9),
    ("TCP(__class__=1)", "no field __class__", 14),
    ("TCP(payload=TCP())", "no field payload", 12),
    ("TCP(flag='S')", "did you mean flags?", 9),
    ("ICMP(ext=1)", "no field ext", 9),
    ("TPC()", "did you mean TCP?", 0),
    ("tcp()", "did you mean TCP?", 0),
    ("snd_nx + 1", "did you mean snd_nxt?", 0),
    ("quux", "the connection's names are x, y", 0),
    ("rcv_nxt", "not known yet", 0),
    # Numbers and texts that are too much
    ("9**9**9", "No ** here", 1),
    ("1 << 10 ** 9", "No ** here", 8),
    ("1 << 1000000000", "0 to 64 places", 0),
    ("1 << -1", "0 to 64 places", 0),
    ("1 << x", "0 to 64 places", 0),
    ("1 << 64 << 1", "more than 2 to the 64", 0),
    ("(1 << 64) * (1 << 64)", "more than 2 to the 64", 0),
    ("-(1 << 64) - 1", "more than 2 to the 64", 0),
    ("18446744073709551617", "larger than 2 to the 64", 0),
    ("9" * 3999, "larger than 2 to the 64", 0),
    ("0x" + "f" * 3900, "larger than 2 to the 64", 0),
    ('b"x" * 70000', "70,000 octets", 0),
    ('b"x" * (1 << 64)', "octets", 0),
    ('70000 * "x"', "70,000 octets", 0),
    ('"x" * 65535 + "y"', "65,536 octets", 0),
    ('TCP()/("é" * 65535)', "131,070 octets", 7),
    ('TCP()/(b"x" * 65535)', "does not fit into one IP packet", None),
    ('UDP()/(b"x" * 65535)', "longer than the 65,535 octets", None),
    ('Raw(load=b"x" * 65535)', "longer than the 65,535 octets", None),
    ('TCP()/(b"x" * 40000)/(b"x" * 40000)', "does not fit into one IP packet", None),
    ("x" * 4001, "too long", None),
    ("(" * 61 + "1" + ")" * 61, "More than 60", 60),
    ("(" * 2000 + ")" * 2000, "More than 60", 60),
    ("-" * 61 + "1", "More than 60", 60),
    ("~" * 3999 + "1", "More than 60", 60),
    ("1" + "+1" * 61, "More than 60", 121),
    ("[" * 1000, "More than 60", 60),
    ("TCP(options=" * 300, "More than 60", 723),
    ("TCP()" + "/TCP()" * 400, "More than 60", None),
    ("1.5", "not a whole number", 0),
    ("1e5", "not a whole number", 0),
    ("1j", "not a whole number", 0),
    ("1.__class__", "not a whole number", 0),
    ("0777", "leading zero", 0),
    ("0x", "is no number", 0),
    ("1__0", "is no number", 0),
    ("0x1for x", "is no number", 0),
    ("1//0", "divided by 0", 0),
    ("1 % 0", "divided by 0", 0),
    ("7/2", "numbers are divided with //", 0),
    ("x + y", "Two sequence numbers cannot be added", 0),
    ("-'a'", "A sign goes before a number", 0),
    ("~TCP()", "A sign goes before a number", 0),
    ("'a' + b'b'", "makes no sense", 0),
    ("'a' + 1", "makes no sense", 0),
    ("'a' * 'b'", "makes no sense", 0),
    ("[1] * 100000", "makes no sense", 0),
    ("[1] + [2]", "makes no sense", 0),
    ("TCP() * 3", "makes no sense", 0),
    ("TCP() + 1", "makes no sense", 0),
    # Text
    ('f"{x}"', 'Text in f"…"', 0),
    ('rf"{x}"', 'Text in f"…"', 0),
    ('u"x"', "octets b", 0),
    ('"abc', "never ends", 0),
    ("'abc\\'", "never ends", 0),
    ('"""abc"""', "is missing before", 2),
    ('"a" "b"', "is missing before", 4),
    (r'"\d"', r"\d means nothing", 1),
    (r'b"\u0041"', r"\u means nothing", 2),
    (r'"\777"', "means nothing", 1),
    (r'"\x1"', "cannot be read", 0),
    (r'"\N{no such sign}"', "cannot be read", 0),
    (r'"\U99999999"', "cannot be read", 0),
    ('b"é"', "cannot be read", 0),
    (r'TCP()/"\ud800"', "half a character", 6),
    # Words in the wrong place
    ("", "nothing to send", None),
    (" \t ", "nothing to send", None),
    ("TCP(", "never closed", 3),
    ("TCP(options=[(1)", "never closed", 12),
    ("TCP)", "No bracket was opened", 3),
    ("(1]", "No bracket was opened", 2),
    ("1 +", "has to follow +", 2),
    ("/ 1", "missing before /", 0),
    ("1 ~ 2", "~ does not join", 2),
    ("x y", "is missing before y", 2),
    ("TCP() IP()", "is missing before IP", 6),
    ("TCP(), IP()", "one packet", 5),
    ("TCP(,)", "before this comma", 4),
    ("TCP(seq=1,,ack=2)", "before this comma", 10),
    ("x = 5", "A field is set inside", 2),
    # No packet
    ("x + 7", "the number 1007, not a packet", None),
    ('"hello"', 'say data "…"', None),
    ('b"hello"', 'say data "…"', None),
    ("None", "None is no packet", 0),
    ("[TCP()]", "A list is no packet", 0),
    ("(TCP(), IP())", "A list is no packet", 0),
    ("()", "A list is no packet", 0),
    # Fields
    ('TCP(flags="Z")', "TCP.flags knows no flag Z", 10),
    ('TCP(flags="SYN")', "TCP.flags knows no flag Y", 10),
    ("TCP(flags=TCP)", "write TCP()", 10),
    ("TCP(flags=TCP())", "TCP.flags takes the letters", 10),
    ("TCP(flags=[2, 4])", "TCP.flags takes the letters", 10),
    ("TCP(flags=b'S')", "TCP.flags takes the letters", 10),
    ("TCP(flags=512)", "TCP.flags takes a number from 0 to 511", 10),
    ("TCP(flags=-1)", "TCP.flags takes a number from 0 to 511", 10),
    ('TCP(seq="a")', "TCP.seq takes a number from 0 to 4294967295", 8),
    ("TCP(seq=[1, 2])", "takes one number", 8),
    ("TCP(seq=(1, 2))", "takes one number", 8),
    ("TCP(window=-1)", "TCP.window takes a number from 0 to 65535, and -1", 11),
    ("TCP(window=snd_nxt)", "TCP.window takes a number from 0 to 65535", 11),
    ("TCP(sport=70000)", "TCP.sport takes a number from 0 to 65535", 10),
    ('TCP(dport="htpp")', 'a name such as "http"', 10),
    ("TCP(dport=['http'])", "takes one number", 10),
    ("TCP(dataofs=16)", "TCP.dataofs takes a number from 0 to 15", 12),
    ("TCP(reserved=8)", "TCP.reserved takes a number from 0 to 7", 13),
    ("TCP(chksum=65536)", "TCP.chksum takes a number from 0 to 65535", 11),
    ("TCP(urgptr=b'a')", "TCP.urgptr takes a number from 0 to 65535", 11),
    ("TCP(window=IP())", "TCP.window takes a number from 0 to 65535", 11),
    ("IP(ttl=256)", "IP.ttl takes a number from 0 to 255", 7),
    ("IP(version=16)/TCP()", "IP.version takes a number from 0 to 15", 11),
    ("IP(frag=8192)/TCP()", "IP.frag takes a number from 0 to 8191", 8),
    ("IP(flags='MF+XX')/TCP()", "MF, DF, evil", 9),
    ("IPv6(fl=1048576)/TCP()", "IPv6.fl takes a number from 0 to 1048575", 8),
    ("Dot1Q(vlan=4096)", "Dot1Q.vlan takes a number from 0 to 4095", 11),
    ("ICMP(type=8, gw='192.0.2.1')", "ICMP has no gw when its type is 8", 16),
    ("Raw(load=5)", "Raw.load takes text", 9),
    ("Raw(load=[1])", "Raw.load takes text", 9),
    # TCP's options
    ("TCP(options=5)", "takes a list", 12),
    ("TCP(options=TCP())", "takes a list", 12),
    ('TCP(options="MSS")', "takes a list", 12),
    ("TCP(options=[1])", "takes pairs", 12),
    ('TCP(options=["NOP"])', "takes pairs", 12),
    ("TCP(options=[[[[[[1]]]]]])", "takes pairs", 12),
    ('TCP(options=("MSS", 1460))', "takes pairs", 12),
    ('TCP(options=[("MSS", 1, 2)])', "takes pairs", 12),
    ('TCP(options=[("MSS", 70000)])', "Option MSS takes a number from 0 to 65535", 12),
    ('TCP(options=[("MSS", [1, 2])])', "Option MSS takes 1 number, not 2", 12),
    ('TCP(options=[("MSS", TCP())])', "Option MSS takes a number", 12),
    ('TCP(options=[("MSS", [[1]])])', "Option MSS takes one number", 12),
    ('TCP(options=[("WScale", 256)])', "Option WScale takes a number from 0 to 255", 12),
    ('TCP(options=[("Timestamp", 1)])', "Option Timestamp takes 2 numbers, not 1", 12),
    ('TCP(options=[("SAckOK", 1)])', "Option SAckOK takes no value", 12),
    ('TCP(options=[("NOP", 1)])', "takes no value", 12),
    ('TCP(options=[("MD5", 1)])', "takes octets", 12),
    ('TCP(options=[("Mss", 1)])', 'did you mean "MSS"?', 12),
    ('TCP(options=[(256, b"")])', "from 0 to 255", 12),
    ("TCP(options=[(253, 5)])", "takes text", 12),
    ("TCP(options=[(None, 5)])", "knows no option", 12),
    ("TCP(options=[((1,), 5)])", "knows no option", 12),
    ('TCP(options=[(253, b"x" * 254)])', "an option holds 253", 12),
    ('TCP(options=[("Timestamp", (1, 2)), ("SAck", (1, 2, 3, 4, 5, 6, 7, 8))])', "room for 40", None),
    ('TCP(options=b"\\1" * 41)', "room for 40", None),
    ("TCP(options=[" + '("NOP", None),' * 41 + "])", "room for 40", None),
    # Addresses
    ('IP(dst="localhost")/TCP()', "one IPv4 address", 7),
    ('IP(dst="www.example.org")/TCP()', "one IPv4 address", 7),
    ('IP(src="0.0.0.0/0")/TCP()', "one IPv4 address", 7),
    ('IP(dst="198.51.100.1-9")/TCP()', "one IPv4 address", 7),
    ('IP(dst="198.51.100.*")/TCP()', "one IPv4 address", 7),
    ('IP(dst=["198.51.100.1", "198.51.100.2"])/TCP()', "one IPv4 address", 7),
    ("IP(dst=3325256705)/TCP()", "one IPv4 address", 7),
    ('IP(dst="127.1")/TCP()', "one IPv4 address", 7),
    ('IP(dst="0x7f000001")/TCP()', "one IPv4 address", 7),
    ('IP(dst=b"\\1\\2\\3\\4")/TCP()', "one IPv4 address", 7),
    ('IP(dst="")/TCP()', "one IPv4 address", 7),
    ('IP(dst="1.1.1.1\\0")/TCP()', "one IPv4 address", 7),
    ('IP(dst="::1")/TCP()', "one IPv4 address", 7),
    ("IP(dst=IP())/TCP()", "one IPv4 address", 7),
    ('IPv6(dst="localhost")/TCP()', "one IPv6 address", 9),
    ('IPv6(dst="2001:db8::/32")/TCP()', "one IPv6 address", 9),
    ('IPv6(dst="fe80::1%eth0")/TCP()', "one IPv6 address", 9),
    ('IPv6(dst="192.0.2.1")/TCP()', "one IPv6 address", 9),
    ('IPv6ExtHdrRouting(addresses=["localhost"])', "one IPv6 address", 28),
    ('IPv6ExtHdrRouting(addresses="localhost")', "a list of addresses", 28),
    ('IPv6ExtHdrRouting(addresses=[["::1"]])', "one IPv6 address", 28),
    ('IP(options=[IPOption_RR(routers=["localhost"])])/TCP()', "one IPv4 address", 32),
    ('IP(options=[IPOption_LSRR(routers=["10.0.0.0/8"])])/TCP()', "one IPv4 address", 34),
    ('IP(options=[IPOption_Timestamp(internet_address="localhost")])/TCP()', "one IPv4 address", 48),
    ('ICMP(type=5, gw="localhost")', "one IPv4 address", 16),
    ('ARP(pdst="10.0.0.0/8")', "one IPv4 address", 9),
    ('ARP(psrc="localhost")', "one IPv4 address", 9),
    ('ARP(hwsrc="localhost")', "one MAC address", 10),
    ('Ether(dst="www.x")/IP()/TCP()', "one MAC address", 10),
    ('Ether(src=b"123456")/IP()/TCP()', "one MAC address", 10),
    ('Ether(dst="02:00:00:00:00:01\\n")/IP()/TCP()', "one MAC address", 10),
    # Options of IP
    ('IP(options=b"\\1")/TCP()', "takes a list", 11),
    ("IP(options=[TCP()])/TCP()", "takes IPOption_EOL", 11),
    ("IP(options=[PadN()])/TCP()", "takes IPOption_EOL", 11),
    ("IP(options=[[IPOption_NOP()]])/TCP()", "takes IPOption_EOL", 11),
    ("IP(options=[" + "IPOption_NOP()," * 41 + "])/TCP()", "41 octets, and there is room for 40", 11),
    ("IP(options=[IPOption_RR(routers=[" + '"192.0.2.1",' * 70 + "])])/TCP()", "longer than its length field", 0),
    ("IPOption_NOP()", "is an option, not a packet", None),
    ("IP()/IPOption_NOP()", "is an option, not a layer", 5),
    ("IPOption_NOP()/TCP()", "is an option, not a layer", 15),
    ("PadN()/TCP()", "is an option, not a layer", 7),
    # Places in the stack, which Scapy would fill by asking the network or the system
    ("TCP()/Ether()", "put it first", 6),
    ("Ether()/Ether()", "put it first", 8),
    ("IP()/Ether()/IP()/TCP()", "put it first", 5),
    ("TCP()/(Ether()/IP())", "put it first", 7),
    ("TCP()/ARP()", "behind Ether or Dot1Q", 6),
    ("Dot1Q()/IP()/TCP()", "cannot come first", None),
    ("Padding(load='x')", "fills the end", None),
    ("TCP()/Padding(load='x')/TCP()", "put it last", 24),
    ("TCPerror()", "cannot come first", None),
    ("TCP()/TCPerror()", "behind IPerror or IPerror6", 6),
    ("IPerror()/TCPerror()", "say whose", 0),
    ("IPerror(src='192.0.2.1', dst='192.0.2.2')/TCPerror()", "cannot come first", None),
    ("TCP()/IP()/TCP()", "carried as data", None),
    ("IPv6()/TCP()", "not of this connection's family", None),
    ("IP()/IPv6(src='::1')/TCP()", "not of this connection's family", None),
    ("ICMPv6EchoRequest()", "goes into IPv6", None),
    ("IPv6ExtHdrHopByHop()/TCP()", "goes into IPv6", None),
    ("IP()/ICMPv6EchoRequest()", "cannot follow IP", 5),
    ("b'a'/TCP()", "upon a layer, not upon octets", 0),
    ("5/TCP()", "upon a layer, not upon the number 5", 0),
    ("TCP()/5", "not the number 5", 6),
    ("TCP()/None", "not None", 6),
    ("TCP()/[IP()]", "not a list", 6),
    ("TCP()/b'a'*3", "put brackets around", 0),
    ("TCP()/b'a'+b'b'", "put brackets around", 0),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "words", "at"), REFUSED, ids=[text[:40].encode("ascii", "replace") for text, *_ in REFUSED]
)
def test_it_is_refused_in_a_sentence(text: str, words: str, at: int | None) -> None:
    error = refusal(text)
    assert words in str(error)
    if at is not None:
        assert error.at == at


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("ARP()", "for the sandbox"),
        ("Ether()/IP()/TCP()", "for the sandbox"),
        ('IP(dst="198.51.100.7")/TCP()', "Only the server at 198.51.100.1"),
        ('IP(dst="255.255.255.255")/UDP()', "Only the server at 198.51.100.1"),
        ('IP(src="198.51.100.7")/TCP()', "the lab's own address, 198.51.100.2"),
        ('IP(options=[IPOption_LSRR(routers=["192.0.2.1"])])/TCP()', "IPOption_LSRR"),
        ('IP(options=[IPOption_NOP(), IPOption_SSRR(routers=["192.0.2.1"])])/TCP()', "IPOption_SSRR"),
        ("IP()/IP()/TCP()", "one IP layer"),
        ('IP()/IP(dst="192.0.2.1")/TCP()', "one IP layer"),
        ('IPv6(src="2001:db8::2", dst="2001:db8::1")/TCP()', "Only the server"),
        ('IP(proto=4)/Raw(load=b"E")', "Protocol 4"),
        ('IP(proto=47)/Raw(load=b"E")', "Protocol 47"),
    ],
)
def test_outside_the_sandbox_nobody_else_hears_of_it(text: str, words: str) -> None:
    error = refusal(text, confined=True)
    assert words in str(error)


def test_outside_the_sandbox_no_routing_header() -> None:
    error = refusal('IPv6ExtHdrRouting(addresses=["2001:db8::7"])/TCP()', family="ipv6", confined=True)
    assert "IPv6ExtHdrRouting" in str(error)
    error = refusal('IPv6(nh=43)/Raw(load=b"x")', family="ipv6", confined=True)
    assert "Protocol 43" in str(error)


@pytest.mark.parametrize(
    "text",
    [
        'TCP(flags="S")',
        'IP(src="198.51.100.2", dst="198.51.100.1", ttl=3)/TCP()',
        "ICMP(type=3, code=4)/IPerror(src='198.51.100.1', dst='192.0.2.7')/TCPerror()",
        "UDP()/b'x'",
        "TCP()/IP(src='192.0.2.1', dst='192.0.2.2')/TCP()",  # data for the server
    ],
)
def test_outside_the_sandbox_the_server_may_be_sent_anything(text: str) -> None:
    made(text, confined=True)


def test_without_the_peers_address_no_source_may_be_given() -> None:
    with pytest.raises(ExpressionError, match="leave src out"):
        packet("IP(src='198.51.100.2')/TCP()", {}, family="ipv4", server_address=SERVER["ipv4"], confined=True)


# Names and scripts


def test_the_names_in_a_text_finished_or_not() -> None:
    assert names_in('TCP(flags="SF", seq=x+7)/b"ab cd"') == {"TCP", "x"}
    assert names_in("IP(ttl=None)/TCP(seq=snd_nxt, ack=rcv_") == {"IP", "TCP", "snd_nxt", "rcv_"}
    assert names_in('TCP()/"never ends') == {"TCP", "never", "ends"}
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


# Anything


def comes_to_something(text: str, family: Literal["ipv4", "ipv6"]) -> bool:
    """Whether it is a packet; a refusal is as good, anything else raised is not."""
    names_in(text)
    with suppress(ExpressionError):
        as_script(text, {"x": "peer.iss"})
    refused: list[ExpressionError] = []
    try:
        assert isinstance(made(text, family), Packet)
    except ExpressionError as error:
        refused.append(error)
    for error in refused:
        assert str(error)
        assert "\n" not in str(error)
        assert error.at is None or 0 <= error.at <= len(text)
    return not refused


families = st.sampled_from(["ipv4", "ipv6"])


@calmly
@given(st.text(max_size=80), families)
def test_any_text_is_a_packet_or_refused(text: str, family: Literal["ipv4", "ipv6"]) -> None:
    comes_to_something(text, family)


words = st.sampled_from(
    [
        *LAYERS, *NAMES, "flags", "seq", "options", "src", "dst", "load", "addresses", "payload", "_pkt", "__class__",
        "(", ")", "[", "]", ",", "=", "/", "+", "-", "*", "//", "%", "<<", ">>", "&", "|", "^", "~", "**", ".", ":=",
        "()", "TCP(", ")/", "0", "1", "65535", "4294967296", "0x0bad", "1.5", '"S"', '"localhost"', 'b"!"', "'\\n'",
        '"192.0.2.1"', '"::1"', '"MSS"', "lambda", "for", "if", "not", "\\", "\n", "\0", "#", ";", "é", "Ｔ", "f'{x}'",
        '"', "None", ":",
    ]
)  # fmt: skip


@calmly
@given(st.lists(words, max_size=40), st.sampled_from(["", " "]), families)
def test_any_words_are_a_packet_or_refused(parts: list[str], between: str, family: Literal["ipv4", "ipv6"]) -> None:
    comes_to_something(between.join(parts), family)


numbers = st.one_of(
    st.integers(-3, 300),
    st.sampled_from([511, 512, 4095, 8191, 65535, 65536, 2**32 - 1, 2**32, 2**64]),
)
values = st.recursive(
    st.one_of(
        numbers.map(str),
        st.sampled_from(
            [
                "x",
                "window",
                "None",
                '"S"',
                '"MF"',
                '"who-has"',
                '"192.0.2.1"',
                '"198.51.100.1"',
                '"2001:db8::1"',
                '"a.b"',
            ]
        ),
        st.sampled_from(
            ['"02:00:00:00:00:01"', 'b""', 'b"ab"', '"MSS"', "IPOption_NOP()", "PadN()", "TCP()", "~x", "x-1"]
        ),
        st.binary(max_size=8).map(repr),
        st.text(max_size=4).map(ascii),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3).map(lambda parts: f"[{', '.join(parts)}]"),
        st.lists(inner, min_size=2, max_size=2).map(lambda parts: f"({', '.join(parts)})"),
    ),
    max_leaves=6,
)
each_fields = {
    name: [field.name for field in getattr(__import__(module, fromlist=[name]), name).fields_desc]
    for name, module in LAYERS.items()
}


@st.composite
def stacks(draw: st.DrawFn) -> str:
    """Well-formed expressions whose fields have any values; many are packets."""
    made: list[str] = []
    for name in draw(st.lists(st.sampled_from([*LAYERS]), min_size=1, max_size=4)):
        own = st.sampled_from(each_fields[name]) if each_fields[name] else st.nothing()
        chosen = draw(st.lists(own, unique=True, max_size=3)) if each_fields[name] else []
        made.append(f"{name}({', '.join(f'{field}={draw(values)}' for field in chosen)})")
    return "/".join(made)


@calmly
@given(stacks(), families)
def test_any_layers_with_any_fields_are_a_packet_or_refused(text: str, family: Literal["ipv4", "ipv6"]) -> None:
    comes_to_something(text, family)


@calmly
@given(st.sampled_from([*LAYERS]), st.data(), families)
def test_any_one_field_with_any_value_is_a_packet_or_refused(
    layer: str, data: st.DataObject, family: Literal["ipv4", "ipv6"]
) -> None:
    if each_fields[layer]:
        field = data.draw(st.sampled_from(each_fields[layer]))
        comes_to_something(f"{layer}({field}={data.draw(values)})/TCP()", family)


@calmly
@given(stacks())
def test_a_script_has_the_same_tree(text: str) -> None:
    try:
        script = as_script(text, {})
    except ExpressionError:
        return
    assert ast.dump(ast.parse(script, mode="eval")) == ast.dump(ast.parse(text, mode="eval"))
    assert as_script(script, {}) == script


operands = st.sampled_from(["1", "x", "(2)", '"a"', "TCP()"])
signs = st.sampled_from(["+", "-", "*", "/", "//", "%", "<<", ">>", "&", "|", "^"])
sums = st.recursive(
    operands,
    lambda inner: st.one_of(
        st.tuples(inner, signs, inner).map("".join),
        inner.map(lambda one: f"({one})"),
        inner.map(lambda one: f"-{one}"),
    ),
    max_leaves=8,
)


@calmly
@given(sums)
def test_a_script_keeps_what_its_brackets_meant(text: str) -> None:
    script = as_script(text, {})
    assert ast.dump(ast.parse(script, mode="eval")) == ast.dump(ast.parse(text, mode="eval"))


@calmly
@given(sums)
def test_a_sum_is_worked_out_as_python_does_or_refused(text: str) -> None:
    """Without layers and with plain numbers, a value that comes out is Python's own."""
    text = text.replace("TCP()", "3").replace("/", "//").replace("////", "//")
    try:
        value = evaluate(text, {"x": 11})
    except ExpressionError:
        return
    assert value == eval(text, {"__builtins__": {}}, {"x": 11})
