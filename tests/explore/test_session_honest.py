"""What a kernel takes otherwise than the plain text has it, by leave of some document: it is not blamed for that."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hand import FINE, Hand, calls, packets

from lab.explore.web import Stream
from lab.scenario.record import Packet, Verdict
from lab.tcp.segment import ACK, FIN, Flags, Segment
from lab.tcp.sequence import Seq
from lab.testbed.sandbox import Sandboxes

BROKEN = Path(__file__).parent.parent / "broken"
sys.path.append(str(BROKEN))

from broken_servers import entry_point  # noqa: E402

OPEN = ("syn", "ack", "server accept")


# An old acknowledgment with text (RFC 5961 §5.2)


@pytest.mark.parametrize("between", [(), ("server recv",)])
def test_text_under_an_old_ack_is_taken_or_dropped(hand: Hand, between: tuple[str, ...]) -> None:
    hand.do(*OPEN, 'data "llo"', *between)
    seen = packets(hand.do('send TCP(flags="A", ack=y)/b"hello"'))
    assert seen in (["> A 4 0 hello", "< A 1 4"], ["> A 4 0 hello", "< A 1 9"])
    hand.do('data "hello"', "server recv", 'send TCP(flags="A", ack=y)/b"hello"', "server recv")
    assert hand.end().verdict in FINE


def test_a_service_does_not_owe_an_answer_to_what_its_kernel_has_dropped(hand: Hand) -> None:
    hand.do("new ws", "ws open", "ack", 'ws text "hi"', "ack")
    # A frame that is not masked fails the connection (RFC 6455 §5.1), if it is taken.
    hand.do(r'send TCP(flags="A", ack=y)/b"\x81\x02hi"')
    assert hand.end().verdict in FINE


def segment(seq: int, payload: bytes, flags: Flags = ACK) -> Packet:
    return Packet(1, 0.0, 0.0, "peer", b"", Segment(flags, Seq(seq), payload=payload), seq=seq)


def test_a_stream_has_ended_when_all_before_its_fin_has_come() -> None:
    stream = Stream()
    assert stream.takes(segment(6, b"", FIN | ACK)) == b""
    assert not stream.ended
    assert stream.takes(segment(1, b"hello")) == b"hello"
    assert stream.ended


def test_what_was_dropped_gives_way_to_what_comes_in_its_place() -> None:
    stream = Stream()
    assert stream.takes(segment(1, b"dropped"), reached=1) == b""
    assert stream.more(reached=1) == b""
    assert stream.takes(segment(6, b" there"), reached=1) == b""
    assert stream.takes(segment(1, b"taken"), reached=12) == b"taken there"
    assert stream.takes(segment(12, b"!"), reached=12) == b""
    assert stream.more(reached=13) == b"!"


# Urgent data (RFC 9293 §3.8.5), which a socket's program reads in their place (RFC 6093 §6)

URGENT = [
    ('send TCP(flags="UPA")', 'data "hello"'),
    ('send TCP(flags="UPA", urgptr=1)/b"hello"',),
    ('send TCP(flags="UPA", urgptr=5)/b"hello"',),
    ('send TCP(flags="UPA", urgptr=2)/b"he"', 'send TCP(flags="UPA", urgptr=9)/b"llo"'),
]


@pytest.mark.parametrize("lines", URGENT)
@pytest.mark.parametrize("opening", [OPEN, ("server connect", "synack")])
def test_no_octet_is_lost_for_being_urgent(hand: Hand, opening: tuple[str, ...], lines: tuple[str, ...]) -> None:
    hand.do(*opening, *lines)
    assert calls(hand.do("server recv")) == ["program reads b'hello'"]
    assert hand.end().verdict in FINE


def test_a_service_reads_urgent_data_in_their_place(hand: Hand) -> None:
    hand.do("new ws", "ws open", "ack")
    # A masked text: without the octet before the urgent pointer it would be no frame (RFC 6455 §5.2).
    hand.do(r'send TCP(flags="UPA", urgptr=2)/b"\x81\x82\0\0\0\0hi"')
    assert hand.end().verdict in FINE


def test_a_program_that_loses_an_urgent_octet_is_found_out(hand: Hand) -> None:
    hand.do(*OPEN)
    socket = hand.session.hand.socket
    assert socket is not None
    socket.set("SO_OOBINLINE", 0)
    (problem,) = hand.do('send TCP(flags="UPA", urgptr=1)/b"hello"', "server recv").problems
    assert (problem.verdict, problem.field) == (Verdict.VIOLATES, "payload")


# Options that a stack may stumble over (RFC 2385 §2.0; RFC 9293 §3.1, MUST-7)

STUMBLES = [
    'options=[(19, b"0123456789abcdef")]',
    'options=[(19, b"0123456789abcdef"), (19, b"0123456789abcdef")]',
    'options=[(29, b"\\x01\\x01" + b"m" * 12)]',
    r'options=b"\x03\x00" + b"\x01" * 22',
    r'options=b"\x13\x05abc" + b"\x00" * 15',
]


@pytest.mark.parametrize("raw", STUMBLES)
def test_options_that_a_kernel_may_drop_a_segment_for(hand: Hand, raw: str) -> None:
    hand.do(f'send TCP(flags="S", seq=x, {raw})', "syn", "ack")
    hand.do("server accept", f'send TCP(flags="PA", {raw})/b"hello"', 'send TCP(flags="PA", seq=x+1, ack=y+1)/b"hello"')
    assert calls(hand.do("server recv")) == ["program reads b'hello'"]
    hand.do(f'send TCP(flags="FA", {raw})', "repeat", "server close", f'send TCP(flags="A", {raw})')
    hand.do("new closed", f'send TCP(flags="S", seq=x, {raw})', f'send TCP(flags="A", seq=x, {raw})')
    assert hand.end().verdict in FINE


# What a host's Internet layer refuses (RFC 791 §3.1, RFC 1122 §3.2.1.8, RFC 8200 §4)

IPV4 = [
    'IP(options=[IPOption_LSRR(routers=["10.0.0.1"])])',
    'IP(options=[IPOption_SSRR(routers=["10.0.0.1"])])',
    'IP(options=[IPOption_LSRR(routers=["10.0.0.1"], pointer=8)])',
    'IP(options=[IPOption_RR(routers=["0.0.0.0", "0.0.0.0"])])',
    "IP(options=[IPOption_Timestamp()])",
    "IP(options=[IPOption_Timestamp(flg=0)])",
    "IP(ttl=0)",
    'IP(src="198.51.100.77")',
    'IP(dst="198.51.100.77")',
    'Ether(dst="ff:ff:ff:ff:ff:ff")/IP()',
    'Ether(dst="02:00:00:00:00:77")/IP()',
]
IPV6 = [
    "IPv6ExtHdrHopByHop(options=[HBHOptUnknown(otype=30)])",
    "IPv6ExtHdrHopByHop(options=[HBHOptUnknown(otype=94)])",
    "IPv6ExtHdrHopByHop(options=[HBHOptUnknown(otype=194)])",
    "IPv6ExtHdrHopByHop(options=[HBHOptUnknown(otype=49)])",
    r'IPv6ExtHdrHopByHop(options=[PadN(optdata=b"\x01\x01")])',
    "IPv6ExtHdrDestOpt(options=[HBHOptUnknown(otype=158)])",
    "IPv6ExtHdrDestOpt(options=[])/IPv6ExtHdrHopByHop(options=[])",
    "IPv6ExtHdrRouting(type=0, segleft=0)",
    'IPv6ExtHdrRouting(type=0, addresses=["2001:db8::9"])',
    'IPv6ExtHdrRouting(type=4, segleft=0, addresses=["2001:db8::9"])',
    "IPv6ExtHdrFragment()",
    "IPv6(hlim=0)",
    'IPv6(src="2001:db8::77")',
]


@pytest.mark.parametrize(("family", "below"), [*(("ipv4", one) for one in IPV4), *(("ipv6", one) for one in IPV6)])
def test_what_a_host_refuses_before_tcp(sandboxes: Sandboxes, tmp_path: Path, family: str, below: str) -> None:
    with Hand(sandboxes, tmp_path, family=family) as hand:
        hand.do(f'send {below}/TCP(flags="S", seq=x)', "syn", "ack", "server accept")
        hand.do(f'send {below}/TCP(flags="FA", seq=x+1)', 'send TCP(flags="FA", seq=x+1)', "server close", "ack")
        assert hand.states[1] == "CLOSED"
        hand.do("new closed", f'send {below}/TCP(flags="S", seq=x)', "syn")
        assert hand.end().verdict in FINE


def test_ports_of_no_connection_are_no_business_of_ours(hand: Hand) -> None:
    hand.do('send TCP(flags="S", seq=x, sport=1234)', 'send TCP(flags="S", seq=x, dport=1234)', "syn", "ack")
    assert hand.states == ("ESTABLISHED", "ESTABLISHED")
    assert hand.end().verdict in FINE


def test_predict_says_what_a_host_refuses(hand: Hand) -> None:
    hand.do(*OPEN)
    text = hand.look(f'predict {IPV4[0]}/TCP(flags="FA")')
    never = "it never reaches the server's TCP"
    assert f"its source route leads on to another host: {never} (RFC 791 §3.1)" in " ".join(text.split())
    assert "CLOSE-WAIT" not in text
    # What a host's link layer keeps from it counts as well, and so does the checksum, whoever is asked.
    elsewhere = 'Ether(dst="02:00:00:00:00:09")/IP()/TCP(flags="FA")'
    for packet, why in ((elsewhere, f"to another host on the link: {never} (RFC 894)"),
                        ('TCP(flags="FA", chksum=1)', f"bad checksum: {never} (RFC 9293 §3.1)")):  # fmt: skip
        text = hand.look(f"predict {packet}")
        assert why in " ".join(text.split())
        assert "CLOSE-WAIT" not in text
        hand.do(f"send {packet}")
        assert hand.states[1] == "ESTABLISHED"
    assert "which a host may refuse (RFC 7126 §4.3)" in " ".join(
        hand.look(f'predict {IPV4[2]}/TCP(flags="FA")').split()
    )


@pytest.mark.parametrize("below", ["IP(ttl=1)", IPV4[3], IPV4[5]])
def test_a_server_that_stays_mute_for_no_reason_is_found_out(sandboxes: Sandboxes, tmp_path: Path, below: str) -> None:
    with Hand(sandboxes, tmp_path, serve=entry_point("closed_port_silent"), path=[str(BROKEN)]) as hand:
        (problem,) = hand.do("new closed", f'send {below}/TCP(flags="S", seq=x)').problems
        assert (problem.verdict, problem.field) == (Verdict.VIOLATES, "silence")


# A window that is wider than its field can say


def test_a_reset_beyond_what_the_window_field_can_say_may_be_asked_about(hand: Hand) -> None:
    hand.do(*OPEN, 'data "y" * 3000', "server recv")
    for number in (68530, 68600, 70000, 2**28):
        step = hand.do(f'send TCP(flags="R", seq=x+{number})')
        assert not step.problems, number
        assert packets(step)[1:] in ([], ["< A 1 3001"])
    assert packets(step)[1:] == [], "no window is as wide as that"
    assert hand.states == ("ESTABLISHED", "ESTABLISHED")
    assert hand.end().verdict in FINE


def test_a_program_may_let_go_of_a_connection_that_is_gone(hand: Hand) -> None:
    hand.do(*OPEN, "rst", "server abort")
    assert "has no socket" in hand.refused("server recv")
    assert hand.end().verdict in FINE
