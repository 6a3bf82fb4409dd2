"""Whatever text comes in, a packet that can be sent or a sentence comes out."""

from __future__ import annotations

import ast
from contextlib import suppress
from importlib import import_module
from typing import Literal

from expressions import NAMES, made, on_the_wire, refusal
from expressions import nothing_reached as nothing_reached
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scapy.packet import Packet

from lab.explore.expression.evaluate import LAYERS, ExpressionError, as_script, evaluate, names_in
from lab.tcp.segment import ACK, Segment
from lab.tcp.sequence import Seq
from lab.wire.codec import TcpFrame, decode

calmly = settings(
    deadline=None,
    database=None,
    max_examples=300,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)


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
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "sport": st.integers(0, 65535),
            "dport": st.integers(0, 65535),
            "seq": st.integers(-(2**64), 2**64),
            "ack": st.integers(-(2**64), 2**64),
            "flags": st.integers(0, 511),
            "window": st.integers(0, 65535),
            "chksum": st.integers(0, 65535),
            "urgptr": st.integers(0, 65535),
        },
    ),
    st.binary(max_size=20),
    st.sampled_from(["TCP", "IP(ttl=9)/TCP", "IP(options=[IPOption_NOP()])/TCP", "Ether()/IP()/TCP"]),
)
def test_any_fields_that_fit_go_out_as_written(fields: dict[str, int], payload: bytes, stack: str) -> None:
    text = f"{stack}({', '.join(f'{name}={value}' for name, value in fields.items())})/{payload!r}"
    defaults = Segment(flags=ACK, seq=Seq(7), ack=Seq(8), window=9)
    read = decode(on_the_wire(made(text), defaults))
    assert isinstance(read, TcpFrame)
    flags = fields.get("flags", 0x10)
    assert read.segment.flags == flags
    assert int(read.segment.seq) == fields.get("seq", 7) % 2**32
    assert int(read.segment.ack) == fields.get("ack", 8 if flags & 0x10 else 0) % 2**32  # ACK is 16
    assert read.segment.window == fields.get("window", 9)
    assert read.segment.urgent == fields.get("urgptr", 0)
    assert read.segment.payload == payload
    assert (read.sport, read.dport) == (fields.get("sport", 40000), fields.get("dport", 80))
    assert read.checksum == fields.get("chksum", read.checksum)


likely: dict[str, st.SearchStrategy[str]] = {
    "TCP": st.sampled_from(["seq=x", "flags='SA'", "window=1", 'options=[("MSS", 5), ("SAck", (1, 2))]', "dataofs=7"]),
    "UDP": st.sampled_from(["sport=7", "dport='domain'", "len=3"]),
    "ICMP": st.sampled_from(["type=3", "code=1", "id=7", "ts_ori=1", "type=13", "length=2", "type='redirect'"]),
    "IP": st.sampled_from(["ttl=3", "src='192.0.2.1'", "dst=server", "proto=9", "frag=7", "ihl=6", "flags='MF'"]),
    "IPv6": st.sampled_from(["hlim=3", "src='2001:db8::9'", "dst='2001:db8::1'", "nh=6", "tc=3", "plen=0"]),
    "IPv6ExtHdrRouting": st.sampled_from(["addresses=['::1', '::2']", "segleft=1", "type=4", "nh=6"]),
    "IPv6ExtHdrHopByHop": st.sampled_from(
        ["options=[PadN(optdata='ab'), Pad1(), RouterAlert()]", "autopad=0", "len=7"]
    ),
    "IPv6ExtHdrDestOpt": st.sampled_from(["options=[HBHOptUnknown(otype=9, optdata='ab')]", "autopad=0", "len=7"]),
    "IPv6ExtHdrFragment": st.sampled_from(["offset=7", "m=1", "id=8"]),
    "ICMPv6DestUnreach": st.sampled_from(["code=4", "length=1", "cksum=2"]),
    "ICMPv6EchoRequest": st.sampled_from(["data='abc'", "id=4", "seq=9"]),
    "Ether": st.sampled_from(["dst='02:00:00:00:00:09'", "type=5", "type='IPv6'"]),
    "Dot1Q": st.sampled_from(["vlan=9", "prio=3", "type=5"]),
    "ARP": st.sampled_from(["op='is-at'", "pdst=server", "psrc=server", "hwlen=6", "plen=4", "hwtype=9", "ptype=9"]),
    "Raw": st.sampled_from(["load='abc'", "load=key"]),
    "Padding": st.sampled_from(["load='abc'"]),
}
towers = st.sampled_from(
    [
        "TCP",
        "UDP/Raw",
        "ICMP/Raw",
        "IP/TCP/Raw",
        "IP/UDP/Raw",
        "IP/ICMP",
        "IP/IP/TCP",
        "IP/Raw",
        "Raw",
        "Raw/TCP",
        "TCP/TCP/Raw",
        "UDP/TCP",
        "TCP/UDP/Raw",
        "TCP/ICMP",
        "ICMP/IP/TCP",
        "Ether/IP/TCP/Raw/Padding",
        "Ether/ARP",
        "ARP/Raw",
        "ARP/Padding",
        "Ether/Dot1Q/IP/TCP",
        "Ether/Dot1Q/ARP",
        "Ether/Raw",
        "Ether/TCP",
        "Ether/Dot1Q/Dot1Q",
        "IPv6/TCP",
        "IPv6/UDP/Raw",
        "IPv6/ICMPv6EchoRequest",
        "ICMPv6DestUnreach/Raw",
        "IPv6/ICMP",
        "IPv6ExtHdrRouting/TCP/Raw",
        "IPv6/IPv6ExtHdrRouting/UDP",
        "IPv6ExtHdrHopByHop/IPv6ExtHdrDestOpt/TCP",
        "IPv6/IPv6",
        "IPv6/IPv6ExtHdrFragment/TCP/Raw",
        "IPv6ExtHdrDestOpt/ICMPv6EchoRequest",
        "Ether/IPv6/IPv6ExtHdrHopByHop/TCP/Padding",
    ]
)


@st.composite
def sound(draw: st.DrawFn) -> str:
    """Expressions whose layers and values all have their places: Scapy has to build nearly every one."""
    written: list[str] = []
    for name in draw(towers).split("/"):
        chosen = draw(st.lists(likely[name], unique_by=lambda one: one.partition("=")[0], max_size=3))
        written.append(f"{name}({', '.join(chosen)})")
    return "/".join(written)


@calmly
@given(sound())
def test_what_is_let_through_can_be_sent(text: str) -> None:
    """On a connection of one family or the other; what is refused all the same is named here."""
    let_through = 0
    for family in ("ipv4", "ipv6"):
        if comes_to_something(text, family):
            let_through += 1
            assert len(on_the_wire(made(text, family), Segment(flags=ACK, seq=Seq(7)), family)) >= 14
    if not let_through:
        sentence = str(refusal(text, family="ipv6" if "IPv6" in text else "ipv4"))
        assert any(words in sentence for words in ("when its type is", "not of this connection's family")), sentence


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
    if "TCP" in text and "options" in text:
        return  # there are more ways to type these than Scapy takes
    assert ast.dump(ast.parse(script, mode="eval")) == ast.dump(ast.parse(text, mode="eval"))
    assert as_script(script, {}) == script


kinds = st.sampled_from(["EOL", "NOP", "MSS", "WScale", "SAckOK", "SAck", "Timestamp", "UTO", "TFO", "MD5", "AO"])
data = st.sampled_from(
    [
        "None",
        "()",
        '""',
        'b""',
        '"ab"',
        'b"\\xff"',
        '"a" * 3 + "b"',
        "5",
        "x % 7",
        "(5,)",
        "[5]",
        "(1, 2)",
        "[1, x]",
        "[]",
    ]
)
options = st.lists(
    st.tuples(
        st.one_of(kinds.map(repr), st.just("253"), st.just("20 + 8")), data, st.sampled_from(["(%s, %s)", "[%s, %s]"])
    ),
    max_size=5,
)


@calmly
@given(options.map(lambda some: ", ".join(pair % (kind, value) for kind, value, pair in some)), st.booleans())
def test_a_script_has_the_same_options(inside: str, as_list: bool) -> None:
    sends_the_same(f"TCP(options=[{inside}])" if as_list or not inside else f"TCP(options=({inside},))", "ipv4")


@calmly
@given(st.one_of(sound(), stacks()), families)
def test_a_script_sends_the_same(text: str, family: Literal["ipv4", "ipv6"]) -> None:
    sends_the_same(text, family)


def sends_the_same(text: str, family: Literal["ipv4", "ipv6"]) -> None:
    """What is let through is, worked out by Python from the script, the same frame."""
    if not comes_to_something(text, family):
        return
    layers = {name: getattr(import_module(module), name) for name, module in LAYERS.items()}
    written = eval(as_script(text, {}), {"__builtins__": {}}, {**layers, **NAMES})
    defaults = Segment(flags=ACK, seq=Seq(7))
    assert on_the_wire(written, defaults, family) == on_the_wire(made(text, family), defaults, family)


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
